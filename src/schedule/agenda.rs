//! What to do about a timetable: each of its times is dealt with once, whatever happens to the process or to the clock.
//!
//! Pure decisions about a [`Memory`] that the caller keeps on disk: it is written before anything is begun, and a run is known by
//! a name that was written with it. So a time is neither forgotten nor worked twice, wherever a process ends.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::timetable::Timetable;

/// A clock that went back farther than this was wrong before; what it had us believe is forgotten.
pub const WRONG_CLOCK: SignedDuration = SignedDuration::from_hours(26);

/// How often in all a run is begun for one time if the process dies under it.
const CRASHES: u32 = 3;

/// What is remembered of one kind of work of one site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Which times these are; others begin anew.
    #[serde(default)]
    times: String,
    /// The last nominal time that was dealt with, or is.
    pub settled: Option<Timestamp>,
    /// What was decided to run and has not come to its end.
    pub pending: Option<Pending>,
    /// Times that came due while the former run was still at work.
    pub skipped: u64,
    /// Times that passed while nobody was there to see; one run made up for them.
    pub missed: u64,
}

/// A run that is to be, or is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub nominal: Timestamp,
    /// The run's name; a run of this name happens once.
    pub run: String,
    /// From 1.
    pub attempt: u32,
    /// It waits until then.
    pub not_before: Timestamp,
}

/// What a look at the clock came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Nothing,
    /// A run is pending now; `missed` times before it are made up for by it.
    Taken {
        missed: u64,
    },
    /// So many times came due while a run was at work, and are left out.
    Skipped(u64),
    /// The clock had been wrong by far; what was due is counted from now on.
    ClockWasWrong {
        by: SignedDuration,
    },
}

/// What became of a pending run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It came to an end at which nothing is to be done again.
    Over,
    /// It failed in a way that may pass: again after a while.
    Again,
    /// Its process ended without a word.
    Crashed,
    /// The agent ended it, because it was itself asked to end.
    Interrupted,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// This time is dealt with.
    Done,
    /// The same again, under another name, not before this.
    Retry(Timestamp),
    /// It was tried often enough.
    GivenUp,
}

impl Memory {
    /// Looks at the clock. What comes back as `Taken` must be written to disk before it is begun.
    pub fn look(&mut self, timetable: &Timetable, now: Timestamp, name: impl FnOnce() -> String) -> Seen {
        let times = timetable.times();
        let Some(settled) = self.settled.filter(|_| self.times == times) else {
            // A new timetable begins now: it owes nothing.
            (self.settled, self.times) = (Some(now), times);
            return Seen::Nothing;
        };
        let ahead = settled.duration_since(now);
        if ahead > WRONG_CLOCK {
            self.settled = Some(now);
            return Seen::ClockWasWrong { by: ahead };
        }
        let Some(due) = timetable.due_by(settled, now) else { return Seen::Nothing };
        self.settled = Some(due.nominal);
        // One that only waits for another try gives way: this is its next try.
        if self.pending.as_ref().is_some_and(|pending| pending.not_before <= now) {
            self.skipped += due.count;
            return Seen::Skipped(due.count);
        }
        self.missed += due.count - 1;
        self.pending = Some(Pending { nominal: due.nominal, run: name(), attempt: 1, not_before: now });
        Seen::Taken { missed: due.count - 1 }
    }

    /// Takes note of what became of the pending run. Must be written to disk before it is begun again.
    pub fn ended(&mut self, fate: Fate, retries: u32, now: Timestamp, name: impl FnOnce() -> String) -> Next {
        let Some(pending) = &mut self.pending else { return Next::Done };
        let often = match fate {
            Fate::Over => {
                self.pending = None;
                return Next::Done;
            }
            Fate::Again => retries + 1,
            Fate::Crashed => CRASHES,
            Fate::Interrupted => {
                *pending = Pending { run: name(), not_before: now, ..pending.clone() };
                return Next::Retry(now);
            }
        };
        if pending.attempt >= often {
            self.pending = None;
            return Next::GivenUp;
        }
        let wait = back_off(pending.attempt, Duration::from_mins(5), Duration::from_hours(1));
        // What killed a process need not be there any more: the first time at once.
        let wait = if fate == Fate::Crashed && pending.attempt == 1 { SignedDuration::ZERO } else { wait };
        let not_before = now.checked_add(wait).unwrap_or(now);
        *pending = Pending { run: name(), attempt: pending.attempt + 1, not_before, ..pending.clone() };
        Next::Retry(not_before)
    }

    /// Since when there is something due that nobody has begun: the pending run, unless it is `begun`, or a time that nobody looked at.
    pub fn owed_since(&self, timetable: &Timetable, now: Timestamp, begun: bool) -> Option<Timestamp> {
        // Times that were not counted yet owe nothing.
        let settled = self.settled.filter(|_| self.times == timetable.times())?;
        let pending = self.pending.as_ref().filter(|_| !begun).map(|pending| {
            let due = timetable.due(pending.nominal).unwrap_or(pending.nominal);
            // Its first try waits for the end of hours in which nothing begins; a further one waits because there was none that succeeded.
            if pending.attempt == 1 { due.max(pending.not_before) } else { due }
        });
        let next = timetable.after(settled).map(|occurrence| occurrence.due);
        pending.into_iter().chain(next).min().filter(|due| *due <= now)
    }

    /// The next moment at which there is something to look at.
    pub fn next_look(&self, timetable: &Timetable, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.pending.as_ref().map(|pending| pending.not_before).filter(|then| *then > now);
        let due = timetable.after(self.settled.unwrap_or(now)).map(|occurrence| occurrence.due);
        waiting.into_iter().chain(due).min()
    }
}

/// `first`, twice that, twice that again, and so on to `longest`.
pub fn back_off(attempt: u32, first: Duration, longest: Duration) -> SignedDuration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(20)));
    SignedDuration::try_from(doubled.min(longest)).unwrap_or(SignedDuration::MAX)
}
