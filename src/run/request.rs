//! What is asked of a restore, and what it says before it begins.

use std::path::PathBuf;

use serde::Serialize;

use super::newer::Listing;
use crate::repo::{Changes, Snapshot};
use crate::schedule::Wanted;

/// What is asked of one restore.
pub struct RestoreRequest<'a> {
    pub wanted: Wanted,
    pub target: Target,
    /// Only what matches these patterns (gitignore style, relative to the root); empty means everything.
    pub include: Vec<String>,
    /// What came after the snapshot and matches moves along instead of being set aside.
    pub keep_newer: Vec<String>,
    /// Save what is live first, as a snapshot of its own.
    pub safety: bool,
    pub dry_run: bool,
    /// Asked once before anything is changed; `false` cancels.
    pub confirm: &'a dyn Fn(&Preview) -> bool,
}

/// Where to, and which parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The site itself.
    InPlace { files: bool, databases: bool },
    /// A directory that does not exist yet or is empty: files and dumps under their paths in the snapshot.
    Directory(PathBuf),
}

/// What a restore would do, before it does anything.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    pub snapshot: Snapshot,
    /// Differences between the live files and the snapshot's, if the whole site's files are restored in place.
    pub files: Option<Changes>,
    /// Live files that are not in the snapshot: those that move along, and those that are set aside.
    pub carried: Listing,
    pub aside: Listing,
    /// Names and row counts of the databases that will be replaced.
    pub databases: Vec<(String, u64)>,
    /// Bytes of the files to fetch.
    pub bytes: u64,
}

impl Preview {
    pub(crate) fn of(snapshot: Snapshot, bytes: u64) -> Self {
        Self {
            snapshot,
            files: None,
            carried: Listing::default(),
            aside: Listing::default(),
            databases: Vec::new(),
            bytes,
        }
    }
}
