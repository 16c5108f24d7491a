//! After a check found damage: set the damaged files aside and make the index true again, so that the next backup stores
//! anew whatever the live site still has.

use std::fs::File;
use std::io;
use std::path::Path;

use rustic_core::RepairIndexOptions;

use super::check::{CheckReport, CheckSpec, DamageKind};
use super::list::{COMPLETE, INCOMPLETE, Snapshot};
use super::{Repo, engine_error};
use crate::error::{Context, Result};
use crate::event::Cx;

/// Below the repository; restic and we never look there.
const ASIDE: &str = "damaged";

impl Repo {
    /// Moves damaged packs, indexes and snapshots into `damaged/` and rebuilds the index from what is left. Nothing is
    /// deleted. Needs the exclusive lock.
    pub fn repair(&self, report: &CheckReport, cx: &Cx) -> Result<Vec<String>> {
        let aside = self.directory.join(ASIDE);
        let mut moved = Vec::new();
        for damage in &report.damages {
            if !matches!(damage.kind, DamageKind::Pack | DamageKind::Index | DamageKind::Snapshot) {
                continue;
            }
            let from = self.directory.join(&damage.file);
            let to = aside.join(damage.file.replace('/', "-"));
            let target = to.clone();
            self.access
                .retry("move", &from, move |from, _| set_aside(from, &target))
                .with_context(|| format!("move {} to {}", from.display(), to.display()))?;
            moved.push(damage.file.clone());
        }
        self.engine()?
            .repair_index(&RepairIndexOptions::default(), false)
            .map_err(engine_error)
            .context("rebuild the index")?;
        self.mark_damaged(cx)?;
        Ok(moved)
    }

    /// A snapshot that lost something is no complete one any more: restores pass it over and rotation does not count it.
    fn mark_damaged(&self, cx: &Cx) -> Result<()> {
        let damages = self.check(&CheckSpec::default(), cx)?.damages;
        let lost = |snapshot: &Snapshot| {
            damages.iter().any(|damage| damage.affects.contains_key(snapshot.short_id()))
        };
        for snapshot in self.snapshots()?.into_iter().filter(|snapshot| snapshot.complete && lost(snapshot)) {
            self.mark_incomplete(&snapshot, cx)?;
        }
        Ok(())
    }

    /// Writes the snapshot anew with the tag, then removes the untagged one.
    pub fn mark_incomplete(&self, snapshot: &Snapshot, cx: &Cx) -> Result<()> {
        self.retag(snapshot, |tag| tag != COMPLETE, INCOMPLETE)?;
        cx.note(format!("snapshot {} has lost something and is marked incomplete", snapshot.short_id()));
        Ok(())
    }
}

fn set_aside(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(aside) = to.parent() {
        std::fs::create_dir_all(aside)?;
    }
    match std::fs::rename(from, to) {
        // An attempt before this one did it, and did not hear of its success.
        Err(error) if error.kind() == io::ErrorKind::NotFound && to.try_exists()? => {}
        done => done?,
    }
    [from.parent(), to.parent()]
        .into_iter()
        .flatten()
        .try_for_each(|directory| File::open(directory)?.sync_all())
}
