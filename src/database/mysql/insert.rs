//! The rows of a dump as `INSERT` statements of many rows, where the server does not allow `LOAD DATA LOCAL`.

use super::encode;
use super::fault::During;
use super::link::Link;
use super::load::{Target, account};
use super::manifest::{FileEntry, TableEntry};
use super::row::number;
use crate::dump::Shelf;
use crate::error::{Error, Result};
use crate::event::Cx;

/// Statements of about this size, in bytes; larger ones are no faster.
const STATEMENT: usize = 1 << 20;

pub(super) fn load(
    shelf: &dyn Shelf,
    link: &mut Link,
    schema: &str,
    table: &TableEntry,
    files: &[FileEntry],
    cx: &Cx,
) -> Result<()> {
    let target = Target::of(schema, table);
    let row = link.first("SELECT @@max_allowed_packet").during("ask for the largest packet")?;
    let limit = row.and_then(|row| number(&row, 0)).unwrap_or(1 << 20);
    let mut batch = Batch::new(&target, STATEMENT.min(limit / 2));
    for file in files {
        cx.go_on()?;
        let data = file.verified(shelf)?;
        for row in data.split_inclusive(|byte| *byte == b'\n') {
            batch.push(&target, row.strip_suffix(b"\n").unwrap_or(row), table)?;
            if batch.is_full() {
                batch.send(link, table)?;
            }
        }
    }
    batch.send(link, table)
}

/// Rows on their way into one statement.
pub(super) struct Batch {
    head: Vec<u8>,
    sql: Vec<u8>,
    rows: u64,
    full: usize,
}

impl Batch {
    pub(super) fn new(target: &Target, full: usize) -> Self {
        let head = format!("INSERT INTO {} ({}) VALUES ", target.table, target.column_list()).into_bytes();
        Self { head, sql: Vec::new(), rows: 0, full }
    }

    pub(super) fn is_full(&self) -> bool {
        self.sql.len() >= self.full
    }

    /// A line of a file, without its newline.
    pub(super) fn push(&mut self, target: &Target, line: &[u8], table: &TableEntry) -> Result<()> {
        if self.rows == 0 {
            self.sql.extend_from_slice(&self.head);
        } else {
            self.sql.push(b',');
        }
        self.rows += 1;
        let mut columns = target.columns.iter();
        for (index, field) in encode::fields(line).enumerate() {
            self.sql.push(if index == 0 { b'(' } else { b',' });
            let column = columns.next().ok_or_else(|| misshapen(table))?;
            let Some(field) = field else {
                self.sql.extend_from_slice(b"NULL");
                continue;
            };
            match column.convert("\0") {
                // The expression is written around the literal, whose bytes need not be text.
                Some(around) => {
                    let (before, after) = around.split_once('\0').unwrap_or((&around, ""));
                    self.sql.extend_from_slice(before.as_bytes());
                    quoted(&mut self.sql, field);
                    self.sql.extend_from_slice(after.as_bytes());
                }
                None => quoted(&mut self.sql, field),
            }
        }
        self.sql.push(b')');
        if columns.next().is_some() { Err(misshapen(table)) } else { Ok(()) }
    }

    /// The statement and the number of its rows; `None` if there are none.
    pub(super) fn take(&mut self) -> Option<(Vec<u8>, u64)> {
        let rows = std::mem::take(&mut self.rows);
        (rows > 0).then(|| (std::mem::take(&mut self.sql), rows))
    }

    fn send(&mut self, link: &mut Link, table: &TableEntry) -> Result<()> {
        let Some((sql, rows)) = self.take() else { return Ok(()) };
        link.run(sql).during(format!("insert the rows of table {:?}", table.name))?;
        let loaded = link.loaded();
        account(link, table, &loaded, rows)
    }
}

/// The escapes of the dump are those of a string literal; only the quote is not among them.
fn quoted(sql: &mut Vec<u8>, field: &[u8]) {
    sql.push(b'\'');
    for part in field.split_inclusive(|byte| *byte == b'\'') {
        sql.extend_from_slice(part);
        if part.ends_with(b"'") {
            sql.push(b'\'');
        }
    }
    sql.push(b'\'');
}

fn misshapen(table: &TableEntry) -> Error {
    Error::failed(format!(
        "a row of table {:?} in the dump has another number of columns than the table",
        table.name
    ))
}
