//! Tokens at the door: read from their file as it is now, so that one that was revoked lets nobody in any more.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;

use crate::access::{Known, Tokens};

/// A file with tokens, and the one token that belongs to this process.
pub(super) struct Door {
    path: PathBuf,
    /// For the command line on this machine.
    own: Known,
    read: Mutex<Read>,
}

struct Read {
    /// How the file looked when it was read.
    stamp: Option<(SystemTime, u64)>,
    tokens: Tokens,
    trouble: Option<String>,
}

impl Door {
    pub(super) fn new(path: PathBuf, own: Known) -> Self {
        let read = Read { stamp: None, tokens: Tokens::default(), trouble: None };
        let door = Self { path, own, read: Mutex::new(read) };
        door.with(true, |_| ());
        door
    }

    pub(super) fn find(&self, text: &str) -> Option<Known> {
        self.with(false, |tokens| tokens.find(text, Timestamp::now()).cloned())
    }

    /// The token by its id, if it still lets in.
    pub(super) fn valid(&self, id: &str) -> Option<Known> {
        self.with(false, |tokens| tokens.valid(id, Timestamp::now()).cloned())
    }

    /// Why the file cannot be read, if it cannot.
    pub(super) fn trouble(&self) -> Option<String> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }

    fn with<T>(&self, first: bool, look: impl FnOnce(&Tokens) -> T) -> T {
        let stamp =
            std::fs::metadata(&self.path).ok().and_then(|found| Some((found.modified().ok()?, found.len())));
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if first || read.stamp != stamp {
            // A file that is there and cannot be read lets in nobody but the command line.
            let (tokens, trouble) = match Tokens::read(&self.path) {
                Ok(tokens) => (tokens, None),
                Err(error) => (Tokens::default(), Some(error.to_string())),
            };
            *read = Read { stamp, tokens: tokens.and(self.own.clone()), trouble };
        }
        look(&read.tokens)
    }
}
