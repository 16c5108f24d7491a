//! The story of an undo: back to the moment before the last restore, from what it kept, or from what it had saved.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::copies::owner;
use super::journal::{Aside, Files, Journal};
use super::newer::Listing;
use super::parts::Parts;
use super::request::{RestoreRequest, Target};
use super::restore::{Restored, restore, stamp, token};
use super::scope::Run;
use super::work::Work;
use super::{Job, claim_site, recover};
use crate::database::{Means, SideCopy};
use crate::error::{Context, Error, Kind, Result};
use crate::event::{Cx, Step};
use crate::schedule::Wanted;

/// What is asked of an undo.
pub struct UndoRequest<'a> {
    /// Files that came after the restore and match move along; gitignore style.
    pub keep_newer: Vec<String>,
    /// Save the present state first, where it comes to a restore from storage.
    pub safety: bool,
    pub dry_run: bool,
    /// Asked once before anything is changed; `false` cancels.
    pub confirm: &'a dyn Fn(&UndoPreview) -> bool,
}

/// What an undo would do.
#[derive(Clone, Debug, Serialize)]
pub struct UndoPreview {
    /// When the restore began that is undone.
    pub undoes: Timestamp,
    /// The snapshot that it had brought; nothing if it was itself an undo.
    pub brought: Option<String>,
    /// What it had set aside, if all of that is still there; otherwise the snapshot below is restored.
    pub kept: bool,
    pub files: Option<PathBuf>,
    pub databases: Vec<String>,
    pub safety: Option<String>,
}

/// What an undo did.
#[derive(Clone, Debug, Serialize)]
pub struct Undone {
    pub preview: UndoPreview,
    pub dry_run: bool,
    /// Where the files are that were live before the undo.
    pub kept: Option<PathBuf>,
    pub databases: Vec<SideCopy>,
    pub carried: Listing,
    pub aside: Listing,
    /// The restore that it came to, if what was set aside is not there any more.
    pub restored: Option<Restored>,
}

/// Returns to the moment before the last committed restore. What that had brought is kept in its turn, so that an undo can
/// be undone.
pub fn undo(job: &Job, request: &UndoRequest<'_>, cx: &Cx) -> Result<Undone> {
    let mut run = Run::new(job, cx);

    claim_site(&mut run, job, "restore --undo")?;
    recover::first(&mut run, job, cx)?;
    let plan = run.step(Step::Preflight, || Plan::make(job))?;
    if request.dry_run {
        return Ok(Undone::preview(plan.preview));
    }
    if !(request.confirm)(&plan.preview) {
        return Err(Error::cancelled());
    }
    let Some(journal) = plan.journal else {
        drop(run);
        return from_snapshot(job, request, plan.preview, &plan.last, cx);
    };
    let work = run.hold(Step::Stage, || Work::begin(job, journal, cx), Work::end)?;
    run.hold(Step::Quiesce, || work.quiesce().map(|()| work.clone()), Work::resume)?;
    let moved = run.change(
        Step::SwapFiles,
        &work,
        |work| work.swap_files(&plan.paths, &request.keep_newer),
        Work::swap_files_back,
    )?;
    run.change(Step::SwapDatabase, &work, Work::swap_databases, Work::swap_databases_back)?;
    run.step(Step::Probe, || work.probe())?;
    run.step(Step::Commit, || work.commit())?;
    run.commit();
    run.attempt(Step::Resume, || work.resume());
    run.attempt(Step::Settle, || work.settle());

    Ok(Undone {
        kept: work.kept(),
        databases: work.copies(),
        carried: moved.carried,
        aside: moved.aside,
        dry_run: false,
        ..Undone::preview(plan.preview)
    })
}

struct Plan {
    preview: UndoPreview,
    last: Journal,
    /// How to undo it from what was kept; nothing if that is not all there any more.
    journal: Option<Journal>,
    paths: Vec<PathBuf>,
}

impl Plan {
    fn make(job: &Job) -> Result<Self> {
        let Some(last) = Journal::last(&job.state)? else {
            return Err(Error::new(
                Kind::NotFound,
                format!("there is no restore of {} to undo", job.site.name),
            )
            .with_remedy("`lifeboat restore --at TIME` goes to another moment"));
        };
        let journal = revived(job, &last)?;
        if journal.is_none() && last.safety.is_none() {
            return Err(Error::failed(format!(
                "what the restore of {} had set aside is not there any more, and no safety snapshot was made",
                job.local(last.begun)
            ))
            .with_remedy("`lifeboat snapshots` lists what can be restored"));
        }
        let preview = UndoPreview {
            undoes: last.begun,
            brought: last.snapshot.clone(),
            kept: journal.is_some(),
            files: last.files.as_ref().map(|files| files.kept.0.clone()),
            databases: last.databases.iter().map(|copy| copy.copy.live.clone()).collect(),
            safety: last.safety.clone(),
        };
        let swaps = last.files.iter().flat_map(|files| &files.swaps);
        let paths = swaps.map(|swap| swap.path.0.clone()).collect();
        Ok(Self { preview, last, journal, paths })
    }
}

/// The journal of the undo, if everything that was set aside is still there.
fn revived(job: &Job, last: &Journal) -> Result<Option<Journal>> {
    let mut journal = Journal::new(token(), Timestamp::now());
    journal.undoes = Some(last.token.clone());
    if let Some(files) = &last.files {
        if !files.is_kept_whole() {
            return Ok(None);
        }
        journal.files = Some(Files::again(files, &stamp())?);
    }
    for Aside { directory, copy, .. } in &last.databases {
        let database = owner(job, directory, copy)?;
        let revived = database
            .revive(copy, &journal.token)
            .with_context(|| format!("undo the restore of {}", database.describe()))?;
        let Some(copy) = revived else { return Ok(None) };
        journal.databases.push(Aside { directory: directory.clone(), fresh: false, copy });
    }
    Ok(Some(journal))
}

/// The long way: what was set aside is gone, what was saved before is not.
fn from_snapshot(
    job: &Job,
    request: &UndoRequest<'_>,
    preview: UndoPreview,
    last: &Journal,
    cx: &Cx,
) -> Result<Undone> {
    let safety = last.safety.clone().unwrap_or_default();
    if last.files.as_ref().is_some_and(|files| !files.is_whole()) {
        return Err(Error::failed(
            "that restore replaced a part of the files, and what it set aside is gone",
        )
        .with_remedy(format!(
            "bring back what you need with `lifeboat restore --at {safety:.8} --include PATTERN`"
        )));
    }
    let request = RestoreRequest {
        source: None,
        wanted: Wanted::Id(safety),
        target: Target::InPlace { files: last.files.is_some(), databases: !last.databases.is_empty() },
        include: Vec::new(),
        parts: parts(job, &last.databases),
        keep_newer: request.keep_newer.clone(),
        safety: request.safety,
        in_place_database: last.databases.iter().any(|aside| aside.copy.means == Means::InPlace),
        dry_run: false,
        plan: None,
        confirm: &|_| true,
    };
    let restored = restore(job, &request, cx).context("undo from the safety snapshot")?;
    Ok(Undone {
        kept: restored.kept.clone(),
        databases: restored.databases.clone(),
        carried: restored.carried.clone(),
        aside: restored.aside.clone(),
        dry_run: false,
        restored: Some(restored),
        ..Undone::preview(preview)
    })
}

/// What a restore replaced of the databases, to be asked for by name.
fn parts(job: &Job, databases: &[Aside]) -> Parts {
    let mut parts = Parts::default();
    for Aside { copy, .. } in databases {
        parts.tables.extend(copy.only.iter().map(|table| format!("{}.{table}", copy.live)));
        if copy.only.is_empty() {
            parts.databases.push(copy.live.clone());
        }
    }
    // Nothing named is everything, which finds what is missing too.
    if parts.databases.len() == job.databases.len() { Parts::default() } else { parts }
}

impl Undone {
    fn preview(preview: UndoPreview) -> Self {
        Self {
            preview,
            dry_run: true,
            kept: None,
            databases: Vec::new(),
            carried: Listing::default(),
            aside: Listing::default(),
            restored: None,
        }
    }
}
