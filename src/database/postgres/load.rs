//! The rows of a dump put into the tables of a side database, with an account of every single row.

use super::fault::{During, failure};
use super::link::Link;
use super::manifest::{FileEntry, TableEntry};
use super::objects::{self, LargeObject};
use super::table::copy_in;
use crate::dump::Shelf;
use crate::error::{Error, Result};
use crate::event::{Cx, Unit};

/// Parts of large objects are put together in portions of about so many bytes.
const PORTION: u64 = 64 << 20;

/// Statements that are sent together.
const AT_ONCE: usize = 500;

/// How rows come in, and how far the restore is.
pub(super) struct Filling<'a> {
    pub shelf: &'a dyn Shelf,
    pub encoding: &'a str,
    pub done: u64,
    pub total: u64,
}

impl Filling<'_> {
    /// Loads all rows of a table in one transaction; whatever the server did differently from the manifest is an error.
    pub(super) fn table(&mut self, link: &mut Link, table: &TableEntry, cx: &Cx) -> Result<()> {
        if table.files.is_empty() {
            return Ok(());
        }
        link.run("BEGIN").during("begin a transaction")?;
        let sql = copy_in(&table.target, self.encoding);
        self.send(link, &sql, &table.files, &table.shown(), cx)?;
        link.run("COMMIT").during(format!("commit the rows of {}", table.shown()))
    }

    /// Every file is proven to be what was written before a byte of it is sent.
    fn send(&mut self, link: &mut Link, sql: &str, files: &[FileEntry], what: &str, cx: &Cx) -> Result<()> {
        let during = || format!("load {what}");
        link.start_sending(sql).during(during())?;
        for file in files {
            cx.go_on()?;
            let data = file.verified(self.shelf)?;
            if let Err(error) = link.send(data, cx)? {
                // The server's reason comes at the end.
                let told = link.end_sending(cx)?.err().unwrap_or(error);
                return Err(failure(&told, during()));
            }
            self.done += file.rows;
            cx.progress(self.done.min(self.total), Some(self.total), Unit::Rows);
        }
        let taken = link.end_sending(cx)?.during(during())?;
        let sent: u64 = files.iter().map(|file| file.rows).sum();
        if taken == sent {
            return Ok(());
        }
        Err(Error::failed(format!("the server took {taken} rows of {what} and should have taken {sent}")))
    }

    /// Loads the bytes of all large objects, then whose they are.
    pub(super) fn large_objects(
        &mut self,
        link: &mut Link,
        parts: &TableEntry,
        all: &[LargeObject],
        cx: &Cx,
    ) -> Result<()> {
        if all.is_empty() && parts.files.is_empty() {
            return Ok(());
        }
        let rows = self.done;
        link.run(objects::MAKE_PARTS).during("prepare for large objects")?;
        let sql = copy_in(&objects::parts_target(), "UTF8");
        let mut files = parts.files.as_slice();
        while !files.is_empty() {
            let mut bytes = 0;
            let count = files
                .iter()
                .take_while(|file| {
                    let fits = bytes < PORTION;
                    bytes += file.bytes;
                    fits
                })
                .count();
            let (portion, rest) = files.split_at(count);
            link.run("BEGIN").during("begin a transaction")?;
            self.send(link, &sql, portion, "large objects", cx)?;
            link.run_long(&objects::put_together(), "put large objects together", cx)?;
            link.run("COMMIT").during("commit large objects")?;
            files = rest;
        }
        // Parts are no rows of tables.
        self.done = rows;
        let statements: Vec<_> = all.iter().flat_map(LargeObject::statements).collect();
        for some in statements.chunks(AT_ONCE) {
            link.run(&some.join(";\n")).during("give the large objects to their owners")?;
        }
        Ok(())
    }
}
