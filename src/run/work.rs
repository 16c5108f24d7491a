//! A restore under way: whatever it alters is in its journal first, and the journal knows the way back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::copies::Copies;
use super::databases::Databases;
use super::journal::{Aside, Files, Journal, Phase};
use super::newer::{self, Listing};
use super::request::Source;
use super::{Job, adapt, recover};
use crate::database::SideCopy;
use crate::error::{Error, Result};
use crate::event::Cx;

/// Cloning shares it.
#[derive(Clone)]
pub(crate) struct Work<'a> {
    job: &'a Job,
    cx: Cx,
    journal: Arc<Mutex<Journal>>,
}

impl<'a> Work<'a> {
    /// Announces everything that will be made beside the site, and makes the place for the files.
    pub(crate) fn begin(job: &'a Job, journal: Journal, cx: &Cx) -> Result<Self> {
        let work = Self { job, cx: cx.shielded(), journal: Arc::new(Mutex::new(journal)) };
        work.write()?;
        let made = work.journal().files.as_ref().map_or(Ok(()), Files::make);
        if let Err(error) = made {
            if let Err(stuck) = work.end() {
                cx.warn(stuck.to_string());
            }
            return Err(error);
        }
        Ok(work)
    }

    /// What a restore that was not committed altered is put back, all of it; then its journal goes. Whatever stops that is
    /// told, and the journal stays for `recover`.
    pub(crate) fn end(&self) -> Result<()> {
        if self.is_committed() {
            return Ok(());
        }
        recover::put_back(self.job, &self.journal(), &self.cx)
    }

    /// Where the restored files are built.
    pub(crate) fn tree(&self) -> PathBuf {
        self.journal().files.map(|files| files.tree()).unwrap_or_default()
    }

    /// Loads every dump beside its live database, under the names that were announced.
    pub(crate) fn load(&self, databases: &Databases, cx: &Cx) -> Result<()> {
        let loaded = databases.load(&self.journal().databases, cx)?;
        self.alter(|journal| {
            for copy in &mut journal.databases {
                if let Some((_, loaded)) = loaded.iter().find(|(directory, _)| *directory == copy.directory) {
                    copy.copy = loaded.clone();
                }
            }
        });
        Ok(())
    }

    /// What comes from another site takes this one's configuration and names.
    pub(crate) fn adapt(&self, source: &Source, databases: &Databases, cx: &Cx) -> Result<()> {
        let journal = self.journal();
        if let Some(files) = &journal.files {
            adapt::files(self.job, source, &files.tree())?;
        }
        adapt::names(source, &|rule| databases.rewrite(&journal.databases, rule, cx), cx)
    }

    pub(crate) fn discard(&self) -> Result<()> {
        self.unless_committed(|journal| Copies::find(self.job, &journal.databases, &self.cx)?.discard())
    }

    /// Stops what writes to the site. If it cannot all be stopped, what was is started again.
    pub(crate) fn quiesce(&self) -> Result<()> {
        self.alter(|journal| journal.quiesced = true);
        self.write()?;
        self.cx.hurry(true);
        self.job.hooks_at("quiesce", &self.cx).inspect_err(|_| {
            if let Err(error) = self.resume() {
                self.cx.warn(error.to_string());
            }
        })
    }

    /// Starts again what was stopped; does nothing where nothing was.
    pub(crate) fn resume(&self) -> Result<()> {
        if !self.journal().quiesced {
            return Ok(());
        }
        self.job.hooks_at("resume", &self.cx)?;
        self.cx.hurry(false);
        self.alter(|journal| journal.quiesced = false);
        // If this is not on disk, it is started once more.
        self.write()
    }

    /// What is staged becomes live at these paths; `carry` moves along, as far as there is place for it. Says what was moved
    /// and what was set aside.
    pub(crate) fn swap_files(&self, paths: &[PathBuf], newer: &[String]) -> Result<Moved> {
        let Some(mut files) = self.journal().files else { return Ok(Moved::default()) };
        let mut newcomers = Vec::new();
        files.plan(paths, &[])?;
        if files.is_whole() {
            newcomers = newer::to_carry(&files, newer)?;
            let carry = self.can_carry(&files, &newcomers)?;
            files.plan(&[], &carry)?;
            files.came = newcomers.iter().map(|path| path.as_path().into()).collect();
        }
        self.alter(|journal| {
            journal.phase = Phase::Changing;
            journal.files = Some(files.clone());
        });
        self.write()?;
        files.swap(&self.cx)?;
        Ok(Moved { carried: Listing::of(newcomers), aside: Listing::of(newer::set_aside(&files)?) })
    }

    /// Newer files that were asked for, and what no snapshot holds; the former tree keeps what has no place.
    fn can_carry(&self, files: &Files, newcomers: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let mut carry = newcomers.to_vec();
        for path in newer::left_out(files)? {
            if carry.iter().any(|carried| path.starts_with(carried)) {
                continue;
            }
            if files.has_place_for(&path) {
                carry.push(path);
            } else {
                self.cx.warn(format!(
                    "{} was left out of the snapshot, and its place is taken there: it stays with the former files",
                    path.display()
                ));
            }
        }
        Ok(carry)
    }

    pub(crate) fn swap_files_back(&self) -> Result<()> {
        self.unless_committed(|journal| journal.files.as_ref().map_or(Ok(()), Files::swap_back))
    }

    pub(crate) fn swap_databases(&self) -> Result<()> {
        self.alter(|journal| journal.phase = Phase::Changing);
        self.write()?;
        Copies::find(self.job, &self.journal().databases, &self.cx)?.swap_in()
    }

    pub(crate) fn swap_databases_back(&self) -> Result<()> {
        self.unless_committed(|journal| Copies::find(self.job, &journal.databases, &self.cx)?.swap_back())
    }

    /// The root is there, and so are the databases.
    pub(crate) fn probe(&self) -> Result<()> {
        let journal = self.journal();
        if let Some(files) = &journal.files {
            let gone = files
                .swaps
                .iter()
                .any(|swap| swap.path.as_os_str().is_empty() && swap.kind == super::journal::SwapKind::Go);
            if !gone && !files.root.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                return Err(Error::failed(format!(
                    "{} is no directory after the swap",
                    files.root.display()
                )));
            }
        }
        Copies::find(self.job, &journal.databases, &self.cx)?.probe()
    }

    /// From here on the new state is the valid one, whatever happens to this process.
    pub(crate) fn commit(&self) -> Result<()> {
        let before = self.journal().phase;
        self.alter(|journal| journal.phase = Phase::Committed);
        self.write().inspect_err(|_| {
            // It may be on disk although it failed: what is not committed must not look so.
            self.alter(|journal| journal.phase = before);
            if let Err(error) = self.write() {
                self.cx.warn(error.to_string());
            }
        })
    }

    /// What was live gets its lasting names, and the journal its end.
    pub(crate) fn settle(&self) -> Result<()> {
        self.resume()?;
        recover::finish(self.job, &self.journal(), &self.cx)
    }

    /// Where the former files are by now.
    pub(crate) fn kept(&self) -> Option<PathBuf> {
        let files = self.journal().files?;
        let kept = if files.kept.exists() { files.kept } else { files.place };
        Some(kept.0)
    }

    /// The directory that was announced for a server of a drill.
    pub(crate) fn server(&self) -> Option<PathBuf> {
        self.journal().server.map(|server| server.0)
    }

    /// What was announced of databases, with what became of it.
    pub(crate) fn asides(&self) -> Vec<Aside> {
        self.journal().databases
    }

    pub(crate) fn copies(&self) -> Vec<SideCopy> {
        self.journal().databases.into_iter().map(|Aside { copy, .. }| copy).collect()
    }

    fn unless_committed(&self, undo: impl FnOnce(&Journal) -> Result<()>) -> Result<()> {
        if self.is_committed() { Ok(()) } else { undo(&self.journal()) }
    }

    fn is_committed(&self) -> bool {
        self.journal().phase == Phase::Committed
    }

    fn write(&self) -> Result<()> {
        self.journal().write(&self.job.state)
    }

    fn alter(&self, change: impl FnOnce(&mut Journal)) {
        change(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn journal(&self) -> Journal {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What became of files that are not in the snapshot.
#[derive(Default)]
pub(crate) struct Moved {
    pub(crate) carried: Listing,
    pub(crate) aside: Listing,
}
