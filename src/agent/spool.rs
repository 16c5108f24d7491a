//! "Something changed, back up soon": requests as files, and what becomes of them.
//!
//! Any regular file in a spool is a request; what it is called and what is in it is a stranger's word and decides nothing. It is
//! removed when a whole snapshot is committed that was begun after the request had been seen, or becomes a dead letter. Dead letters
//! are written anew in a directory of our own: to move a stranger's file would let him choose what comes to lie where.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};
use crate::schedule::agenda::back_off;
use crate::sys::fs::create_private;

/// Below the state of a site.
const OWN: &str = "requests";
const DEAD: &str = "requests-given-up";

/// How often a backup is tried for a request.
const TRIES: u32 = 5;

/// Requests that are looked at one by one; a flood is as good as one.
const MANY: usize = 10_000;

/// Of a request, so many bytes are shown.
const SHOWN: u64 = 1000;

/// How many pauses a request waits at most for others that keep coming.
const PAUSES: i32 = 10;

/// A request, or one that was given up.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    pub name: String,
    pub reason: String,
    pub dead: bool,
}

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

/// What became of a backup that was to satisfy requests.
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
        make(&own)?;
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

    /// Looks for new requests; those that went away are forgotten.
    pub(super) fn look(&mut self, memory: &mut Memory, now: Timestamp) -> Result<()> {
        let mut found = BTreeSet::new();
        for place in &self.places {
            found.extend(files(place)?);
        }
        self.seen.retain(|path, _| found.contains(path));
        memory.attempts.retain(|path, _| found.contains(path));
        for path in found {
            self.seen.entry(path).or_insert(now);
        }
        Ok(())
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

    /// A backup is at its end, with a whole snapshot or without one.
    pub(super) fn settle(
        &mut self,
        memory: &mut Memory,
        run: &str,
        whole: bool,
        now: Timestamp,
    ) -> Result<Settled> {
        let mut settled = Settled::default();
        let Some(paths) = memory.covered.remove(run) else { return Ok(settled) };
        let mut most = 0;
        for path in paths {
            if whole {
                settled.satisfied += usize::from(remove(&path)?);
                memory.attempts.remove(&path);
                self.seen.remove(&path);
                continue;
            }
            let attempts = memory.attempts.entry(path.clone()).or_default();
            *attempts += 1;
            if *attempts >= TRIES {
                memory.attempts.remove(&path);
                self.seen.remove(&path);
                settled.given_up.extend(give_up(&self.state, &path)?);
            } else {
                most = most.max(*attempts);
            }
        }
        memory.not_before = (most > 0)
            .then(|| now.checked_add(back_off(most, Duration::from_mins(1), Duration::from_hours(1))).ok())
            .flatten();
        settled.next_try = memory.not_before;
        Ok(settled)
    }

    /// The backups that were to satisfy requests when the agent last wrote its memory.
    pub(super) fn open_runs(memory: &Memory) -> Vec<String> {
        memory.covered.keys().cloned().collect()
    }
}

/// Leaves a request in the spool of a site, durably.
pub fn leave(state: &Path, reason: &str) -> Result<String> {
    let own = state.join(OWN);
    make(&own)?;
    let name = new_name();
    create_private(&own.join(&name), reason.as_bytes())?;
    Ok(name)
}

/// All that waits, also in a spool that others write to, and all that was given up.
pub fn list(state: &Path, also: Option<&Path>) -> Result<Vec<Request>> {
    let (own, dead) = (state.join(OWN), state.join(DEAD));
    let mut requests = Vec::new();
    for (place, dead) in std::iter::once((own.as_path(), false))
        .chain(also.map(|also| (also, false)))
        .chain([(dead.as_path(), true)])
    {
        requests.extend(files(place)?.iter().map(|path| Request {
            name: name_of(path),
            reason: reason(path),
            dead,
        }));
    }
    Ok(requests)
}

/// Gives dead letters another chance: the one of this name, or all.
pub fn retry(state: &Path, name: Option<&str>) -> Result<usize> {
    let own = state.join(OWN);
    make(&own)?;
    let mut count = 0;
    for path in files(&state.join(DEAD))?.iter().filter(|path| name.is_none_or(|name| name == name_of(path)))
    {
        fs::rename(path, own.join(name_of(path))).context("put a request back")?;
        count += 1;
    }
    match name {
        Some(name) if count == 0 => Err(Error::usage(format!("no request {name} was given up"))
            .with_remedy("see `lifeboat request --list`")),
        _ => Ok(count),
    }
}

/// Forgets a request, also one that was given up.
pub fn discard(state: &Path, also: Option<&Path>, name: &str) -> Result<()> {
    let (own, dead) = (state.join(OWN), state.join(DEAD));
    for place in [Some(own.as_path()), also, Some(dead.as_path())].into_iter().flatten() {
        if let Some(path) = files(place)?.iter().find(|path| name_of(path) == name) {
            return remove(path).map(drop);
        }
    }
    Err(Error::usage(format!("there is no request {name}")).with_remedy("see `lifeboat request --list`"))
}

fn new_name() -> String {
    format!("{}-{:08x}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), rand::random::<u32>())
}

fn make(directory: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("create {}", directory.display()))
}

/// What could be requests; hidden files are how others write before they rename.
fn files(directory: &Path) -> Result<BTreeSet<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error).with_context(|| format!("list {}", directory.display())),
    };
    let mut files = BTreeSet::new();
    for entry in entries.take(MANY) {
        let entry = entry?;
        let told = entry.file_name().into_string().is_ok_and(|name| !name.starts_with('.'));
        if told && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            files.insert(entry.path());
        }
    }
    Ok(files)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn reason(path: &Path) -> String {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let mut text = Vec::new();
    let read = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .and_then(|file: File| file.take(SHOWN).read_to_end(&mut text));
    read.map(|_| String::from_utf8_lossy(&text).trim().to_owned()).unwrap_or_default()
}

fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("remove {}", path.display())),
    }
}

/// The name under which it can be found again; nothing if it is gone.
fn give_up(state: &Path, path: &Path) -> Result<Option<String>> {
    let dead = state.join(DEAD);
    make(&dead)?;
    let name = new_name();
    create_private(&dead.join(&name), reason(path).as_bytes())?;
    Ok(remove(path)?.then_some(name))
}

#[cfg(test)]
mod tests {
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
            spool.look(&mut memory, at(second)).unwrap();
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
        spool.look(&mut memory, at(0)).unwrap();
        spool.begin(&mut memory, "run", at(60));
        let second = leave(state.path(), "two").unwrap();
        spool.look(&mut memory, at(61)).unwrap();
        let settled = spool.settle(&mut memory, "run", true, at(70)).unwrap();
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
            spool.look(&mut memory, at(now)).unwrap();
            let run = format!("run{now}");
            spool.begin(&mut memory, &run, at(now));
            let text = serde_json::to_vec(&memory).unwrap();
            memory = serde_json::from_slice(&text).unwrap();
            let settled = spool.settle(&mut memory, &run, false, at(now)).unwrap();
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
}
