//! Sees a request as soon as it is there, from a thread that sleeps until then.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use tokio::sync::mpsc::UnboundedSender;

use crate::error::{Context, Result};

/// Who floods a spool has it looked at no more often than this.
const APART: Duration = Duration::from_millis(200);

/// One thread for as long as the agent lives, whatever it is to look at.
pub(super) struct Lookout {
    inotify: Arc<Inotify>,
    watched: BTreeMap<PathBuf, WatchDescriptor>,
}

impl Lookout {
    /// Calls for a look whenever something comes into one of the directories that `watch` names.
    pub(super) fn start(look: UnboundedSender<()>) -> Result<Self> {
        let inotify = Arc::new(Inotify::init(InitFlags::IN_CLOEXEC).context("watch for requests")?);
        let events = Arc::clone(&inotify);
        let listen = move || loop {
            match events.read_events() {
                Ok(_) if look.send(()).is_err() => return,
                Ok(_) => thread::sleep(APART),
                Err(Errno::EINTR) => {}
                // The beat looks as well, only later.
                Err(_) => return,
            }
        };
        thread::Builder::new().name("requests".to_owned()).spawn(listen).context("start a thread")?;
        Ok(Self { inotify, watched: BTreeMap::new() })
    }

    /// These and no others from now on. Gives back those that cannot be watched: they are seen with the beat, if at all.
    pub(super) fn watch(&mut self, directories: &[PathBuf]) -> Vec<(PathBuf, Errno)> {
        for (_, former) in std::mem::take(&mut self.watched) {
            // It is gone by itself if its directory is.
            let _ = self.inotify.rm_watch(former);
        }
        let arrivals = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
        let mut unwatched = Vec::new();
        for directory in directories {
            match self.inotify.add_watch(directory, arrivals) {
                Ok(watch) => drop(self.watched.insert(directory.clone(), watch)),
                Err(error) => unwatched.push((directory.clone(), error)),
            }
        }
        unwatched
    }
}
