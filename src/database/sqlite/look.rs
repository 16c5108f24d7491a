//! What there is of a database file, and what a swap kept of the one before.

use std::collections::BTreeSet;
use std::fs::symlink_metadata;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::intake::names;
use super::swap::ABSENT;
use crate::database::SideCopy;
use crate::error::{Context, Error, Result};
use crate::sys::fs::sibling;

pub(super) fn tables(path: &Path) -> Result<Option<BTreeSet<String>>> {
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("look at {}", path.display()))?,
    };
    tables_of(path).map(Some)
}

/// Opened as immutable, so that no journal files come to be beside it.
fn tables_of(path: &Path) -> Result<BTreeSet<String>> {
    let name: String = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let listed = || -> rusqlite::Result<BTreeSet<String>> {
        let connection = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)?;
        let mut names = connection.prepare("SELECT name FROM sqlite_schema WHERE type='table'")?;
        names.query_map([], |row| row.get(0))?.collect()
    };
    listed().with_context(|| format!("look into {}", path.display()))
}

pub(super) fn revive(copy: &SideCopy, token: &str) -> Result<Option<SideCopy>> {
    let former = PathBuf::from(&copy.former);
    if sibling(&former, ABSENT).exists() {
        return Err(Error::failed(format!("{} did not exist before that restore", copy.live))
            .with_remedy("move it away by hand if it is not wanted"));
    }
    if !symlink_metadata(&former).is_ok_and(|meta| meta.is_file()) {
        return Ok(None);
    }
    // It was kept as it was, damage included.
    let tables = tables_of(&former).map_or(0, |tables| tables.len() as u64);
    let names = names(Path::new(&copy.live), token);
    Ok(Some(SideCopy { side: copy.former.clone(), tables, rows: 0, ..names }))
}
