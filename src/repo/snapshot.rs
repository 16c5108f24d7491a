//! Saving a snapshot: everything is read and stored first, and only what is whole is committed.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rustic_core::repofile::SnapshotFile;
use rustic_core::{
    BackupOptions, IndexedIdsStatus, OpenStatus, ParentOptions, Repository, SnapshotGroupCriterion,
    SnapshotOptions, StringList,
};

use super::ledger::{Ledger, Settled};
use super::limits::TO_SAVE;
use super::list::{COMPLETE, INCOMPLETE, Snapshot};
use super::manifest::{Manifest, VIRTUAL};
use super::passes::Seen;
use super::patterns::Patterns;
use super::progress::Listening;
use super::source::{Source, VirtualPart};
use super::walk::{Walk, total_size};
use super::{REPAIR, Repo, engine_error};
use crate::dump::Feed;
use crate::error::{Context, Error, Result};
use crate::event::Cx;

pub(super) type Engine = Repository<IndexedIdsStatus>;

/// What goes into a snapshot.
pub struct Contents {
    /// Restic's `host`: the identity of the site.
    pub site: String,
    /// The site's root; `None` saves databases alone.
    pub root: Option<PathBuf>,
    /// A root without anything in it, where there was something before, is no whole source.
    pub doubt_empty: bool,
    /// Gitignore style, relative to the root.
    pub exclude: Vec<String>,
    /// Dumps already begun, with their directories below the dump directory.
    pub feeds: Vec<(PathBuf, Box<dyn Feed>)>,
    /// Tags besides the outcome, such as `manual`.
    pub tags: Vec<String>,
    /// What a person says about it. Rustic shows it as the description; restic passes it over.
    pub comment: Option<String>,
    /// The moment the snapshot stands for.
    pub moment: Timestamp,
    /// The files as they were read at that moment; left out: they are read now.
    pub seen: Option<Seen>,
}

/// What one pass of the engine is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Everything,
    Files,
    /// What is not a file of the site.
    Dumps,
}

/// What one pass stored: nothing of it is committed yet.
pub(super) struct Stored {
    pub(super) file: SnapshotFile,
    pub(super) expected: u64,
    pub(super) missed: u64,
    pub(super) vanished: u64,
}

impl Repo {
    /// Reads all contents, stores what is new, and commits a snapshot if and only if every source came to its end.
    ///
    /// Things that exist but cannot be read are events (`Missed`) and make the snapshot one tagged `incomplete`; everything
    /// else that goes wrong is an error, and then there is no snapshot.
    pub fn save(&self, contents: Contents, cx: &Cx) -> Result<Snapshot> {
        self.guarded(cx, || {
            if contents.seen.is_some() {
                return self.save_seen(contents, cx);
            }
            let root = contents.root.clone();
            let engine = self.ids()?;
            let parent = self.parent_for(&contents, &engine, cx)?;
            let ledger = Arc::new(Ledger::new(cx));
            let stored = self.store(contents, Part::Everything, &engine, parent.as_ref(), &ledger)?;
            self.commit(&engine, stored, root.as_deref(), cx)
        })
    }

    /// After a failure nothing more is written, and what nobody can ever need is removed.
    pub(super) fn guarded<T>(&self, cx: &Cx, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.gate.begin();
        let _listening = Listening::start(cx);
        self.backend.saves(true);
        let saved = catch_unwind(AssertUnwindSafe(|| self.has_room().and_then(|()| work())));
        self.backend.saves(false);
        if !matches!(saved, Ok(Ok(_)))
            && let Err(error) = self.backend.discard_fresh()
        {
            cx.warn(format!(
                "packs of this run are left on the storage until a prune: {}",
                engine_error(error)
            ));
        }
        saved.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// An engine that knows what is stored by now.
    pub(super) fn ids(&self) -> Result<Engine> {
        self.fits(TO_SAVE)?;
        indexed(self.engine()?)
    }

    /// Reads a part of the contents and stores what is new of it; an error unless all of it came to its end.
    pub(super) fn store(
        &self,
        contents: Contents,
        part: Part,
        engine: &Engine,
        parent: Option<&Snapshot>,
        ledger: &Arc<Ledger>,
    ) -> Result<Stored> {
        let cx = ledger.cx();
        let manifest = Arc::new(Mutex::new(manifest_for(&contents)));
        let paths = paths_of(&contents, part)?;
        let draft = draft(&contents)?;
        let source = sources(contents, part, parent, ledger, &manifest)?;

        let archived = engine.archive(&options(parent), &source, draft, &paths);
        // The account knows better than the engine why it stopped; a broken storage is named before either.
        if let Some(failure) = self.gate.failure() {
            cx.go_on()?;
            return Err(failure);
        }
        let settled = ledger.settle()?;
        let file = archived.map_err(engine_error).context("save")?;
        cx.go_on()?;
        expect_all(&file, settled.expected)?;
        let Settled { expected, missed, vanished } = settled;
        Ok(Stored { file, expected, missed, vanished })
    }

    /// The only place where a snapshot comes to be.
    pub(super) fn commit(
        &self,
        engine: &Engine,
        stored: Stored,
        root: Option<&Path>,
        cx: &Cx,
    ) -> Result<Snapshot> {
        let mut file = stored.file;
        if stored.vanished > 0 {
            cx.note(format!("{} files were removed from the site while it was saved", stored.vanished));
        }
        file.tags.add(if stored.missed > 0 { INCOMPLETE } else { COMPLETE }.to_owned());
        let ((), id) = self.gate.while_open(|| {
            engine.save_snapshots(vec![file.clone()]).map_err(engine_error).context("commit the snapshot")
        })?;
        file.id = id.into();
        Ok(Snapshot::from_file(&file, root))
    }

    /// The newest snapshot of this site and root, or the newest of who saved it before us: what did not change since then is not
    /// read again.
    pub(super) fn parent_for(
        &self,
        contents: &Contents,
        engine: &Engine,
        cx: &Cx,
    ) -> Result<Option<Snapshot>> {
        let root = contents.root.as_deref();
        let same = |snapshot: &Snapshot| {
            snapshot.site == contents.site
                && root.is_none_or(|root| snapshot.paths.iter().any(|path| path == root))
        };
        let before = |snapshot: &Snapshot| {
            snapshot.adopted.is_some()
                && root.is_some_and(|root| snapshot.paths.iter().any(|path| path == root))
        };
        let all = self.snapshots()?;
        let newest =
            all.iter().rfind(|one| same(one)).or_else(|| all.iter().rfind(|one| before(one))).cloned();
        Ok(newest.filter(|parent| {
            let whole = has_all_trees(engine, parent);
            if !whole {
                cx.warn(format!(
                    "snapshot {} has lost some of its directories; everything is read anew",
                    parent.short_id()
                ));
            }
            whole
        }))
    }
}

pub(super) fn indexed(engine: Repository<OpenStatus>) -> Result<Engine> {
    engine.to_indexed_ids().map_err(engine_error).context("read the index").remedy(REPAIR)
}

fn sources(
    contents: Contents,
    part: Part,
    parent: Option<&Snapshot>,
    ledger: &Arc<Ledger>,
    manifest: &Arc<Mutex<Manifest>>,
) -> Result<Source> {
    let root = contents.root.as_deref().filter(|_| part != Part::Dumps);
    let excludes = root.map(|root| Patterns::new(root, &contents.exclude)).transpose()?;
    let expected = match (parent, root.zip(excludes.as_ref())) {
        (Some(parent), _) => parent.stats.as_ref().map(|stats| stats.bytes),
        (None, Some((root, excludes))) => Some(total_size(root, excludes)),
        (None, None) => None,
    };
    let walk = root
        .zip(excludes)
        .map(|(root, excludes)| Walk::new(root, excludes, Arc::clone(ledger)))
        .transpose()?
        .map(|walk| walk.expect_some(parent.is_some() && contents.doubt_empty))
        .map(|walk| walk.doubt_young(ledger.is_rehearsal()));
    if part == Part::Files {
        return Ok(Source::new(root, walk, None, Arc::clone(ledger), expected));
    }
    let mut feeds = contents.feeds;
    feeds.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (directories, feeds) = feeds.into_iter().unzip();
    let dumps = VirtualPart { feeds, directories, manifest: Arc::clone(manifest), moment: contents.moment };
    Ok(Source::new(root, walk, Some(dumps), Arc::clone(ledger), expected))
}

/// The engine takes a directory that equals the parent's for stored, without asking the index: with a parent that lost
/// directories, the new snapshot would lose them too.
pub(super) fn has_all_trees(engine: &Engine, parent: &Snapshot) -> bool {
    let (mut seen, mut pending) = (HashSet::from([parent.tree]), vec![parent.tree]);
    while let Some(id) = pending.pop() {
        let Ok(tree) = engine.get_tree(&id) else { return false };
        pending.extend(
            tree.nodes.iter().filter_map(|node| node.subtree).filter(|subtree| seen.insert(*subtree)),
        );
    }
    true
}

/// The engine counts what it put into the tree; anything it dropped without our knowing would show here.
pub(super) fn expect_all(file: &SnapshotFile, expected: u64) -> Result<()> {
    let stored = file.summary.as_ref().map_or(0, |summary| summary.total_files_processed);
    if stored == expected {
        return Ok(());
    }
    Err(Error::failed(format!(
        "{expected} files were offered and {stored} arrived in the snapshot; it is not committed"
    )))
}

fn options(parent: Option<&Snapshot>) -> BackupOptions {
    let mut how = ParentOptions::default();
    how.group_by = Some(SnapshotGroupCriterion::new());
    match parent {
        Some(parent) => how.parents = vec![parent.id.clone()],
        None => how.force = true,
    }
    // In 0.13 this switch means its opposite: set, a file with another inode is read again; unset, inodes are ignored.
    how.ignore_inode = true;
    let mut options = BackupOptions::default();
    options.parent_opts = how;
    options
}

fn draft(contents: &Contents) -> Result<SnapshotFile> {
    let time = contents.moment.to_zoned(jiff::tz::TimeZone::system());
    let options = SnapshotOptions::default().host(Some(contents.site.clone())).time(Some(time));
    let mut file = options.to_snapshot().map_err(engine_error)?;
    concat!("lifeboat ", env!("CARGO_PKG_VERSION")).clone_into(&mut file.program_version);
    let mut tags = StringList::default();
    contents.tags.iter().for_each(|tag| tags.add(tag.clone()));
    file.tags = tags;
    file.description.clone_from(&contents.comment);
    Ok(file)
}

fn manifest_for(contents: &Contents) -> Manifest {
    Manifest {
        format: 1,
        lifeboat: env!("CARGO_PKG_VERSION").to_owned(),
        site: contents.site.clone(),
        root: contents.root.as_ref().map(|root| root.display().to_string()).unwrap_or_default(),
        exclude: contents.exclude.clone(),
        moment: Some(contents.moment),
        databases: Vec::new(),
    }
}

pub(super) fn paths_of(contents: &Contents, part: Part) -> Result<Vec<PathBuf>> {
    let mut paths = if part == Part::Files { Vec::new() } else { vec![PathBuf::from(VIRTUAL)] };
    if let Some(root) = contents.root.as_ref().filter(|_| part != Part::Dumps) {
        if root.starts_with(VIRTUAL) || !root.is_absolute() || root == Path::new("/") {
            return Err(Error::usage(format!("{} cannot be the root of a site", root.display())));
        }
        paths.push(root.clone());
    }
    Ok(paths)
}
