//! What became of messages that are no longer there: a letter that was sent is not sent again because it was posted again.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::sys::fs::write_atomic;

const FILE: &str = "ledger.json";

/// Sent messages that are remembered by their ids.
const REMEMBERED: usize = 2000;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ledger {
    sent: VecDeque<String>,
    #[serde(flatten)]
    pub(super) counts: Counts,
}

/// How many messages came to which end, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub sent_ever: u64,
    /// Set aside as dead letters.
    pub given_up: u64,
    /// Removed because too many were waiting or dead.
    pub dropped: u64,
    /// Beginnings of runs whose end was there to be told instead.
    pub superseded: u64,
}

impl Ledger {
    /// An unreadable ledger only means that something may be sent twice.
    pub(super) fn read(directory: &Path) -> Self {
        let text = std::fs::read(place(directory)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(super) fn keep(&self, directory: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).context("write the ledger")?;
        write_atomic(&place(directory), &text, 0o600)
    }

    pub(super) fn was_sent(&self, id: &str) -> bool {
        self.sent.iter().any(|sent| sent == id)
    }

    pub(super) fn sent(&mut self, id: &str) {
        self.counts.sent_ever += 1;
        self.sent.push_back(id.to_owned());
        while self.sent.len() > REMEMBERED {
            self.sent.pop_front();
        }
    }
}

fn place(directory: &Path) -> PathBuf {
    directory.join(FILE)
}
