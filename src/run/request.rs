//! What is asked of a restore, and what it says before it begins.

use std::path::PathBuf;

use serde::Serialize;

use super::Job;
use super::newer::Listing;
use super::pace::Estimate;
use super::parts::Parts;
use crate::database::Means;
use crate::error::Result;
use crate::repo::{ChangeKind, Changes, Snapshot};
use crate::schedule::Wanted;
use crate::site::Hosts;

/// What is asked of one restore.
pub struct RestoreRequest<'a> {
    pub wanted: Wanted,
    /// The site that was saved, if it is another than the one that is restored.
    pub source: Option<&'a Source>,
    pub target: Target,
    /// Only what matches these patterns (gitignore style, relative to the root); empty means everything.
    pub include: Vec<String>,
    /// Only these databases or tables.
    pub parts: Parts,
    /// What came after the snapshot and matches moves along instead of being set aside.
    pub keep_newer: Vec<String>,
    /// Save what is live first, as a snapshot of its own.
    pub safety: bool,
    /// A database that can be restored in no other way may be dropped and loaded anew.
    pub in_place_database: bool,
    pub dry_run: bool,
    /// Do what this plan says, or nothing.
    pub plan: Option<String>,
    /// Asked once before anything is changed; `false` cancels.
    pub confirm: &'a dyn Fn(&Preview) -> bool,
}

/// A site whose snapshot is restored into another one.
pub struct Source {
    /// Where its repository is, and what it is called there.
    pub job: Job,
    /// Files of the target that stay as they are, besides its configuration; relative to its root.
    pub keep: Vec<PathBuf>,
    /// Names that become others in the databases.
    pub hosts: Hosts,
}

impl Source {
    /// `remap` is written as `Hosts::parse` takes it.
    pub fn new(job: Job, keep: Vec<PathBuf>, remap: &[String]) -> Result<Self> {
        Ok(Self { job, keep, hosts: Hosts::parse(remap)? })
    }
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
    /// Under what id this was kept, if it was asked for and not done.
    pub plan: Option<String>,
    /// Differences between the live files and the snapshot's, as far as they are restored in place.
    pub files: Option<Changes>,
    /// Live files that are not in the snapshot: those that move along, and those that are set aside.
    pub carried: Listing,
    pub aside: Listing,
    /// The databases that will be replaced.
    pub databases: Vec<DatabasePlan>,
    /// Of the restored files.
    pub bytes: u64,
    /// Those that must come from the storage, because nothing live has the size and time of theirs. Databases come on top.
    pub fetch: u64,
    pub time: Estimate,
}

/// What becomes of one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatabasePlan {
    pub database: String,
    /// How it is exchanged.
    pub means: Means,
    pub rows: u64,
    /// In the order of their names; nothing for a kind of dump that does not tell tables apart.
    pub tables: Vec<TablePlan>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TablePlan {
    /// `removed`: it is set aside with the others that are live now, and nothing takes its place.
    pub kind: ChangeKind,
    pub name: String,
    /// In the snapshot.
    pub rows: Option<u64>,
}

impl Preview {
    pub(crate) fn of(snapshot: Snapshot, bytes: u64) -> Self {
        Self {
            snapshot,
            plan: None,
            files: None,
            carried: Listing::default(),
            aside: Listing::default(),
            databases: Vec::new(),
            bytes,
            fetch: bytes,
            time: Estimate { seconds: 0.0, measured: false },
        }
    }
}
