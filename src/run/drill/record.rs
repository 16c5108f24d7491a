//! What drills have proven, remembered with the site's state: which snapshots came back, when, and how much of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::Job;
use crate::error::{Context, Result};
use crate::repo::Snapshot;
use crate::sys::fs::write_atomic;

const FILE: &str = "drills.json";

/// Enough for a walk in as many parts as there can be. Older ones say nothing that the newer ones do not, but for what is proven.
const KEEP: usize = 2000;

/// Proven snapshots whose drills are remembered however many came since: one of them is still there.
const KEEP_PROVEN: usize = 20;

/// One drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    pub begun: Timestamp,
    /// Left out: it came to no verdict, because it was killed or kept from its work, or is still at work.
    pub ended: Option<Timestamp>,
    pub snapshot: String,
    /// What the snapshot was called before its tags were ever changed, and its tree: by these it is found again when they are
    /// changed once more.
    #[serde(default)]
    pub first_id: String,
    #[serde(default)]
    pub tree: String,
    /// Of the snapshot.
    pub time: Timestamp,
    /// Which part of the files was restored, from 1.
    pub part: u32,
    pub parts: u32,
    pub files: u64,
    pub bytes: u64,
    pub rows: u64,
    pub seconds: f64,
    /// On what else than the site's own servers databases were loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    pub failures: Vec<Failure>,
}

/// Something that did not come back as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub what: String,
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All of it came back.
    Proven,
    /// What was tried came back; not all of it was tried yet.
    InPart,
    /// Something was wrong, and that part has not come back since.
    Failed,
}

/// What drills say of one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    pub verdict: Verdict,
    /// Of the last drill.
    pub at: Timestamp,
}

impl Drill {
    pub(super) fn finish(&mut self, now: Timestamp) {
        self.ended = Some(now);
    }

    fn passed(&self) -> bool {
        self.ended.is_some() && self.failures.is_empty()
    }
}

/// All that are remembered, oldest first.
pub fn drills(job: &Job) -> Result<Vec<Drill>> {
    read(&job.state)
}

/// The same of a site that is remembered here.
pub fn drills_of(state: &Path) -> Result<Vec<Drill>> {
    read(state)
}

/// When a drill last came to its end and found nothing wrong, of all of a snapshot or of a part.
pub fn last_passed(state: &Path) -> Result<Option<Timestamp>> {
    Ok(read(state)?.iter().filter(|drill| drill.passed()).filter_map(|drill| drill.ended).max())
}

fn read(state: &Path) -> Result<Vec<Drill>> {
    let path = state.join(FILE);
    match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        text => serde_json::from_slice(&text?)
            .with_context(|| format!("read {}", path.display()))
            .remedy("remove that file: the next drill proves again what it knew"),
    }
}

/// The same with the ids that their snapshots have now. One that has lost something is another snapshot.
pub fn follow(mut all: Vec<Drill>, snapshots: &[Snapshot]) -> Vec<Drill> {
    for drill in &mut all {
        let is_there = |one: &&Snapshot| one.id == drill.snapshot;
        let became =
            |one: &&Snapshot| one.complete && one.first_id() == drill.first_id && one.tree() == drill.tree;
        if let Some(now) = snapshots.iter().find(is_there).or_else(|| snapshots.iter().find(became)) {
            drill.snapshot.clone_from(&now.id);
        }
    }
    all
}

/// Adds it, or takes the place of what was written when it began.
pub(super) fn store(job: &Job, drill: &Drill) -> Result<()> {
    let mut all = drills(job)?;
    all.retain(|other| other.begun != drill.begun);
    all.push(drill.clone());
    trim(&mut all);
    write_atomic(&job.state.join(FILE), &serde_json::to_vec_pretty(&all)?, 0o600)
}

/// Forgets the oldest beyond `KEEP`, and none that the newest proofs consist of.
fn trim(all: &mut Vec<Drill>) {
    let mut excess = all.len().saturating_sub(KEEP);
    if excess == 0 {
        return;
    }
    let standing = standing(all);
    let times = all.iter().filter(|drill| {
        standing.get(&drill.snapshot).is_some_and(|standing| standing.verdict == Verdict::Proven)
    });
    let mut proven: Vec<_> = times.map(|drill| (drill.time, drill.snapshot.clone())).collect();
    proven.sort();
    proven.dedup();
    let newest: BTreeSet<_> = proven.into_iter().rev().take(KEEP_PROVEN).map(|(_, id)| id).collect();
    all.retain(|drill| {
        let goes = excess > 0 && !newest.contains(&drill.snapshot);
        excess -= usize::from(goes);
        !goes
    });
}

/// In how many parts the last drill went that came to its end, if more of them are to come.
pub(super) fn begun_walk(all: &[Drill]) -> Option<u32> {
    let last = all.iter().rev().find(|drill| drill.passed())?;
    (last.part < last.parts).then_some(last.parts)
}

/// Which part is next: the one behind that of the last drill that came to its end with as many parts.
pub(super) fn next_part(all: &[Drill], parts: u32) -> u32 {
    let last = all.iter().rev().find(|drill| drill.parts == parts && drill.passed());
    last.map_or(1, |drill| drill.part % parts + 1)
}

/// By the snapshots' whole ids.
pub fn standing(all: &[Drill]) -> BTreeMap<String, Standing> {
    let mut found = BTreeMap::new();
    // The parts of each in which something was wrong, until they come back.
    let mut faulty: BTreeMap<&str, BTreeSet<(u32, u32)>> = BTreeMap::new();
    for drill in all {
        let Some(at) = drill.ended else { continue };
        let (faulty, part) = (faulty.entry(&drill.snapshot).or_default(), (drill.part, drill.parts));
        let verdict = if !drill.passed() {
            faulty.insert(part);
            Verdict::Failed
        } else if is_covered(all, drill) {
            faulty.clear();
            Verdict::Proven
        } else {
            faulty.remove(&part);
            if faulty.is_empty() { Verdict::InPart } else { Verdict::Failed }
        };
        found.insert(drill.snapshot.clone(), Standing { verdict, at });
    }
    found
}

/// Whether this drill and those before it, since one that did not pass, restored every part of its snapshot.
fn is_covered(all: &[Drill], last: &Drill) -> bool {
    let of_snapshot = all.iter().filter(|drill| drill.snapshot == last.snapshot && drill.begun <= last.begun);
    let good: Vec<_> =
        of_snapshot.rev().filter(|drill| drill.ended.is_some()).take_while(|drill| drill.passed()).collect();
    let parts = good.iter().filter(|drill| drill.parts == last.parts).map(|drill| drill.part);
    parts.collect::<BTreeSet<_>>().len() == last.parts as usize || good.iter().any(|drill| drill.parts == 1)
}

/// The id of the newest snapshot of all these that drills have proven; else of the newest that came back in part.
pub(crate) fn newest_proven<'a>(all: &[Drill], snapshots: &[(&'a str, Timestamp)]) -> Option<&'a str> {
    let standing = standing(all);
    let newest = |verdict: Verdict| {
        let is = |id: &str| standing.get(id).is_some_and(|standing| standing.verdict == verdict);
        snapshots.iter().filter(|(id, _)| is(id)).max_by_key(|(_, time)| *time).map(|(id, _)| *id)
    };
    newest(Verdict::Proven).or_else(|| newest(Verdict::InPart))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drill(begun: i64, snapshot: &str, (part, parts): (u32, u32), ended: bool, good: bool) -> Drill {
        let at = |second| Timestamp::from_second(second).unwrap();
        let failure = || Failure { what: "files".into(), why: "damaged".into() };
        Drill {
            begun: at(begun),
            ended: ended.then(|| at(begun + 1)),
            snapshot: snapshot.into(),
            first_id: snapshot.into(),
            tree: String::new(),
            time: at(0),
            part,
            parts,
            files: 0,
            bytes: 0,
            rows: 0,
            seconds: 0.0,
            server: None,
            failures: (!good).then(failure).into_iter().collect(),
        }
    }

    #[test]
    fn a_snapshot_is_proven_by_all_its_parts_and_by_nothing_less() {
        let mut all = vec![drill(1, "a", (1, 2), true, true)];
        let verdict = |all: &[Drill]| standing(all)["a"].verdict;
        assert_eq!(verdict(&all), Verdict::InPart);
        assert_eq!(next_part(&all, 2), 2);
        assert_eq!(next_part(&all, 3), 1);
        // Killed in the second part: that is tried again.
        all.push(drill(2, "a", (2, 2), false, true));
        assert_eq!((verdict(&all), next_part(&all, 2)), (Verdict::InPart, 2));
        all.push(drill(3, "a", (2, 2), true, false));
        assert_eq!((verdict(&all), next_part(&all, 2)), (Verdict::Failed, 2));
        // What came back before a failure was before it.
        all.push(drill(4, "a", (2, 2), true, true));
        assert_eq!((verdict(&all), next_part(&all, 2)), (Verdict::InPart, 1));
        all.push(drill(5, "a", (1, 2), true, true));
        assert_eq!(verdict(&all), Verdict::Proven);
        all.push(drill(6, "b", (1, 1), true, true));
        assert_eq!(standing(&all)["b"].verdict, Verdict::Proven);
        let at = |second| Timestamp::from_second(second).unwrap();
        let snapshots = [("a", at(10)), ("b", at(5)), ("c", at(20))];
        assert_eq!(newest_proven(&all, &snapshots), Some("a"));
        assert_eq!(newest_proven(&all[..2], &snapshots), Some("a"));
        assert_eq!(newest_proven(&all[..0], &snapshots), None);
    }

    #[test]
    fn a_fault_stays_until_the_part_that_had_it_comes_back() {
        let verdict = |all: &[Drill]| standing(all)["a"].verdict;
        let mut all = vec![drill(1, "a", (1, 1), true, false), drill(2, "a", (1, 2), true, true)];
        assert_eq!(verdict(&all), Verdict::Failed, "the other half may have the fault");
        all.push(drill(3, "a", (2, 2), true, true));
        assert_eq!(verdict(&all), Verdict::Proven);
        all.push(drill(4, "a", (1, 3), true, false));
        all.push(drill(5, "a", (2, 3), true, false));
        all.push(drill(6, "a", (2, 3), true, true));
        assert_eq!(verdict(&all), Verdict::Failed, "the first third still has one");
        all.push(drill(7, "a", (1, 3), true, true));
        assert_eq!(verdict(&all), Verdict::InPart);
    }

    #[test]
    fn however_many_drills_follow_the_proof_is_remembered() {
        let mut all = vec![drill(1, "proven", (1, 2), true, true), drill(2, "proven", (2, 2), true, true)];
        all.extend(
            (3..6000).map(|begun| drill(begun, &begun.to_string(), (1, 9), begun % 3 > 0, begun % 2 > 0)),
        );
        trim(&mut all);
        assert_eq!(all.len(), KEEP);
        let snapshots = [("proven", Timestamp::from_second(7).unwrap())];
        assert_eq!(newest_proven(&all, &snapshots), Some("proven"));
        assert_eq!(all.last().unwrap().snapshot, "5999");
    }
}
