//! Changing the tags of a snapshot, which is a new file in place of the old one.

use rustic_core::repofile::SnapshotFile;
use rustic_core::{Id, StringList};

use super::list::Snapshot;
use super::{Repo, engine_error};
use crate::error::{Context, Result};

impl Repo {
    /// Keeps the tags that `keep` likes, adds another one (or nothing, if that is empty), and returns the snapshot under its
    /// new id. What it was called first stays known as its `original`, as with restic.
    ///
    /// The new file is on the storage before the old one goes: killed in between, there are two of the same, never none.
    pub fn retag(&self, snapshot: &Snapshot, keep: impl Fn(&str) -> bool, add: &str) -> Result<Snapshot> {
        let engine = self.engine()?;
        let id: Id = snapshot.id.parse().map_err(engine_error)?;
        let mut file = engine.get_file::<SnapshotFile>(&id.into()).map_err(engine_error)?;
        let mut tags = StringList::default();
        file.tags.iter().filter(|tag| keep(tag)).for_each(|tag| tags.add(tag.clone()));
        if !add.is_empty() {
            tags.add(add.to_owned());
        }
        file.tags = tags;
        file.original.get_or_insert(id.into());
        let saving = || engine.save_snapshots(vec![file.clone()]).map_err(engine_error);
        let ((), new) = self.gate.while_open(saving).context("write the snapshot with its new tags")?;
        engine
            .delete_snapshots(&[id.into()])
            .map_err(engine_error)
            .context("remove the snapshot with its former tags")?;
        file.id = new.into();
        Ok(self.known(Snapshot::from_file(&file, snapshot.root.as_deref()), &file))
    }
}
