//! What a restore is about to do, or that a backup holds the site still, on disk before it does it: from this alone a later process can put a site right.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::database::SideCopy;
use crate::error::{Context, Error, Result};
use crate::sys::fs::{sync_directory, write_atomic};
use crate::sys::raw_path::RawPath;

/// While it is there, a restore is not at its end.
const FILE: &str = "restore.json";

/// The journal of the last restore that came to its end.
const LAST: &str = "undo.json";

const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    format: u32,
    pub(crate) begun: Timestamp,
    pub(crate) phase: Phase,
    /// In the names of everything that this restore makes.
    pub(crate) token: String,
    /// The token of the restore that this one undoes.
    pub(crate) undoes: Option<String>,
    /// What the site becomes.
    pub(crate) snapshot: Option<String>,
    /// What it was.
    pub(crate) safety: Option<String>,
    pub(crate) files: Option<Files>,
    pub(crate) databases: Vec<Aside>,
    /// The directory of a server that a drill started for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<RawPath>,
    /// Hooks may have stopped what writes to the site.
    #[serde(default)]
    pub(crate) quiesced: bool,
    /// Whose it is; of a backup, only that the site is held still.
    #[serde(default)]
    pub(crate) story: Story,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Story {
    #[default]
    Restore,
    Backup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// A preflight tries the rights on the servers; nothing else is made yet.
    Checking,
    /// Things are made beside the site; nothing live is touched, or everything is back.
    Preparing,
    /// Any of the announced changes may have happened.
    Changing,
    /// The new state is the valid one.
    Committed,
}

/// The files of a restore. Every path below is relative to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Files {
    pub(crate) root: RawPath,
    /// The private directory whose `tree` changes places with the root, or with paths of it.
    pub(crate) place: RawPath,
    /// Its name after the commit.
    pub(crate) kept: RawPath,
    /// The place was made for this restore, and goes with it if it fails.
    pub(crate) fresh: bool,
    /// Patterns of what belongs to the site and to no snapshot.
    pub(crate) excluded: Vec<String>,
    pub(crate) swaps: Vec<Swap>,
    /// What moves along from the former tree into the new one.
    pub(crate) carried: Vec<RawPath>,
    /// Those of them that came after the snapshot: an undo takes them along again.
    pub(crate) came: Vec<RawPath>,
    /// Directories of the live tree that a rename leaves with another time, and the time they had.
    pub(crate) times: Vec<(RawPath, (i64, i64))>,
}

/// One thing that changes places: the whole root (an empty path), or one path of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Swap {
    pub(crate) path: RawPath,
    #[serde(flatten)]
    pub(crate) kind: SwapKind,
}

/// Inode numbers tell which is which. Device numbers are left out: another start of the machine may give others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum SwapKind {
    Exchange {
        staged: u64,
        former: u64,
    },
    /// There was nothing live.
    Come,
    /// Nothing takes its place.
    Go,
}

/// A side copy and the database it belongs to, by the directory of its dumps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aside {
    pub(crate) directory: PathBuf,
    /// It was, or will be, made for this restore, and goes with it if it fails.
    pub(crate) fresh: bool,
    pub(crate) copy: SideCopy,
}

impl Journal {
    pub(crate) fn new(token: String, begun: Timestamp) -> Self {
        Self {
            format: FORMAT,
            begun,
            phase: Phase::Preparing,
            token,
            undoes: None,
            snapshot: None,
            safety: None,
            files: None,
            databases: Vec::new(),
            server: None,
            quiesced: false,
            story: Story::Restore,
        }
    }

    /// Of a backup that is about to have the site held still.
    pub(crate) fn of_backup(token: String) -> Self {
        Self { story: Story::Backup, quiesced: true, ..Self::new(token, Timestamp::now()) }
    }

    pub(crate) fn in_phase(&self, phase: Phase) -> Self {
        Self { phase, ..self.clone() }
    }

    /// The one of a restore that did not come to its end, if there is one.
    pub(crate) fn unfinished(state: &Path) -> Result<Option<Self>> {
        read(&state.join(FILE))
    }

    /// The one of the last restore that did.
    pub(crate) fn last(state: &Path) -> Result<Option<Self>> {
        read(&state.join(LAST))
    }

    /// On disk, with its name, when this returns.
    pub(crate) fn write(&self, state: &Path) -> Result<()> {
        write_atomic(&state.join(FILE), &serde_json::to_vec_pretty(self)?, 0o600)
            .context("write the journal of the restore")
    }

    /// There is nothing more to put right, and nothing to undo.
    pub(crate) fn remove(state: &Path) -> Result<()> {
        remove(&state.join(FILE))?;
        sync_directory(state)
    }

    /// The restore is at its end, in one step; from now on it can be undone.
    pub(crate) fn close(state: &Path) -> Result<()> {
        match std::fs::rename(state.join(FILE), state.join(LAST)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other.context("close the journal of the restore"),
        }?;
        sync_directory(state)
    }

    /// Removes what a process left that was killed while it wrote one of our files.
    pub(crate) fn sweep(state: &Path) -> Result<()> {
        let entries = match std::fs::read_dir(state) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.with_context(|| format!("look into {}", state.display()))?,
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let ours = [FILE, LAST, super::former::FILE].iter().any(|file| name.starts_with(file));
            if ours && path.extension().is_some_and(|end| end == "tmp") {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Option<Journal>> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("read {}", path.display()))?,
    };
    let journal: Journal =
        serde_json::from_slice(&text).with_context(|| format!("read {}", path.display()))?;
    if journal.format != FORMAT {
        return Err(Error::failed(format!("{} was written by another version", path.display()))
            .with_remedy("let that version finish the restore: `lifeboat recover`"));
    }
    Ok(Some(journal))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
