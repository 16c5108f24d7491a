//! Every operation on a repository's files passes here: under watch, so that no dead server can hold us, and repeated where a
//! short outage can be the reason of its failure.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;

use super::gate::Gate;
use super::handles::Handles;
use crate::sys::watch::{Pulse, Watch};

/// Waits before the second and third attempt at one file; a soft mount reports an outage after some nine seconds.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

/// The storage that a repository is on.
#[derive(Clone)]
pub struct Place {
    pub root: PathBuf,
    pub medium: Medium,
    pub watch: Watch,
}

/// What a storage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A file system of this node: a synced file is on its disk.
    Local,
    /// A share: each file is read back from the server before it counts as written.
    Shared,
}

impl Place {
    /// A directory on a disk of this node.
    pub fn local(root: &Path) -> Self {
        Self { root: root.to_owned(), medium: Medium::Local, watch: Watch::nothing() }
    }

    /// What is watched is a share.
    pub fn watched(root: &Path, watch: Watch) -> Self {
        let medium = if watch.is_on_a_mount() { Medium::Shared } else { Medium::Local };
        Self { root: root.to_owned(), medium, watch }
    }
}

/// One repository's way to its files, shared by all that works on them.
pub(crate) struct Access {
    watch: Watch,
    state: Arc<State>,
}

/// What an operation needs; it may outlive us where nothing ends it.
struct State {
    gate: Arc<Gate>,
    handles: Arc<Handles>,
    /// The last operation to end ended with what an outage does.
    away: AtomicBool,
}

impl Access {
    pub(crate) fn new(watch: Watch, gate: Arc<Gate>) -> Self {
        Self { watch, state: Arc::new(State { gate, handles: Arc::default(), away: AtomicBool::new(false) }) }
    }

    pub(crate) fn handles(&self) -> Arc<Handles> {
        Arc::clone(&self.state.handles)
    }

    /// Repeats what a short outage of the storage can have broken; everything else fails at once.
    ///
    /// To the watch all attempts are one operation: a storage that answers with errors alone is as dead as one that is silent.
    pub(crate) fn retry<T: Send + 'static>(
        &self,
        what: &'static str,
        path: &Path,
        mut attempt: impl FnMut(&Path, &Pulse<'_>) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (state, path) = (Arc::clone(&self.state), path.to_owned());
        self.watch.steps(move |pulse| {
            let mut waits = RETRY_AFTER.iter();
            loop {
                // A handle may have gone stale with its server. It is closed under watch, because even that may hang.
                let tried = attempt(&path, pulse).inspect_err(|_| state.handles.forget_all());
                let away = tried.as_ref().is_err_and(is_passing);
                match (tried, waits.next()) {
                    (Err(error), Some(wait)) if away && state.may_wait() && pulse.is_alive() => {
                        log::warn!("{what} {} failed ({error}), trying again", path.display());
                        sleep(*wait);
                    }
                    (tried, _) => {
                        state.away.store(away, Ordering::Relaxed);
                        return tried;
                    }
                }
            }
        })
    }
}

impl State {
    /// Once one file could not be had in all its attempts, the others need not be waited for: one attempt shows whether the
    /// storage is back.
    fn may_wait(&self) -> bool {
        !self.away.load(Ordering::Relaxed) && !self.gate.is_cancelled()
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        let handles = self.handles();
        let closed = self.watch.steps(move |_| {
            handles.forget_all();
            Ok(())
        });
        if closed.is_err() {
            // The storage was given up: closing a file there may wait for ever, so that is left to the end of the process.
            std::mem::forget(self.handles());
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    const PASSING: [Errno; 5] = [Errno::EIO, Errno::ESTALE, Errno::ETIMEDOUT, Errno::EAGAIN, Errno::EINTR];
    error.kind() == io::ErrorKind::InvalidData
        || error.raw_os_error().is_some_and(|code| PASSING.contains(&Errno::from_raw(code)))
}
