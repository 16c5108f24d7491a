//! Keeping a repository small and sound: rotation, prune, check.

use jiff::Timestamp;
use serde::Serialize;

use super::drill::{drills, newest_proven};
use super::scope::Run;
use super::walk::Walk;
use super::{Job, Opened, claim_site, open, recover};
use crate::error::Result;
use crate::event::{Cx, Step};
use crate::repo::{CheckReport, CheckSpec, Mode, Pruned, ReadData, Repo, Snapshot};
use crate::schedule::{Candidate, SAFETY, Verdict, decide};

/// What is asked of a rotation by hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForgetRequest {
    /// Say what would be removed and why, and touch nothing.
    pub dry_run: bool,
    pub prune: bool,
}

/// What a rotation decided and did.
#[derive(Clone, Debug, Serialize)]
pub struct Forgotten {
    pub verdicts: Vec<(Snapshot, Verdict)>,
    pub removed: u64,
    pub pruned: Option<Pruned>,
}

/// Rotation by hand.
pub fn forget(job: &Job, request: ForgetRequest, cx: &Cx) -> Result<Forgotten> {
    let storage = crate::storage::open(&job.storage);
    let mut run = Run::new(job, cx);
    let mode = if request.dry_run { Mode::Shared } else { Mode::Exclusive };

    if mode == Mode::Exclusive {
        claim_site(&mut run, job, "forget")?;
        recover::first(&mut run, job, cx)?;
    }
    let opened = open(&mut run, job, storage.as_ref(), mode, cx)?;
    let verdicts = run.step(Step::Rotate, || verdicts(&opened.repo, job))?;
    if request.dry_run {
        return Ok(Forgotten { verdicts, removed: 0, pruned: None });
    }
    let removed = run.step(Step::Rotate, || remove(&opened.repo, &verdicts))?;
    let pruned = if request.prune { Some(run.step(Step::Prune, || opened.repo.prune(cx))?) } else { None };

    Ok(Forgotten { verdicts, removed, pruned })
}

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

/// Rotation after a backup. The backup's shared lock is given up for the exclusive one: whoever comes between is respected,
/// and the rotation waits for the next run.
pub(crate) fn rotate(opened: &Opened, job: &Job, fresh: &Snapshot, cx: &Cx) -> Result<()> {
    cx.go_on()?;
    let mut verdicts = verdicts(&opened.repo, job)?;
    // With a clock that went back it may look like the oldest of all.
    for (_, verdict) in verdicts.iter_mut().filter(|(snapshot, _)| snapshot.id == fresh.id) {
        *verdict = Verdict { keep: true, reason: "just saved".to_owned(), ..verdict.clone() };
    }
    if verdicts.iter().all(|(_, verdict)| verdict.keep) {
        return Ok(());
    }
    if let Some((now, before)) = shrunk(&verdicts, fresh) {
        cx.warn(format!(
            "the site has {now} files and had {before}: nothing is rotated; if this is meant, run `lifeboat forget --prune`"
        ));
        return Ok(());
    }
    opened.lock.release()?;
    let alone = opened.repo.lock(Mode::Exclusive)?;
    let rotated = remove(&opened.repo, &verdicts).and_then(|removed| {
        cx.note(format!("removed {removed} of {} snapshots", verdicts.len()));
        let pruned = opened.repo.prune(cx)?;
        cx.note(format!(
            "space: {} bytes marked, to be deleted by a prune after 23 hours; {} packs deleted now",
            pruned.bytes_marked, pruned.packs_deleted
        ));
        Ok(())
    });
    let released = alone.release();
    rotated.and(released)
}

/// Files now and before, if less than half are left: an emptied or unmounted site must not push its good snapshots out.
fn shrunk(verdicts: &[(Snapshot, Verdict)], saved: &Snapshot) -> Option<(u64, u64)> {
    let files = |snapshot: &Snapshot| snapshot.stats.as_ref().map(|stats| stats.files);
    let earlier = verdicts.iter().map(|(snapshot, _)| snapshot).filter(|snapshot| {
        snapshot.site == saved.site
            && snapshot.complete
            && !snapshot.has_tag(SAFETY)
            && snapshot.time < saved.time
            && snapshot.paths == saved.paths
    });
    let before = earlier.max_by_key(|snapshot| snapshot.time).and_then(files)?;
    files(saved).filter(|now| now.saturating_mul(2) < before).map(|now| (now, before))
}

fn verdicts(repo: &Repo, job: &Job) -> Result<Vec<(Snapshot, Verdict)>> {
    let snapshots = repo.snapshots()?;
    let drills = drills(job)?;
    let complete = snapshots.iter().filter(|snapshot| snapshot.site == job.site.name && snapshot.complete);
    let complete: Vec<_> = complete.map(|snapshot| (snapshot.id.as_str(), snapshot.time)).collect();
    let proven = newest_proven(&drills, &complete);
    let candidates: Vec<Candidate> = snapshots
        .iter()
        .map(|snapshot| Candidate {
            id: snapshot.id.clone(),
            time: snapshot.time,
            site: snapshot.site.clone(),
            complete: snapshot.complete,
            tags: snapshot.tags.clone(),
            newest_proven: proven == Some(&snapshot.id),
        })
        .collect();
    let mut judged = decide(&candidates, &job.retention, &job.site.name, Timestamp::now());
    // One verdict a snapshot, in whatever order they come.
    Ok(snapshots
        .into_iter()
        .filter_map(|snapshot| {
            let at = judged.iter().position(|verdict| verdict.id == snapshot.id)?;
            Some((snapshot, judged.swap_remove(at)))
        })
        .collect())
}

fn remove(repo: &Repo, verdicts: &[(Snapshot, Verdict)]) -> Result<u64> {
    let ids: Vec<String> = verdicts
        .iter()
        .filter(|(_, verdict)| !verdict.keep)
        .map(|(snapshot, _)| snapshot.id.clone())
        .collect();
    if !ids.is_empty() {
        repo.forget(&ids)?;
    }
    Ok(ids.len() as u64)
}
