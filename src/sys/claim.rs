//! This node's lock on a site: one run at a time, and the one that holds it can be named.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::error::{Context, Error, Kind, Result};
use crate::sys::fs::private_directory;

/// Held until dropped; the kernel lets go of it when the process ends in whatever way.
pub struct Claim {
    _file: Flock<File>,
}

/// Who has the lock file at `path`, in the words of `claim`; nobody if it is not locked.
pub fn holder(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let mut text = String::new();
    (&mut file).take(200).read_to_string(&mut text).ok()?;
    Flock::lock(file, FlockArg::LockSharedNonblock).err().map(|_| text.trim().to_owned())
}

/// Whoever asks who the holder is has the lock for an instant: that is nobody to give way to.
fn take(mut file: File) -> Result<Flock<File>, Errno> {
    let mut left = 5;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Err((same, Errno::EWOULDBLOCK)) if left > 0 => {
                (file, left) = (same, left - 1);
                std::thread::sleep(Duration::from_millis(20));
            }
            other => return other.map_err(|(_, error)| error),
        }
    }
}

/// Takes the lock file at `path`, or says who has it since when.
pub fn claim(path: &Path, purpose: &str) -> Result<Claim> {
    if let Some(directory) = path.parent() {
        private_directory(directory)
            .with_context(|| format!("create the state directory {}", directory.display()))
            .remedy("run as root, or set `state` to a directory that this user may write")?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("open the lock file {}", path.display()))?;
    let mut holder = String::new();
    (&mut file).take(200).read_to_string(&mut holder).with_context(|| format!("read {}", path.display()))?;
    let mut locked = take(file).map_err(|error| match error {
        Errno::EWOULDBLOCK => Error::new(Kind::Locked, format!("the site is busy: {}", holder.trim()))
            .with_remedy("wait for it to end, or stop that process"),
        other => Error::from(other),
    })?;
    locked.rewind()?;
    locked.set_len(0)?;
    writeln!(locked, "process {} ({purpose}) since {:.0}", std::process::id(), Timestamp::now())?;
    Ok(Claim { _file: locked })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_ask_who_is_there_keeps_nobody_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        drop(claim(&path, "first").unwrap());
        // As `holder` does, in the middle of it.
        let asking = Flock::lock(File::open(&path).unwrap(), FlockArg::LockSharedNonblock).unwrap();
        let asks = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10));
            drop(asking);
        });
        let held = claim(&path, "second").unwrap();
        asks.join().unwrap();
        assert!(holder(&path).unwrap().contains("(second)"));
        assert!(claim(&path, "third").is_err());
        drop(held);
    }
}
