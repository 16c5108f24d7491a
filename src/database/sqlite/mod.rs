//! `SQLite`: a consistent copy as page-aligned pieces, and a restore that is one atomic exchange of files.

mod copy;
mod feed;
mod intake;
mod look;
mod manifest;
mod swap;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{Database, Means, SideCopy, SqliteSpec};
use crate::dump::{Feed, Previous, Shelf};
use crate::error::{Context, Result};
use crate::event::Cx;

/// One database file.
#[derive(Debug)]
pub(super) struct Sqlite {
    spec: SqliteSpec,
}

impl Sqlite {
    pub(super) fn new(spec: SqliteSpec) -> Self {
        Self { spec }
    }
}

impl Database for Sqlite {
    fn directory(&self) -> PathBuf {
        PathBuf::from("sqlite").join(super::filename::encode(&self.spec.path.to_string_lossy()))
    }

    fn describe(&self) -> String {
        format!("SQLite file {}", self.spec.path.display())
    }

    fn begin(&self, _previous: Previous<'_>, cx: &Cx) -> Result<Box<dyn Feed>> {
        let feed = feed::SqliteFeed::begin(&self.spec, self.directory(), cx);
        Ok(Box::new(feed.with_context(|| format!("dump {}", self.describe()))?))
    }

    fn preflight(&self, dump: &dyn Shelf, cx: &Cx) -> Result<Means> {
        swap::preflight(&self.spec.path, dump, cx)
            .with_context(|| format!("prepare to restore {}", self.describe()))
            .map(|()| Means::Beside)
    }

    /// A preflight makes nothing.
    fn sweep(&self) -> Result<()> {
        Ok(())
    }

    fn side_names(&self, token: &str, _means: Means) -> Result<SideCopy> {
        Ok(intake::names(&intake::real_path(&self.spec.path)?, token))
    }

    fn load(&self, dump: &dyn Shelf, names: &SideCopy, cx: &Cx) -> Result<SideCopy> {
        intake::load(dump, names, cx).with_context(|| format!("load {}", self.describe()))
    }

    fn swap_in(&self, copy: &SideCopy, _cx: &Cx) -> Result<()> {
        swap::swap_in(copy).with_context(|| format!("put the restored {} in place", self.describe()))
    }

    fn swap_back(&self, copy: &SideCopy, _cx: &Cx) -> Result<()> {
        swap::swap_back(copy).with_context(|| format!("put the former {} back", self.describe()))
    }

    fn tables(&self) -> Result<Option<BTreeSet<String>>> {
        look::tables(&self.spec.path)
    }

    /// A dump consists of pages.
    fn contents(&self, _dump: &dyn Shelf) -> Result<BTreeMap<String, u64>> {
        Ok(BTreeMap::new())
    }

    fn revive(&self, copy: &SideCopy, token: &str) -> Result<Option<SideCopy>> {
        look::revive(copy, token)
    }

    fn owns(&self, copy: &SideCopy) -> bool {
        intake::real_path(&self.spec.path).is_ok_and(|path| path.as_os_str() == copy.live.as_str())
    }

    fn discard(&self, copy: &SideCopy, _cx: &Cx) -> Result<()> {
        swap::discard(copy).with_context(|| format!("clean up beside {}", self.describe()))
    }
}
