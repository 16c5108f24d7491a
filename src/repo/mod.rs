//! How it is kept: a repository in restic's format; the only code that knows `rustic_core`, and no thin wrapper over it.

use std::path::PathBuf;

use crate::sys::secret::Secret;

/// Where the repository is inside its storage, and what opens it.
#[derive(Clone, Debug)]
pub struct RepoSpec {
    /// Relative to the storage's root.
    pub path: PathBuf,
    /// Opens the repository for people and for stock restic; needed only where the key file is missing.
    pub password: Option<Secret>,
    /// Master key kept on the node (0600), so that no start pays for scrypt.
    pub key_file: PathBuf,
}
