//! Keeping a repository sound: its check, and its repair.

use serde::Serialize;

use super::scope::Run;
use super::walk::Walk;
use super::{Job, claim_site, open};
use crate::error::Result;
use crate::event::{Cx, Step, What};
use crate::repo::{CheckReport, CheckSpec, Mode, ReadData};

/// How much of the stored data a check reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// Lists, sizes, indexes and directories alone.
    Nothing,
    /// About so many percent, and others the next time.
    Share(f64),
    Everything,
}

/// What is asked of a check.
#[derive(Clone, Copy, Debug)]
pub struct CheckRequest {
    pub read: Reading,
    /// Set damaged files aside and rebuild the index.
    pub repair: bool,
}

/// What a check found, and did.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    pub report: CheckReport,
    /// Which part was read, if it was one.
    pub walk: Option<Walk>,
    /// What a repair set aside.
    pub moved: Vec<String>,
}

/// The check of a repository, with a repair if asked for.
pub fn check(job: &Job, request: CheckRequest, cx: &Cx) -> Result<Checked> {
    let repair = request.repair;
    let storage = crate::storage::open(&job.storage);
    let mut run = Run::new(job, cx);
    let mode = if repair { Mode::Exclusive } else { Mode::Shared };

    if repair {
        claim_site(&mut run, job, "check --repair")?;
    }
    let opened = open(&mut run, job, storage.as_ref(), mode, cx)?;
    let mut walk = match request.read {
        Reading::Share(percent) => Some(Walk::next(job, opened.repo.id(), percent)),
        Reading::Nothing | Reading::Everything => None,
    };
    let read = match (&walk, request.read) {
        (Some(walk), _) => ReadData::Part(walk.slice()),
        (None, Reading::Everything) => ReadData::All,
        (None, _) => ReadData::None,
    };
    let report = run.step(Step::Check, || opened.repo.check(&CheckSpec { read }, cx))?;
    report.size.into_iter().for_each(|size| cx.emit(What::RepositorySize(size)));
    if let Some(walk) = &mut walk {
        walk.advance(job)?;
    }
    let moved = if repair && !report.damages.is_empty() {
        run.step(Step::Check, || opened.repo.repair(&report, cx))?
    } else {
        Vec::new()
    };

    Ok(Checked { report, walk, moved })
}
