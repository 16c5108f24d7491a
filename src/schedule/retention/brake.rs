//! What stands between a verdict and a removal: a brake on many at once, a look at the clock, and a grace period.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::judge::said;
use super::pin::Pin;
use super::{Candidate, Retention, Rule, Verdict};

/// So many may always go: a rotation that keeps up removes one, or one and what the run before it had to leave.
const FEW: usize = 2;

/// Clocks of nodes that share a repository need not agree better.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// A pause is only doubted from here on, and if it is so many times as long as what was usual.
const PAUSE: SignedDuration = SignedDuration::from_hours(30 * 24);
const TIMES: i32 = 20;

/// Intervals from which we take what is usual.
const HISTORY: usize = 4;

/// After so many snapshots since a long pause the clock is believed: nobody has corrected it.
const BELIEVED: usize = 3;

/// Why a rotation is not done, though there is something to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Refusal {
    /// Too many at once.
    Brake { text: String },
    /// The clock is, or was, wrong.
    Clock { text: String },
}

impl Refusal {
    pub fn text(&self) -> &str {
        let (Self::Brake { text } | Self::Clock { text }) = self;
        text
    }
}

/// Whether what is to go is too much at once, or judged by a clock that cannot be right; `None` if nothing is to go.
///
/// The brake looks at complete snapshots alone, and lets a few go in any case. The clock is doubted if a snapshot of the site
/// is from the future, unless its id is among those `accepted`; and, where what goes depends on the time that has passed, if
/// there was no snapshot for much longer than usual until just now.
pub fn restrain(
    snapshots: &[Candidate],
    verdicts: &[Verdict],
    policy: &Retention,
    site: &str,
    accepted: &BTreeSet<String>,
    (now, zone): (Timestamp, &TimeZone),
) -> Option<Refusal> {
    let doomed: BTreeMap<&str, Rule> = verdicts
        .iter()
        .filter(|verdict| !verdict.keep && verdict.rule != Rule::Superseded)
        .map(|verdict| (verdict.id.as_str(), verdict.rule))
        .collect();
    if doomed.is_empty() {
        return None;
    }
    let ours: Vec<_> = snapshots.iter().filter(|one| one.site == site && !one.is_safety()).collect();
    let clock = ahead(&ours, accepted, now, zone).or_else(|| {
        let by_clock = |one: &Candidate| match doomed.get(one.id.as_str()) {
            Some(rule) => *rule == Rule::SafetyOver || Pin::of(&one.tags).is_some(),
            None => false,
        };
        let depends =
            policy.keep_within.is_some() || !policy.grace.is_zero() || snapshots.iter().any(by_clock);
        paused(&ours, now, zone).filter(|_| depends)
    });
    clock.map(|text| Refusal::Clock { text }).or_else(|| brake(&ours, &doomed, policy.brake))
}

fn brake(ours: &[&Candidate], doomed: &BTreeMap<&str, Rule>, percent: u8) -> Option<Refusal> {
    let complete: Vec<_> = ours.iter().filter(|one| one.complete).collect();
    let going = complete.iter().filter(|one| doomed.contains_key(one.id.as_str())).count();
    let limit = complete.len() * usize::from(percent) / 100;
    (percent < 100 && going > limit.max(FEW)).then(|| Refusal::Brake {
        text: format!(
            "{going} of {} complete snapshots would go at once, more than the brake of {percent}% lets through",
            complete.len()
        ),
    })
}

fn ahead(
    ours: &[&Candidate],
    accepted: &BTreeSet<String>,
    now: Timestamp,
    zone: &TimeZone,
) -> Option<String> {
    let limit = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    let far = |one: &&&Candidate| one.time > limit && !accepted.contains(&one.id);
    let newest = ours.iter().filter(far).max_by_key(|one| one.time)?;
    Some(format!(
        "snapshot {:.8} is of {}, and the clock of this machine says {}: one of them is wrong",
        newest.id,
        said(newest.time, zone),
        said(now, zone)
    ))
}

/// A clock that leaps forward looks like a long time in which nothing was saved. So does a site that was switched off: after
/// a few more snapshots it is taken for that.
fn paused(ours: &[&Candidate], now: Timestamp, zone: &TimeZone) -> Option<String> {
    let mut times: Vec<_> = ours.iter().map(|one| one.time).filter(|time| *time <= now).collect();
    times.push(now);
    times.sort_unstable();
    let gaps: Vec<_> =
        times.windows(2).map(|pair| (pair[1].duration_since(pair[0]), pair[0], pair[1])).collect();
    for recent in 0..BELIEVED.min(gaps.len()) {
        let (before, rest) = gaps.split_at(gaps.len() - 1 - recent);
        let mut usual: Vec<_> = before.iter().map(|(gap, _, _)| *gap).collect();
        if usual.len() < HISTORY {
            break;
        }
        usual.sort_unstable();
        let median = usual[usual.len() / 2];
        let long = median.checked_mul(TIMES).map_or(SignedDuration::MAX, |usual| usual.max(PAUSE));
        let (gap, from, to) = rest[0];
        if gap > long {
            return Some(format!(
                "nothing was saved between {} and {}, which is {} days and much longer than usual: the clock may have leapt",
                said(from, zone),
                said(to, zone),
                gap.as_hours() / 24
            ));
        }
    }
    None
}

/// Keeps what is to go until its grace is over. `noted` says since when each was to go; the new notes come back, without
/// those that are not to go any more: if they ever are again, their grace begins anew.
pub fn after_grace(
    verdicts: Vec<Verdict>,
    noted: &BTreeMap<String, Timestamp>,
    grace: Duration,
    (now, zone): (Timestamp, &TimeZone),
) -> (Vec<Verdict>, BTreeMap<String, Timestamp>) {
    let mut doomed = BTreeMap::new();
    let wait = |verdict: Verdict| {
        if grace.is_zero() || verdict.keep || verdict.rule == Rule::Superseded {
            return verdict;
        }
        // Noted in the future: by a clock that has gone back since.
        let since = noted.get(&verdict.id).copied().filter(|since| *since <= now).unwrap_or(now);
        doomed.insert(verdict.id.clone(), since);
        let end = since.checked_add(grace).unwrap_or(Timestamp::MAX);
        if end <= now {
            return verdict;
        }
        let reason = format!("to be removed after {}: {}", said(end, zone), verdict.reason);
        Verdict { keep: true, rule: Rule::Grace, reason, until: Some(end), ..verdict }
    };
    let verdicts = verdicts.into_iter().map(wait).collect();
    (verdicts, doomed)
}
