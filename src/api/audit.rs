//! What was asked for by whom, as JSON lines in a file of its own: everything that changes or gives out something, and every refusal.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::error::{Context, Result};
use crate::event::printable;
use crate::sys::fs::{create_private_directory, sibling};

/// Longer than this it becomes the former one, of which one is kept, in bytes.
const LONG: u64 = 16 << 20;

/// One thing that was asked for.
#[derive(Serialize)]
pub(super) struct Entry<'a> {
    pub(super) at: Timestamp,
    /// The token's name; nobody's, if it was none of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) who: Option<&'a str>,
    pub(super) from: &'a str,
    pub(super) method: &'a str,
    /// Without what stands behind the `?`.
    pub(super) path: &'a str,
    pub(super) status: u16,
}

pub(super) struct Audit {
    path: PathBuf,
    /// One line at a time.
    writing: Mutex<()>,
}

impl Audit {
    pub(super) fn open(path: &Path) -> Result<Self> {
        if let Some(parent) = path.parent() {
            create_private_directory(parent)?;
        }
        let audit = Self { path: path.to_owned(), writing: Mutex::default() };
        audit.file().with_context(|| format!("open {}", path.display()))?;
        Ok(audit)
    }

    /// Writes a line; what cannot be written is for the caller to complain of.
    pub(super) fn note(&self, entry: &Entry<'_>) -> Result<()> {
        let shown = Entry { path: &printable(entry.path), ..*entry };
        let mut line = serde_json::to_vec(&shown).context("write the audit log")?;
        line.push(b'\n');
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if fs::metadata(&self.path).is_ok_and(|found| found.len() > LONG) {
            fs::rename(&self.path, sibling(&self.path, ".1")).context("put the audit log aside")?;
        }
        self.file().and_then(|mut file| file.write_all(&line)).context("write the audit log")
    }

    fn file(&self) -> std::io::Result<fs::File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)
    }
}
