//! What a run needs to know, as plain data: made by `config`, read by the stories.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use crate::database::DatabaseSpec;
use crate::hook::HookSpec;
use crate::repo::RepoSpec;
use crate::schedule::Retention;
use crate::site::SiteSpec;
use crate::storage::StorageSpec;

/// One site and everything that is asked for it.
#[derive(Clone, Debug)]
pub struct Job {
    pub site: SiteSpec,
    pub databases: Vec<DatabaseSpec>,
    pub storage: StorageSpec,
    pub repo: RepoSpec,
    pub retention: Retention,
    pub hooks: Vec<HookSpec>,
    /// The zone in which people say and read times.
    pub zone: TimeZone,
    /// Where this site's remembered identity and locks are kept; disposable.
    pub state: PathBuf,
}
