//! Who uses a mount point: with several runs on one mount, the last one unmounts, and nobody under another's feet.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Kind, Result};
use crate::sys::fs::private_directory;

/// Emptied at boot, like the table of mounts itself.
const DIRECTORY: &str = "/run/lifeboat";

/// A mount or unmount by another run takes at most this long.
const PATIENCE: Duration = Duration::from_mins(3);

/// Held while one process looks at, mounts or unmounts a mount point.
pub(super) struct Gate {
    _lock: File,
}

/// Held as long as a run uses a mount; the lock goes with the process, so a killed run counts no more.
pub(super) struct Seat {
    _lock: File,
}

/// Waits until nobody else is mounting or unmounting here.
pub(super) fn gate(mountpoint: &Path) -> Result<Gate> {
    let file = open(mountpoint, "gate")?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Gate { _lock: file }),
            Err(TryLockError::WouldBlock) if started.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(100));
            }
            Err(TryLockError::WouldBlock) => {
                let what = format!(
                    "another run has been mounting or unmounting {} all the time",
                    mountpoint.display()
                );
                return Err(Error::new(Kind::Locked, what).with_remedy("look for a hanging lifeboat process"));
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| locking(mountpoint)),
        }
    }
}

/// Counts us among the users; call with the gate held.
pub(super) fn sit(mountpoint: &Path, _gate: &Gate) -> Result<Seat> {
    let file = open(mountpoint, "users")?;
    // Only `is_free` takes this lock for itself alone, and only behind the gate: this does not wait.
    file.lock_shared().with_context(|| locking(mountpoint))?;
    Ok(Seat { _lock: file })
}

/// Whether nobody uses the mount any more; call with the gate held, after giving up one's own seat.
pub(super) fn is_free(mountpoint: &Path, _gate: &Gate) -> Result<bool> {
    match open(mountpoint, "users")?.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| locking(mountpoint)),
    }
}

fn open(mountpoint: &Path, what: &str) -> Result<File> {
    let open = || -> io::Result<File> {
        private_directory(Path::new(DIRECTORY))?;
        let path = Path::new(DIRECTORY).join(format!("mount{}.{what}", escape(mountpoint)));
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
    };
    open()
        .with_context(|| locking(mountpoint))
        .remedy(format!("run as root, as mounting needs, or create {DIRECTORY} for the agent's user"))
}

/// One file name for each path, and a readable one for ordinary paths.
fn escape(path: &Path) -> String {
    let escape_byte = |byte: &u8| match byte {
        b'/' => "-".to_owned(),
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => char::from(*byte).to_string(),
        other => format!("%{other:02x}"),
    };
    path.as_os_str().as_bytes().iter().map(escape_byte).collect()
}

fn locking(mountpoint: &Path) -> String {
    format!("lock the mount point {} in {DIRECTORY}", mountpoint.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_paths_have_different_names() {
        assert_eq!(escape(Path::new("/mnt/backup")), "-mnt-backup");
        assert_eq!(escape(Path::new("/mnt-backup")), "-mnt%2dbackup");
    }
}
