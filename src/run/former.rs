//! What restores set aside: remembered by name, removed only when a person says so.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::journal::Journal;
use super::{Job, recover, staging};
use crate::database::{self, SideCopy};
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::sys::claim::claim;
use crate::sys::fs::{sibling, sync_directory, write_atomic};

pub(crate) const FILE: &str = "former.json";

/// In the name of what is being removed.
const DOOMED: &str = ".discarded";

/// What was live before one restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Of the restore that set it aside.
    #[serde(default)]
    pub token: String,
    pub at: Timestamp,
    pub files: Option<PathBuf>,
    pub databases: Vec<SideCopy>,
}

impl fmt::Display for Former {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from before the restore of {:.0}:", self.at)?;
        if let Some(files) = &self.files {
            write!(f, " files in {};", files.display())?;
        }
        for copy in &self.databases {
            write!(f, " {} in {};", copy.live, copy.former)?;
        }
        Ok(())
    }
}

/// Adds what a restore set aside; what an undo made live again is set aside no more. Harmless when called twice.
pub(crate) fn remember(job: &Job, journal: &Journal) -> Result<()> {
    let mut all = former(job)?;
    all.retain(|one| Some(&one.token) != journal.undoes.as_ref() && one.token != journal.token);
    all.push(Former {
        token: journal.token.clone(),
        at: journal.begun,
        files: journal.files.as_ref().map(|files| files.kept.0.clone()),
        databases: journal.databases.iter().map(|copy| copy.copy.clone()).collect(),
    });
    store(job, &all)
}

/// Everything that is still set aside, oldest first.
pub fn former(job: &Job) -> Result<Vec<Former>> {
    let path = job.state.join(FILE);
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        text => serde_json::from_slice(&text?).with_context(|| format!("read {}", path.display())),
    }
}

/// Removes it for good; what was removed is forgotten one by one, so that a failure leaves a true list.
pub fn discard_former(job: &Job, cx: &Cx) -> Result<()> {
    let _claim = claim(&job.state.join("lock"), "restore --discard-former")?;
    recover::before(job, cx)?;
    let mut left = former(job)?;
    while let Some(oldest) = left.first() {
        if let Some(files) = &oldest.files {
            remove(files)?;
        }
        for copy in &oldest.databases {
            let owner = job.databases.iter().map(database::open).find(|database| database.owns(copy));
            let owner = owner.ok_or_else(|| {
                Error::failed(format!("the configuration names no database {} any more", copy.live))
                    .with_remedy(format!(
                        "remove {} by hand, and its entry in {}",
                        copy.former,
                        job.state.join(FILE).display()
                    ))
            })?;
            owner.discard(copy, cx).with_context(|| format!("remove {}", copy.former))?;
        }
        left.remove(0);
        store(job, &left)?;
    }
    Ok(())
}

fn store(job: &Job, all: &[Former]) -> Result<()> {
    write_atomic(&job.state.join(FILE), &serde_json::to_vec_pretty(all)?, 0o600)
}

/// Only what bears the name that a restore gave it: the list is a file, and a file can be wrong.
fn remove(files: &Path) -> Result<()> {
    if !staging::is_kept(files) {
        return Err(Error::failed(format!("{} is not what a restore set aside", files.display())));
    }
    // Half of it under its own name would look like all of it to an undo.
    let doomed = sibling(files, DOOMED);
    remove_all(&doomed)?;
    match std::fs::rename(files, &doomed) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.with_context(|| format!("rename {} to {}", files.display(), doomed.display()))?,
    }
    sync_directory(files.parent().unwrap_or(Path::new("/")))?;
    remove_all(&doomed)
}

fn remove_all(directory: &Path) -> Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}
