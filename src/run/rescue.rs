//! The state before a restore, saved as a snapshot of its own: the way back when nothing else is left.

use std::fs::symlink_metadata;
use std::path::Path;

use jiff::Timestamp;

use super::Job;
use super::backup::{save_all, verify};
use super::databases::{begin_all, previous};
use super::moment::Dumps;
use crate::database;
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::repo::{Contents, Repo, Snapshot};
use crate::schedule::SAFETY;

/// Saves what is there of the site; says what is not. `None` if nothing is. A database that the restore leaves alone is no
/// reason to stop it.
pub(crate) fn rescue(job: &Job, touches_databases: bool, repo: &Repo, cx: &Cx) -> Result<Option<Snapshot>> {
    let present = present(job, touches_databases, cx)?;
    let root = symlink_metadata(&job.site.root).is_ok_and(|meta| meta.is_dir());
    if !root {
        cx.note(format!("{} is not there and cannot be saved", job.site.root.display()));
    }
    if !root && present.databases.is_empty() {
        return Ok(None);
    }
    let former = |directory: &Path| previous(&present, repo, directory, cx);
    let begin =
        || Ok(Dumps { moment: Timestamp::now(), feeds: begin_all(&present, &former, cx)?, seen: None });
    let contents = |dumps: Dumps| Contents {
        site: job.site.name.clone(),
        root: root.then(|| job.site.root.clone()),
        // An emptied site may be the very reason for the restore.
        doubt_empty: false,
        exclude: job.excluded(),
        feeds: dumps.feeds,
        tags: vec![SAFETY.to_owned()],
        comment: None,
        moment: dumps.moment,
        seen: None,
    };
    let saved =
        save_all(repo, begin, contents, cx).context("save the present state first").map_err(or_without)?;
    verify(repo, &saved, cx)?;
    cx.note(format!("saved the present state as snapshot {}", saved.short_id()));
    Ok(Some(saved))
}

/// The same job with those databases that are there.
fn present(job: &Job, touches_databases: bool, cx: &Cx) -> Result<Job> {
    let mut present = Job { databases: Vec::new(), ..job.clone() };
    for spec in &job.databases {
        let database = database::open(spec);
        match database.tables() {
            Ok(Some(_)) => present.databases.push(spec.clone()),
            Ok(None) => cx.note(format!("{} is not there and cannot be saved", database.describe())),
            Err(error) if !touches_databases => {
                cx.warn(format!("{} is not in the safety snapshot: {error}", database.describe()));
            }
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("save the present state of {}", database.describe()))
                    .map_err(or_without);
            }
        }
    }
    Ok(present)
}

/// Adds the way around to whatever remedy there is.
pub(crate) fn or_without(error: Error) -> Error {
    let remedy = error.remedy().unwrap_or("correct this").to_owned();
    error.with_remedy(format!("{remedy}; or restore without a safety snapshot, with `--no-safety`"))
}
