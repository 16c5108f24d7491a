//! "Something changed, back up soon": requests as files, and what becomes of them.
//!
//! Any regular file in a spool is a request; what it is called and what is in it is a stranger's word and decides nothing. It is
//! removed when a whole snapshot is committed that was begun after the request had been seen, or becomes a dead letter. Dead letters
//! are written anew in a directory of our own: to move a stranger's file would let him choose what comes to lie where.

mod place;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::place::{files, new_name, reason, remove, remove_strangers, strangers_files, strangers_reason};
pub use self::verbs::{Request, discard, leave, list, retry};
use crate::error::{Error, Result};
use crate::schedule::agenda::back_off;
use crate::sys::fs::{create_private, create_private_directory};

/// Below the state of a site.
const OWN: &str = "requests";
const DEAD: &str = "requests-given-up";

/// How often a backup is tried for a request.
const TRIES: u32 = 5;

/// Between two tries.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// How many pauses a request waits at most for others that keep coming.
const PAUSES: i32 = 10;

/// What is remembered of the requests of a site.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Backups that failed for a request.
    #[serde(default)]
    attempts: BTreeMap<PathBuf, u32>,
    /// By the name of a backup that is to be or is: the requests it would satisfy.
    #[serde(default)]
    covered: BTreeMap<String, BTreeSet<PathBuf>>,
    /// When a backup was last begun for a request.
    #[serde(default)]
    begun: Option<Timestamp>,
    #[serde(default)]
    not_before: Option<Timestamp>,
}

/// The spools of a site, and since when there is what in them.
pub(super) struct Spool {
    state: PathBuf,
    /// Our own, and one that others may write to.
    places: Vec<PathBuf>,
    settle: SignedDuration,
    at_most_every: SignedDuration,
    seen: BTreeMap<PathBuf, Timestamp>,
}

/// What a backup came to that was to satisfy requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// There is a whole snapshot.
    Whole,
    InVain,
    /// Somebody else was at work, or it was cancelled: that is nobody's failure, and counts as no try.
    Not,
}

/// What became of requests at the end of a backup.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) satisfied: usize,
    pub(super) given_up: Vec<String>,
    pub(super) next_try: Option<Timestamp>,
}

impl Spool {
    /// `state` is the site's; a spool besides our own must be there, with the rights that its owner chose.
    pub(super) fn open(state: &Path, also: Option<&Path>, settle: Duration, apart: Duration) -> Result<Self> {
        let own = state.join(OWN);
        create_private_directory(&own)?;
        Ok(Self {
            state: state.to_owned(),
            places: std::iter::once(own).chain(also.map(Path::to_owned)).collect(),
            settle: settle.try_into()?,
            at_most_every: apart.try_into()?,
            seen: BTreeMap::new(),
        })
    }

    pub(super) fn places(&self) -> &[PathBuf] {
        &self.places
    }

    /// Looks for new requests; those that went away are forgotten. Gives back why a place cannot be looked into: what was seen there
    /// stays seen.
    pub(super) fn look(&mut self, memory: &mut Memory, now: Timestamp) -> Vec<Error> {
        let (mut found, mut troubles) = (BTreeSet::new(), Vec::new());
        for (at, place) in self.places.iter().enumerate() {
            match if at == 0 { files(place) } else { strangers_files(place) } {
                Ok(files) => found.extend(files),
                Err(error) => {
                    found.extend(self.seen.keys().filter(|path| path.parent() == Some(place)).cloned());
                    troubles.push(error);
                }
            }
        }
        self.seen.retain(|path, _| found.contains(path));
        // Of places that could not be looked into it is not known what went away.
        memory.attempts.retain(|path, _| found.contains(path) || !troubles.is_empty());
        for path in found {
            let seen = self.seen.entry(path).or_insert(now);
            *seen = now.min(*seen);
        }
        // A clock that had been ahead must not silence requests.
        memory.begun = memory.begun.filter(|begun| *begun <= now);
        memory.not_before = memory.not_before.filter(|then| then.duration_since(now) <= LONGEST_PAUSE);
        troubles
    }

    pub(super) fn waiting(&self) -> usize {
        self.seen.len()
    }

    /// When a backup is due for what waits: after a pause in which nothing came, but not for ever.
    pub(super) fn due(&self, memory: &Memory) -> Option<Timestamp> {
        let (first, last) = (self.seen.values().min()?, self.seen.values().max()?);
        let quiet = last.checked_add(self.settle).ok()?;
        let patience = first.checked_add(self.settle.saturating_mul(PAUSES)).ok()?;
        let apart = memory.begun.and_then(|begun| begun.checked_add(self.at_most_every).ok());
        [Some(quiet.min(patience)), apart, memory.not_before].into_iter().flatten().max()
    }

    /// A backup is to begin: whatever has been seen by now will be satisfied by it. Write the memory before it begins.
    pub(super) fn cover(&self, memory: &mut Memory, run: &str) {
        if !self.seen.is_empty() {
            memory.covered.insert(run.to_owned(), self.seen.keys().cloned().collect());
        }
    }

    /// A backup was asked for by requests alone.
    pub(super) fn begin(&self, memory: &mut Memory, run: &str, now: Timestamp) {
        self.cover(memory, run);
        memory.begun = Some(now);
    }

    /// A backup is at its end, with a whole snapshot or without one. What cannot be removed or set aside is an error, and looked at again.
    pub(super) fn settle(
        &mut self,
        memory: &mut Memory,
        run: &str,
        tried: Tried,
        now: Timestamp,
    ) -> Result<Settled> {
        let mut settled = Settled::default();
        let Some(paths) = memory.covered.remove(run) else { return Ok(settled) };
        let (mut most, mut trouble) = (0, None);
        for path in paths {
            let attempts =
                memory.attempts.get(&path).copied().unwrap_or(0) + u32::from(tried == Tried::InVain);
            if tried != Tried::Whole && attempts < TRIES {
                most = most.max(attempts.max(1));
                memory.attempts.insert(path, attempts);
                continue;
            }
            let gone = match tried {
                Tried::Whole => {
                    self.remove(&path).map(|was_there| settled.satisfied += usize::from(was_there))
                }
                _ => self.give_up(&path).map(|name| settled.given_up.extend(name)),
            };
            match gone {
                Ok(()) => {
                    memory.attempts.remove(&path);
                    self.seen.remove(&path);
                }
                // Else it would be satisfied again and again, as fast as backups can be made.
                Err(error) => {
                    most = TRIES;
                    trouble = trouble.or(Some(error));
                }
            }
        }
        memory.not_before = (most > 0)
            .then(|| now.checked_add(back_off(most, Duration::from_mins(1), Duration::from_hours(1))).ok())
            .flatten();
        if let Some(error) = trouble {
            return Err(error);
        }
        settled.next_try = memory.not_before;
        Ok(settled)
    }

    /// A backup is not begun after all.
    pub(super) fn uncover(memory: &mut Memory, run: &str) {
        memory.covered.remove(run);
    }

    fn remove(&self, path: &Path) -> Result<bool> {
        if path.parent() == self.places.first().map(PathBuf::as_path) {
            remove(path)
        } else {
            remove_strangers(path)
        }
    }

    /// The name under which it can be found again; nothing if it is gone.
    fn give_up(&self, path: &Path) -> Result<Option<String>> {
        let own = path.parent() == self.places.first().map(PathBuf::as_path);
        let reason = if own { reason(path) } else { strangers_reason(path) };
        let dead = self.state.join(DEAD);
        create_private_directory(&dead)?;
        let name = new_name();
        let letter = dead.join(&name);
        create_private(&letter, reason.as_bytes())?;
        match self.remove(path) {
            Ok(true) => Ok(Some(name)),
            // It is not set aside: else there would be one more letter at each try.
            not => {
                remove(&letter)?;
                not.map(|_| None)
            }
        }
    }

    /// The backups that were to satisfy requests when the agent last wrote its memory.
    pub(super) fn open_runs(memory: &Memory) -> Vec<String> {
        memory.covered.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn spool(state: &Path) -> Spool {
        Spool::open(state, None, Duration::from_mins(1), Duration::from_mins(15)).unwrap()
    }

    #[test]
    fn a_pause_is_waited_for_but_not_for_ever() {
        let state = tempfile::tempdir().unwrap();
        let (mut spool, mut memory) = (spool(state.path()), Memory::default());
        for second in (0..1200).step_by(30) {
            leave(state.path(), "").unwrap();
            assert!(spool.look(&mut memory, at(second)).is_empty());
        }
        // One every half minute: there never is a whole one without.
        assert_eq!(spool.due(&memory), Some(at(600)));
        spool.begin(&mut memory, "first", at(600));
        assert_eq!(spool.due(&memory), Some(at(600 + 900)), "not more often than every quarter of an hour");
    }

    #[test]
    fn what_came_after_the_backup_began_is_not_satisfied_by_it() {
        let state = tempfile::tempdir().unwrap();
        let (mut spool, mut memory) = (spool(state.path()), Memory::default());
        let first = leave(state.path(), "one").unwrap();
        assert!(spool.look(&mut memory, at(0)).is_empty());
        spool.begin(&mut memory, "run", at(60));
        let second = leave(state.path(), "two").unwrap();
        assert!(spool.look(&mut memory, at(61)).is_empty());
        let settled = spool.settle(&mut memory, "run", Tried::Whole, at(70)).unwrap();
        assert_eq!(settled, Settled { satisfied: 1, ..Settled::default() });
        let left: Vec<_> =
            list(state.path(), None).unwrap().into_iter().map(|request| request.name).collect();
        assert_eq!(left, [second]);
        assert_ne!(left, [first]);
    }

    #[test]
    fn what_fails_again_and_again_becomes_a_dead_letter_that_can_be_tried_once_more() {
        let state = tempfile::tempdir().unwrap();
        let mut memory = Memory::default();
        leave(state.path(), "important").unwrap();
        let mut waits = Vec::new();
        let mut now = 0;
        let given_up = loop {
            // An agent that is new each time: what counts is on the disk.
            let mut spool = spool(state.path());
            assert!(spool.look(&mut memory, at(now)).is_empty());
            let run = format!("run{now}");
            spool.begin(&mut memory, &run, at(now));
            let text = serde_json::to_vec(&memory).unwrap();
            memory = serde_json::from_slice(&text).unwrap();
            let settled = spool.settle(&mut memory, &run, Tried::InVain, at(now)).unwrap();
            if !settled.given_up.is_empty() {
                break settled.given_up;
            }
            waits.push(settled.next_try.unwrap().duration_since(at(now)).as_mins());
            now += 3600;
        };
        assert_eq!(waits, [1, 2, 4, 8]);
        let listed = list(state.path(), None).unwrap();
        assert_eq!((listed.len(), listed[0].dead, listed[0].reason.as_str()), (1, true, "important"));
        assert_eq!(retry(state.path(), Some(&given_up[0])).unwrap(), 1);
        assert!(!list(state.path(), None).unwrap()[0].dead);
        discard(state.path(), None, &given_up[0]).unwrap();
        assert!(list(state.path(), None).unwrap().is_empty());
    }

    #[test]
    fn a_clock_that_was_years_ahead_does_not_silence_requests() {
        let state = tempfile::tempdir().unwrap();
        let (mut spool, mut memory) = (spool(state.path()), Memory::default());
        let years = 10 * 365 * 86_400;
        leave(state.path(), "").unwrap();
        spool.look(&mut memory, at(years));
        spool.begin(&mut memory, "run", at(years));
        spool.settle(&mut memory, "run", Tried::InVain, at(years)).unwrap();
        spool.look(&mut memory, at(0));
        assert_eq!(spool.due(&memory), Some(at(60)));
    }

    #[test]
    fn a_backup_that_never_got_to_work_is_no_try() {
        let state = tempfile::tempdir().unwrap();
        let (mut spool, mut memory) = (spool(state.path()), Memory::default());
        leave(state.path(), "").unwrap();
        for _ in 0..20 {
            spool.look(&mut memory, at(0));
            spool.begin(&mut memory, "run", at(0));
            let settled = spool.settle(&mut memory, "run", Tried::Not, at(0)).unwrap();
            assert_eq!((settled.given_up.len(), settled.next_try), (0, Some(at(60))));
        }
    }

    #[test]
    fn what_cannot_be_set_aside_leaves_no_letters_behind() {
        let state = tempfile::tempdir().unwrap();
        let theirs = state.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("request"), "").unwrap();
        let minute = Duration::from_mins(1);
        let mut spool = Spool::open(state.path(), Some(&theirs), minute, minute).unwrap();
        let mut memory = Memory::default();
        assert!(spool.look(&mut memory, at(0)).is_empty());
        // A link now leads to what was their directory.
        fs::rename(&theirs, state.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(state.path().join("moved"), &theirs).unwrap();
        let mut failures = 0;
        for _ in 0..3 * TRIES {
            spool.begin(&mut memory, "run", at(0));
            failures += u32::from(spool.settle(&mut memory, "run", Tried::InVain, at(0)).is_err());
        }
        assert!(failures > 1);
        assert_eq!(files(&state.path().join(DEAD)).unwrap().len(), 0);
        assert!(state.path().join("moved/request").exists());
    }
}
