//! Giving back the space of what no snapshot uses any more, in the engine's two phases and within a bound.

use rustic_core::{LimitOption, PruneOptions};
use serde::Serialize;

use super::limits::TO_SAVE;
use super::progress::Listening;
use super::{Repo, engine_error};
use crate::error::{Context, Result};
use crate::event::Cx;

/// Rewriting costs reading and writing: one run rewrites at most this share of the repository, the next one goes on.
const MAX_REPACK_PERCENT: u64 = 10;
/// Unused data that is not worth rewriting its packs.
const MAX_UNUSED_PERCENT: u64 = 5;

/// What a prune did; packs marked now are deleted by a prune at least 23 hours later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    pub packs_rewritten: u64,
    pub bytes_rewritten: u64,
    pub bytes_marked: u64,
    /// Packs that an earlier prune had marked.
    pub packs_deleted: u64,
}

impl Repo {
    /// Needs the exclusive lock: beside another writer a prune destroys what that one relies on.
    ///
    /// Unused packs are only marked, and deleted by a later prune: a reader that began before this one still finds them.
    pub fn prune(&self, cx: &Cx) -> Result<Pruned> {
        let _listening = Listening::start(cx);
        self.fits(TO_SAVE)?;
        let engine = self.engine()?;
        let mut options = PruneOptions::default();
        options.max_repack = LimitOption::Percentage(MAX_REPACK_PERCENT);
        options.max_unused = LimitOption::Percentage(MAX_UNUSED_PERCENT);
        let plan = engine.prune_plan(&options).map_err(engine_error).context("plan the prune")?;
        let sizes = plan.stats.size_sum();
        let pruned = Pruned {
            packs_rewritten: plan.stats.packs.repack,
            bytes_rewritten: sizes.repack,
            bytes_marked: sizes.remove + sizes.repackrm,
            packs_deleted: plan.stats.packs_to_delete.remove,
        };
        engine.prune(&options, plan).map_err(engine_error).context("prune")?;
        Ok(pruned)
    }
}
