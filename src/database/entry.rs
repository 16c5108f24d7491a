//! What a dump's manifest says of each of its files, and the refusal of a dump that is not what its manifest says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::dump::Shelf;
use crate::error::{Context, Error, Result};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileEntry {
    pub path: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows: u64,
    pub bytes: u64,
    pub blake3: String,
}

impl FileEntry {
    pub(super) fn of(path: &Path, data: &[u8], rows: u64) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            rows,
            bytes: data.len() as u64,
            blake3: hash_text(data),
        }
    }

    /// These bytes are the file that was written.
    pub(super) fn matches(&self, data: &[u8]) -> bool {
        self.bytes == data.len() as u64 && self.blake3 == hash_text(data)
    }

    /// The whole file, which is exactly what was written.
    pub(super) fn verified(&self, dump: &dyn Shelf) -> Result<Vec<u8>> {
        let path = &self.path;
        let data = dump.read(Path::new(path)).with_context(|| format!("read {path} of the dump"))?;
        if self.matches(&data) { Ok(data) } else { Err(unfit(&format!("{path} is not what was written"))) }
    }
}

/// What every manifest says of itself.
#[derive(Deserialize)]
struct Head {
    format: u32,
    engine: String,
    complete: bool,
}

/// The manifest of a dump of this kind, if it can be read and says that the dump is whole.
pub(super) fn manifest<T: DeserializeOwned>(
    shelf: &dyn Shelf,
    name: &str,
    format: u32,
    engine: &str,
) -> Result<T> {
    let during = || format!("read {name} of the dump");
    let data = shelf
        .read(Path::new(name))
        .with_context(during)
        .remedy("a dump without its manifest is not whole; choose another snapshot")?;
    let head: Head = serde_json::from_slice(&data).with_context(during)?;
    if head.format > format {
        return Err(unfit(&format!("its format {} is newer than this program", head.format)));
    }
    if !head.complete || head.engine != engine {
        return Err(unfit("its manifest does not say that it is a complete dump of this kind"));
    }
    serde_json::from_slice(&data).with_context(during)
}

/// A dump has exactly these files and its manifest, each with the size it should have.
pub(super) fn compare_lists<'a>(
    shelf: &dyn Shelf,
    files: impl Iterator<Item = &'a FileEntry>,
    manifest: &str,
) -> Result<()> {
    let mut wanted: BTreeMap<PathBuf, u64> =
        files.map(|file| (PathBuf::from(&file.path), file.bytes)).collect();
    for (path, size) in shelf.list().context("list the files of the dump")? {
        match wanted.remove(&path) {
            Some(bytes) if bytes != size => {
                return Err(unfit(&format!("{} has {size} bytes and should have {bytes}", path.display())));
            }
            None if path != Path::new(manifest) => {
                return Err(unfit(&format!("its manifest does not know {}", path.display())));
            }
            _ => {}
        }
    }
    match wanted.first_key_value() {
        Some((path, _)) => Err(unfit(&format!("{} is missing", path.display()))),
        None => Ok(()),
    }
}

pub(super) fn unfit(why: &str) -> Error {
    Error::failed(format!("the dump cannot be restored: {why}")).with_remedy("choose another snapshot")
}

fn hash_text(data: &[u8]) -> String {
    blake3::hash(data).to_hex().to_string()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
