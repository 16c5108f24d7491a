//! The pieces of a dump made one file again, beside the live one, readable by nobody else, and proven whole.

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::copy::check;
use super::manifest::{self, Manifest, unfit};
use crate::database::{Means, SideCopy};
use crate::dump::Shelf;
use crate::error::{Context, Result};
use crate::event::{Cx, Unit};
use crate::sys::fs::{sibling, sync_directory};

/// The file itself, where the configured path is a link to it.
pub(super) fn real_path(path: &Path) -> Result<PathBuf> {
    if path.exists() {
        return path.canonicalize().with_context(|| format!("find {}", path.display()));
    }
    Ok(path.to_path_buf())
}

/// The end is added behind the name: rules by which a web server hides the live file go by its beginning.
pub(super) fn names(live: &Path, token: &str) -> SideCopy {
    SideCopy {
        side: sibling(live, &format!(".restore-{token}")).to_string_lossy().into_owned(),
        former: sibling(live, &format!(".former-{token}")).to_string_lossy().into_owned(),
        live: live.to_string_lossy().into_owned(),
        means: Means::Beside,
        only: Vec::new(),
        tables: 0,
        rows: 0,
    }
}

pub(super) fn load(shelf: &dyn Shelf, names: &SideCopy, cx: &Cx) -> Result<SideCopy> {
    let manifest = manifest::read(shelf)?;
    let live = PathBuf::from(&names.live);
    let copy = SideCopy { tables: manifest.tables, ..names.clone() };
    let side = PathBuf::from(&copy.side);
    let options = OpenOptions::new().write(true).create_new(true).mode(0o600).clone();
    let file = options.open(&side).with_context(|| format!("create {}", side.display()))?;
    let mut guard = Guard { path: &side, armed: true };
    fill(&file, shelf, &manifest, cx)?;
    prove(&side)?;
    // Where there is a live file, its owner and mode are taken over at the swap; until then nobody else may read.
    if !live.exists() {
        dress(&side, manifest.mode, manifest.uid, manifest.gid)?;
    }
    file.sync_all().with_context(|| format!("sync {}", side.display()))?;
    sync_directory(side.parent().unwrap_or(Path::new("/")))?;
    guard.armed = false;
    Ok(copy)
}

fn fill(mut file: &File, shelf: &dyn Shelf, manifest: &Manifest, cx: &Cx) -> Result<()> {
    let mut whole = blake3::Hasher::new();
    let mut done = 0;
    for piece in &manifest.pieces {
        cx.go_on()?;
        let data =
            shelf.read(piece.path.as_ref()).with_context(|| format!("read {} of the dump", piece.path))?;
        if data.len() as u64 != piece.bytes || blake3::hash(&data).to_hex().as_str() != piece.blake3 {
            return Err(unfit(&format!("{} is not what was written", piece.path)));
        }
        whole.update(&data);
        file.write_all(&data).context("write the restored database")?;
        done += piece.bytes;
        cx.progress(done, Some(manifest.bytes), Unit::Bytes);
    }
    if whole.finalize().to_hex().as_str() != manifest.blake3 {
        return Err(unfit("its pieces do not make the database that was saved"));
    }
    Ok(())
}

/// Opened as immutable, so that no journal files come to be beside it.
fn prove(side: &Path) -> Result<()> {
    let name: String = side.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
        .with_context(|| format!("open {}", side.display()))?;
    check(&connection)
}

/// Gives a file this owner and these permission bits.
pub(super) fn dress(path: &Path, mode: u32, uid: u32, gid: u32) -> Result<()> {
    chown(path, Some(uid), Some(gid)).with_context(|| format!("set the owner of {}", path.display()))?;
    let mode = Permissions::from_mode(mode & 0o7777);
    std::fs::set_permissions(path, mode).with_context(|| format!("set the mode of {}", path.display()))
}

struct Guard<'a> {
    path: &'a Path,
    armed: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.armed {
            // An error is on its way already, and what stays is readable by its owner alone.
            drop(std::fs::remove_file(self.path));
        }
    }
}
