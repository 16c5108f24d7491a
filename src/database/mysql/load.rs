//! The rows of a dump put into the tables of a side schema, with an account of every single row.

use std::sync::atomic::{AtomicU64, Ordering};

use mysql_async::Row;

use super::column::{Column, Kind};
use super::crew::Whistle;
use super::fault::During;
use super::infile;
use super::insert;
use super::link::{Link, Loaded};
use super::manifest::{FileEntry, TableEntry};
use super::names::{qualified, quote};
use super::row::text;
use super::session;
use crate::dump::Shelf;
use crate::error::{Error, Result};
use crate::event::{Cx, Unit};

/// Rows are committed in portions of about so many bytes, so that a large table does not make one huge transaction.
const PORTION: u64 = 64 << 20;

/// It is not worth while to divide a table into parts of fewer bytes.
const PART: u64 = 4 << 20;

/// The value was cut, which is how an ENUM takes the error value 0 that it had before.
const TRUNCATED: u16 = 1265;

/// How rows travel to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `LOAD DATA LOCAL`, the faster one.
    Infile,
    /// `INSERT` of many rows, for servers with `local_infile=0`.
    Insert,
}

pub(super) fn choose(link: &mut Link) -> Result<Way> {
    let row = link.first("SELECT @@local_infile").during("ask whether LOAD DATA LOCAL is allowed")?;
    Ok(if row.is_some_and(|row| text(&row, 0) == "1") { Way::Infile } else { Way::Insert })
}

/// One table to be filled, and how far the whole restore is.
pub(super) struct Filling<'a> {
    pub shelf: &'a dyn Shelf,
    pub schema: &'a str,
    pub way: Way,
    /// Rows that all connections together have put in.
    pub done: AtomicU64,
    pub total: u64,
}

impl Filling<'_> {
    /// Loads these files of a table; whatever the server did differently from the manifest is an error.
    pub(super) fn rows(
        &self,
        link: &mut Link,
        table: &TableEntry,
        files: &[FileEntry],
        whistle: &Whistle<'_>,
        cx: &Cx,
    ) -> Result<()> {
        session::as_values(link).during("set the character set")?;
        for portion in portions(files, PORTION) {
            whistle.go_on()?;
            link.run("START TRANSACTION").during("begin a transaction")?;
            let rows: u64 = portion.iter().map(|file| file.rows).sum();
            match self.way {
                Way::Infile => infile::load(self.shelf, link, self.schema, table, portion, cx)?,
                Way::Insert => insert::load(self.shelf, link, self.schema, table, portion, cx)?,
            }
            link.run("COMMIT").during(format!("commit the rows of table {:?}", table.name))?;
            let done = self.done.fetch_add(rows, Ordering::SeqCst) + rows;
            cx.progress(done, Some(self.total), Unit::Rows);
        }
        session::as_definitions(link).during("set the character set")
    }
}

/// `` `db`.`t` `` with the columns and the assignments that take a row in; `source` names the value of a column.
pub(super) struct Target {
    pub table: String,
    pub columns: Vec<Column>,
}

impl Target {
    pub(super) fn of(schema: &str, table: &TableEntry) -> Self {
        Self { table: qualified(schema, table.place()), columns: table.columns.clone() }
    }

    pub(super) fn column_list(&self) -> String {
        self.columns.iter().map(|column| quote(&column.name)).collect::<Vec<_>>().join(",")
    }
}

/// Compares what the server says with what it should have done.
pub(super) fn account(link: &mut Link, table: &TableEntry, loaded: &Loaded, rows: u64) -> Result<()> {
    if loaded.warnings > 0 {
        let warnings = link.rows("SHOW WARNINGS").during("read the server's warnings")?;
        if let Some(serious) = warnings.iter().find(|warning| !is_enum_error(warning, table)) {
            return Err(inexact(table, &format!("{} (warning {})", text(serious, 2), text(serious, 1))));
        }
        if (warnings.len() as u64) < loaded.warnings.min(u64::from(u16::MAX)) {
            return Err(inexact(table, "the server had more warnings than it lists"));
        }
    }
    if loaded.affected != rows {
        return Err(inexact(table, &format!("it took {} of {rows} rows ({})", loaded.affected, loaded.info)));
    }
    Ok(())
}

fn inexact(table: &TableEntry, why: &str) -> Error {
    Error::failed(format!(
        "the server did not take the rows of table {:?} as they were dumped: {why}",
        table.name
    ))
}

fn is_enum_error(warning: &Row, table: &TableEntry) -> bool {
    let message = text(warning, 2);
    text(warning, 1) == TRUNCATED.to_string()
        && table.columns.iter().filter(|column| matches!(column.kind, Kind::Enum | Kind::EnumNumber)).any(
            |column| {
                message.contains(&format!("for column '{}'", column.name))
                    || message.contains(&format!("`{}`", column.name))
            },
        )
}

/// Parts of a table that connections may load at the same time; at least one, also of an empty table.
pub(super) fn parts(table: &TableEntry) -> Vec<&[FileEntry]> {
    // Without a key the order of the rows is that of their coming, and the next dump should find it again.
    let divisible = table.engine == "innodb" && !table.versioned && !table.key.is_empty();
    let size = if divisible { (table.bytes / 4).clamp(PART, PORTION) } else { u64::MAX };
    let parts = portions(&table.files, size);
    if parts.is_empty() { vec![&[]] } else { parts }
}

/// Consecutive files of at most so many bytes together, or one larger file alone.
fn portions(files: &[FileEntry], most: u64) -> Vec<&[FileEntry]> {
    let mut portions = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (index, file) in files.iter().enumerate() {
        if index > start && size + file.bytes > most {
            portions.push(&files[start..index]);
            (start, size) = (index, 0);
        }
        size += file.bytes;
    }
    if start < files.len() {
        portions.push(&files[start..]);
    }
    portions
}
