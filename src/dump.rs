//! What passes between a database and the repository: finished files, in path order, with an end that proves them whole.

use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::event::Cx;

/// One file of a dump, complete in memory, so that its size is exact before the repository hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpFile {
    /// Relative to the dump's own directory; plain components only.
    pub path: PathBuf,
    pub data: Vec<u8>,
}

/// The way to the dump before this one, or `None`; taken only by who needs it, since it reads the repository's index.
pub type Previous<'a> = &'a dyn Fn() -> Option<Box<dyn Shelf>>;

/// Of a first dump.
pub fn no_previous() -> Option<Box<dyn Shelf>> {
    None
}

/// A consistent moment of one database, handed over file by file.
pub trait Feed: Send {
    /// The moment all files belong to; it becomes their modification time, so that no later dump is taken for unchanged.
    fn moment(&self) -> Timestamp;

    /// The next file, in strictly ascending order of path components (as bytes). `None` says that everything has come
    /// and was found complete; whatever cannot be completed is an error, and then there is no snapshot.
    fn next(&mut self, cx: &Cx) -> Result<Option<DumpFile>>;

    /// What was dumped; asked for once, after `next` has said `None`.
    fn summary(&self) -> Summary;
}

/// What a dump holds, for the snapshot's manifest and for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// `mysql`, `postgresql`, `sqlite`, or what a plugin calls it.
    pub engine: String,
    /// Product and version as the server calls itself.
    pub version: String,
    /// The schema's name, the path of the database file, or what the configuration calls it.
    pub database: String,
    /// Directory of the dump below the snapshot's database directory.
    pub directory: String,
    pub moment: Option<Timestamp>,
    pub tables: u64,
    pub rows: u64,
    pub bytes: u64,
    /// What the server would not give us; anything here makes the snapshot incomplete.
    pub unsaved: Vec<Unsaved>,
}

/// Something that exists in the database and is not in the dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsaved {
    pub what: String,
    pub why: String,
}

/// A dump inside a snapshot, as a restore reads it: the counterpart of `Feed`.
pub trait Shelf: Send + Sync {
    /// All files with their sizes in bytes, in path order, relative to the dump's directory.
    fn list(&self) -> Result<Vec<(PathBuf, u64)>>;

    /// The content of one file; every byte is verified against its hash before it is handed out.
    fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>>;

    /// A whole small file in memory.
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let mut data = Vec::new();
        self.open(path)?.read_to_end(&mut data)?;
        Ok(data)
    }
}
