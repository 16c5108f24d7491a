//! Which snapshots stay and which go, each with a reason a person can check.

mod brake;
mod derive;
mod judge;
mod level;
mod pin;
mod within;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

pub use brake::{Refusal, after_grace, restrain};
pub use derive::derived_cron;
pub use level::{Elect, Level, Levels};
pub use pin::Pin;
pub use within::Within;

use judge::Judge;

/// The tag of what a restore saves before it replaces it: no backup that somebody asked for.
pub const SAFETY: &str = "safety";

/// How many snapshots of a site to keep. What any of its rules keeps stays; without any of them everything does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The newest complete snapshots to keep, at least 1.
    pub last: Option<u32>,
    /// One for each of so many minutes, hours, days, weeks, months and years.
    pub levels: Levels,
    /// All that are not older than this before the newest complete one.
    pub keep_within: Option<Within>,
    /// Never fewer complete snapshots than this, as far as there are as many.
    pub floor: u32,
    /// The share of the site's complete snapshots, in percent, that one rotation may remove.
    pub brake: u8,
    /// How long a snapshot that no rule keeps stays nevertheless.
    pub grace: Duration,
    /// How long a restore can be undone from what it saved before.
    pub keep_safety: Duration,
}

impl Retention {
    pub const KEEP_SAFETY: Duration = Duration::from_hours(7 * 24);
    pub const FLOOR: u32 = 1;
    pub const BRAKE: u8 = 50;

    /// The newest so many, and safety snapshots for the usual time.
    pub fn last(last: Option<u32>) -> Self {
        Self {
            last,
            levels: Levels::default(),
            keep_within: None,
            floor: Self::FLOOR,
            brake: Self::BRAKE,
            grace: Duration::ZERO,
            keep_safety: Self::KEEP_SAFETY,
        }
    }

    /// Nothing says what may go.
    pub fn keeps_everything(&self) -> bool {
        self.last.is_none() && self.keep_within.is_none() && self.levels.keeping().next().is_none()
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
    /// The id it had before its tags were changed for the first time.
    pub original: Option<String>,
    /// What is in it: the id of its tree.
    pub tree: String,
}

impl Candidate {
    fn is_safety(&self) -> bool {
        self.tags.iter().any(|tag| tag == SAFETY)
    }
}

/// The rules, in the order in which they are asked: the first one that applies to a snapshot is the reason of its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Another site's: kept.
    OtherSite,
    /// It was in the repository before that was adopted: kept, and it counts for nothing.
    Adopted,
    /// The same with other tags is there, held as long; a change of tags was interrupted: removed.
    Superseded,
    /// A tag holds it: kept.
    Pinned,
    /// The newest that a drill has proven: kept.
    Proven,
    /// A wrong clock made it: kept, and it counts for nothing.
    Future,
    /// Saved before a restore that it can undo: kept.
    Safety,
    /// The same, past its time, but there is no other complete one: kept.
    SafetyAlone,
    /// The same, past its time: removed.
    SafetyOver,
    /// Nothing says what may go: kept.
    NoRule,
    /// The newest complete one: kept.
    Newest,
    /// Among the last so many: kept.
    Last,
    /// Not older than `keep_within`: kept.
    Within,
    /// Elected by a level, the coarsest that has room for it: kept.
    Elected(Level),
    /// Too few would be left without it: kept.
    Floor,
    /// Incomplete, but newer than what recent complete ones hold: kept.
    IncompleteRecent,
    /// Incomplete, and there are newer complete ones: removed.
    IncompleteOld,
    /// No rule keeps it: removed.
    Unneeded,
    /// Only after `decide`: the run at work has made it: kept.
    JustSaved,
    /// Only after `decide`: it goes when its grace is over, if it is still to go then: kept until then.
    Grace,
}

/// What happens to one snapshot, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub id: String,
    pub keep: bool,
    pub rule: Rule,
    pub reason: String,
    /// When this reason ends, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Judges every snapshot of a repository for one site, newest first; the order they come in does not matter.
///
/// Only complete snapshots of this site count. The newest complete one is kept whatever the policy says. One from the future
/// was made by a wrong clock: it is kept and counts for nothing, or it would push out every snapshot made since. Safety
/// snapshots have a time of their own, take nobody's place, and never go while they are all that a site has. The newest one
/// that a drill has proven stays, however old it is. A pinned one stays, and takes nobody's place until its pin ends.
///
/// What is removed stays so when newer snapshots come or time goes by, but for what the floor takes in again when rules come to
/// overlap more; and on what was kept, the same decision removes nothing.
pub fn decide(
    snapshots: &[Candidate],
    policy: &Retention,
    site: &str,
    now: Timestamp,
    zone: &TimeZone,
) -> Vec<Verdict> {
    let mut sorted: Vec<_> = snapshots.iter().collect();
    sorted.sort_by(|one, other| (other.time, &other.id).cmp(&(one.time, &one.id)));
    let judge = Judge::new(&sorted, policy, site, now, zone);
    sorted.iter().map(|snapshot| judge.judge(snapshot)).collect()
}
