//! A guard over the operations on a mounted storage: what hangs too long is ended with `EIO`, and nothing is written once the
//! mount is gone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use super::{deadline, mount};
use crate::error::{Context, Result};

/// More than the threads that ever work on one storage at a time; whoever finds no slot goes unwatched.
const SLOTS: usize = 64;
/// Aborting fails the requests of one moment; an operation may send several, so it is repeated.
const ABORTS: u32 = 40;
const ABORT_EVERY: Duration = Duration::from_millis(250);
const CALL: Duration = Duration::from_secs(10);
/// How long finding out what lies under the root may take; longer than the 30 s after which our own mounts give up.
const PROBE: Duration = Duration::from_secs(40);

/// The watchdog looks so often within a limit; time is counted in its looks, so that an operation need not read a clock.
const LOOKS: u32 = 60;
/// As many looks are left to an operation once its owner wants to end.
const HURRIED_LOOKS: u32 = LOOKS / 4;

/// Whoever has the storage watched.
pub trait Owner: Send + 'static {
    fn warn(&self, text: String);

    /// Whether the work is to end: then what hangs is waited for less long.
    fn is_in_a_hurry(&self) -> bool;
}

/// Watches the file operations on a mounted storage; free of cost and thread where nothing is mounted.
#[derive(Clone)]
pub struct Watch {
    board: Option<Arc<Board>>,
    /// The watchdog ends when the last clone is gone.
    _alive: Option<Sender<()>>,
}

struct Board {
    /// During which look each operation under way began, or 0 for a free slot.
    slots: [AtomicU64; SLOTS],
    /// The number of the present look, from 1 on.
    look: AtomicU64,
    given_up: AtomicBool,
    /// All was done to end what hangs: who still waits for it need not wait any longer.
    lost: AtomicBool,
    /// Held by the watchdog while it looks and acts.
    acting: Mutex<()>,
}

/// One operation under way; it ends when this is dropped, by a panic too.
struct Operation<'a> {
    slot: Option<&'a AtomicU64>,
}

/// The sign of life of an operation that has several steps: the limit is for each of them.
pub struct Pulse<'a> {
    board: Option<&'a Board>,
    slot: Option<&'a AtomicU64>,
}

impl Watch {
    /// How long an operation may take before the storage counts as dead.
    pub const LIMIT: Duration = Duration::from_mins(2);

    /// Watches nothing: for what is certainly no mount.
    pub const fn nothing() -> Self {
        Self { board: None, _alive: None }
    }

    /// Begins to watch the storage whose root this is, if an NFS mount covers it.
    pub fn start(root: &Path, limit: Duration, owner: &(impl Owner + Clone)) -> Result<Self> {
        let path = root.to_owned();
        let root = deadline::within(PROBE, "looking at the storage", move || wake(&path))?
            .with_context(|| format!("look at the storage {}", root.display()))?;
        let table = mount::table()?;
        let Some(entry) = mount::covering(&table, &root).filter(|entry| entry.is_nfs()) else {
            return Ok(Self::nothing());
        };
        let board = Arc::new(Board {
            slots: [const { AtomicU64::new(0) }; SLOTS],
            look: AtomicU64::new(1),
            given_up: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            acting: Mutex::default(),
        });
        let (alive, ended) = mpsc::channel();
        let dog = Dog {
            board: Arc::clone(&board),
            point: entry.mountpoint.clone(),
            source: entry.source.clone(),
            limit,
            owner: Box::new(owner.clone()),
        };
        thread::Builder::new()
            .name("watchdog".into())
            .spawn(move || {
                while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(limit / LOOKS) {
                    dog.look();
                }
            })
            .context("start the watchdog of the storage")?;
        Ok(Self { board: Some(board), _alive: Some(alive) })
    }

    /// Watches no more: what the watchdog has begun is done when this returns, and it leaves alone whatever is mounted there
    /// from now on. Operations that still come are refused.
    pub fn end(&self) {
        if let Some(board) = &self.board {
            let _quiet = board.act();
            board.give_up();
        }
    }

    /// Whether there is a mount to watch.
    pub const fn is_on_a_mount(&self) -> bool {
        self.board.is_some()
    }

    /// Runs one operation under watch.
    ///
    /// Once the storage was given up every further one is refused with `EIO`: its path may lead to the bare directory below the
    /// mount by then. What is aborted ends with `EIO` as well; the kernel's own word for it is 512 (`ERESTARTSYS`), which no
    /// program has ever heard of.
    pub fn run<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(board) = &self.board else { return work() };
        if board.is_given_up() {
            return Err(Errno::EIO.into());
        }
        let operation = Operation { slot: board.take_slot() };
        let result = work();
        drop(operation);
        // A success counts for nothing either: nobody knows where it went.
        if board.is_given_up() { Err(Errno::EIO.into()) } else { result }
    }

    /// The same for an operation of several steps, which gives a sign of life between them; it is left behind on a thread of
    /// its own where nothing ends it. The recovery of a lost `NFSv4` lease waits for its server even on a soft mount, and no
    /// unmounting aborts that wait; only the end of the process does.
    pub fn steps<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Pulse<'_>) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let Some(board) = &self.board else { return work(&Pulse { board: None, slot: None }) };
        if board.is_given_up() {
            return Err(Errno::EIO.into());
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let theirs = Arc::clone(board);
        thread::Builder::new().name("storage".into()).spawn(move || {
            let operation = Operation { slot: theirs.take_slot() };
            let result = work(&Pulse { board: Some(&theirs), slot: operation.slot });
            drop(operation);
            // Fails only if nobody waits any more.
            drop(answer.send(result));
        })?;
        loop {
            match answered.recv_timeout(ABORT_EVERY) {
                Ok(result) if !board.is_given_up() => return result,
                Err(RecvTimeoutError::Timeout) if !board.lost.load(Ordering::Acquire) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the work on the storage panicked"));
                }
                // A success counts for nothing either: nobody knows where it went.
                Ok(_) | Err(RecvTimeoutError::Timeout) => return Err(Errno::EIO.into()),
            }
        }
    }
}

impl Pulse<'_> {
    /// Whether the storage was not given up.
    pub fn is_alive(&self) -> bool {
        self.board.is_none_or(|board| !board.is_given_up())
    }

    /// The storage has answered and another step begins; an error if it was given up meanwhile.
    pub fn beat(&self) -> io::Result<()> {
        let Some(board) = self.board else { return Ok(()) };
        if board.is_given_up() {
            return Err(Errno::EIO.into());
        }
        if let Some(slot) = self.slot {
            slot.store(board.look.load(Ordering::Relaxed), Ordering::Release);
        }
        Ok(())
    }
}

/// Makes an automount happen, which may have gone to sleep since the storage was attached, and says what the path really is.
fn wake(root: &Path) -> io::Result<PathBuf> {
    match fs::symlink_metadata(root.join(".lifeboat-storage")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::canonicalize(root),
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.store(0, Ordering::Release);
        }
    }
}

impl Board {
    fn take_slot(&self) -> Option<&AtomicU64> {
        let began = self.look.load(Ordering::Relaxed);
        let first = habit();
        (0..SLOTS)
            .map(|offset| &self.slots[(first + offset) % SLOTS])
            .find(|slot| slot.compare_exchange(0, began, Ordering::AcqRel, Ordering::Relaxed).is_ok())
    }

    /// Whether an operation takes more than so many looks.
    fn is_hanging(&self, looks: u32) -> bool {
        let look = self.look.load(Ordering::Relaxed);
        let since = |slot: &AtomicU64| match slot.load(Ordering::Acquire) {
            0 => 0,
            began => look.saturating_sub(began),
        };
        self.slots.iter().any(|slot| since(slot) > u64::from(looks))
    }

    fn is_busy(&self) -> bool {
        self.slots.iter().any(|slot| slot.load(Ordering::Acquire) != 0)
    }

    fn act(&self) -> MutexGuard<'_, ()> {
        self.acting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }

    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }
}

/// The slot where a thread looks first: its own, so that threads do not fight for one.
fn habit() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SLOTS;
    }
    MINE.with(|mine| *mine)
}

struct Dog {
    board: Arc<Board>,
    point: PathBuf,
    source: String,
    limit: Duration,
    owner: Box<dyn Owner>,
}

impl Dog {
    fn look(&self) {
        self.board.look.fetch_add(1, Ordering::Relaxed);
        let _acting = self.board.act();
        if self.board.is_given_up() {
            return;
        }
        let looks = if self.owner.is_in_a_hurry() { HURRIED_LOOKS } else { LOOKS };
        if self.board.is_hanging(looks) {
            self.board.give_up();
            self.force_away(self.limit * looks / LOOKS);
            self.board.lost.store(true, Ordering::Release);
        } else if self.is_gone() {
            self.board.give_up();
            self.owner.warn(format!(
                "the storage on {} was unmounted by somebody while it was in use: nothing more is written there",
                self.point.display()
            ));
        }
    }

    /// Whether writes would go to the bare directory below: the mount is gone and no automount brings it back.
    fn is_gone(&self) -> bool {
        // The table is the kernel's own and always readable; if not, nothing follows about the storage.
        mount::table().is_ok_and(|table| {
            mount::top(&table, &self.point)
                .is_none_or(|entry| entry.source != self.source && entry.fstype != "autofs")
        })
    }

    fn force_away(&self, waited: Duration) {
        let point = self.point.display();
        self.owner.warn(format!(
            "the storage on {point} has not answered for {waited:.0?}: what waits for it is ended and the storage unmounted by force"
        ));
        // `MNT_FORCE` alone comes first: once the mount is out of the tree, there is no path left to abort it by. That is so
        // for every operation under way, also for those that do not hang long enough yet.
        for _ in 0..ABORTS {
            // `EBUSY` is the expected answer: the operation that hangs uses the mount.
            let stuck =
                self.call(mount::abort).is_err_and(|error| error.os_error() == Some(Errno::ETIMEDOUT as i32));
            thread::sleep(ABORT_EVERY);
            if stuck || !self.board.is_busy() {
                break;
            }
        }
        if let Err(error) = self.call(mount::force_away) {
            self.owner.warn(format!("unmount the dead storage on {point} by force: {error}"));
        }
    }

    /// Even unmounting may hang; a point where nothing is mounted any more (`EINVAL`) is what was wanted.
    fn call(&self, unmount: fn(&Path) -> io::Result<()>) -> Result<()> {
        let point = self.point.clone();
        match deadline::within(CALL, "unmounting", move || unmount(&point))? {
            Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => Ok(()),
            other => Ok(other?),
        }
    }
}
