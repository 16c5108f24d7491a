//! The story of a backup.

use jiff::Timestamp;

use super::scope::Run;
use super::{Job, begin_all, claim_site, maintenance, open};
use crate::dump::Feed;
use crate::error::{Error, Result};
use crate::event::{Cx, Step};
use crate::repo::{Contents, Mode, Repo, Snapshot};

/// What is asked of one backup.
#[derive(Clone, Debug, Default)]
pub struct BackupRequest {
    /// `manual`, `scheduled`, and whatever else the snapshot shall be found by.
    pub tags: Vec<String>,
    /// Save only; the next run rotates.
    pub no_rotation: bool,
}

/// One snapshot of files and all databases, committed only if everything came whole; then old ones are rotated.
pub fn backup(job: &Job, request: &BackupRequest, cx: &Cx) -> Result<Snapshot> {
    let storage = crate::storage::open(&job.storage);
    let mut run = Run::new(job, cx);

    claim_site(&mut run, job, "backup")?;
    let opened = open(&mut run, job, storage.as_ref(), Mode::Shared, cx)?;
    let moment = Timestamp::now();
    let feeds = run.step(Step::Dump, || begin_all(job, cx))?;
    let snapshot = run.step(Step::Save, || opened.repo.save(contents(job, request, feeds, moment), cx))?;
    run.commit();
    run.step(Step::Verify, || verify(&opened.repo, &snapshot, &cx.shielded()))?;
    if !request.no_rotation {
        run.attempt(Step::Rotate, || maintenance::rotate(&opened, job, &snapshot, cx));
    }

    Ok(snapshot)
}

fn contents(
    job: &Job,
    request: &BackupRequest,
    feeds: Vec<(std::path::PathBuf, Box<dyn Feed>)>,
    moment: Timestamp,
) -> Contents {
    Contents {
        site: job.site.name.clone(),
        root: Some(job.site.root.clone()),
        exclude: job.excluded(),
        feeds,
        tags: request.tags.clone(),
        moment,
    }
}

/// What was just committed, read again from the storage: all it refers to is indexed and in packs of the right size.
fn verify(repo: &Repo, snapshot: &Snapshot, cx: &Cx) -> Result<()> {
    let saved = repo.snapshot_by_id(&snapshot.id)?;
    let report = repo.verify(&saved, cx)?;
    let Some(damage) = report.damages.first() else { return Ok(()) };
    // Or the next restore would choose it, and rotation would count it.
    if let Err(error) = repo.mark_incomplete(&saved, cx) {
        cx.warn(format!("snapshot {} could not be marked incomplete: {error}", snapshot.short_id()));
    }
    Err(Error::failed(format!(
        "snapshot {} was saved but cannot be restored whole: {}: {}",
        snapshot.short_id(),
        damage.file,
        damage.what
    ))
    .with_remedy("run `lifeboat check --repair`, then back up again: what is damaged is then stored anew from the live site"))
}
