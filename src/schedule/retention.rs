//! Which snapshots stay and which go, each with a reason a person can check.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Snapshots with one of these tags are never removed by a rule, and take nobody's place.
const PINNED: [&str; 2] = ["keep", "pre-restore"];

/// The tag of what a restore saves before it replaces it: no backup that somebody asked for.
pub const SAFETY: &str = "safety";

/// How many snapshots of a site to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The newest complete snapshots to keep, at least 1; `None` keeps everything.
    pub last: Option<u32>,
    /// How long a restore can be undone from what it saved before.
    pub keep_safety: Duration,
}

impl Retention {
    pub const KEEP_SAFETY: Duration = Duration::from_hours(7 * 24);

    /// The newest so many, and safety snapshots for the usual time.
    pub const fn last(last: Option<u32>) -> Self {
        Self { last, keep_safety: Self::KEEP_SAFETY }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::last(None)
    }
}

/// What retention needs to know of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: String,
    pub time: Timestamp,
    /// The site it belongs to; restic's `host`.
    pub site: String,
    /// Everything that was asked for is in it.
    pub complete: bool,
    pub tags: Vec<String>,
    /// The newest one that a drill has proven to come back.
    pub newest_proven: bool,
}

/// What happens to one snapshot, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub id: String,
    pub keep: bool,
    pub reason: String,
}

/// Judges every snapshot of a repository for one site, newest first; the order they come in does not matter.
///
/// Only complete snapshots of this site count. The newest complete one is kept whatever the policy says. One from the future
/// was made by a wrong clock: it is kept and counts for nothing, or it would push out every snapshot made since. Safety
/// snapshots have a time of their own, take nobody's place, and never go while they are all that a site has. The newest one
/// that a drill has proven stays, however old it is.
pub fn decide(snapshots: &[Candidate], policy: &Retention, site: &str, now: Timestamp) -> Vec<Verdict> {
    let mut sorted: Vec<_> = snapshots.iter().collect();
    sorted.sort_by(|one, other| (other.time, &other.id).cmp(&(one.time, &one.id)));

    let last = policy.last.map(|last| last.max(1));
    let limit = last.map_or(usize::MAX, |last| usize::try_from(last).unwrap_or(usize::MAX));
    let counted = |snapshot: &&&Candidate| {
        snapshot.site == site
            && snapshot.complete
            && snapshot.time <= now
            && pin(snapshot).is_none()
            && !is_safety(snapshot)
    };
    let oldest_kept = sorted.iter().filter(counted).take(limit).last().map(|snapshot| snapshot.time);

    let mut rank = 0;
    let mut verdicts = Vec::with_capacity(sorted.len());
    for snapshot in &sorted {
        let (keep, reason) = if snapshot.site != site {
            (true, format!("belongs to {}", snapshot.site))
        } else if let Some(tag) = pin(snapshot) {
            (true, format!("is tagged {tag}"))
        } else if snapshot.newest_proven {
            rank += u32::from(snapshot.complete && snapshot.time <= now && !is_safety(snapshot));
            (true, "the newest that a drill has proven".to_owned())
        } else if snapshot.time > now {
            (true, "its time is in the future: a clock was or is wrong".to_owned())
        } else if is_safety(snapshot) {
            safety(snapshot.time, oldest_kept.is_some(), policy.keep_safety, now)
        } else if snapshot.complete {
            rank += 1;
            complete(rank, last)
        } else {
            incomplete(snapshot.time, oldest_kept, last)
        };
        verdicts.push(Verdict { id: snapshot.id.clone(), keep, reason });
    }
    verdicts
}

fn pin(snapshot: &Candidate) -> Option<&str> {
    snapshot.tags.iter().map(String::as_str).find(|tag| PINNED.contains(tag))
}

fn is_safety(snapshot: &Candidate) -> bool {
    snapshot.tags.iter().any(|tag| tag == SAFETY)
}

fn safety(time: Timestamp, others: bool, keep: Duration, now: Timestamp) -> (bool, String) {
    let age = Duration::try_from(now.duration_since(time)).unwrap_or_default();
    if age < keep {
        (true, "saved before a restore, which it can undo".to_owned())
    } else if others {
        (false, "saved before a restore, and its time is over".to_owned())
    } else {
        (true, "saved before a restore, and there is no other complete snapshot".to_owned())
    }
}

fn complete(rank: u32, last: Option<u32>) -> (bool, String) {
    match last {
        None => (true, "everything is kept".to_owned()),
        Some(_) if rank == 1 => (true, "the newest complete snapshot".to_owned()),
        Some(last) if rank <= last => (true, format!("complete snapshot {rank} of the last {last}")),
        Some(1) => (false, "older than the newest complete snapshot".to_owned()),
        Some(last) => (false, format!("older than the last {last} complete snapshots")),
    }
}

/// An incomplete snapshot may hold what no complete one has, as long as it is among those that are kept.
fn incomplete(time: Timestamp, oldest_kept: Option<Timestamp>, last: Option<u32>) -> (bool, String) {
    match oldest_kept {
        _ if last.is_none() => (true, "everything is kept".to_owned()),
        None => (true, "incomplete, but there is no complete snapshot yet".to_owned()),
        Some(oldest) if time < oldest => {
            (false, "incomplete, and older than every complete snapshot that is kept".to_owned())
        }
        Some(_) => (true, "incomplete, but newer than the oldest complete snapshot that is kept".to_owned()),
    }
}
