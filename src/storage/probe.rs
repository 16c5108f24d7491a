//! Small questions to a storage, each with a deadline: is it there, what is it, does it keep what we write.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::statfs::{NFS_SUPER_MAGIC, statfs};
use rand::random;

use super::identity::MARKER;
use super::trouble::Trouble;
use crate::error::{Error, Result};
use crate::event::Cx;
use crate::sys::deadline;

/// Longer than the 30 s after which our own mounts give up by themselves, so that the kernel's reason reaches the reader.
const LIMIT: Duration = Duration::from_secs(40);

const WITNESS: &[u8] =
    b"written by lifeboat to see whether this storage keeps what it is given; may be removed\n";

/// Looks below a directory, which makes an automount happen and a dead mount show; says whether the directory is there.
pub(super) fn touch(storage: &str, root: &Path) -> Result<bool> {
    let child = root.join(MARKER);
    let directory = root.to_owned();
    ask(storage, move || match fs::symlink_metadata(child) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::symlink_metadata(directory).map(drop),
        // Of a directory that we may not search, the write probe speaks.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other.map(drop),
    })
    .map(|()| true)
    .or_else(|error| if error.os_error() == Some(Errno::ENOENT as i32) { Ok(false) } else { Err(error) })
}

/// Whether the file system says of itself that it is NFS (the magic number of statfs(2)).
pub(super) fn is_nfs(storage: &str, root: &Path) -> Result<bool> {
    let root = root.to_owned();
    ask(storage, move || Ok(statfs(&root)?.filesystem_type() == NFS_SUPER_MAGIC))
}

/// Writes, syncs, renames, reads back and removes a tiny file; a full storage is a warning, since only it can be emptied.
pub(super) fn write(storage: &str, root: &Path, cx: &Cx) -> Result<()> {
    let root = root.to_owned();
    let id: u64 = random();
    let kept = ask(storage, move || write_and_read(&root, id));
    match kept {
        Ok(true) => Ok(()),
        Ok(false) => Err(Trouble::Broken
            .about(storage, Some(Error::failed("a file read back differs from what was written")))),
        Err(error) if error.os_error().is_some_and(is_full) => {
            cx.warn(error.to_string());
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Runs file operations of a storage under the deadline and says what their failure means.
pub(super) fn ask<T, W>(storage: &str, work: W) -> Result<T>
where
    T: Send + 'static,
    W: FnOnce() -> io::Result<T> + Send + 'static,
{
    match deadline::within(LIMIT, "the probe", work) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Trouble::of_use(&error).about(storage, Some(error.into()))),
        Err(overdue) => Err(Trouble::Silent.about(storage, Some(overdue))),
    }
}

fn write_and_read(root: &Path, id: u64) -> io::Result<bool> {
    let first = root.join(format!(".lifeboat-probe-{id:016x}.tmp"));
    let second = root.join(format!(".lifeboat-probe-{id:016x}"));
    let kept = write_there(root, &first, &second);
    for path in [&first, &second] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound && kept.is_ok() => return Err(error),
            // The first failure is the one that tells what is wrong.
            _ => {}
        }
    }
    kept
}

fn write_there(root: &Path, first: &Path, second: &Path) -> io::Result<bool> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(first)?;
    file.write_all(WITNESS)?;
    file.sync_all()?;
    drop(file);
    fs::rename(first, second)?;
    File::open(root)?.sync_all()?;
    Ok(fs::read(second)? == WITNESS)
}

fn is_full(number: i32) -> bool {
    matches!(Errno::from_raw(number), Errno::ENOSPC | Errno::EDQUOT)
}
