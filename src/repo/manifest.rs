//! The small virtual directory of each snapshot: dumps, a manifest that says what they are, and how to restore by hand.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dump::Summary;

/// Where everything that is not a file of the site lies in a snapshot.
pub const VIRTUAL: &str = "/@lifeboat";
/// Below it: one directory per database.
pub const DUMPS: &str = "db";
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const README: &str = "README.txt";

/// What a snapshot holds, readable with any restic client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of this document; a reader refuses a higher one.
    pub format: u32,
    pub lifeboat: String,
    pub site: String,
    /// The site's root, as a path in the snapshot and on the node.
    pub root: String,
    /// Patterns of what was left out, so that a restore knows what to leave in place.
    pub exclude: Vec<String>,
    pub moment: Option<Timestamp>,
    pub databases: Vec<Summary>,
}

pub(crate) const README_TEXT: &str = "\
This snapshot was made by Lifeboat. It is an ordinary restic repository: any restic can read it.

  restic -r REPOSITORY restore SNAPSHOT --target /somewhere

brings back the site's files under their own path, and beside them @lifeboat/ with

  manifest.json   what this snapshot holds: the site, its root, databases with tables and row counts
  db/             one directory per database, each with a README.txt that loads it with stock tools
";
