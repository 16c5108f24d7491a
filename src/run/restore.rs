//! The story of a restore: nothing live is touched before everything needed is fetched and verified.

use std::path::{Path, PathBuf};

use rand::Rng;
use serde::Serialize;

use super::newer::Listing;
use super::preflight::{self, Plan};
use super::request::{Preview, RestoreRequest, Target};
use super::scope::Run;
use super::selection::Selection;
use super::work::Work;
use super::{Job, claim_site, open, pace, plans, recover, rescue};
use crate::database::SideCopy;
use crate::error::{Error, Result};
use crate::event::{Cx, Step};
use crate::repo::{Fetched, Mode};

/// What a restore did.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    pub preview: Preview,
    /// Only a preview: nothing was changed.
    pub dry_run: bool,
    pub fetched: Fetched,
    /// Bytes that were read from the storage until all files were there: index and directories, and what was not live.
    pub from_storage: u64,
    /// From when the site was stopped to when it went on.
    pub downtime_seconds: Option<f64>,
    /// The snapshot of what was live before.
    pub safety: Option<String>,
    /// Where the former files are.
    pub kept: Option<PathBuf>,
    /// Files that came after the snapshot and moved along, as it was asked for.
    pub carried: Listing,
    /// Files that came after the snapshot and are with the former ones now.
    pub aside: Listing,
    /// What each database was loaded as, and where its former content is.
    pub databases: Vec<SideCopy>,
}

/// Brings a site back as it was, or a snapshot's content to another place. On any error the site is as it was before.
pub fn restore(job: &Job, request: &RestoreRequest<'_>, cx: &Cx) -> Result<Restored> {
    match &request.target {
        Target::Directory(target) => elsewhere(job, request, target, cx),
        Target::InPlace { .. } => in_place(job, request, cx),
    }
}

/// Whatever ends this process, the journal that `Work` keeps leads to one of two states: all as before, or all as after.
fn in_place(job: &Job, request: &RestoreRequest<'_>, cx: &Cx) -> Result<Restored> {
    let saved = request.source.map_or(job, |source| &source.job);
    let (storage, own) = (crate::storage::open(&saved.storage), crate::storage::open(&job.storage));
    let mut run = Run::new(job, cx);

    claim_site(&mut run, job, "restore")?;
    recover::first(&mut run, job, cx)?;
    let opened = open(&mut run, saved, storage.as_ref(), Mode::Shared, cx)?;
    let plan = run.step(Step::Preflight, || Plan::make(job, request, &opened.repo, cx))?;
    if request.dry_run {
        return Ok(Restored::preview(plans::keep(job, request, plan.preview)?));
    }
    if let Some(id) = &request.plan {
        run.step(Step::Preflight, || plans::must_be(id, request, &plan.preview))?;
    } else if !(request.confirm)(&plan.preview) {
        return Err(Error::cancelled());
    }
    let safety = match (request.safety, request.source) {
        (false, _) => None,
        (true, None) => {
            run.step(Step::Rescue, || rescue::rescue(job, plan.has_databases(), &opened.repo, cx))?
        }
        (true, Some(_)) => {
            let home = open(&mut run, job, own.as_ref(), Mode::Shared, cx).map_err(rescue::or_without)?;
            run.step(Step::Rescue, || rescue::rescue(job, plan.has_databases(), &home.repo, cx))?
        }
    };
    let safety = safety.map(|snapshot| snapshot.id);
    let work = run.hold(
        Step::Stage,
        || Work::begin(job, plan.journal(token(), &stamp(), safety.clone())?, cx),
        Work::end,
    )?;
    let fetched = run.step(Step::Fetch, || plan.fetch(&work.tree(), cx))?;
    let from_storage = opened.repo.bytes_read();
    run.change(Step::Load, &work, |work| work.load(&plan.databases, cx), Work::discard)?;
    if let Some(source) = request.source {
        run.step(Step::Adapt, || work.adapt(source, &plan.databases, cx))?;
    }
    run.hold(Step::Quiesce, || work.quiesce().map(|()| work.clone()), Work::resume)?;
    let moved = run.change(
        Step::SwapFiles,
        &work,
        |work| work.swap_files(&plan.places(), &request.keep_newer),
        Work::swap_files_back,
    )?;
    run.change(Step::SwapDatabase, &work, Work::swap_databases, Work::swap_databases_back)?;
    run.step(Step::Probe, || work.probe())?;
    run.step(Step::Commit, || work.commit())?;
    run.commit();
    run.attempt(Step::Resume, || work.resume());
    run.attempt(Step::Settle, || work.settle());
    if let Err(error) = pace::learn(job, &cx.state(), fetched.bytes, &work.copies()) {
        cx.warn(format!("how long this took is not remembered: {error}"));
    }

    Ok(Restored {
        fetched,
        from_storage,
        downtime_seconds: cx.state().downtime().map(|time| time.as_secs_f64()),
        safety,
        kept: work.kept(),
        carried: moved.carried,
        aside: moved.aside,
        databases: work.copies(),
        dry_run: false,
        ..Restored::preview(plan.preview)
    })
}

/// Files and dumps into a directory of their own; the site is not touched.
fn elsewhere(job: &Job, request: &RestoreRequest<'_>, target: &Path, cx: &Cx) -> Result<Restored> {
    let storage = crate::storage::open(&job.storage);
    preflight::fresh_directory(target)?;
    let mut run = Run::new(job, cx);

    let opened = open(&mut run, job, storage.as_ref(), Mode::Shared, cx)?;
    let (snapshot, reader, _) = run.step(Step::Find, || preflight::find(&opened.repo, request, job, cx))?;
    let base = job.site.root.strip_prefix("/").unwrap_or(&job.site.root);
    let selection = run.step(Step::Preflight, || {
        let selection = Selection::new(&reader, reader.top(&snapshot), base, &request.include)?;
        preflight::space(job, target, selection.bytes(&reader)?)?;
        Ok(selection)
    })?;
    let preview = Preview::of(snapshot, selection.bytes(&reader)?);
    if request.dry_run {
        return Ok(Restored::preview(preview));
    }
    let fetched = run.step(Step::Fetch, || selection.fetch(&reader, (target, None), cx))?;

    Ok(Restored {
        fetched,
        from_storage: opened.repo.bytes_read(),
        dry_run: false,
        ..Restored::preview(preview)
    })
}

impl Restored {
    fn preview(preview: Preview) -> Self {
        Self {
            preview,
            dry_run: true,
            fetched: Fetched::default(),
            from_storage: 0,
            downtime_seconds: None,
            safety: None,
            kept: None,
            carried: Listing::default(),
            aside: Listing::default(),
            databases: Vec::new(),
        }
    }
}

/// Names of side copies: eight letters nobody else uses.
pub(crate) fn token() -> String {
    let mut random = rand::rng();
    (0..8).map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[random.random_range(0..36)])).collect()
}

/// Names what is kept.
pub(crate) fn stamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}
