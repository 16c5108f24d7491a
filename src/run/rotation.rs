//! Keeping a repository small: what the retention rules have no use for is removed, unless something looks wrong.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::drill::{drills, follow, newest_proven};
use super::scope::Run;
use super::{Job, Opened, claim_site, open, recover};
use crate::error::{Error, Result};
use crate::event::{Cx, Rotation, Step, What};
use crate::repo::{Adoption, Mode, Pruned, Repo, Snapshot};
use crate::schedule::{Candidate, Refusal, Rule, SAFETY, Verdict, after_grace, decide, restrain};
use crate::sys::fs::write_atomic;

const FILE: &str = "rotation.json";

/// What is asked of a rotation by hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForgetRequest {
    /// Say what would be removed and why, and touch nothing.
    pub dry_run: bool,
    pub prune: bool,
    /// Without brake, look at the clock, and grace.
    pub force: bool,
}

/// What a rotation decided and did.
#[derive(Clone, Debug, Serialize)]
pub struct Forgotten {
    pub verdicts: Vec<(Snapshot, Verdict)>,
    pub removed: u64,
    pub pruned: Option<Pruned>,
    /// Why nothing would be removed after all; only in a dry run, because it is an error else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
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
    let plan = run.step(Step::Rotate, || Plan::make(&opened.repo, job, None, request.force))?;
    if request.dry_run {
        return Ok(Forgotten { verdicts: plan.verdicts, removed: 0, pruned: None, refused: plan.refused });
    }
    plan.memory.store(job)?;
    if let Some(refusal) = &plan.refused {
        plan.tell(job, true, cx);
        return Err(refused(refusal));
    }
    let removed = run.step(Step::Rotate, || remove(&opened.repo, &plan.verdicts))?;
    plan.tell(job, false, cx);
    let pruned = if request.prune { Some(run.step(Step::Prune, || prune(&opened.repo, cx))?) } else { None };

    Ok(Forgotten { verdicts: plan.verdicts, removed, pruned, refused: None })
}

/// Rotation after a backup. The backup's shared lock is given up for the exclusive one: whoever comes between is respected,
/// and the rotation waits for the next run.
pub(crate) fn rotate(opened: &Opened, job: &Job, fresh: &Snapshot, cx: &Cx) -> Result<()> {
    cx.go_on()?;
    let plan = Plan::make(&opened.repo, job, Some(fresh), false)?;
    plan.memory.store(job)?;
    if plan.verdicts.iter().all(|(_, verdict)| verdict.keep) {
        plan.tell(job, false, cx);
        return Ok(());
    }
    if let Some(refusal) = &plan.refused {
        plan.tell(job, true, cx);
        cx.warn(format!("nothing is rotated: {}; {REMEDY}", refusal.text()));
        return Ok(());
    }
    if let Some((now, before)) = shrunk(&plan.verdicts, fresh) {
        plan.tell(job, true, cx);
        cx.warn(format!(
            "the site has {now} files and had {before}: nothing is rotated; if this is meant, run `lifeboat forget --prune`"
        ));
        return Ok(());
    }
    opened.lock.release()?;
    let alone = opened.repo.lock(Mode::Exclusive)?;
    let rotated = remove(&opened.repo, &plan.verdicts).and_then(|removed| {
        plan.tell(job, false, cx);
        cx.note(format!("removed {removed} of {} snapshots", plan.verdicts.len()));
        let pruned = prune(&opened.repo, cx)?;
        cx.note(format!(
            "space: {} bytes marked, to be deleted by a prune after 23 hours; {} packs deleted now",
            pruned.bytes_marked, pruned.packs_deleted
        ));
        Ok(())
    });
    let released = alone.release();
    rotated.and(released)
}

/// That its size cannot be had afterwards is no reason to fail.
fn prune(repo: &Repo, cx: &Cx) -> Result<Pruned> {
    let pruned = repo.prune(cx)?;
    if let Ok(Some(size)) = repo.size() {
        cx.emit(What::RepositorySize(size));
    }
    Ok(pruned)
}

const REMEDY: &str = "look at `lifeboat forget --dry-run`, and if all this is meant to go, run `lifeboat forget --force --prune`";

fn refused(refusal: &Refusal) -> Error {
    Error::failed(format!("nothing was removed: {}", refusal.text())).with_remedy(REMEDY)
}

/// What is remembered between rotations. Without it, a grace begins anew.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Memory {
    /// Since when each snapshot is to go, where there is a grace.
    doomed: BTreeMap<String, Timestamp>,
    /// Snapshots from the future that a person has seen.
    accepted: BTreeSet<String>,
}

impl Memory {
    fn load(job: &Job) -> Self {
        let text = std::fs::read(job.state.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn store(&self, job: &Job) -> Result<()> {
        if *self == Self::load(job) {
            return Ok(());
        }
        write_atomic(&job.state.join(FILE), &serde_json::to_vec_pretty(self)?, 0o600)
    }
}

/// What a rotation would do.
struct Plan {
    verdicts: Vec<(Snapshot, Verdict)>,
    refused: Option<Refusal>,
    /// What is to be remembered, whether or not it is done.
    memory: Memory,
}

impl Plan {
    fn make(repo: &Repo, job: &Job, fresh: Option<&Snapshot>, force: bool) -> Result<Self> {
        let (now, site) = (Timestamp::now(), &job.site.name);
        let snapshots = repo.snapshots()?;
        let (kept, judged): (Vec<_>, Vec<_>) = snapshots.iter().partition(|one| is_kept(one, job));
        let candidates = candidates(&judged, job)?;
        let mut judged = decide(&candidates, &job.retention, site, now, &job.zone);
        // With a clock that went back it may look like the oldest of all.
        for verdict in judged.iter_mut().filter(|verdict| fresh.is_some_and(|fresh| fresh.id == verdict.id)) {
            if !verdict.keep {
                *verdict = Verdict {
                    keep: true,
                    rule: Rule::JustSaved,
                    reason: "just saved".to_owned(),
                    ..verdict.clone()
                };
            }
        }
        let Memory { doomed, mut accepted } = Memory::load(job);
        accepted.retain(|id| snapshots.iter().any(|snapshot| snapshot.id == *id));
        let at = (now, &job.zone);
        let (judged, doomed, refused) = if force {
            let future = candidates.iter().filter(|one| one.site == *site && one.time > now);
            accepted.extend(future.map(|one| one.id.clone()));
            (judged, BTreeMap::new(), None)
        } else {
            let (judged, doomed) = after_grace(judged, &doomed, job.retention.grace, at);
            let refused = restrain(&candidates, &judged, &job.retention, site, &accepted, at);
            (judged, doomed, refused)
        };
        let kept = kept.into_iter().map(adopted);
        let mut judged: BTreeMap<_, _> =
            judged.into_iter().chain(kept).map(|verdict| (verdict.id.clone(), verdict)).collect();
        let with_verdict = |snapshot: Snapshot| Some((judged.remove(&snapshot.id)?, snapshot));
        let verdicts: Vec<_> = snapshots
            .into_iter()
            .filter_map(with_verdict)
            .map(|(verdict, snapshot)| (snapshot, verdict))
            .collect();
        Ok(Self { verdicts, refused, memory: Memory { doomed, accepted } })
    }

    /// What it came to, in numbers: what was to go is gone, or all of it stays.
    fn tell(&self, job: &Job, refused: bool, cx: &Cx) {
        let mut sum = Rotation::default();
        for (snapshot, verdict) in self.verdicts.iter().filter(|(one, _)| one.site == job.site.name) {
            let stays = verdict.keep || refused;
            sum.snapshots += u64::from(stays);
            sum.complete += u64::from(stays && snapshot.complete);
            sum.held += u64::from(verdict.rule == Rule::Grace);
            sum.removed += u64::from(!stays);
            sum.refused += u64::from(!verdict.keep && refused);
        }
        cx.emit(What::Rotated(sum));
    }
}

/// Made before the repository was adopted, and not given to the rules.
fn is_kept(snapshot: &Snapshot, job: &Job) -> bool {
    snapshot.adopted.is_some() && job.repo.adopted != Some(Adoption::Rotate)
}

fn adopted(snapshot: &Snapshot) -> Verdict {
    Verdict {
        id: snapshot.id.clone(),
        keep: true,
        rule: Rule::Adopted,
        reason: "adopted: kept until `repository.adopted` says rotate".to_owned(),
        until: None,
    }
}

fn candidates(snapshots: &[&Snapshot], job: &Job) -> Result<Vec<Candidate>> {
    let all: Vec<Snapshot> = snapshots.iter().copied().cloned().collect();
    let drills = follow(drills(job)?, &all);
    let ours = |snapshot: &Snapshot| snapshot.site == job.site.name || snapshot.adopted.is_some();
    let complete = snapshots.iter().filter(|snapshot| ours(snapshot) && snapshot.complete);
    let complete: Vec<_> = complete.map(|snapshot| (snapshot.id.as_str(), snapshot.time)).collect();
    let proven = newest_proven(&drills, &complete);
    let candidate = |snapshot: &&Snapshot| Candidate {
        id: snapshot.id.clone(),
        time: snapshot.time,
        // Their host was the node's name; given to the rules, they are the site's.
        site: if snapshot.adopted.is_some() { job.site.name.clone() } else { snapshot.site.clone() },
        complete: snapshot.complete,
        tags: snapshot.tags.clone(),
        newest_proven: proven == Some(&snapshot.id),
        original: snapshot.original.clone(),
        tree: snapshot.tree(),
    };
    Ok(snapshots.iter().map(candidate).collect())
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
