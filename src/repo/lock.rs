//! Restic-format lock files, so that restic and Lifeboat on one repository exclude each other exactly as two restics do.
//!
//! Protocol (restic's `internal/restic/lock.go`): look at the locks there, write one's own, wait, look again; refresh every
//! five minutes by writing a new file and removing the old; a lock is stale when it was not refreshed for thirty minutes, or
//! when it was made on this host by a process that is gone.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, tz};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, Uid, gethostname};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::access::Access;
use super::gate::Gate;
use super::seal::Seal;
use crate::error::{Context, Error, Kind, Result};
use crate::event::Cx;
use crate::sys::fs::read_file;
use crate::sys::watch::Pulse;

const REFRESH_EVERY: Duration = Duration::from_mins(5);
const STALE_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// Refreshes that may fail in a row: the lock is then fifteen minutes old, and stale to others after thirty.
const LOST_AFTER: u32 = 3;
/// How long another writer may take between looking and having its lock visible.
const SETTLE: Duration = Duration::from_millis(200);

/// Shared by all that add, exclusive for the one that removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Shared,
    Exclusive,
}

/// What restic writes into a lock file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Content {
    time: String,
    exclusive: bool,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    pid: i32,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    gid: u32,
}

/// A lock as others see it.
#[derive(Clone, Debug)]
pub struct Held {
    /// Process, user, host, since when, in which way.
    pub holder: String,
    /// Nobody holds it any more.
    pub stale: bool,
}

/// The locks of one repository.
pub(crate) struct Locks {
    directory: PathBuf,
    seal: Seal,
    access: Arc<Access>,
    /// Closed for good when a lock is lost: what is written without one may be pruned away by somebody else.
    gate: Arc<Gate>,
}

/// A held lock; refreshed by a thread of its own until released.
pub struct Lock {
    locks: Arc<Locks>,
    file: Arc<Mutex<PathBuf>>,
    refresher: Mutex<Option<(mpsc::Sender<()>, JoinHandle<()>)>>,
}

impl Locks {
    pub(crate) fn new(repository: &Path, seal: Seal, access: Arc<Access>, gate: Arc<Gate>) -> Self {
        Self { directory: repository.join("locks"), seal, access, gate }
    }

    /// Takes the lock or says who holds it, since when, in which way.
    pub(crate) fn take(self: &Arc<Self>, mode: Mode, cx: &Cx) -> Result<Lock> {
        self.conflict(mode, None, cx)?;
        let file = self.write(mode)?;
        std::thread::sleep(SETTLE);
        if let Err(conflict) = self.conflict(mode, Some(&file), cx) {
            self.remove(&file)?;
            return Err(conflict);
        }
        let file = Arc::new(Mutex::new(file));
        let refresher = self.clone().refresh(mode, Arc::clone(&file), cx.shielded());
        Ok(Lock { locks: Arc::clone(self), file, refresher: Mutex::new(Some(refresher)) })
    }

    /// `Err` with kind `Locked` if a living lock forbids ours, or one that cannot be read may be alive.
    fn conflict(&self, mode: Mode, own: Option<&Path>, cx: &Cx) -> Result<()> {
        for path in self.list()? {
            if own == Some(path.as_path()) {
                continue;
            }
            let other = match self.read(&path) {
                Ok(Some(other)) => other,
                Ok(None) => continue,
                // What a power loss left half written would otherwise lock the repository for ever.
                Err(error) if self.is_old(&path) => {
                    cx.note(format!("removed an old lock: {error}"));
                    self.remove(&path)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if other.is_stale() {
                cx.note(format!("removed the stale lock of {}", other.describe()));
                self.remove(&path)?;
            } else if other.exclusive || mode == Mode::Exclusive {
                return Err(Error::new(Kind::Locked, format!("the repository is locked by {}", other.describe())).with_remedy(
                    "wait for it to end; if that process is gone on its own host, `restic unlock` removes its lock",
                ));
            }
        }
        Ok(())
    }

    /// Those that are there, without taking or removing one.
    pub(crate) fn standing(&self) -> Result<Vec<Held>> {
        let look = |path: PathBuf| match self.read(&path) {
            Ok(content) => content.map(|held| Held { holder: held.describe(), stale: held.is_stale() }),
            Err(error) => Some(Held { holder: error.to_string(), stale: self.is_old(&path) }),
        };
        Ok(self.list()?.into_iter().filter_map(look).collect())
    }

    fn list(&self) -> Result<Vec<PathBuf>> {
        let list = |directory: &Path| match std::fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            entries => entries?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>(),
        };
        let mut found = self
            .access
            .retry("list", &self.directory, move |path, _| list(path))
            .with_context(|| format!("list locks in {}", self.directory.display()))?;
        found.retain(|path| path.file_name().is_some_and(|name| name.len() == 64));
        Ok(found)
    }

    /// `None` if the lock vanished in the meantime, as a refreshed one does.
    fn read(&self, path: &Path) -> Result<Option<Content>> {
        let data = match self.access.retry("read", path, |path, _| read_file(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            data => data.with_context(|| format!("read lock {}", path.display()))?,
        };
        let parse = || -> Result<Content> { Ok(serde_json::from_slice(&self.seal.decrypt(&data)?)?) };
        parse()
            .map(Some)
            .with_context(|| format!("read lock {}", path.display()))
            .map_err(|error| error.with_kind(Kind::Locked))
            .remedy("the lock file is damaged or not made with this repository's key; remove it once you know that nobody uses the repository")
    }

    fn write(&self, mode: Mode) -> Result<PathBuf> {
        let sealed = self.seal.encrypt(&serde_json::to_vec(&Content::ours(mode))?)?;
        let path = self.directory.join(hex(&Sha256::digest(&sealed)));
        let directory = self.directory.clone();
        // Nobody else has a file of this name, so that what an attempt left half done can be written over.
        let create = move |path: &Path, pulse: &Pulse<'_>| -> io::Result<()> {
            let mut file =
                std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
            io::Write::write_all(&mut file, &sealed)?;
            pulse.beat()?;
            file.sync_all()?;
            pulse.beat()?;
            File::open(&directory)?.sync_all()
        };
        self.access
            .retry("write", &path, create)
            .with_context(|| format!("write lock {}", path.display()))?;
        Ok(path)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let directory = self.directory.clone();
        let remove = move |path: &Path, pulse: &Pulse<'_>| -> io::Result<()> {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => pulse.beat()?,
            }
            File::open(&directory)?.sync_all()
        };
        self.access.retry("remove", path, remove).with_context(|| format!("remove lock {}", path.display()))
    }

    fn is_old(&self, path: &Path) -> bool {
        let modified = self.access.retry("look at", path, |path, _| path.metadata()?.modified());
        modified.is_ok_and(|at| at.elapsed().unwrap_or_default() > STALE_AFTER.unsigned_abs())
    }

    fn refresh(
        self: Arc<Self>,
        mode: Mode,
        file: Arc<Mutex<PathBuf>>,
        cx: Cx,
    ) -> (mpsc::Sender<()>, JoinHandle<()>) {
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let mut failures = 0;
            while stopped.recv_timeout(REFRESH_EVERY) == Err(RecvTimeoutError::Timeout) {
                match self.renew(mode, &file) {
                    Ok(()) => failures = 0,
                    Err(error) => {
                        failures += 1;
                        cx.warn(format!("the lock could not be refreshed: {error}"));
                        if failures >= LOST_AFTER || error.kind() == Kind::Locked {
                            self.gate.failed("the lock on the repository was lost", None);
                        }
                    }
                }
            }
        });
        (stop, thread)
    }

    /// A new file first, then the old one goes: at no moment there is none.
    fn renew(&self, mode: Mode, file: &Mutex<PathBuf>) -> Result<()> {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let there = self.access.retry("look at", &file, |path, _| path.try_exists());
        if !there.with_context(|| format!("look at lock {}", file.display()))? {
            return Err(Error::new(Kind::Locked, "somebody removed it"));
        }
        let old = std::mem::replace(&mut *file, self.write(mode)?);
        self.remove(&old)
    }
}

impl Lock {
    /// Gives the lock back. Harmless when called twice.
    pub fn release(&self) -> Result<()> {
        let refresher = self.refresher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, thread)) = refresher {
            drop(stop);
            if thread.join().is_err() {
                return Err(Error::failed("the thread that refreshes the lock panicked"));
            }
            return self.locks.remove(&self.file.lock().unwrap_or_else(PoisonError::into_inner));
        }
        Ok(())
    }
}

impl Content {
    fn ours(mode: Mode) -> Self {
        Self {
            time: Timestamp::now().to_zoned(tz::TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").to_string(),
            exclusive: mode == Mode::Exclusive,
            hostname: hostname(),
            username: username(),
            pid: std::process::id().cast_signed(),
            uid: Uid::current().as_raw(),
            gid: nix::unistd::Gid::current().as_raw(),
        }
    }

    fn is_stale(&self) -> bool {
        let old = self
            .time
            .parse::<Timestamp>()
            .is_ok_and(|time| time.duration_until(Timestamp::now()) > STALE_AFTER);
        old || (self.hostname == hostname() && is_gone(self.pid))
    }

    fn describe(&self) -> String {
        let way = if self.exclusive { "exclusively" } else { "for adding" };
        format!("process {} of {}@{} since {} ({way})", self.pid, self.username, self.hostname, self.time)
    }
}

/// Only "no such process" proves that it is gone; "not permitted" proves the opposite.
fn is_gone(pid: i32) -> bool {
    pid > 0 && kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)
}

fn username() -> String {
    let known = nix::unistd::User::from_uid(Uid::current()).ok().flatten();
    known.map_or_else(|| Uid::current().to_string(), |user| user.name)
}

fn hostname() -> String {
    gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use rustic_core::repofile::MasterKey;

    use super::*;

    #[test]
    fn a_lock_is_renewed_by_a_new_file_and_its_loss_stops_all_writing() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("locks")).unwrap();
        let cx = Cx::silent();
        let gate = Arc::new(Gate::new(&cx));
        let seal = Seal::new(&MasterKey::new()).unwrap();
        let access = Arc::new(Access::new(crate::sys::watch::Watch::nothing(), Arc::clone(&gate)));
        let locks = Arc::new(Locks::new(directory.path(), seal, access, Arc::clone(&gate)));
        let lock = locks.take(Mode::Shared, &cx).unwrap();
        let first = lock.file.lock().unwrap().clone();
        locks.renew(Mode::Shared, &lock.file).unwrap();
        let second = lock.file.lock().unwrap().clone();
        assert!(first != second && !first.exists() && second.exists());

        std::fs::remove_file(second).unwrap();
        assert_eq!(locks.renew(Mode::Shared, &lock.file).unwrap_err().kind(), Kind::Locked);
        gate.failed("the lock on the repository was lost", None);
        assert!(gate.admit(rustic_core::FileType::Pack).is_err());
        lock.release().unwrap();
    }
}
