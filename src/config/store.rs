//! Writes a configuration file.

use std::fs::symlink_metadata;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{Context, Error, Result};
use crate::sys::fs::{sibling, write_atomic};

const MODE: u32 = 0o600;

/// Writes a configuration in one step, for its owner alone. The text that was there is kept beside it, as `NAME.former`; the same
/// text once more changes nothing. Whether it is a configuration is for `edit` to say.
pub fn write(path: &Path, text: &[u8]) -> Result<()> {
    if let Some(present) = present(path)? {
        if *present == text {
            return Ok(());
        }
        write_atomic(&former(path), &present, MODE).context("keep the former configuration")?;
    }
    write_atomic(path, text, MODE)
}

fn former(path: &Path) -> PathBuf {
    sibling(path, ".former")
}

fn present(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let meta = match symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        meta => meta.with_context(|| format!("look at {}", path.display()))?,
    };
    if !meta.is_file() {
        // A link would be replaced by a file, and whoever looks after what it leads to would not know.
        return Err(Error::usage(format!("{} is a link, or no file", path.display()))
            .with_remedy("change the file that it leads to"));
    }
    let text = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    Ok(Some(Zeroizing::new(text)))
}
