//! The configuration file: what it accepts, what it says about mistakes, and what becomes of it.

mod broken;
mod edit;
mod job;
pub(crate) mod schema;
mod secrets;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Writes a file with this mode.
fn write(path: &Path, text: &str, mode: u32) -> PathBuf {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    path.to_owned()
}
