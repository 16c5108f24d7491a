//! `LOAD DATA LOCAL` fed straight from the shelf: a reader thread verifies each file before its first byte is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use futures_core::Stream;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::fault::During;
use super::link::Link;
use super::load::{Target, account};
use super::manifest::{FileEntry, TableEntry};
use super::names::quote;
use crate::dump::Shelf;
use crate::error::{Error, Result};
use crate::event::Cx;

/// Files read ahead of the server.
const AHEAD: usize = 2;

/// Bytes per packet.
const CHUNK: usize = 256 << 10;

/// Loads these files of a table as one statement. If the source fails, the driver ends the data as if it were whole and
/// the server keeps even half a row: the error makes the caller drop the connection, and with it the transaction.
pub(super) fn load(
    shelf: &dyn Shelf,
    link: &mut Link,
    schema: &str,
    table: &TableEntry,
    files: &[FileEntry],
    cx: &Cx,
) -> Result<()> {
    let (sender, receiver) = channel(AHEAD);
    let sql = statement(&Target::of(schema, table));
    let (loaded, sent) = std::thread::scope(|scope| {
        // The thread owns the sender: its end is the end of the data.
        let source = scope.spawn(move || send(shelf, files, &sender, cx));
        let loaded = link.load(&sql, Box::pin(Chunks { receiver, current: Bytes::new() }));
        (loaded, source.join())
    });
    // The source's own error is the cause of whatever the driver says.
    sent.unwrap_or_else(|_| Err(Error::failed("the reader of the dump panicked")))?;
    let loaded = loaded.during(format!("load the rows of table {:?}", table.name))?;
    account(link, table, &loaded, files.iter().map(|file| file.rows).sum())
}

fn statement(target: &Target) -> String {
    let mut places = Vec::new();
    let mut assignments = Vec::new();
    let converts = target.columns.iter().any(|column| column.convert("").is_some());
    for (index, column) in target.columns.iter().enumerate() {
        let variable = format!("@v{index}");
        // A statement that assigns anything forgets that a 0 in the counting column is meant, unless it is assigned too.
        let counts = converts && column.may_count();
        match column.convert(&variable).or_else(|| counts.then(|| variable.clone())) {
            Some(value) => {
                assignments.push(format!("{}={value}", quote(&column.name)));
                places.push(variable);
            }
            None => places.push(quote(&column.name)),
        }
    }
    let set = if assignments.is_empty() { String::new() } else { format!(" SET {}", assignments.join(",")) };
    format!(
        "LOAD DATA LOCAL INFILE 'dump' INTO TABLE {} CHARACTER SET binary FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' \
         LINES TERMINATED BY '\\n' ({}){set}",
        target.table,
        places.join(",")
    )
}

fn send(shelf: &dyn Shelf, files: &[FileEntry], sender: &Sender<io::Result<Bytes>>, cx: &Cx) -> Result<()> {
    for file in files {
        match cx.go_on().and_then(|()| file.verified(shelf)) {
            Ok(data) => {
                if sender.blocking_send(Ok(Bytes::from(data))).is_err() {
                    // The server has refused; its error says why.
                    return Ok(());
                }
            }
            Err(error) => {
                // Ends the statement; if nobody listens any more, it has ended already.
                drop(sender.blocking_send(Err(io::Error::other("the dump cannot be read"))));
                return Err(error);
            }
        }
    }
    Ok(())
}

/// The files as packets of a size that every server takes.
struct Chunks {
    receiver: Receiver<io::Result<Bytes>>,
    current: Bytes,
}

impl Stream for Chunks {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if self.current.is_empty() {
            match self.receiver.poll_recv(cx) {
                Poll::Ready(Some(Ok(data))) => self.current = data,
                other => return other,
            }
        }
        let size = self.current.len().min(CHUNK);
        Poll::Ready(Some(Ok(self.current.split_to(size))))
    }
}
