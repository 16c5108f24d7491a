//! The directory to mount on: one true path for it, made if it is missing, never one with files in it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::super::trouble::Trouble;
use super::super::{MountMode, probe};
use crate::error::{Error, Result};

pub(super) fn check(path: &Path) -> Result<()> {
    // A path such as `/mnt/..` has no name of its own to compare with the table of mounts.
    if path.is_absolute() && path.file_name().is_some() {
        return Ok(());
    }
    Err(Error::usage(format!("mount point {} is not an absolute path of a directory", path.display()))
        .with_remedy("write the path from the root on, such as /mnt/backup"))
}

/// The path as the table of mounts has it: the directories above without symbolic links. The mount point itself is not followed:
/// on a dead mount that would hang.
pub(super) fn resolve(storage: &str, path: &Path, mode: MountMode) -> Result<PathBuf> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Trouble::NotADirectory.about(storage, None));
    };
    let (parent, name) = (parent.to_owned(), name.to_owned());
    probe::ask(storage, move || {
        if mode != MountMode::Present {
            fs::create_dir_all(&parent)?;
        }
        Ok(fs::canonicalize(parent)?.join(name))
    })
}

/// Makes the directory if it is missing; what is there must be an empty directory.
pub(super) fn prepare(storage: &str, point: &Path) -> Result<()> {
    let directory = point.to_owned();
    let first = probe::ask(storage, move || {
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        if !fs::symlink_metadata(&directory)?.is_dir() {
            return Err(nix::errno::Errno::ENOTDIR.into());
        }
        fs::read_dir(&directory)?.next().transpose().map(|entry| entry.map(|entry| entry.file_name()))
    })?;
    match first {
        None => Ok(()),
        Some(name) => {
            let example = Error::failed(format!("such as {}", name.display()));
            Err(Trouble::NotEmpty.about(storage, Some(example)))
        }
    }
}
