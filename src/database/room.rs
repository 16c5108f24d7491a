//! Whether a restored copy has room beside what is live.

use std::path::Path;

use crate::error::{Context, Error, Result};
use crate::sys::space::Space;

/// A restore holds the live tables and their copy; indexes come on top of what the dump has.
const TIMES: u64 = 2;

/// For a copy of a dump of so many bytes, where the server keeps its files.
pub(super) fn for_copy(directory: &str, dumped: u64) -> Result<()> {
    // A server in a container names a directory that is not here.
    if !Path::new(directory).is_dir() {
        return Ok(());
    }
    let free = Space::at(Path::new(directory)).with_context(|| format!("look at {directory}"))?.free;
    let wanted = dumped.saturating_mul(TIMES);
    if free < wanted {
        return Err(Error::failed(format!(
            "{directory} has {free} bytes free and the copy may take {wanted}"
        ))
        .with_remedy("make room on the database server's disk"));
    }
    Ok(())
}
