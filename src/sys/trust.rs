//! Whether a program can have been written or exchanged only by root or by us: it may run with all our rights.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::unistd::geteuid;

use crate::error::{Context, Error, Result};

const STICKY: u32 = 0o1000;
const OTHERS_MAY_WRITE: u32 = 0o022;

/// The kernel's own limit of symbolic links in one path.
const LINKS: usize = 40;

/// Refuses a program if its file, a directory above it or a symbolic link on the way could be changed by somebody else.
///
/// Every component is looked at, links followed by hand: a check of the final path alone would not see who may turn the link.
pub fn check(program: &Path) -> Result<()> {
    if walk(program)?.is_file() {
        return Ok(());
    }
    Err(Error::failed(format!("{} is not a program", program.display())))
}

/// The same for a directory in which programs are looked for.
pub fn check_directory(directory: &Path) -> Result<()> {
    if walk(directory)?.is_dir() {
        return Ok(());
    }
    Err(Error::failed(format!("{} is no directory", directory.display())))
}

/// Looks at all components of a path, and gives back what its last one is.
fn walk(path: &Path) -> Result<Metadata> {
    if !path.is_absolute() {
        return Err(Error::usage(format!("{} is not an absolute path", path.display()))
            .with_remedy("write the path from the root on"));
    }
    let mut links = 0;
    let mut here = PathBuf::from("/");
    let mut rest = parts(path);
    let mut found = look(&here)?;
    while let Some(part) = rest.pop_front() {
        let next = here.join(part);
        found = look(&next)?;
        if found.is_symlink() {
            links += 1;
            if links > LINKS {
                return Err(Error::failed(format!("{} goes round in circles", path.display())));
            }
            let target = fs::read_link(&next).with_context(|| format!("read {}", next.display()))?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            let mut unfolded = parts(&target);
            unfolded.append(&mut rest);
            rest = unfolded;
        } else if next.ends_with("..") {
            // What lies above was looked at on the way down, and `here` holds no link any more.
            here.pop();
            found = look(&here)?;
        } else {
            here = next;
        }
    }
    Ok(found)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

fn look(path: &Path) -> Result<Metadata> {
    let metadata = fs::symlink_metadata(path).with_context(|| format!("look at {}", path.display()))?;
    let refused = |why: &str| {
        Error::failed(format!("{} {why}, so we do not run it", path.display())).with_remedy(
            "give it to root and take the write permission from everybody else (chown root, chmod go-w)",
        )
    };
    if metadata.uid() != 0 && metadata.uid() != geteuid().as_raw() {
        return Err(refused(&format!("belongs to user {}", metadata.uid())));
    }
    // In a sticky directory (/tmp) others may add names, but not touch ours. The mode of a link means nothing.
    let sticky = metadata.is_dir() && metadata.mode() & STICKY != 0;
    if !sticky && !metadata.is_symlink() && metadata.mode() & OTHERS_MAY_WRITE != 0 {
        return Err(refused("may be written by others"));
    }
    Ok(metadata)
}
