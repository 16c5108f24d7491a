//! All databases of a site as one: begun together, loaded together, swapped together.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::Job;
use crate::database::{self, Database, SideCopy};
use crate::dump::{Feed, Shelf};
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::repo::{Dump, Manifest, Reader, Repo, Snapshot};

/// Fixes the moment of each database; the dumps themselves are read while the snapshot is saved.
pub(crate) fn begin_all(job: &Job, repo: &Repo, cx: &Cx) -> Result<Vec<(PathBuf, Box<dyn Feed>)>> {
    let begin = |spec| {
        let database = database::open(spec);
        let before = || previous(job, repo, &database.directory(), cx);
        let feed = database.begin(&before, cx).with_context(|| format!("dump {}", database.describe()))?;
        Ok((database.directory(), feed))
    };
    job.databases.iter().map(begin).collect()
}

/// The newest dump of a database. If it cannot be read, the next one is made as the first was.
fn previous(job: &Job, repo: &Repo, directory: &Path, cx: &Cx) -> Option<Box<dyn Shelf>> {
    let find = || -> Result<Option<Box<dyn Shelf>>> {
        let ours = |snapshot: &Snapshot| snapshot.site == job.site.name && snapshot.root.is_some();
        let Some(newest) = repo.snapshots()?.into_iter().rfind(ours) else { return Ok(None) };
        let reader = repo.reader()?;
        let dumps = reader.manifest(&newest)?.unwrap_or_default().databases;
        if !dumps.iter().any(|dump| Path::new(&dump.directory) == directory) {
            return Ok(None);
        }
        Ok(Some(Box::new(reader.shelf(&newest, directory)?)))
    };
    find().unwrap_or_else(|error| {
        cx.warn(format!("the dump before this one cannot be read: {error}"));
        None
    })
}

/// The databases of one restore, from their dumps to the swap; cloning shares them.
#[derive(Clone)]
pub(crate) struct Databases {
    pairs: Arc<Vec<Pair>>,
    copies: Arc<Mutex<Vec<SideCopy>>>,
    /// Swaps and their undoing go on after a cancel: half a swap is no site.
    cx: Cx,
}

struct Pair {
    database: Box<dyn Database>,
    dump: Dump,
    rows: u64,
}

impl Databases {
    pub(crate) fn none(cx: &Cx) -> Self {
        Self { pairs: Arc::default(), copies: Arc::default(), cx: cx.shielded() }
    }

    /// Finds each database's dump. A database without one, or a dump without a database, is an error: half a site is no site.
    pub(crate) fn find(
        job: &Job,
        manifest: &Manifest,
        reader: &Reader,
        snapshot: &Snapshot,
        cx: &Cx,
    ) -> Result<Self> {
        let mut pairs = Vec::new();
        for spec in &job.databases {
            let database = database::open(spec);
            let directory = database.directory();
            let Some(dumped) = manifest.databases.iter().find(|dump| Path::new(&dump.directory) == directory)
            else {
                let text = format!("snapshot {} has no dump of {}", snapshot.short_id(), database.describe());
                return Err(Error::failed(text).with_remedy(
                    "restore the files alone with `--files`, or what it has elsewhere with `--to DIR`",
                ));
            };
            pairs.push(Pair { dump: reader.shelf(snapshot, &directory)?, rows: dumped.rows, database });
        }
        let named =
            |directory: &str| pairs.iter().any(|pair| pair.database.directory() == Path::new(directory));
        if let Some(orphan) = manifest.databases.iter().find(|dump| !named(&dump.directory)) {
            let text = format!(
                "snapshot {} has a dump of {}, which this configuration does not name",
                snapshot.short_id(),
                orphan.database
            );
            return Err(Error::failed(text)
                .with_remedy("name it under `databases`, or restore the files alone with `--files`"));
        }
        Ok(Self { pairs: Arc::new(pairs), ..Self::none(cx) })
    }

    /// What each is called, and how many rows it will have.
    pub(crate) fn describe(&self) -> Vec<(String, u64)> {
        self.pairs.iter().map(|pair| (pair.database.describe(), pair.rows)).collect()
    }

    pub(crate) fn preflight(&self, cx: &Cx) -> Result<()> {
        for pair in self.pairs.iter() {
            pair.database
                .preflight(&pair.dump, cx)
                .with_context(|| format!("prepare to restore {}", pair.database.describe()))?;
        }
        Ok(())
    }

    /// Loads every dump beside its live database.
    pub(crate) fn load(&self, token: &str, cx: &Cx) -> Result<()> {
        for pair in self.pairs.iter() {
            let copy = pair
                .database
                .load_aside(&pair.dump, token, cx)
                .with_context(|| format!("load {}", pair.database.describe()))?;
            self.lock().push(copy);
        }
        Ok(())
    }

    /// Removes what is not live; every one is tried, the first error is told.
    pub(crate) fn discard(&self) -> Result<()> {
        self.each(|database, copy| database.discard(copy, &self.cx))
    }

    pub(crate) fn swap_in(&self) -> Result<()> {
        for (pair, copy) in self.pairs.iter().zip(self.copies()) {
            let database = &pair.database;
            database.swap_in(&copy, &self.cx).with_context(|| format!("swap in {}", database.describe()))?;
        }
        Ok(())
    }

    pub(crate) fn swap_back(&self) -> Result<()> {
        self.each(|database, copy| database.swap_back(copy, &self.cx))
    }

    pub(crate) fn copies(&self) -> Vec<SideCopy> {
        self.lock().clone()
    }

    /// In reverse order, each on its own.
    fn each(&self, undo: impl Fn(&dyn Database, &SideCopy) -> Result<()>) -> Result<()> {
        let copies = self.copies();
        let mut first = Ok(());
        for (pair, copy) in self.pairs.iter().zip(&copies).rev() {
            let undone = undo(pair.database.as_ref(), copy).with_context(|| pair.database.describe());
            first = first.and(undone);
        }
        first
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SideCopy>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
