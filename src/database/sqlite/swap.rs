//! The restored file put in the place of the live one, and back, with a second name for whatever must not be lost.
//!
//! The former file gets its second name before the live name is given to the restored one, by a rename that readers see
//! as one moment. So the state can always be read off the names: no `former`, nothing happened; `former` is the same file
//! as `live`, it was about to happen; otherwise it happened.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::intake::{dress, real_path};
use super::manifest;
use crate::database::SideCopy;
use crate::dump::Shelf;
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::sys::fs::{sibling, sync_directory};
use crate::sys::space::Space;

/// Files that belong to a database file and are meaningless, or fatal, beside another one.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Says that there was no live file before.
pub(super) const ABSENT: &str = ".absent";

const PATIENCE: Duration = Duration::from_secs(10);

struct Names {
    live: PathBuf,
    side: PathBuf,
    former: PathBuf,
    absent: PathBuf,
}

impl Names {
    fn of(copy: &SideCopy) -> Self {
        let former = PathBuf::from(&copy.former);
        Self {
            live: (&copy.live).into(),
            side: (&copy.side).into(),
            absent: sibling(&former, ABSENT),
            former,
        }
    }

    fn sync(&self) -> Result<()> {
        sync_directory(self.live.parent().unwrap_or(Path::new("/")))
    }

    /// `swap_in` has given the live name to the restored file.
    fn is_swapped(&self) -> Result<bool> {
        Ok(match (number(&self.former)?, number(&self.live)?) {
            (Some(former), live) => live != Some(former),
            (None, live) => self.absent.exists() && live.is_some(),
        })
    }
}

pub(super) fn preflight(path: &Path, shelf: &dyn Shelf, cx: &Cx) -> Result<()> {
    cx.go_on()?;
    let manifest = manifest::read(shelf)?;
    let live = real_path(path)?;
    let directory = live.parent().unwrap_or(Path::new("/"));
    nix::unistd::access(directory, nix::unistd::AccessFlags::W_OK)
        .with_context(|| format!("write to {}", directory.display()))?;
    let free = Space::at(directory).with_context(|| format!("look at {}", directory.display()))?.free;
    if free < manifest.bytes {
        return Err(Error::failed(format!(
            "{} has {free} bytes free and the copy takes {}",
            directory.display(),
            manifest.bytes
        ))
        .with_remedy("make room on that file system"));
    }
    Ok(())
}

pub(super) fn swap_in(copy: &SideCopy) -> Result<()> {
    let names = Names::of(copy);
    let side = number(&names.side)?;
    if names.is_swapped()? {
        // An undo that stopped may have left the live file a second name; any other file there was never swapped in.
        return if side.is_none() || side == number(&names.live)? {
            move_companions(&names.side, &names.live)
        } else {
            Err(Error::failed(format!("{} was replaced by another program", names.live.display())))
        };
    }
    if side.is_none() {
        return Err(Error::failed(format!("{} is not there", names.side.display())));
    }
    if names.live.exists() {
        settle(&names.live)?;
        if number(&names.former)?.is_none() {
            fs::hard_link(&names.live, &names.former)
                .with_context(|| format!("keep {} as {}", names.live.display(), names.former.display()))?;
        }
        let live = fs::metadata(&names.live).with_context(|| format!("look at {}", names.live.display()))?;
        dress(&names.side, live.mode(), live.uid(), live.gid())?;
        names.sync()?;
        // Before the restored file has the name: a journal of another file would be played into it.
        move_companions(&names.live, &names.former)?;
    } else {
        fs::write(&names.absent, "").with_context(|| format!("create {}", names.absent.display()))?;
        names.sync()?;
    }
    rename(&names.side, &names.live)?;
    // A former file that is made live again may have been kept with the journal it needs.
    move_companions(&names.side, &names.live)?;
    names.sync()
}

pub(super) fn swap_back(copy: &SideCopy) -> Result<()> {
    let names = Names::of(copy);
    if names.is_swapped()? {
        // The restored file gets its former name again before it loses the live one.
        if number(&names.side)?.is_none() {
            fs::hard_link(&names.live, &names.side)
                .with_context(|| format!("keep {} as {}", names.live.display(), names.side.display()))?;
        }
        move_companions(&names.live, &names.side)?;
        if names.former.exists() {
            rename(&names.former, &names.live)?;
        } else {
            remove(&names.live)?;
        }
    } else if number(&names.former)?.is_some() {
        remove(&names.former)?;
    }
    if names.live.exists() {
        move_companions(&names.former, &names.live)?;
    }
    remove(&names.absent)?;
    names.sync()
}

pub(super) fn discard(copy: &SideCopy) -> Result<()> {
    let names = Names::of(copy);
    if !names.is_swapped()? && number(&names.former)?.is_some() {
        return Err(Error::failed(format!(
            "the swap of {} is half done: nothing is removed",
            names.live.display()
        ))
        .with_remedy("undo or finish the restore first"));
    }
    for path in [&names.side, &names.former] {
        remove(path)?;
        for companion in COMPANIONS {
            remove(&sibling(path, companion))?;
        }
    }
    remove(&names.absent)?;
    names.sync()
}

/// Brings everything that is written into the file itself, so that its journal is not needed any more.
fn settle(live: &Path) -> Result<()> {
    let checkpoint = || -> rusqlite::Result<i64> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(live, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
    };
    match checkpoint() {
        Ok(0) => Ok(()),
        // A damaged file may be the very reason for the restore: it is kept with its journal as it is.
        Err(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::CannotOpen)
            ) =>
        {
            Ok(())
        }
        Ok(_) => Err(in_use(live, "another process is reading or writing it")),
        Err(error) => Err(in_use(live, &error.to_string())),
    }
}

fn in_use(live: &Path, why: &str) -> Error {
    Error::failed(format!("bring {} to rest: {why}", live.display()))
        .with_remedy("stop the application that uses it")
}

fn move_companions(from: &Path, to: &Path) -> Result<()> {
    for companion in COMPANIONS {
        let (from, to) = (sibling(from, companion), sibling(to, companion));
        if from.exists() {
            rename(&from, &to)?;
        }
    }
    Ok(())
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("rename {} to {}", from.display(), to.display()))
}

/// Nothing happens if there is no such file.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("remove {}", path.display())),
    }
}

/// The inode number; `None` if there is no such file.
fn number(path: &Path) -> Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("look at {}", path.display())),
    }
}
