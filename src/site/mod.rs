//! Which site: recognises what lies in a directory and reads its database settings, without ever executing the site's code.

mod db_host;
pub mod dotenv;
mod hosts;
pub mod php;
pub mod recipes;
mod source;
pub mod tree;
mod wordpress;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

pub use db_host::DbHost;
pub use hosts::Hosts;
pub use source::read as read_source;
pub use wordpress::WordPress;

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

/// What lies in a site's root.
#[derive(Clone, Debug)]
pub enum Kind {
    WordPress(WordPress),
    /// Files and nothing that we know how to ask for a database.
    Generic,
}

/// Looks at what lies in the root. A `WordPress` whose configuration cannot be found is an error, not a generic site:
/// its database would be missing from the backup without a word.
pub fn recognise(root: &Path) -> Result<Kind> {
    if let Some(config) = wordpress::find_config(root) {
        return WordPress::read(&config).map(Kind::WordPress);
    }
    if wordpress::has_core(root) {
        return Err(Error::usage(format!(
            "{} holds WordPress, but no wp-config.php was found",
            root.display()
        ))
        .with_remedy("list its database under databases, or set databases: [] if it really has none"));
    }
    Ok(Kind::Generic)
}
