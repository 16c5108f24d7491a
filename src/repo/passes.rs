//! A save in passes: the content of files is stored while they change, then they are looked at once more at one moment, and
//! committed together with dumps of that moment.
//!
//! Nothing but packs and index files of the first passes reaches the storage: their snapshot files are swallowed by the gate,
//! and known to `backend` alone, for the next pass to compare with. Whatever stops the save leaves what a prune removes.

use std::cmp::Ordering;
use std::sync::Arc;

use rustic_core::TreeId;
use rustic_core::repofile::{Node, SnapshotSummary};

use super::ledger::Ledger;
use super::limits::TO_SAVE;
use super::list::Snapshot;
use super::snapshot::{Contents, Engine, Part, Stored, expect_all, has_all_trees, indexed};
use super::{Repo, engine_error};
use crate::error::{Context, Error, Result};
use crate::event::Cx;

/// What a first pass stored of the files, and all that the second one needs to know, in memory.
pub struct Ahead {
    engine: Engine,
    /// The first pass itself, which is no snapshot.
    rehearsal: Snapshot,
    /// What the first pass was compared with.
    before: Option<Snapshot>,
    added: SnapshotSummary,
}

/// The files of a site as one pass saw them, stored but not committed.
pub struct Seen {
    tree: TreeId,
    before: Option<Snapshot>,
    expected: u64,
    missed: u64,
    vanished: u64,
    added: SnapshotSummary,
}

impl Repo {
    /// The first pass: stores the content of all files. What cannot be read, or changes meanwhile, is left to the second.
    pub fn save_ahead(&self, files: Contents, cx: &Cx) -> Result<Ahead> {
        self.guarded(cx, || {
            // From the second pass on there are two of them.
            self.fits(2 * TO_SAVE)?;
            let engine = self.ids()?;
            let before = self.parent_for(&files, &engine, cx)?;
            let ledger = Arc::new(Ledger::of_rehearsal(cx));
            let stored = self.store(files, Part::Files, &engine, before.as_ref(), &ledger)?;
            let rehearsal = Snapshot::from_file(&stored.file, None);
            // What was stored just now is known to another engine only, which reads its directories here, not at the moment.
            let engine = indexed(self.reading_engine()?)?;
            if !has_all_trees(&engine, &rehearsal) {
                return Err(Error::failed("what was stored just now cannot be read again")
                    .with_remedy("look at the storage, then try again"));
            }
            let added = stored.file.summary.unwrap_or_default();
            Ok(Ahead { engine, rehearsal, before, added })
        })
    }

    /// The second pass: looks at every file, and reads those that are not what the first pass stored. `read` is called as soon
    /// as all are read, while the last of them are still on their way to the storage.
    pub fn see(
        &self,
        ahead: &Ahead,
        mut files: Contents,
        read: impl FnOnce() + Send + 'static,
        cx: &Cx,
    ) -> Result<Seen> {
        self.guarded(cx, || {
            let some = ahead.rehearsal.stats.is_some_and(|stats| stats.files > 0);
            files.doubt_empty &= some || ahead.before.is_some();
            let ledger = Arc::new(Ledger::new(cx).tell_when_read(Box::new(read)));
            let stored = self.store(files, Part::Files, &ahead.engine, Some(&ahead.rehearsal), &ledger)?;
            let Stored { file, expected, missed, vanished } = stored;
            let mut added = ahead.added.clone();
            add(&mut added, &file.summary.unwrap_or_default());
            Ok(Seen { tree: file.tree, before: ahead.before.clone(), expected, missed, vanished, added })
        })
    }

    /// The last pass: dumps, and the files as they were seen, as one snapshot.
    pub(super) fn save_seen(&self, mut contents: Contents, cx: &Cx) -> Result<Snapshot> {
        let seen = contents.seen.take().ok_or_else(|| Error::failed("no files were seen"))?;
        let root = contents.root.clone();
        let ledger = Arc::new(Ledger::new(cx));
        let dumps = self.store(contents, Part::Dumps, &self.ids()?, seen.before.as_ref(), &ledger)?;
        let (engine, mut file) = (self.ids()?, dumps.file);
        let mut all = SnapshotSummary::default();
        // Below the root of a snapshot, files and dumps are in directories of different names: nothing is in both.
        let either = |_: &Node, _: &Node| Ordering::Equal;
        file.tree = engine
            .merge_trees(&[seen.tree, file.tree], &either, &mut all)
            .map_err(engine_error)
            .context("join files and dumps")?;
        if let Some(root) = &root {
            file.paths.add(root.to_string_lossy().into_owned());
        }
        let mut total = seen.added;
        add(&mut total, &file.summary.take().unwrap_or_default());
        total.total_files_processed = all.total_files_processed;
        total.total_bytes_processed = all.total_bytes_processed;
        total.total_dirs_processed = all.total_dirs_processed;
        total.total_dirsize_processed = all.total_dirsize_processed;
        total.files_unmodified =
            (all.total_files_processed).saturating_sub(total.files_new + total.files_changed);
        total.dirs_unmodified =
            (all.total_dirs_processed).saturating_sub(total.dirs_new + total.dirs_changed);
        file.summary = Some(total);
        let expected = seen.expected + dumps.expected;
        expect_all(&file, expected)?;
        let (missed, vanished) = (seen.missed + dumps.missed, seen.vanished + dumps.vanished);
        cx.go_on()?;
        self.commit(&engine, Stored { file, expected, missed, vanished }, root.as_deref(), cx)
    }
}

/// What one more pass found new. A file that changed between two passes is counted by both.
fn add(all: &mut SnapshotSummary, more: &SnapshotSummary) {
    all.files_new += more.files_new;
    all.files_changed += more.files_changed;
    all.dirs_new += more.dirs_new;
    all.dirs_changed += more.dirs_changed;
    all.data_blobs += more.data_blobs;
    all.tree_blobs += more.tree_blobs;
    all.data_added += more.data_added;
    all.data_added_packed += more.data_added_packed;
    all.data_added_files += more.data_added_files;
    all.data_added_files_packed += more.data_added_files_packed;
    all.data_added_trees += more.data_added_trees;
    all.data_added_trees_packed += more.data_added_trees_packed;
    all.backup_end.clone_from(&more.backup_end);
}
