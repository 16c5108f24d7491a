//! One table read row by row and handed out as finished files; a dump and a verification do this alike.

use mysql_async::Row;

use super::catalog::Table;
use super::cut::{Cut, Cutter, Piece, RowKey};
use super::encode;
use super::fault::{During, Sql, broken};
use super::link::Link;
use super::row::{bytes, number};
use super::session;
use crate::database::row_sum::{RowSum, first_half};
use crate::error::Result;
use crate::event::Cx;

/// Rows between two looks at whether the run was cancelled.
const LOOK_EVERY: u64 = 4096;

/// A table whose rows are on their way.
pub(super) struct Reader {
    table: Table,
    cutter: Cutter,
    /// The order-free sum of all rows, for tables whose order the server chooses.
    sum: Option<RowSum>,
    ended: bool,
    scratch: Vec<u8>,
}

impl Reader {
    /// Sends the query; nothing else may be asked on this connection until the last file was taken.
    pub(super) fn start(link: &mut Link, schema: &str, table: Table, cut: Cut) -> Sql<Self> {
        session::as_values(link)?;
        link.start(table.select(schema))?;
        let sum = table.key.is_empty().then(RowSum::default);
        Ok(Self { cutter: Cutter::new(cut), table, sum, ended: false, scratch: Vec::new() })
    }

    /// The next finished file; `None` after the last.
    pub(super) fn next(&mut self, link: &mut Link, cx: &Cx) -> Result<Option<Piece>> {
        if self.ended {
            return Ok(None);
        }
        let mut piece = None;
        let mut seen = 0;
        while piece.is_none() {
            cx.go_on()?;
            let ended = link
                .stream(|row| {
                    piece = self.take(row);
                    seen += 1;
                    piece.is_none() && seen % LOOK_EVERY != 0
                })
                .map_err(|error| broken(&self.table.name, &error))?;
            if ended {
                self.ended = true;
                piece = self.cutter.end();
                break;
            }
        }
        if self.ended {
            session::as_definitions(link).during("set the character set")?;
        }
        Ok(piece)
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// Set for tables without a key.
    pub(super) fn sum(&self) -> Option<String> {
        self.sum.as_ref().map(RowSum::text)
    }

    fn take(&mut self, row: &Row) -> Option<Piece> {
        let columns = self.table.columns.len();
        let integer = match (self.table.integer_key, self.table.key.first()) {
            (Some(_), Some(index)) => number(row, *index),
            _ => None,
        };
        let key = integer.map_or_else(|| RowKey::hashed(self.hash(row)), RowKey::integer);
        self.cutter.push(key, |out| encode::row(out, row, columns))
    }

    /// A hash of the key, or of the whole row where there is none.
    fn hash(&mut self, row: &Row) -> u64 {
        self.scratch.clear();
        if self.table.key.is_empty() {
            encode::row(&mut self.scratch, row, self.table.columns.len());
        }
        for index in &self.table.key {
            self.scratch.extend_from_slice(bytes(row, *index).unwrap_or_default());
            self.scratch.push(0);
        }
        let hash = blake3::hash(&self.scratch);
        if let Some(sum) = &mut self.sum {
            sum.add(&hash);
        }
        first_half(&hash)
    }
}
