//! When something is due: the times of a schedule, moved by this site's share of the jitter and out of forbidden hours.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::cron::Cron;
use super::window::{Window, open_from};

/// Missed times that are counted one by one; beyond, only that there were that many.
const COUNTED: u64 = 1000;

/// The times at which one kind of work of one site is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timetable {
    /// It is due at the times of each of them.
    pub crons: Vec<Cron>,
    pub zone: TimeZone,
    /// What this site waits longer than others, so that not all of them begin at once.
    pub delay: SignedDuration,
    pub not_during: Vec<Window>,
    /// Nothing is due before, and nothing after.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// One time of a timetable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Occurrence {
    /// As the schedule says it: by this it is known, whatever moved it.
    pub nominal: Timestamp,
    /// When the work is to begin.
    pub due: Timestamp,
}

/// What has come due since a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The last one: one run makes up for all of them.
    pub nominal: Timestamp,
    /// How many there were, up to a thousand.
    pub count: u64,
}

impl Timetable {
    /// The first occurrence whose nominal time is after a moment; `None` if there is none any more.
    pub fn after(&self, moment: Timestamp) -> Option<Occurrence> {
        let mut moment = self.from.map_or(moment, |from| {
            // The first moment of the time it is active in counts.
            moment.max(from.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(from))
        });
        loop {
            let nominal = self.crons.iter().filter_map(|cron| cron.after(moment, &self.zone)).min()?;
            if self.to.is_some_and(|to| nominal >= to) {
                return None;
            }
            match self.due(nominal) {
                Some(due) => return Some(Occurrence { nominal, due }),
                None => moment = nominal,
            }
        }
    }

    /// The occurrences after a moment, in order.
    pub fn iter(&self, moment: Timestamp) -> impl Iterator<Item = Occurrence> + '_ {
        std::iter::successors(self.after(moment), |last| self.after(last.nominal))
    }

    /// What it says, by which one that was changed is recognised. What only moves its times is left out.
    pub(super) fn times(&self) -> String {
        let crons: Vec<_> = self.crons.iter().map(ToString::to_string).collect();
        format!("{} in {}", crons.join("; "), self.zone.iana_name().unwrap_or("local time"))
    }

    /// What came due by `now` and is after the last one that was dealt with.
    pub fn due_by(&self, settled: Timestamp, now: Timestamp) -> Option<Due> {
        let mut found: Option<Due> = None;
        for occurrence in self.iter(settled).take_while(|occurrence| occurrence.due <= now) {
            let count = found.map_or(0, |due| due.count) + 1;
            found = Some(Due { nominal: occurrence.nominal, count });
            if count == COUNTED {
                break;
            }
        }
        // After a long sleep of a busy schedule the rest is one more.
        let far = found.filter(|due| due.count == COUNTED);
        let recent = now.checked_sub(SignedDuration::from_hours(48)).ok();
        match far.zip(recent) {
            Some((due, recent)) => {
                let last = self
                    .iter(recent.max(due.nominal))
                    .take_while(|occurrence| occurrence.due <= now)
                    .last()
                    .map_or(due.nominal, |occurrence| occurrence.nominal);
                Some(Due { nominal: last, count: COUNTED })
            }
            None => found,
        }
    }

    /// `None`: no hour is allowed. Those that waited for the end of a window do not all begin at once either.
    pub(super) fn due(&self, nominal: Timestamp) -> Option<Timestamp> {
        let due = nominal.checked_add(self.delay).ok()?;
        open_from(&self.not_during, due, self.delay, &self.zone)
    }
}

/// A site's own share of the jitter, the same each time: from nothing to just below all of it, in whole seconds.
pub fn share_of_jitter(jitter: Duration, site: &str, work: &str) -> SignedDuration {
    let seconds = jitter.as_secs();
    if seconds == 0 {
        return SignedDuration::ZERO;
    }
    let hash = blake3::hash(format!("{site}\0{work}").as_bytes());
    let number = hash.as_bytes().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    SignedDuration::from_secs(i64::try_from(number % seconds).unwrap_or(0))
}
