//! What happened: one file of events for each run, as JSON lines. A run whose file has no end is a crash, and is told as one.
//!
//! Who records a run holds a lock on its file for as long as it lives, so that nobody has to guess whether it still does.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;

use crate::error::{Context, Error, Kind, Result};
use crate::event::{Event, RunState, Sink, What};
use crate::sys::fs::{create_private_directory, list, private_file, sync_directory};

/// Runs that are remembered.
const KEEP: usize = 1000;

/// Of a run that has very much to complain of, only the beginning of it is kept, in bytes.
const LONG: u64 = 8 << 20;

/// More than this was not written by us, in bytes.
const LONGEST: u64 = 64 << 20;

const SUFFIX: &str = ".jsonl";

/// Where a site's runs are kept, below the directory of what is remembered of it.
pub fn directory(state: &Path) -> PathBuf {
    state.join("runs")
}

/// A name for a run that begins now; in the order of the names they began.
pub fn new_run(word: &str) -> String {
    format!("{}-{word}-{:08x}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), rand::random::<u32>())
}

/// Could be the name of a run, and of a file in this directory and nowhere else.
pub fn is_name(run: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !run.is_empty() && run.len() <= 80 && run.bytes().all(plain) && !run.starts_with('-')
}

/// Writes the events of one run as they come; lets go of the file when it is dropped, or dies.
pub struct Recorder {
    file: Mutex<Written>,
}

struct Written {
    file: Flock<File>,
    bytes: u64,
    /// The disk is full or worse: from here on nothing is written, and the run goes on.
    broken: bool,
}

impl Recorder {
    /// Begins the file of a run. That it is there already is an error of kind `Locked`: a run of one name happens once.
    pub fn begin(directory: &Path, run: &str) -> Result<Self> {
        if !is_name(run) {
            return Err(Error::usage(format!("{run:?} is no name for a run")));
        }
        create_private_directory(directory)?;
        forget_old(directory)?;
        let place = place(directory, run);
        // Locked before it has its name: a reader never sees it without its lock.
        let beside = directory.join(format!(".{run}.{}", std::process::id()));
        let file = private_file(&beside).with_context(|| format!("create {}", beside.display()))?;
        let linked = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, error)| Error::from(error))
            .and_then(|file| {
                fs::hard_link(&beside, &place)?;
                Ok(file)
            });
        fs::remove_file(&beside)?;
        let file = linked.map_err(|error| match error.os_error() {
            Some(nix::libc::EEXIST) => Error::new(Kind::Locked, format!("run {run} was begun before")),
            _ => error,
        })?;
        sync_directory(directory)?;
        Ok(Self { file: Mutex::new(Written { file, bytes: 0, broken: false }) })
    }
}

impl Sink for Recorder {
    fn take(&self, event: &Event) {
        if matches!(event.what, What::Progress { .. }) {
            return;
        }
        let weighty = matches!(event.what, What::RunStarted { .. } | What::RunFinished { .. });
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        let mut to = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let long = to.bytes > LONG && matches!(event.what, What::Warning { .. } | What::Missed { .. });
        if to.broken || long {
            return;
        }
        to.bytes += line.len() as u64;
        let written = to.file.write_all(&line);
        let synced = if weighty { to.file.sync_data() } else { Ok(()) };
        to.broken = written.and(synced).is_err();
    }
}

/// What is known of the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Running,
    Ended,
    /// Its process is gone, and it has no end.
    Crashed,
}

/// A run as its file tells it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Past {
    pub id: String,
    pub standing: Standing,
    #[serde(flatten)]
    pub state: RunState,
}

/// The names of all runs, the newest first.
pub fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in list(directory)?.into_iter().flatten() {
        let name = entry?.file_name();
        let run = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).filter(|run| is_name(run));
        names.extend(run.map(str::to_owned));
    }
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(names)
}

/// One run; `None` if it never began.
pub fn read(directory: &Path, run: &str) -> Result<Option<Past>> {
    let Some(file) = open(directory, run)? else { return Ok(None) };
    // Before its events are read: a run that ends meanwhile is then told as running, and not as a crash.
    let running = is_locked(&file);
    let mut state = RunState::default();
    for event in events_of(file)? {
        state.apply(&event);
    }
    let standing = match (state.outcome, running) {
        (Some(_), _) => Standing::Ended,
        (None, true) => Standing::Running,
        (None, false) => Standing::Crashed,
    };
    Ok(Some(Past { id: run.to_owned(), standing, state }))
}

/// The newest runs, at most so many.
pub fn newest(directory: &Path, limit: usize) -> Result<Vec<Past>> {
    let names = names(directory)?;
    let runs = names.iter().map(|run| read(directory, run)).filter_map(Result::transpose);
    runs.take(limit).collect()
}

/// All events of a run.
pub fn events(directory: &Path, run: &str) -> Result<Option<Vec<Event>>> {
    open(directory, run)?.map(events_of).transpose()
}

fn open(directory: &Path, run: &str) -> Result<Option<File>> {
    if !is_name(run) {
        return Ok(None);
    }
    let place = place(directory, run);
    match OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(&place)
    {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("open {}", place.display())),
    }
}

/// Lines that are none of ours, such as the one a crash cut off, say nothing.
fn events_of(file: File) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    for line in BufReader::new(file.take(LONGEST)).split(b'\n') {
        events.extend(serde_json::from_slice::<Event>(&line?).ok());
    }
    Ok(events)
}

fn is_locked(file: &File) -> bool {
    let Ok(copy) = file.try_clone() else { return false };
    // Shared, and given back at once: readers do not keep each other out.
    Flock::lock(copy, FlockArg::LockSharedNonblock).is_err()
}

fn place(directory: &Path, run: &str) -> PathBuf {
    directory.join(format!("{run}{SUFFIX}"))
}

fn forget_old(directory: &Path) -> Result<()> {
    for run in names(directory)?.iter().skip(KEEP) {
        if open(directory, run)?.is_some_and(|file| !is_locked(&file)) {
            fs::remove_file(place(directory, run))?;
        }
    }
    Ok(())
}
