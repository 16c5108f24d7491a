//! The side copies of a restore, each with the database it belongs to: swapped together, undone together.

use std::path::Path;

use super::Job;
use super::journal::Aside;
use crate::database::{self, Database, SideCopy};
use crate::error::{Context, Error, Result};
use crate::event::{Cx, Step};

pub(crate) struct Copies {
    pairs: Vec<(Box<dyn Database>, Aside)>,
    /// Swaps and their undoing go on after a cancel: half a swap is no site.
    cx: Cx,
}

impl Copies {
    /// Finds their databases in the configuration; nothing is connected yet.
    pub(crate) fn find(job: &Job, copies: &[Aside], cx: &Cx) -> Result<Self> {
        let mut pairs = Vec::new();
        for copy in copies {
            pairs.push((owner(job, &copy.directory, &copy.copy)?, copy.clone()));
        }
        Ok(Self { pairs, cx: cx.shielded() })
    }

    pub(crate) fn swap_in(&self) -> Result<()> {
        for (database, copy) in &self.pairs {
            let what = || format!("swap in {}", database.describe());
            database.swap_in(&copy.copy, &self.cx).with_context(what)?;
            self.cx.between(Step::SwapDatabase)?;
        }
        Ok(())
    }

    pub(crate) fn swap_back(&self) -> Result<()> {
        self.each(|database, copy| database.swap_back(&copy.copy, &self.cx))
    }

    /// Removes what was made for a restore that failed; what an earlier one kept is not ours to remove.
    pub(crate) fn discard(&self) -> Result<()> {
        self.each(|database, copy| if copy.fresh { database.discard(&copy.copy, &self.cx) } else { Ok(()) })
    }

    /// Every database answers, and has at least the tables that came: the site may have made more since.
    pub(crate) fn probe(&self) -> Result<()> {
        for (database, copy) in &self.pairs {
            let name = database.describe();
            let expected = copy.copy.tables;
            let found = database
                .tables()
                .map(|found| found.map(|tables| tables.len() as u64))
                .with_context(|| format!("look at the new {name}"));
            match found {
                Ok(Some(found)) if found >= expected => {}
                // What was damaged when it was set aside is damaged when it comes back.
                Err(_) if expected == 0 && !copy.fresh => {}
                Ok(found) => {
                    return Err(Error::failed(format!(
                        "{name} has {} tables after the swap and should have {expected}",
                        found.unwrap_or_default()
                    )));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes the empty shell that a swapped in copy leaves, once the restore that made it was undone.
    pub(crate) fn remove_shells(&self) -> Result<()> {
        self.each(|database, copy| {
            let shell = SideCopy { former: copy.copy.side.clone(), ..copy.copy.clone() };
            database.discard(&shell, &self.cx)
        })
    }

    /// In reverse order, each on its own; the first error is told.
    fn each(&self, undo: impl Fn(&dyn Database, &Aside) -> Result<()>) -> Result<()> {
        let mut first = Ok(());
        for (database, copy) in self.pairs.iter().rev() {
            let undone = undo(database.as_ref(), copy).with_context(|| database.describe());
            first = first.and(undone);
        }
        first
    }
}

/// The database of the configuration whose dumps are in this directory.
pub(crate) fn owner(job: &Job, directory: &Path, copy: &SideCopy) -> Result<Box<dyn Database>> {
    let found = job.databases.iter().map(database::open).find(|database| database.directory() == directory);
    found.ok_or_else(|| {
        Error::failed(format!("the configuration names no database {} any more", copy.live))
            .with_remedy("name it under `databases` again until the restore is at its end")
    })
}
