//! The snapshots of a repository, in our words.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustic_core::repofile::SnapshotFile;
use rustic_core::{FileType, ReadBackend};
use serde::Serialize;

use super::adopted::Adopted;
use super::{Repo, engine_error};
use crate::error::{Context, Error, Kind, Result};

/// Tag of a snapshot in which nothing that was asked for is missing.
pub const COMPLETE: &str = "complete";

/// Tag of a snapshot in which something is missing.
pub const INCOMPLETE: &str = "incomplete";

/// One snapshot: the commit record of a backup.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    pub id: String,
    pub time: Timestamp,
    /// Restic's `host`.
    pub site: String,
    pub tags: Vec<String>,
    #[serde(serialize_with = "crate::sys::fs::all_shown")]
    pub paths: Vec<PathBuf>,
    /// The site's root among the paths, where we made the snapshot.
    pub root: Option<PathBuf>,
    /// Nothing was missed when it was made; snapshots of other programs count as complete.
    pub complete: bool,
    pub program: String,
    pub stats: Option<Stats>,
    /// What a person said about it when it was made; of other programs, anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The id it had before its tags were changed for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// A former add-on made it, in a repository that was adopted from there; its time is then that of its tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
    #[serde(skip)]
    pub(crate) tree: rustic_core::TreeId,
}

/// What a backup read and what it added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub files: u64,
    pub bytes: u64,
    pub files_new: u64,
    pub files_changed: u64,
    pub files_unmodified: u64,
    /// New data before compression.
    pub bytes_added: u64,
    /// What the repository grew by.
    pub bytes_stored: u64,
}

impl Repo {
    /// All readable snapshots, oldest first. A damaged snapshot file is a warning that names it: it must not keep the others
    /// from being restored, nor a new one from being made.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let engine = self.engine()?;
        let mut found = Vec::new();
        for id in self.backend.list(FileType::Snapshot).map_err(engine_error).context("list snapshots")? {
            match engine.get_file::<SnapshotFile>(&id.into()) {
                Ok(mut file) => {
                    file.id = id.into();
                    found.push(self.known(Snapshot::from_file(&file, None), &file));
                }
                // Removed by another agent between the listing and the look.
                Err(_) if !self.has(FileType::Snapshot, id)? => {}
                Err(error) => {
                    let why = engine_error(error);
                    self.cx
                        .warn(format!("snapshot {} cannot be read ({why}); {DAMAGED}", id.to_hex().as_str()));
                }
            }
        }
        found.sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.id.cmp(&b.id)));
        Ok(found)
    }

    /// The snapshot as it is to be seen here: whatever is not ours in an adopted repository was made by those before us.
    pub(super) fn known(&self, snapshot: Snapshot, file: &SnapshotFile) -> Snapshot {
        let ours = snapshot.paths.iter().any(|path| path == Path::new(super::manifest::VIRTUAL));
        if !self.adopted || ours {
            return snapshot;
        }
        let (adopted, time) = Adopted::read(snapshot.tags.iter(), &file.time);
        Snapshot { adopted: Some(adopted), time, ..snapshot }
    }

    fn has(&self, tpe: FileType, id: rustic_core::Id) -> Result<bool> {
        Ok(self.backend.list(tpe).map_err(engine_error)?.contains(&id))
    }

    /// The snapshot whose id starts so, or whose id did before its tags were changed; an ambiguous or unknown prefix is an error.
    pub fn snapshot_by_id(&self, prefix: &str) -> Result<Snapshot> {
        let all = self.snapshots()?;
        let starts = |id: fn(&Snapshot) -> &str| -> Vec<Snapshot> {
            all.iter().filter(|snapshot| id(snapshot).starts_with(prefix)).cloned().collect()
        };
        let mut found = starts(|snapshot| &snapshot.id);
        if found.is_empty() {
            found = starts(Snapshot::first_id);
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => {
                Err(Error::new(Kind::NotFound, format!("no snapshot has an id that starts with `{prefix}`"))
                    .with_remedy("`lifeboat snapshots` lists them"))
            }
            count => Err(Error::failed(format!("{count} snapshots have an id that starts with `{prefix}`"))
                .with_remedy("give more of its letters")),
        }
    }

    /// Removes snapshot files; the data they alone used goes at the next prune.
    pub fn forget(&self, ids: &[String]) -> Result<()> {
        let ids =
            ids.iter().map(|id| id.parse::<rustic_core::Id>().map(Into::into)).collect::<Result<Vec<_>, _>>();
        self.engine()?
            .delete_snapshots(&ids.map_err(engine_error)?)
            .map_err(engine_error)
            .context("remove snapshots")
    }
}

const DAMAGED: &str = "the others are not affected; `lifeboat check --repair` sets it aside";

impl Snapshot {
    pub(crate) fn from_file(file: &SnapshotFile, root: Option<&Path>) -> Self {
        let paths: Vec<PathBuf> = file.paths.iter().map(PathBuf::from).collect();
        let ours = paths.iter().any(|path| path == Path::new(super::manifest::VIRTUAL));
        let found =
            || paths.iter().find(|path| ours && *path != Path::new(super::manifest::VIRTUAL)).cloned();
        Self {
            id: file.id.to_hex().as_str().to_owned(),
            time: file.time.timestamp(),
            site: file.hostname.clone(),
            tags: file.tags.iter().cloned().collect(),
            root: root.map(Path::to_owned).or_else(found),
            complete: !file.tags.contains(INCOMPLETE),
            program: file.program_version.clone(),
            stats: file.summary.as_ref().map(|summary| Stats {
                files: summary.total_files_processed,
                bytes: summary.total_bytes_processed,
                files_new: summary.files_new,
                files_changed: summary.files_changed,
                files_unmodified: summary.files_unmodified,
                bytes_added: summary.data_added,
                bytes_stored: summary.data_added_packed,
            }),
            comment: file.description.clone(),
            original: file.original.map(|id| id.to_hex().as_str().to_owned()),
            adopted: None,
            tree: file.tree,
            paths,
        }
    }

    /// What is in it: two with the same tree hold the same.
    pub fn tree(&self) -> String {
        self.tree.to_hex().as_str().to_owned()
    }

    /// The id by which it is known through every change of its tags.
    pub fn first_id(&self) -> &str {
        self.original.as_deref().unwrap_or(&self.id)
    }

    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|one| one == tag)
    }

    /// Enough of the id to name the snapshot, as restic shows it.
    pub fn short_id(&self) -> &str {
        &self.id[..8]
    }
}
