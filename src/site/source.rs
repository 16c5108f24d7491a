//! Reads files that the site's owner wrote, and no more of them than is meant to be read.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::php::MAX_SOURCE;
use crate::error::{Error, Result};

/// The content of a file of settings. The site's owner decides what lies under this name: it may be a pipe that never ends, or a
/// terabyte.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::usage("it is not a regular file"));
    }
    let mut source = Zeroizing::new(Vec::new());
    file.take(MAX_SOURCE as u64 + 1).read_to_end(&mut source)?;
    if source.len() > MAX_SOURCE {
        return Err(Error::usage(format!("it is larger than {MAX_SOURCE} bytes")));
    }
    Ok(source)
}
