//! What a backup saves of one moment, and what of it can be done before that moment comes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::databases::{begin_all, previous};
use super::quiet::{Mode, Quiet};
use super::scope::Run;
use super::{BackupRequest, Job};
use crate::database;
use crate::dump::{Feed, Shelf};
use crate::error::Result;
use crate::event::{Cx, Phase, Step, What};
use crate::repo::{Ahead, Contents, Repo, Seen};

/// All databases of one moment, and the files if they are of the same.
pub(crate) struct Dumps {
    pub(crate) moment: Timestamp,
    pub(crate) feeds: Vec<(PathBuf, Box<dyn Feed>)>,
    pub(crate) seen: Option<Seen>,
}

/// What was done while the site worked, so that less is to do while it does not.
pub(crate) struct Online<'a> {
    job: &'a Job,
    repo: &'a Repo,
    /// The dumps before these, read beforehand; each is used once.
    former: RefCell<HashMap<PathBuf, Option<Box<dyn Shelf>>>>,
    ahead: Option<Ahead>,
}

/// Whatever can be read or stored before the moment, if a moment is wanted for which the site is held still.
pub(crate) fn online<'a>(
    run: &mut Run<'_>,
    job: &'a Job,
    request: &BackupRequest,
    repo: &'a Repo,
    cx: &Cx,
) -> Result<Online<'a>> {
    let mode = job.quiesce.mode;
    let mut online = Online { job, repo, former: RefCell::default(), ahead: None };
    if mode == Mode::Off {
        return Ok(online);
    }
    cx.emit(What::PhaseBegun { phase: Phase::Online });
    run.step(Step::Online, || {
        for directory in job.databases.iter().map(|spec| database::open(spec).directory()) {
            let former = previous(job, repo, &directory, cx);
            online.former.borrow_mut().insert(directory, former);
        }
        if mode == Mode::Full {
            online.ahead = Some(repo.save_ahead(files(job, request, cx), cx)?);
        }
        Ok(())
    })?;
    Ok(online)
}

impl Online<'_> {
    /// Fixes the moment: of the databases, and of the files if a first pass went ahead of it. The dumps themselves are read
    /// later, from what each database keeps of that moment.
    pub(crate) fn fix(&self, request: &BackupRequest, quiet: &Quiet, cx: &Cx) -> Result<Dumps> {
        let former = |directory: &Path| {
            let known = self.former.borrow_mut().remove(directory);
            known.unwrap_or_else(|| previous(self.job, self.repo, directory, cx))
        };
        let moment = Timestamp::now();
        let feeds = begin_all(self.job, &former, cx)?;
        cx.between(Step::Dump)?;
        let see = |ahead| {
            let quiet = quiet.clone();
            self.repo.see(ahead, files(self.job, request, cx), move || quiet.give_back_early(), cx)
        };
        let seen = self.ahead.as_ref().map(see).transpose()?;
        cx.between(Step::Dump)?;
        Ok(Dumps { moment, feeds, seen })
    }
}

/// What a snapshot of the site is made of, before anything of it was begun: as it was asked for, and as hooks said since.
pub(crate) fn files(job: &Job, request: &BackupRequest, cx: &Cx) -> Contents {
    let said = cx.state();
    let mut exclude = job.excluded();
    exclude.extend(said.exclude);
    let mut tags = request.tags.clone();
    tags.extend(said.tags);
    Contents {
        site: job.site.name.clone(),
        root: Some(job.site.root.clone()),
        doubt_empty: true,
        exclude,
        feeds: Vec::new(),
        tags,
        comment: request.comment.clone(),
        moment: Timestamp::now(),
        seen: None,
    }
}
