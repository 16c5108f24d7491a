//! The story of a restore: nothing live is touched before everything needed is fetched and verified.

use std::path::{Path, PathBuf};

use rand::Rng;
use serde::Serialize;

use super::databases::Databases;
use super::preflight::{self, Plan};
use super::request::{Preview, RestoreRequest, Target};
use super::scope::Run;
use super::selection::Selection;
use super::staging::Staging;
use super::{Job, claim_site, former, open};
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
    /// Where the former files are.
    pub kept: Option<PathBuf>,
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

fn in_place(job: &Job, request: &RestoreRequest<'_>, cx: &Cx) -> Result<Restored> {
    let storage = crate::storage::open(&job.storage);
    let (token, stamp) = (token(), jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string());
    let mut run = Run::new(job, cx);

    claim_site(&mut run, job, "restore")?;
    let opened = open(&mut run, job, storage.as_ref(), Mode::Shared, cx)?;
    let plan = run.step(Step::Preflight, || Plan::make(job, request, &opened.repo, cx))?;
    if request.dry_run {
        return Ok(Restored::preview(plan.preview));
    }
    if !(request.confirm)(&plan.preview) {
        return Err(Error::cancelled());
    }
    let stage = run.hold(Step::Stage, || plan.stage(&token, &stamp), Staging::remove)?;
    let fetched = run.step(Step::Fetch, || plan.fetch(&stage, cx))?;
    let databases = plan.databases.clone();
    run.change(Step::Load, &databases, |databases| databases.load(&token, cx), Databases::discard)?;
    run.change(Step::SwapFiles, &stage, |stage| plan.swap_files(stage, cx), Staging::swap_back)?;
    run.change(Step::SwapDatabase, &databases, Databases::swap_in, Databases::swap_back)?;
    run.commit();

    let kept = plan.has_files().then(|| stage.kept().to_owned());
    let copies = databases.copies();
    if let Err(error) = former::remember(job, kept.as_deref(), &copies) {
        cx.warn(format!("what was set aside is not on the list of `--discard-former`: {error}"));
    }
    Ok(Restored { preview: plan.preview, dry_run: false, fetched, kept, databases: copies })
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
        preflight::space(target, selection.bytes(&reader)?)?;
        Ok(selection)
    })?;
    let preview = Preview { snapshot, files: None, databases: Vec::new(), bytes: selection.bytes(&reader)? };
    if request.dry_run {
        return Ok(Restored::preview(preview));
    }
    let fetched = run.step(Step::Fetch, || selection.fetch(&reader, target, cx))?;

    Ok(Restored { fetched, dry_run: false, ..Restored::preview(preview) })
}

impl Restored {
    fn preview(preview: Preview) -> Self {
        Self { preview, dry_run: true, fetched: Fetched::default(), kept: None, databases: Vec::new() }
    }
}

/// Names of side copies: eight letters nobody else uses.
fn token() -> String {
    let mut random = rand::rng();
    (0..8).map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[random.random_range(0..36)])).collect()
}
