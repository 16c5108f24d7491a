//! The last file of a dump: what all other files hold, with their hashes, and what could not be saved.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::catalog::Table;
use super::column::Column;
use super::cut::Cut;
use crate::database::entry;
pub(super) use crate::database::entry::FileEntry;
use crate::dump::{Shelf, Unsaved};
use crate::error::Result;

/// Its name sorts behind everything else, so that it cannot exist unless everything else came before.
pub(super) const NAME: &str = "zz-manifest.json";

/// Raised when an older program could misread a dump.
pub(super) const FORMAT: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub format: u32,
    pub engine: String,
    /// As the server calls itself.
    pub version: String,
    pub server_id: String,
    pub schema: String,
    /// Of the snapshot, by the server's clock.
    pub moment: Timestamp,
    /// `consistent-snapshot`; with tables of other engines, `consistent-snapshot+lock-tables`.
    pub consistency: String,
    /// How long writers waited for several connections to see one moment, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_ms: Option<f64>,
    /// Where the binary log stood, in the server's own words, if it keeps one and lets us know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binlog: Option<String>,
    pub sql_mode: String,
    pub character_set: String,
    pub collation: String,
    pub tables: Vec<TableEntry>,
    /// README and definitions.
    pub files: Vec<FileEntry>,
    pub objects: u64,
    pub unsaved: Vec<Unsaved>,
    /// Everything that is listed here was written; what is listed as unsaved could not be had.
    pub complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableEntry {
    pub name: String,
    /// What it is called where it is loaded, if not so.
    #[serde(skip)]
    pub aside: Option<String>,
    pub engine: String,
    pub rows: u64,
    pub bytes: u64,
    pub cut: Cut,
    pub columns: Vec<Column>,
    /// Names of the columns that order the rows; empty if the server chose the order.
    pub key: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub versioned: bool,
    /// The path of the definition.
    pub definition: String,
    /// The engine has no snapshots and the table could not be locked: its rows may be of several moments.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlocked: bool,
    /// An order-free sum of row hashes, for tables without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_sum: Option<String>,
    /// In the order of the rows.
    pub files: Vec<FileEntry>,
}

impl TableEntry {
    pub(super) fn new(table: &Table, cut: Cut, definition: String) -> Self {
        Self {
            name: table.name.clone(),
            aside: None,
            engine: table.engine.clone(),
            rows: 0,
            bytes: 0,
            cut,
            columns: table.columns.clone(),
            key: table.key.iter().map(|index| table.columns[*index].name.clone()).collect(),
            versioned: table.versioned,
            definition,
            unlocked: false,
            row_sum: None,
            files: Vec::new(),
        }
    }

    /// Its name where it is loaded.
    pub(super) fn place(&self) -> &str {
        self.aside.as_deref().unwrap_or(&self.name)
    }

    pub(super) fn add(&mut self, file: FileEntry) {
        self.rows += file.rows;
        self.bytes += file.bytes;
        self.files.push(file);
    }
}

impl Manifest {
    /// Of a dump that says that it is whole.
    pub(super) fn read(shelf: &dyn Shelf) -> Result<Self> {
        entry::manifest(shelf, NAME, FORMAT, "mysql")
    }

    pub(super) fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }
}
