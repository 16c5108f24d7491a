//! Tables read by further connections at the same time; what they find waits in queues of bounded size.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::catalog::{Store, Table};
use super::cut::{Cut, Piece};
use super::fault::{During, broken};
use super::link::Link;
use super::reader::Reader;
use crate::error::{Error, Result};
use crate::event::Cx;

/// Bytes that may wait in one queue, besides one file of whatever size.
const ROOM: usize = 8 << 20;

/// The readers of one dump; dropping it ends them.
pub(super) struct Ahead {
    schema: String,
    idle: Vec<Link>,
    coming: Vec<Coming>,
}

/// A table that is being read.
pub(super) struct Coming {
    table: Table,
    queue: Arc<Queue>,
    reader: Option<JoinHandle<(Link, Option<String>)>>,
}

impl Ahead {
    pub(super) fn new(schema: &str, links: Vec<Link>) -> Self {
        Self { schema: schema.to_owned(), idle: links, coming: Vec::new() }
    }

    /// Sets idle connections to the first of these tables that nobody reads yet.
    pub(super) fn begin(&mut self, tables: &VecDeque<Table>, cut: impl Fn(&Table) -> Cut, cx: &Cx) {
        // Those without snapshots are read first of all under their lock, which only the main connection looks after.
        for table in tables.iter().filter(|table| table.store() == Store::Transactional) {
            if self.coming.iter().any(|coming| coming.table.name == table.name) {
                continue;
            }
            let Some(link) = self.idle.pop() else { return };
            self.coming.push(Coming::start(link, &self.schema, table.clone(), cut(table), cx));
        }
    }

    /// The reader of a table, if there is one.
    pub(super) fn take(&mut self, table: &str) -> Option<Coming> {
        let at = self.coming.iter().position(|coming| coming.table.name == table)?;
        Some(self.coming.remove(at))
    }

    pub(super) fn give_back(&mut self, link: Link) {
        self.idle.push(link);
    }
}

impl Coming {
    fn start(mut link: Link, schema: &str, table: Table, cut: Cut, cx: &Cx) -> Self {
        let queue = Arc::new(Queue::default());
        let (to, schema, cx, copy) = (Arc::clone(&queue), schema.to_owned(), cx.clone(), table.clone());
        let reader = std::thread::spawn(move || {
            let to = Ending(to);
            let sum = match read(&mut link, &schema, copy, cut, &to.0, &cx) {
                Ok(sum) => sum,
                Err(error) => {
                    to.0.push(Err(error), 0);
                    None
                }
            };
            (link, sum)
        });
        Self { table, queue, reader: Some(reader) }
    }

    /// The next finished file; `None` after the last.
    pub(super) fn next(&self, cx: &Cx) -> Result<Option<Piece>> {
        cx.go_on()?;
        self.queue.pop().transpose()
    }

    /// After the last file: the connection, and the sum of the rows of a table without a key.
    pub(super) fn finish(mut self) -> Result<(Link, Option<String>)> {
        let reader = self.reader.take().map(JoinHandle::join);
        reader
            .and_then(std::result::Result::ok)
            .ok_or_else(|| Error::failed(format!("the reader of table {:?} panicked", self.table.name)))
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.queue.close();
        // Its connection must not outlive the dump it belongs to; what it has to say has been said through the queue.
        if let Some(reader) = self.reader.take() {
            drop(reader.join());
        }
    }
}

fn read(
    link: &mut Link,
    schema: &str,
    table: Table,
    cut: Cut,
    to: &Queue,
    cx: &Cx,
) -> Result<Option<String>> {
    link.run("SAVEPOINT table_begun").during("set a savepoint")?;
    let name = table.name.clone();
    let mut reader = Reader::start(link, schema, table, cut).map_err(|error| broken(&name, &error))?;
    while let Some(piece) = reader.next(link, cx)? {
        let size = piece.data.len();
        if !to.push(Ok(piece), size) {
            return Err(Error::failed(format!("the dump of table {name:?} was given up")));
        }
    }
    link.run("ROLLBACK TO SAVEPOINT table_begun").during("go back to a savepoint")?;
    Ok(reader.sum())
}

/// Finished files on their way to whoever asks for them.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    files: VecDeque<(Result<Piece>, usize)>,
    bytes: usize,
    ended: bool,
    /// Nobody will ask any more.
    closed: bool,
}

/// Says that nothing more will come, also after a panic.
struct Ending(Arc<Queue>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl Queue {
    /// Waits for room; `false` if nobody wants it.
    fn push(&self, file: Result<Piece>, size: usize) -> bool {
        let mut state = self.lock();
        while !state.closed && state.bytes > 0 && state.bytes + size > ROOM {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.bytes += size;
        state.files.push_back((file, size));
        self.changed.notify_all();
        true
    }

    /// Waits for a file; `None` after the last.
    fn pop(&self) -> Option<Result<Piece>> {
        let mut state = self.lock();
        loop {
            if let Some((file, size)) = state.files.pop_front() {
                state.bytes -= size;
                self.changed.notify_all();
                return Some(file);
            }
            if state.ended {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
