//! What the repository may take: bytes a second of the way to the storage, room on it, memory for its index.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustic_core::{FileType, ReadBackend};

use super::gate::Gate;
use super::{Repo, engine_error};
use crate::error::{Context, Error, Result};
use crate::sys::space::{Reserve, Space};
use crate::sys::throttle::Throttle;

/// How long a wait lasts before it is seen that nobody wants it any more.
const SLICE: Duration = Duration::from_millis(100);

/// Memory for a run whose index is small, and for each byte of the index: measured with 150,000 and 600,000 files (63 and 139 MB
/// for a save, 87 and 247 MB for reading; the index files had 6 and 24 MB), and rounded up.
const BESIDES: u64 = 96 << 20;
pub(super) const TO_SAVE: u64 = 5;
pub(super) const TO_READ: u64 = 9;

/// Whatever is left out is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes a second to and from the storage.
    pub bandwidth: Option<u64>,
    /// Kept free on the storage by a save.
    pub free: Option<Reserve>,
    /// The same of a directory of the node.
    pub free_node: Option<(PathBuf, Reserve)>,
    /// Bytes of memory that a run may need by what is known of it.
    pub memory: Option<u64>,
}

/// Waits until the bytes are within the bound; not while somebody is kept waiting, nor after a cancel.
pub(super) fn pay(throttle: Option<&Throttle>, bytes: u64, gate: &Gate) {
    let Some(throttle) = throttle.filter(|_| !gate.is_hurried()) else { return };
    let begun = Instant::now();
    let wait = throttle.pay(bytes, begun);
    while !gate.is_cancelled()
        && !gate.is_hurried()
        && let Some(left) = wait.checked_sub(begun.elapsed()).filter(|left| !left.is_zero())
    {
        std::thread::sleep(left.min(SLICE));
    }
}

impl Limits {
    /// Whether so many bytes more leave free what is to stay free.
    pub(super) fn has_room(&self, root: &Path, bytes: u64) -> io::Result<()> {
        let storage = self.free.map(|reserve| (root, reserve, bytes));
        let node = self.free_node.as_ref().map(|(path, reserve)| (&**path, *reserve, 0));
        for (path, reserve, more) in storage.into_iter().chain(node) {
            if let Some(lack) = Space::at(path)?.lacks(reserve, more) {
                let text =
                    format!("{reserve} are to stay free on {}, and {lack} bytes are missing", path.display());
                return Err(io::Error::new(io::ErrorKind::StorageFull, text));
            }
        }
        Ok(())
    }
}

impl Repo {
    /// Before a save reads anything.
    pub fn has_room(&self) -> Result<()> {
        let (limits, root) = (self.limits.clone(), self.directory.clone());
        self.access
            .retry("ask for room on", &self.directory, move |_, _| limits.has_room(&root, 0))
            .context("keep the room of limits.free_space")
            .remedy(super::MAKE_ROOM)
    }

    /// Whether the index fits into what memory there is for it, asked before it is read.
    pub(super) fn fits(&self, index_times: u64) -> Result<()> {
        let Some(budget) = self.limits.memory else { return Ok(()) };
        let files =
            self.backend.list_with_size(FileType::Index).map_err(engine_error).context("list the index")?;
        let index: u64 = files.iter().map(|(_, size)| u64::from(*size)).sum();
        let need = BESIDES + index_times * index;
        if need <= budget {
            return Ok(());
        }
        Err(Error::failed(format!(
            "the repository's index has {} MiB, for which about {} MiB of memory are needed; limits.memory is {} MiB",
            index >> 20,
            need >> 20,
            budget >> 20
        ))
        .with_remedy("raise limits.memory if the node has it; or run `lifeboat forget --prune` where there is more, and keep fewer snapshots"))
    }
}
