//! Databases of other kinds: a program of somebody else's dumps and restores them, under a contract that cannot hurt a site.
//!
//! Down: `call` starts it, `describe` asks what it is, `hold` has it hold the database still, `frame` reads its stream, `feed` makes
//! files of that. Up: `in_place` keeps dumps of both sides and gives it one of them. `conformance` tries a plugin for its author.

mod call;
mod conformance;
mod describe;
mod feed;
mod frame;
mod hold;
mod in_place;
mod manifest;
mod pieces;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub use self::conformance::{Check, Trial, Verdict, prove, request};
pub use self::describe::{Description, PROTOCOL};
pub use self::frame::{FrameWriter, Frames, Record, is_name, write_unknown};
use super::{Database, Means, PluginSpec, SideCopy};
use crate::dump::{Feed, Previous, Shelf};
use crate::error::{Context, Result};
use crate::event::Cx;

/// Where the dumps of all plugins are, below the snapshot's database directory.
const DIRECTORY: &str = "plugin";

/// A database that a plugin is for.
#[derive(Debug)]
pub(super) struct Plugin {
    spec: PluginSpec,
}

impl Plugin {
    pub(super) fn new(spec: PluginSpec) -> Self {
        Self { spec }
    }
}

impl Database for Plugin {
    fn directory(&self) -> PathBuf {
        PathBuf::from(DIRECTORY).join(super::filename::encode(&self.spec.name))
    }

    fn describe(&self) -> String {
        let program = self.spec.command.first().map_or("", String::as_str);
        format!("database {:?} of the plugin {program}", self.spec.name)
    }

    fn begin(&self, _previous: Previous<'_>, cx: &Cx) -> Result<Box<dyn Feed>> {
        Ok(Box::new(feed::PluginFeed::begin(&self.spec, self.directory(), cx)?))
    }

    /// A plugin has no other way, so nobody must ask for this one.
    fn preflight(&self, dump: &dyn Shelf, cx: &Cx) -> Result<Means> {
        in_place::preflight(&self.spec, dump, cx)
            .with_context(|| format!("prepare to restore {}", self.describe()))
    }

    fn sweep(&self) -> Result<()> {
        call::sweep(&self.spec.scratch)
    }

    fn side_names(&self, token: &str, _means: Means) -> Result<SideCopy> {
        Ok(in_place::names(&self.spec, token))
    }

    fn load(&self, dump: &dyn Shelf, names: &SideCopy, cx: &Cx) -> Result<SideCopy> {
        in_place::load(dump, names, cx).with_context(|| format!("load {}", self.describe()))
    }

    fn swap_in(&self, copy: &SideCopy, cx: &Cx) -> Result<()> {
        in_place::swap_in(&self.spec, copy, self.directory(), cx)
            .with_context(|| format!("restore {}", self.describe()))
    }

    fn swap_back(&self, copy: &SideCopy, cx: &Cx) -> Result<()> {
        in_place::swap_back(&self.spec, copy, cx)
            .with_context(|| format!("put the former content of {} back", self.describe()))
    }

    /// Whether it answers; what is in it only the plugin knows.
    fn tables(&self) -> Result<Option<BTreeSet<String>>> {
        Description::ask(&self.spec, &Cx::silent()).map(|_| Some(BTreeSet::new()))
    }

    fn contents(&self, _dump: &dyn Shelf) -> Result<BTreeMap<String, u64>> {
        Ok(BTreeMap::new())
    }

    fn revive(&self, copy: &SideCopy, token: &str) -> Result<Option<SideCopy>> {
        in_place::revive(&self.spec, copy, token)
    }

    fn owns(&self, copy: &SideCopy) -> bool {
        let ours = in_place::names(&self.spec, "");
        copy.former.starts_with(&ours.former)
    }

    fn discard(&self, copy: &SideCopy, _cx: &Cx) -> Result<()> {
        in_place::discard(copy).with_context(|| format!("clean up after {}", self.describe()))
    }
}
