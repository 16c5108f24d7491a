//! After a check found damage: set the damaged files aside and make the index true again, so that the next backup stores
//! anew whatever the live site still has.

use rustic_core::RepairIndexOptions;

use super::check::{CheckReport, DamageKind};
use super::{Repo, engine_error};
use crate::error::{Context, Result};
use crate::sys::fs::sync_directory;

/// Below the repository; restic and we never look there.
const ASIDE: &str = "damaged";

impl Repo {
    /// Moves damaged packs, indexes and snapshots into `damaged/` and rebuilds the index from what is left. Nothing is
    /// deleted. Needs the exclusive lock.
    pub fn repair(&self, report: &CheckReport) -> Result<Vec<String>> {
        let aside = self.directory.join(ASIDE);
        let mut moved = Vec::new();
        for damage in &report.damages {
            if !matches!(damage.kind, DamageKind::Pack | DamageKind::Index | DamageKind::Snapshot) {
                continue;
            }
            std::fs::create_dir_all(&aside).with_context(|| format!("create {}", aside.display()))?;
            let from = self.directory.join(&damage.file);
            let to = aside.join(damage.file.replace('/', "-"));
            std::fs::rename(&from, &to).with_context(|| format!("move {} to {}", from.display(), to.display()))?;
            if let Some(directory) = from.parent() {
                sync_directory(directory)?;
            }
            moved.push(damage.file.clone());
        }
        self.engine()?
            .repair_index(&RepairIndexOptions::default(), false)
            .map_err(engine_error)
            .context("rebuild the index")?;
        Ok(moved)
    }
}
