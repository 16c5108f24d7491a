//! What a run needs to know, as plain data: made by `config`, read by the stories.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::limits::Limits;
use super::quiet::Quiesce;
use crate::database::DatabaseSpec;
use crate::hook::HookSpec;
use crate::repo::RepoSpec;
use crate::schedule::Retention;
use crate::site::SiteSpec;
use crate::storage::StorageSpec;
use crate::sys::local_time::local_time;

/// One site and everything that is asked for it.
#[derive(Clone, Debug)]
pub struct Job {
    pub site: SiteSpec,
    pub databases: Vec<DatabaseSpec>,
    pub storage: StorageSpec,
    pub repo: RepoSpec,
    pub retention: Retention,
    /// How a backup holds the site still.
    pub quiesce: Quiesce,
    /// What a run may take from the machine; what of it concerns the storage is in `repo`.
    pub limits: Limits,
    pub hooks: Vec<HookSpec>,
    /// The zone in which people say and read times.
    pub zone: TimeZone,
    /// Where this site's remembered identity and locks are kept; disposable.
    pub state: PathBuf,
    /// How long a mounted storage may leave one operation unanswered before it is given up.
    pub patience: Duration,
}

impl Job {
    /// A moment as people read it here: in the site's zone, which is named.
    pub fn local(&self, time: Timestamp) -> String {
        local_time(time, &self.zone)
    }

    /// Patterns of what is left out of the files: what the configuration says, and database files that are dumped, which
    /// read as files could be torn.
    pub fn excluded(&self) -> Vec<String> {
        let mut patterns = self.site.exclude.clone();
        for database in &self.databases {
            if let DatabaseSpec::Sqlite(sqlite) = database
                && let Ok(relative) = sqlite.path.strip_prefix(&self.site.root)
            {
                let literal = literal(&relative.to_string_lossy());
                patterns.extend(SQLITE_FILES.iter().map(|suffix| format!("/{literal}{suffix}")));
            }
        }
        patterns
    }
}

/// The database itself, what it keeps beside it, and our side copies of it.
const SQLITE_FILES: [&str; 6] = ["", "-wal", "-shm", "-journal", ".restore-????????*", ".former-????????*"];

/// A path as a pattern that matches it alone.
fn literal(path: &str) -> String {
    path.chars().fold(String::new(), |mut pattern, letter| {
        if "\\*?[]!# ".contains(letter) {
            pattern.push('\\');
        }
        pattern.push(letter);
        pattern
    })
}
