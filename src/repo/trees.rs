//! A backend for reading alone that remembers directories: a restore walks them several times, and over a share each is a wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticResult, WriteBackend};

use super::backend::Directory;

/// Bytes that are remembered, as they are stored: the directories of about a million files.
const MOST: usize = 32 << 20;

/// What the engine calls cacheable are directories, never content; packs are never altered under their name.
pub(crate) struct Trees {
    storage: Arc<Directory>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    pieces: HashMap<(Id, u32, u32), Bytes>,
    size: usize,
}

impl Trees {
    pub(crate) fn of(storage: &Arc<Directory>) -> Self {
        Self { storage: Arc::clone(storage), known: Mutex::default() }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadBackend for Trees {
    fn location(&self) -> String {
        self.storage.location()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        self.storage.list_with_size(tpe)
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        self.storage.read_full(tpe, id)
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let key = (*id, offset, length);
        if !cacheable {
            return self.storage.read_partial(tpe, id, cacheable, offset, length);
        }
        if let Some(piece) = self.known().pieces.get(&key) {
            return Ok(piece.clone());
        }
        let piece = self.storage.read_partial(tpe, id, cacheable, offset, length)?;
        let mut known = self.known();
        if known.size + piece.len() <= MOST {
            known.size += piece.len();
            known.pieces.insert(key, piece.clone());
        }
        Ok(piece)
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.storage.warmup_path(tpe, id)
    }
}

impl WriteBackend for Trees {
    fn create(&self) -> RusticResult<()> {
        self.storage.create()
    }

    fn write_bytes(&self, tpe: FileType, id: &Id, cacheable: bool, content: BytesList) -> RusticResult<()> {
        self.storage.write_bytes(tpe, id, cacheable, content)
    }

    fn remove(&self, tpe: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.storage.remove(tpe, id, cacheable)
    }
}
