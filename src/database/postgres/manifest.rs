//! The last file of a dump: what all other files hold, with their hashes, and what could not be saved.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cut::Cut;
use super::settings::Settings;
use super::table::{Column, Table, shown};
use crate::database::entry;
pub(super) use crate::database::entry::FileEntry;
use crate::dump::{Shelf, Unsaved};
use crate::error::Result;

/// What this kind of dump is called.
pub(in crate::database) const ENGINE: &str = "postgresql";

/// Its name sorts behind everything else, so that it cannot exist unless everything else came before.
pub(super) const NAME: &str = "zz-manifest.json";

/// Raised when an older program could misread a dump.
pub(super) const FORMAT: u32 = 1;

pub(super) const BEFORE: &str = "schema/before-rows.sql";
pub(super) const AFTER: &str = "schema/after-rows.sql";
pub(super) const SEQUENCES: &str = "schema/sequences.sql";
pub(super) const OBJECTS: &str = "schema/large-objects.jsonl";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub format: u32,
    pub engine: String,
    /// As the server calls itself.
    pub version: String,
    pub version_number: u32,
    pub name: String,
    /// Of the snapshot, by the server's clock.
    pub moment: Timestamp,
    /// Of the snapshot, in the server's own words: `739:741:739`.
    pub snapshot: String,
    pub database: Settings,
    pub tables: Vec<TableEntry>,
    /// Parts of large objects, as a table.
    pub large_objects: TableEntry,
    pub sequences: u64,
    /// Materialized views that hold rows, as SQL names them.
    pub filled_views: Vec<String>,
    pub needs: Needs,
    /// README and definitions.
    pub files: Vec<FileEntry>,
    pub unsaved: Vec<Unsaved>,
    /// Everything that is listed here was written; what is listed as unsaved could not be had.
    pub complete: bool,
}

/// What a server must have before the definitions can be given to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Needs {
    pub extensions: Vec<String>,
    pub roles: Vec<String>,
    pub tablespaces: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableEntry {
    pub schema: String,
    pub name: String,
    /// The table and its columns, as `COPY` wants to hear them.
    pub target: String,
    pub rows: u64,
    pub bytes: u64,
    pub cut: Cut,
    pub columns: Vec<Column>,
    /// Names of the columns that order the rows; empty if the server chose the order.
    pub key: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// An order-free sum of row hashes, for tables without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_sum: Option<String>,
    /// In the order of the rows.
    pub files: Vec<FileEntry>,
}

impl TableEntry {
    pub(super) fn new(table: &Table, cut: Cut) -> Self {
        Self {
            schema: table.schema.clone(),
            name: table.name.clone(),
            target: table.target(),
            rows: 0,
            bytes: 0,
            cut,
            columns: table.columns.clone(),
            key: table.key.iter().map(|index| table.columns[*index].name.clone()).collect(),
            filter: table.filter.clone(),
            row_sum: None,
            files: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, file: FileEntry) {
        self.rows += file.rows;
        self.bytes += file.bytes;
        self.files.push(file);
    }

    /// `shop.item`, for people.
    pub(super) fn shown(&self) -> String {
        shown(&self.schema, &self.name)
    }
}

impl Manifest {
    /// Of a dump that says that it is whole.
    pub(super) fn read(shelf: &dyn Shelf) -> Result<Self> {
        entry::manifest(shelf, NAME, FORMAT, ENGINE)
    }

    /// Tables, and behind them the large objects.
    pub(super) fn all_tables(&self) -> impl Iterator<Item = &TableEntry> {
        self.tables.iter().chain(std::iter::once(&self.large_objects))
    }

    pub(super) fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.all_tables().map(|table| table.bytes).sum()
    }
}
