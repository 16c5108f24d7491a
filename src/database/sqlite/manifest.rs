//! The files of a dumped database: equal pieces that make the original when concatenated, and the list that proves it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dump::Shelf;
use crate::error::{Context, Error, Result};

/// Its name sorts behind everything else, so that it cannot exist unless everything else came before.
pub(super) const NAME: &str = "zz-manifest.json";

pub(super) const FORMAT: u32 = 1;

pub(super) const README: &str = "README.txt";

pub(super) const README_TEXT: &str = "\
This directory is one consistent moment of one SQLite database, cut into pieces so that a change makes few of them new.

To have the database file again:      cat data/*/*.part > restored.sqlite
To check it:                          sqlite3 restored.sqlite 'PRAGMA integrity_check'

zz-manifest.json has the original path, the size, and BLAKE3 hashes of the pieces and of the whole.
";

/// Bytes per piece; no page is larger than two of them. Measured on 118 MB of a shop after 20 new and 420 scattered changes:
/// pages in pieces of this size make 7.6 MB new, of 256 KiB 23, rows as text in files of 96 KiB 11, `VACUUM INTO` 24.
const PIECE: u64 = 32 << 10;

/// More pieces than this make the pieces larger instead.
const MOST_PIECES: u64 = 1 << 16;

/// Pieces per directory.
const PER_DIRECTORY: u64 = 256;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub format: u32,
    pub engine: String,
    /// Of the `SQLite` library that made the copy.
    pub version: String,
    pub path: String,
    pub moment: Timestamp,
    pub bytes: u64,
    pub page_size: u64,
    pub tables: u64,
    /// Permission bits and owner of the original file.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Of the concatenated pieces.
    pub blake3: String,
    pub pieces: Vec<Piece>,
    pub complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub path: String,
    pub bytes: u64,
    pub blake3: String,
}

/// How large the pieces of a database of this size are, in bytes.
pub(super) fn piece_size(bytes: u64) -> u64 {
    let needed = bytes.div_ceil(MOST_PIECES).next_power_of_two();
    PIECE.max(needed)
}

pub(super) fn piece_path(number: u64) -> String {
    format!("data/{:06}/{number:06}.part", number / PER_DIRECTORY)
}

/// The manifest of a dump whose files all have the sizes it says.
pub(super) fn read(shelf: &dyn Shelf) -> Result<Manifest> {
    let data = shelf
        .read(NAME.as_ref())
        .with_context(|| format!("read {NAME} of the dump"))
        .remedy("a dump without its manifest is not whole; choose another snapshot")?;
    let manifest: Manifest =
        serde_json::from_slice(&data).with_context(|| format!("read {NAME} of the dump"))?;
    if manifest.format > FORMAT || manifest.engine != "sqlite" || !manifest.complete {
        return Err(unfit("its manifest does not say that it is a complete dump of this kind"));
    }
    let list = shelf.list().context("list the files of the dump")?;
    let wanted: Vec<_> = manifest.pieces.iter().map(|piece| (piece.path.as_str(), piece.bytes)).collect();
    let found: Vec<_> = list
        .iter()
        .map(|(path, size)| (path.to_str().unwrap_or_default(), *size))
        .filter(|(path, _)| *path != NAME && *path != README)
        .collect();
    if let Some((path, _)) = wanted.iter().find(|piece| !found.contains(piece)) {
        return Err(unfit(&format!("{path} is missing or has another size")));
    }
    if found.len() != wanted.len() || wanted.iter().map(|(_, bytes)| bytes).sum::<u64>() != manifest.bytes {
        return Err(unfit("its files and its manifest do not fit together"));
    }
    Ok(manifest)
}

pub(super) fn unfit(why: &str) -> Error {
    Error::failed(format!("the dump cannot be restored: {why}")).with_remedy("choose another snapshot")
}
