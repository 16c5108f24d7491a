//! What the sources of a snapshot really gave: the account that decides whether it may be committed.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;
use crate::event::Cx;

/// Written by the walk, the dump feeds and every reader; settled by `Repo::snapshot`.
///
/// `rustic_core` drops an entry that fails to list, open or read with a line in the log and calls the rest a success; this
/// account is kept on our side of it, where the failure happens.
pub(crate) struct Ledger {
    cx: Cx,
    /// What is stored is looked at once more.
    rehearsal: bool,
    state: Mutex<State>,
}

/// Tells, when the last copy of it goes, that nobody reads a file any more.
pub(crate) struct Reading(Mutex<Option<Told>>);

type Told = Box<dyn FnOnce() + Send>;

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(tell) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            tell();
        }
    }
}

#[derive(Default)]
struct State {
    /// There may be more files to read.
    reading: Option<Arc<Reading>>,
    /// Entries other than directories that were offered.
    offered: u64,
    /// Offered, but then not readable to the end: the engine leaves them out.
    dropped: u64,
    vanished: u64,
    missed: u64,
    ended: bool,
    fatal: Option<Error>,
}

/// The account, closed.
#[derive(Debug)]
pub(crate) struct Settled {
    /// Entries other than directories that must be in the tree.
    pub(crate) expected: u64,
    /// How many things that exist could not be saved.
    pub(crate) missed: u64,
    /// How many were gone when their turn came.
    pub(crate) vanished: u64,
}

impl Ledger {
    pub(crate) fn new(cx: &Cx) -> Self {
        Self { cx: cx.clone(), rehearsal: false, state: Mutex::default() }
    }

    /// For a first pass: the second one tells what is missing.
    pub(crate) fn of_rehearsal(cx: &Cx) -> Self {
        Self { cx: cx.unheard(), rehearsal: true, state: Mutex::default() }
    }

    /// Calls this once all files came to their end, listed and read.
    #[must_use]
    pub(crate) fn tell_when_read(self, tell: Told) -> Self {
        self.lock().reading = Some(Arc::new(Reading(Mutex::new(Some(tell)))));
        self
    }

    /// To be kept as long as a file is read, or may be.
    pub(crate) fn reading(&self) -> Option<Arc<Reading>> {
        self.lock().reading.clone()
    }

    pub(crate) fn is_rehearsal(&self) -> bool {
        self.rehearsal
    }

    pub(crate) fn cx(&self) -> &Cx {
        &self.cx
    }

    pub(crate) fn offered(&self) {
        self.lock().offered += 1;
    }

    /// An entry that was never offered, or a part of one, is missing from the snapshot.
    pub(crate) fn missed(&self, path: &str, why: &str) {
        self.lock().missed += 1;
        self.cx.missed(path, why);
    }

    /// An offered entry could not be read to its end.
    pub(crate) fn dropped(&self, path: &str, why: &str) {
        self.lock().dropped += 1;
        self.missed(path, why);
    }

    /// An offered entry was gone when its turn came: then it belongs to no moment of this snapshot.
    pub(crate) fn vanished(&self) {
        let mut state = self.lock();
        state.dropped += 1;
        state.vanished += 1;
    }

    /// The snapshot cannot be right any more.
    pub(crate) fn fatal(&self, error: Error) {
        self.lock().fatal.get_or_insert(error);
    }

    /// All sources said that they are at their end.
    pub(crate) fn ended(&self) {
        let mut state = self.lock();
        state.ended = true;
        let last = state.reading.take();
        // What it tells is told without the lock.
        drop(state);
        drop(last);
    }

    pub(crate) fn settle(&self) -> Result<Settled, Error> {
        let mut state = self.lock();
        if let Some(error) = state.fatal.take() {
            return Err(error);
        }
        if !state.ended {
            return Err(Error::failed("the sources were not read to their end"));
        }
        Ok(Settled {
            expected: state.offered - state.dropped,
            missed: state.missed,
            vanished: state.vanished,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
