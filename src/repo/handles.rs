//! A few open pack files, because opening a file on a network share costs as much as reading a blob from it.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustic_core::Id;

use crate::sys::fs::open_file;

/// Enough for the packs that a handful of readers move through; far below any limit on descriptors.
const KEPT: usize = 32;

#[derive(Default)]
pub(crate) struct Handles(Mutex<VecDeque<(Id, Arc<File>)>>);

impl Handles {
    /// The open file, most recently used first.
    pub(crate) fn open(&self, id: Id, path: &Path) -> io::Result<Arc<File>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().position(|(known, _)| *known == id).and_then(|at| kept.remove(at));
        let (_, file) = match found {
            Some(entry) => entry,
            None => (id, Arc::new(open_file(path)?)),
        };
        kept.push_front((id, Arc::clone(&file)));
        kept.truncate(KEPT);
        Ok(file)
    }

    pub(crate) fn forget(&self, id: &Id) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| known != id);
    }

    pub(crate) fn forget_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
