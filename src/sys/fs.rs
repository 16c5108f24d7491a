//! Writing files so that they are there after a crash, and swapping directories in one step.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, ReadDir};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, openat};
use nix::sys::stat::{Mode, UtimensatFlags, fstatat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, unlinkat};
use rustix::fs::{RenameFlags, renameat_with};

use crate::error::{Context, Error, Result};

/// Writes a whole file beside its place, syncs it, renames it over and syncs the directory: readers see the old or the new one.
pub fn write_atomic(path: &Path, data: &[u8], mode: u32) -> Result<()> {
    let directory = parent(path)?;
    let beside = sibling(path, &format!(".{}.tmp", std::process::id()));
    let create = || OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside);
    let write = || -> io::Result<()> {
        let mut file = match create() {
            // Of one that had our number and died; in a container it is always the same.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                std::fs::remove_file(&beside)?;
                create()?
            }
            created => created?,
        };
        file.write_all(data)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write()
        .inspect_err(|_| drop(std::fs::remove_file(&beside)))
        .with_context(|| format!("write {}", path.display()))?;
    sync_directory(directory)
}

/// Opens what is a file; a pipe that somebody put in its place would have us wait for ever.
pub fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
}

/// All of it.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    open_file(path)?.read_to_end(&mut data)?;
    Ok(data)
}

/// Makes a directory that is nobody else's business, with those above it; one that is there stays as it is.
pub fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The same, with words for the error.
pub fn create_private_directory(path: &Path) -> Result<()> {
    private_directory(path).with_context(|| format!("create {}", path.display()))
}

/// A file that must not exist yet, readable by its owner alone from the first byte.
pub fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Creates such a file with all that belongs into it.
pub fn create_private(path: &Path, data: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = private_file(path)?;
        file.write_all(data)?;
        file.sync_all()
    };
    write().with_context(|| format!("create {}", path.display()))?;
    sync_directory(parent(path)?)
}

/// Waits for, and takes, a lock of our own on a file that is made for it; held until dropped.
pub fn lock_private(path: &Path) -> Result<Flock<File>> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("open {}", path.display()))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error.into())
}

/// What is in a directory; nothing if there is none of this name.
pub fn list(path: &Path) -> Result<Option<ReadDir>> {
    match std::fs::read_dir(path) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("list {}", path.display())),
    }
}

/// Makes a rename or a new file in this directory survive a power loss.
pub fn sync_directory(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .with_context(|| format!("sync {}", path.display()))
}

/// One name in a directory that was reached without following a link: whoever may write to the tree cannot lead us elsewhere.
pub struct Spot {
    directory: OwnedFd,
    name: OsString,
    shown: PathBuf,
}

impl Spot {
    /// `relative` below `base`, or `base` itself if it is empty. What has that name need not exist, the way to it must.
    pub fn below(base: &Path, relative: &Path) -> Result<Self> {
        let shown = if relative.as_os_str().is_empty() { base.to_owned() } else { base.join(relative) };
        let (way, name) = match (relative.parent(), relative.file_name()) {
            (Some(parent), Some(name)) => (parent, name),
            _ => (Path::new(""), base.file_name().unwrap_or_default()),
        };
        let start = if relative.as_os_str().is_empty() { parent(base)? } else { base };
        let mut directory = nix::fcntl::open(start, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty())
            .with_context(|| format!("open {}", start.display()))?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
        for part in way {
            directory = openat(&directory, part, flags, Mode::empty())
                .with_context(|| {
                    format!("{}: {} is a link or no directory", shown.display(), Path::new(part).display())
                })
                .remedy("make it a directory, or restore elsewhere with `--to DIR`")?;
        }
        Ok(Self { directory, name: name.to_owned(), shown })
    }

    pub fn exists(&self) -> Result<bool> {
        Ok(self.inode()?.is_some())
    }

    /// Opens what is here, unless it is a link.
    pub fn open(&self, flags: OFlag) -> io::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.directory, self.name.as_os_str(), flags, Mode::empty())?.into())
    }

    /// Removes the file that is here.
    pub fn remove_file(&self) -> io::Result<()> {
        Ok(unlinkat(&self.directory, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir)?)
    }

    /// The number by which the file system knows what is here, however it is called; `None` if nothing is.
    pub fn inode(&self) -> Result<Option<u64>> {
        match fstatat(&self.directory, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(found.st_ino)),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("look at {}", self.shown.display())),
        }
    }

    /// When the directory that this name is in was last changed: seconds and nanoseconds. A rename changes it.
    pub fn directory_time(&self) -> Result<(i64, i64)> {
        let found = fstatat(&self.directory, ".", AtFlags::empty())
            .with_context(|| format!("look at the directory of {}", self.shown.display()))?;
        Ok((found.st_mtime, found.st_mtime_nsec))
    }

    pub fn set_directory_time(&self, (seconds, nanoseconds): (i64, i64)) -> Result<()> {
        let keep = TimeSpec::UTIME_OMIT;
        let time = TimeSpec::new(seconds, nanoseconds);
        utimensat(&self.directory, ".", &keep, &time, UtimensatFlags::FollowSymlink)
            .with_context(|| format!("set the time of the directory of {}", self.shown.display()))
    }

    /// When the directory of this name was last changed; `None` if what is here is no directory.
    pub fn time(&self) -> Result<Option<(i64, i64)>> {
        match fstatat(&self.directory, self.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) if found.st_mode & nix::libc::S_IFMT == nix::libc::S_IFDIR => {
                Ok(Some((found.st_mtime, found.st_mtime_nsec)))
            }
            Ok(_) | Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("look at {}", self.shown.display())),
        }
    }

    /// XFS gives a directory that moves a new time, because it notes there what is above.
    fn keep_time(&self, time: Option<(i64, i64)>) -> Result<()> {
        let Some((seconds, nanoseconds)) = time else { return Ok(()) };
        let (keep, time) = (TimeSpec::UTIME_OMIT, TimeSpec::new(seconds, nanoseconds));
        utimensat(&self.directory, self.name.as_os_str(), &keep, &time, UtimensatFlags::NoFollowSymlink)
            .with_context(|| format!("set the time of {}", self.shown.display()))
    }

    /// Both change places in one step (`renameat2` with `RENAME_EXCHANGE`). Call `sync` on both afterwards.
    pub fn exchange(&self, other: &Self) -> Result<()> {
        let (time, other_time) = (self.time()?, other.time()?);
        self.renameat(other, RenameFlags::EXCHANGE)
            .with_context(|| format!("exchange {} and {}", self.shown.display(), other.shown.display()))?;
        other.keep_time(time)?;
        self.keep_time(other_time)
    }

    /// Moves to a name that is free. Call `sync` on both afterwards.
    pub fn rename(&self, to: &Self) -> Result<()> {
        let time = self.time()?;
        let renamed = match self.renameat(to, RenameFlags::NOREPLACE) {
            // Some network file systems know only the plain rename.
            Err(Errno::EINVAL) if !to.exists()? => self.renameat(to, RenameFlags::empty()),
            other => other,
        };
        renamed.with_context(|| format!("rename {} to {}", self.shown.display(), to.shown.display()))?;
        to.keep_time(time)
    }

    /// Not by nix, which needs the C library's wrapper: glibc has it since 2.28 only, and the kernel for much longer.
    fn renameat(&self, to: &Self, flags: RenameFlags) -> nix::Result<()> {
        renameat_with(&self.directory, self.name.as_os_str(), &to.directory, to.name.as_os_str(), flags)
            .map_err(|error| Errno::from_raw(error.raw_os_error()))
    }

    /// What was renamed here stays so after a power loss.
    pub fn sync(&self) -> Result<()> {
        let open = || openat(&self.directory, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty());
        open()
            .and_then(nix::unistd::fsync)
            .with_context(|| format!("sync the directory of {}", self.shown.display()))
    }
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
