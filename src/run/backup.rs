//! The story of a backup.

use std::time::Duration;

use super::moment::{self, Dumps};
use super::scope::Run;
use super::{Job, claim_site, limits, open, quiet, recover, rotation};
use crate::error::{Error, Kind, Result};
use crate::event::{Cx, Saved, Step, What};
use crate::repo::{Contents, Mode, Repo, Snapshot};

/// How often a backup begins in all.
const TRIES: u32 = 3;

/// What changes a schema is seldom done at once.
const PAUSE: Duration = Duration::from_secs(2);

/// What is asked of one backup.
#[derive(Clone, Debug, Default)]
pub struct BackupRequest {
    /// `manual`, `scheduled`, and whatever else the snapshot shall be found by.
    pub tags: Vec<String>,
    /// What a person wants to know of it later; shown with the snapshot.
    pub comment: Option<String>,
    /// Save only; the next run rotates.
    pub no_rotation: bool,
}

/// One snapshot of files and all databases, committed only if everything came whole; then old ones are rotated.
pub fn backup(job: &Job, request: &BackupRequest, cx: &Cx) -> Result<Snapshot> {
    let storage = crate::storage::open(&job.storage);
    let mut run = Run::new(job, cx);

    quiet::announce(job, cx);
    claim_site(&mut run, job, "backup")?;
    recover::first(&mut run, job, cx)?;
    limits::node_has_room(job)?;
    let opened = open(&mut run, job, storage.as_ref(), Mode::Shared, cx)?;
    let online = moment::online(&mut run, job, request, &opened.repo, cx)?;
    let quiet = quiet::quiesce(&mut run, job, cx)?;
    let dumps = run.step(Step::Dump, || quiet.while_held(cx, |cx| online.fix(request, &quiet, cx)))?;
    quiet::resume(&mut run, &quiet)?;
    let begin_again = || quiet.once_more(cx, |cx| online.fix(request, &quiet, cx));
    let snapshot = run.step(Step::Save, || save(job, request, &opened.repo, dumps, begin_again, cx))?;
    run.commit();
    cx.emit(What::Saved(saved(&snapshot)));
    run.step(Step::Verify, || verify(&opened.repo, &snapshot, &cx.shielded()))?;
    if !request.no_rotation {
        run.attempt(Step::Rotate, || rotation::rotate(&opened, job, &snapshot, cx));
    }

    Ok(snapshot)
}

fn saved(snapshot: &Snapshot) -> Saved {
    let stats = snapshot.stats.unwrap_or_default();
    Saved {
        files: stats.files,
        files_new: stats.files_new,
        files_changed: stats.files_changed,
        bytes: stats.bytes,
        bytes_added: stats.bytes_added,
        bytes_stored: stats.bytes_stored,
    }
}

fn save(
    job: &Job,
    request: &BackupRequest,
    repo: &Repo,
    dumps: Dumps,
    begin_again: impl Fn() -> Result<Dumps>,
    cx: &Cx,
) -> Result<Snapshot> {
    let mut first = Some(dumps);
    let begin = || first.take().map_or_else(&begin_again, Ok);
    let contents = |dumps: Dumps| Contents {
        feeds: dumps.feeds,
        moment: dumps.moment,
        seen: dumps.seen,
        ..moment::files(job, request, cx)
    };
    save_all(repo, begin, contents, cx)
}

/// A schema that is changed while it is dumped cannot be saved as of one moment: then all begins again, a few times. Dumps
/// come before most files, so that little is read for nothing.
pub(crate) fn save_all(
    repo: &Repo,
    mut begin: impl FnMut() -> Result<Dumps>,
    contents: impl Fn(Dumps) -> Contents,
    cx: &Cx,
) -> Result<Snapshot> {
    for attempt in 1..TRIES {
        match repo.save(contents(begin()?), cx) {
            Err(error) if error.kind() == Kind::Changed => {
                cx.note(format!("{error}; beginning again, attempt {} of {TRIES}", attempt + 1));
            }
            other => return other,
        }
        std::thread::sleep(PAUSE * attempt);
        cx.go_on()?;
    }
    repo.save(contents(begin()?), cx)
}

/// What was just committed, read again from the storage: all it refers to is indexed and in packs of the right size.
pub(crate) fn verify(repo: &Repo, snapshot: &Snapshot, cx: &Cx) -> Result<()> {
    let saved = repo.snapshot_by_id(&snapshot.id)?;
    let report = repo.verify(&saved, cx)?;
    report.size.into_iter().for_each(|size| cx.emit(What::RepositorySize(size)));
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
