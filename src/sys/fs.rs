//! Writing files so that they are there after a crash, and swapping directories in one step.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::error::{Context, Error, Result};

/// Writes a whole file beside its place, syncs it, renames it over and syncs the directory: readers see the old or the new one.
pub fn write_atomic(path: &Path, data: &[u8], mode: u32) -> Result<()> {
    let directory = parent(path)?;
    let beside = sibling(path, &format!(".{}.tmp", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(data)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write()
        .inspect_err(|_| drop(std::fs::remove_file(&beside)))
        .with_context(|| format!("write {}", path.display()))?;
    sync_directory(directory)
}

/// Creates a file that must not exist yet, readable by its owner alone from the first byte.
pub fn create_private(path: &Path, data: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(data)?;
        file.sync_all()
    };
    write().with_context(|| format!("create {}", path.display()))?;
    sync_directory(parent(path)?)
}

/// Makes a rename or a new file in this directory survive a power loss.
pub fn sync_directory(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .with_context(|| format!("sync {}", path.display()))
}

/// Exchanges two directories of one file system atomically (`renameat2` with `RENAME_EXCHANGE`).
pub fn exchange(one: &Path, other: &Path) -> Result<()> {
    renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE)
        .with_context(|| format!("exchange {} and {}", one.display(), other.display()))?;
    sync_directory(parent(one)?)?;
    sync_directory(parent(other)?)
}

/// Serialises a path for people and programs; a name that is no text shows its bytes as `\u{fffd}` instead of failing.
pub fn shown<S: serde::Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.display())
}

/// The same for several paths.
pub fn all_shown<S: serde::Serializer>(paths: &[PathBuf], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(paths.iter().map(|path| path.display().to_string()))
}

/// `name` with something appended, in the same directory.
pub fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn parent(path: &Path) -> Result<&Path> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(Error::failed(format!("{} has no directory above it", path.display()))),
    }
}
