//! One table read row by row and handed out as finished files; a dump and a verification do this alike.

use std::collections::VecDeque;

use super::cut::{Cut, Cutter, Piece, RowKey};
use super::fault::{Sql, broken};
use super::link::Link;
use super::table::Table;
use crate::database::row_sum::{RowSum, first_half};
use crate::error::{Error, Result};
use crate::event::Cx;

/// A table whose rows are on their way.
pub(super) struct Reader {
    table: Table,
    cutter: Cutter,
    /// The order-free sum of all rows, for tables whose order the server chooses.
    sum: Option<RowSum>,
    /// What came of a row that is not yet there whole.
    partial: Vec<u8>,
    /// Finished files that were not asked for yet.
    ready: VecDeque<Piece>,
    ended: bool,
    scratch: Vec<u8>,
}

impl Reader {
    /// Sends the query; nothing else may be asked on this connection until the last file was taken.
    pub(super) fn start(link: &mut Link, sql: &str, table: Table, cut: Cut, cx: &Cx) -> Result<Sql<Self>> {
        if let Err(error) = link.start_receiving(sql, cx)? {
            return Ok(Err(error));
        }
        let sum = table.key.is_empty().then(RowSum::default);
        Ok(Ok(Self {
            cutter: Cutter::new(cut),
            table,
            sum,
            partial: Vec::new(),
            ready: VecDeque::new(),
            ended: false,
            scratch: Vec::new(),
        }))
    }

    /// The next finished file; `None` after the last.
    pub(super) fn next(&mut self, link: &mut Link, cx: &Cx) -> Result<Option<Piece>> {
        while self.ready.is_empty() && !self.ended {
            let received = link.receive(cx)?.map_err(|error| {
                broken(format!("read table {:?}.{:?}", self.table.schema, self.table.name), &error)
            })?;
            match received {
                Some(data) => self.take(&data),
                None => self.end()?,
            }
        }
        Ok(self.ready.pop_front())
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        if !self.partial.is_empty() {
            return Err(Error::failed(format!("the last row of table {:?} was cut off", self.table.name)));
        }
        self.ready.extend(self.cutter.end());
        Ok(())
    }

    /// Set for tables without a key.
    pub(super) fn sum(&self) -> Option<String> {
        self.sum.as_ref().map(RowSum::text)
    }

    /// A message is one row, as far as any server goes; the protocol does not promise it.
    fn take(&mut self, data: &[u8]) {
        for part in data.split_inclusive(|byte| *byte == b'\n') {
            if self.partial.is_empty() && part.ends_with(b"\n") {
                self.row(part);
                continue;
            }
            self.partial.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let row = std::mem::take(&mut self.partial);
                self.row(&row);
            }
        }
    }

    /// One row with the line break behind it.
    fn row(&mut self, row: &[u8]) {
        let key = self.key(row);
        self.ready.extend(self.cutter.push(key, |out| out.extend_from_slice(row)));
    }

    /// A hash of the key as it is written, or of the whole row where there is none.
    fn key(&mut self, row: &[u8]) -> RowKey {
        let line = row.strip_suffix(b"\n").unwrap_or(row);
        if self.table.digits.is_some()
            && let Some(index) = self.table.key.first()
            && let Some(key) =
                field(line, *index).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())
        {
            return RowKey::integer(key);
        }
        self.scratch.clear();
        if self.table.key.is_empty() {
            self.scratch.extend_from_slice(line);
        }
        for index in &self.table.key {
            self.scratch.extend_from_slice(field(line, *index).unwrap_or_default());
            self.scratch.push(0);
        }
        let hash = blake3::hash(&self.scratch);
        if let Some(sum) = &mut self.sum {
            sum.add(&hash);
        }
        RowKey::hashed(first_half(&hash))
    }
}

/// Tabs inside of values are escaped.
fn field(line: &[u8], index: usize) -> Option<&[u8]> {
    line.split(|byte| *byte == b'\t').nth(index)
}
