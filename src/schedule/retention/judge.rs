//! The rules of a policy, asked in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::level::Election;
use super::pin::Pin;
use super::{Candidate, Retention, Rule, Verdict};

/// What is the same for all snapshots of one decision.
pub(super) struct Judge<'a> {
    policy: &'a Retention,
    site: &'a str,
    now: Timestamp,
    zone: &'a TimeZone,
    /// Those whose successor with other tags is there.
    superseded: BTreeMap<&'a str, &'a str>,
    /// The place of each snapshot that counts, from the newest, which is 0.
    ranks: BTreeMap<&'a str, usize>,
    election: Election,
    times: Vec<Zoned>,
    /// Kept, so that enough are left.
    floor: BTreeSet<&'a str>,
    /// `keep_within` reaches back to here.
    within: Option<Timestamp>,
    /// The oldest of the recent ones, without which an incomplete snapshot may hold what no complete one has.
    recent: Option<Timestamp>,
}

impl<'a> Judge<'a> {
    /// `sorted` is newest first.
    pub(super) fn new(
        sorted: &[&'a Candidate],
        policy: &'a Retention,
        site: &'a str,
        now: Timestamp,
        zone: &'a TimeZone,
    ) -> Self {
        let superseded = superseded(sorted, now);
        let counted: Vec<&Candidate> = sorted
            .iter()
            .copied()
            .filter(|one| one.site == site && one.complete && one.time <= now && !one.is_safety())
            .filter(|one| Pin::holding(&one.tags, now).is_none() && !superseded.contains_key(one.id.as_str()))
            .collect();
        let times: Vec<Zoned> = counted.iter().map(|one| one.time.to_zoned(zone.clone())).collect();
        let newest = counted.first().map(|one| one.time);
        let last = policy.last.map_or(1, |last| last.max(1)) as usize;
        let mut judge = Self {
            policy,
            site,
            now,
            zone,
            superseded,
            ranks: counted.iter().enumerate().map(|(at, one)| (one.id.as_str(), at)).collect(),
            election: Election::hold(&times, policy.levels),
            times,
            floor: BTreeSet::new(),
            within: policy.keep_within.zip(newest).map(|(within, newest)| within.before(newest, zone)),
            recent: counted.iter().take(last).next_back().map(|one| one.time),
        };
        judge.floor = judge.fill_up(&counted);
        judge
    }

    /// The newest of those that no rule keeps, as many as are missing to the floor.
    fn fill_up(&self, counted: &[&'a Candidate]) -> BTreeSet<&'a str> {
        let goes = |one: &&&Candidate| !one.newest_proven && !self.complete(one).keep;
        let unneeded: Vec<_> = counted.iter().filter(goes).collect();
        let kept = counted.len() - unneeded.len();
        let missing = (self.policy.floor.max(1) as usize).saturating_sub(kept);
        unneeded.into_iter().take(missing).map(|one| one.id.as_str()).collect()
    }

    pub(super) fn judge(&self, one: &Candidate) -> Verdict {
        if one.site != self.site {
            return keep(one, Rule::OtherSite, format!("belongs to {}", one.site));
        }
        if let Some(by) = self.superseded.get(one.id.as_str()) {
            return remove(one, Rule::Superseded, format!("{by:.8} is the same snapshot with other tags"));
        }
        if let Some((tag, pin)) = Pin::holding(&one.tags, self.now) {
            return pinned(one, tag, pin, self.zone);
        }
        if one.newest_proven {
            return keep(one, Rule::Proven, "the newest that a drill has proven");
        }
        if one.time > self.now {
            return keep(one, Rule::Future, "its time is in the future: a clock was or is wrong");
        }
        if one.is_safety() {
            return self.safety(one);
        }
        if self.policy.keeps_everything() {
            return keep(one, Rule::NoRule, "everything is kept");
        }
        if one.complete { self.complete(one) } else { self.incomplete(one) }
    }

    fn safety(&self, one: &Candidate) -> Verdict {
        let age = Duration::try_from(self.now.duration_since(one.time)).unwrap_or_default();
        if age < self.policy.keep_safety {
            let until = one.time.checked_add(self.policy.keep_safety).ok();
            let kept = keep(one, Rule::Safety, "saved before a restore, which it can undo");
            Verdict { until, ..kept }
        } else if self.ranks.is_empty() {
            let reason = "saved before a restore, and there is no other complete snapshot";
            keep(one, Rule::SafetyAlone, reason)
        } else {
            remove(one, Rule::SafetyOver, "saved before a restore, and its time is over")
        }
    }

    fn complete(&self, one: &Candidate) -> Verdict {
        let Some(&at) = self.ranks.get(one.id.as_str()) else {
            // Only what counts comes here.
            return keep(one, Rule::NoRule, "it does not count");
        };
        let rank = at + 1;
        if rank == 1 {
            return keep(one, Rule::Newest, "the newest complete snapshot");
        }
        if let Some(last) = self.policy.last.filter(|last| rank <= *last as usize) {
            return keep(one, Rule::Last, format!("complete snapshot {rank} of the last {last}"));
        }
        if self.within.is_some_and(|since| one.time >= since) {
            let within = self.policy.keep_within.unwrap_or_default();
            return keep(one, Rule::Within, format!("within {within} of the newest complete snapshot"));
        }
        if let Some(place) = self.election.place(at) {
            let most = self.policy.levels.of(place.level).keep;
            let period = place.level.say(&self.times[at]);
            let reason = format!("{} {} of {most} ({period})", place.level, place.rank);
            return keep(one, Rule::Elected(place.level), reason);
        }
        if self.floor.contains(one.id.as_str()) {
            let floor = self.policy.floor.max(1);
            return keep(one, Rule::Floor, format!("without it fewer than {floor} would be left"));
        }
        remove(one, Rule::Unneeded, self.why_not(at))
    }

    fn why_not(&self, at: usize) -> String {
        let last = self.policy.last.map(|last| match last {
            0 | 1 => "older than the newest complete snapshot".to_owned(),
            last => format!("older than the last {last} complete snapshots"),
        });
        let within = self.policy.keep_within.map(|within| format!("older than {within}"));
        let parts: Vec<_> = [last, within, self.election.why_not(at)].into_iter().flatten().collect();
        match parts.as_slice() {
            [] => "no rule keeps it".to_owned(),
            [one] => one.clone(),
            [some @ .., one] => format!("{}, and {one}", some.join(", ")),
        }
    }

    /// An incomplete snapshot may hold what no complete one has, as long as it is as recent as those that are kept for that.
    fn incomplete(&self, one: &Candidate) -> Verdict {
        let Some(oldest) = self.recent else {
            return keep(one, Rule::IncompleteRecent, "incomplete, but there is no complete snapshot yet");
        };
        let (recent, last) = match self.policy.last {
            Some(last @ 2..) => ("the oldest of ", format!("the last {last} complete snapshots")),
            _ => ("", "the newest complete snapshot".to_owned()),
        };
        if one.time >= oldest {
            keep(one, Rule::IncompleteRecent, format!("incomplete, but newer than {recent}{last}"))
        } else if self.within.is_some_and(|since| one.time >= since) {
            let within = self.policy.keep_within.unwrap_or_default();
            let reason = format!("incomplete, but within {within} of the newest complete snapshot");
            keep(one, Rule::IncompleteRecent, reason)
        } else {
            remove(one, Rule::IncompleteOld, format!("incomplete, and older than {last}"))
        }
    }
}

/// To change the tags of a snapshot it is written anew, and then the former one is removed. A kill in between leaves both: of
/// such twins the one stays that a pin holds longest.
fn superseded<'a>(sorted: &[&'a Candidate], now: Timestamp) -> BTreeMap<&'a str, &'a str> {
    let mut twins: BTreeMap<_, Vec<&Candidate>> = BTreeMap::new();
    for one in sorted {
        let first = one.original.as_ref().unwrap_or(&one.id);
        twins.entry((first, &one.tree, one.time, &one.site, one.complete)).or_default().push(one);
    }
    let worth = |one: &&&Candidate| {
        (Pin::holding(&one.tags, now).map(|(_, pin)| pin), one.original.is_some(), one.id.clone())
    };
    let mut found = BTreeMap::new();
    for group in twins.values().filter(|group| group.len() > 1) {
        let best = group.iter().max_by_key(worth).map(|one| one.id.as_str());
        let others = group.iter().map(|one| one.id.as_str()).filter(|id| Some(*id) != best);
        found.extend(others.zip(best.into_iter().cycle()));
    }
    found
}

fn pinned(one: &Candidate, tag: &str, pin: Pin, zone: &TimeZone) -> Verdict {
    match pin {
        Pin::ForGood => keep(one, Rule::Pinned, format!("is tagged {tag}")),
        Pin::Until(end) => {
            let kept = keep(one, Rule::Pinned, format!("is pinned until {}", said(end, zone)));
            Verdict { until: Some(end), ..kept }
        }
    }
}

/// A moment in a reason.
pub(super) fn said(moment: Timestamp, zone: &TimeZone) -> String {
    moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

fn keep(one: &Candidate, rule: Rule, reason: impl Into<String>) -> Verdict {
    Verdict { id: one.id.clone(), keep: true, rule, reason: reason.into(), until: None }
}

fn remove(one: &Candidate, rule: Rule, reason: impl Into<String>) -> Verdict {
    Verdict { id: one.id.clone(), keep: false, rule, reason: reason.into(), until: None }
}
