//! Sees a request as soon as it is there, from a thread that sleeps until then.

use std::path::PathBuf;
use std::thread;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::sync::mpsc::UnboundedSender;

use crate::error::{Context, Result};

/// Calls for a look whenever something comes into one of these directories, until the other side is gone.
pub(super) fn watch(directories: &[PathBuf], look: UnboundedSender<()>) -> Result<()> {
    let watch = Inotify::init(InitFlags::IN_CLOEXEC).context("watch for requests")?;
    for directory in directories {
        let arrivals = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO;
        watch
            .add_watch(directory, arrivals | AddWatchFlags::IN_ONLYDIR)
            .with_context(|| format!("watch {} for requests", directory.display()))?;
    }
    let listen = move || loop {
        match watch.read_events() {
            Ok(_) if look.send(()).is_err() => return,
            Ok(_) | Err(Errno::EINTR) => {}
            // The beat looks as well, only later.
            Err(_) => return,
        }
    };
    thread::Builder::new().name("requests".to_owned()).spawn(listen).context("start a thread")?;
    Ok(())
}
