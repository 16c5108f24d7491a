//! Which site: recognises what lies in a directory and reads its database settings, without ever executing the site's code.

use std::path::PathBuf;

/// The site as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSpec {
    /// Restic's `host`: the identity of the site in the repository, never the machine's name.
    pub name: String,
    /// Absolute, without symbolic links.
    pub root: PathBuf,
    /// Gitignore style patterns, relative to the root.
    pub exclude: Vec<String>,
}
