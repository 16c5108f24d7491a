//! A restore that was looked at before it is done: kept under an id that is made of all that it would change, so that the same
//! id can only ever mean the same changes.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Job;
use super::parts::Parts;
use super::request::{Preview, RestoreRequest, Target};
use crate::error::{Context, Error, Result};
use crate::sys::fs::{private_directory, write_atomic};

/// Below the site's state.
const DIRECTORY: &str = "plans";

/// Older ones are forgotten: what they say of the site is history.
const KEEP: usize = 20;

/// Letters of an id; nobody but the owner of the state can add plans, so that they need only differ from each other.
const ID: usize = 16;

/// What was asked for, so that its id is enough to ask for it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // one for each switch
pub struct SavedPlan {
    pub made: Timestamp,
    /// The snapshot's whole id, whatever words had chosen it.
    pub snapshot: String,
    pub files: bool,
    pub databases: bool,
    pub include: Vec<String>,
    #[serde(default)]
    pub parts: Parts,
    pub keep_newer: Vec<String>,
    pub safety: bool,
    #[serde(default)]
    pub in_place_database: bool,
}

/// The id of what a restore would do.
pub(crate) fn id_of(request: &RestoreRequest<'_>, preview: &Preview) -> Result<String> {
    let changes = preview.files.as_ref().map(|files| &files.changes);
    let what = (
        &preview.snapshot.id,
        places(&request.target),
        (&request.include, &request.parts, &request.keep_newer, request.safety),
        changes,
        (&preview.carried, &preview.aside),
        &preview.databases,
    );
    Ok(blake3::hash(&serde_json::to_vec(&what)?).to_hex()[..ID].to_owned())
}

/// Keeps it, and says under which id. One that joins two sites is not kept: two configurations say what it means.
pub(crate) fn keep(job: &Job, request: &RestoreRequest<'_>, preview: Preview) -> Result<Preview> {
    if request.source.is_some() {
        return Ok(preview);
    }
    let id = id_of(request, &preview)?;
    let (files, databases) = places(&request.target);
    let plan = SavedPlan {
        made: Timestamp::now(),
        snapshot: preview.snapshot.id.clone(),
        files,
        databases,
        include: request.include.clone(),
        parts: request.parts.clone(),
        keep_newer: request.keep_newer.clone(),
        safety: request.safety,
        in_place_database: request.in_place_database,
    };
    let directory = job.state.join(DIRECTORY);
    private_directory(&directory).with_context(|| format!("make {}", directory.display()))?;
    write_atomic(&path(job, &id), &serde_json::to_vec_pretty(&plan)?, 0o600)?;
    forget_old(&directory)?;
    Ok(Preview { plan: Some(id), ..preview })
}

/// The plan with this id.
pub fn saved_plan(job: &Job, id: &str) -> Result<SavedPlan> {
    let plain = id.len() == ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let remedy = "make one with `lifeboat restore --at TIME --plan`";
    if !plain {
        return Err(Error::usage(format!("{id:?} is no id of a plan")).with_remedy(remedy));
    }
    match std::fs::read(path(job, id)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::usage(format!("there is no plan {id} of {}", job.site.name)).with_remedy(remedy))
        }
        text => serde_json::from_slice(&text?).with_context(|| format!("read {}", path(job, id).display())),
    }
}

/// An error unless the restore would do just what the plan said.
pub(crate) fn must_be(id: &str, request: &RestoreRequest<'_>, preview: &Preview) -> Result<()> {
    if id_of(request, preview)? == id {
        return Ok(());
    }
    Err(Error::failed(format!(
        "the site is not what it was when plan {id} was made: the restore would do something else"
    ))
    .with_remedy("look at a new plan"))
}

const fn places(target: &Target) -> (bool, bool) {
    match target {
        Target::InPlace { files, databases } => (*files, *databases),
        Target::Directory(_) => (true, true),
    }
}

fn path(job: &Job, id: &str) -> PathBuf {
    job.state.join(DIRECTORY).join(format!("{id}.json"))
}

fn forget_old(directory: &Path) -> Result<()> {
    let mut plans = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        plans.push((entry.metadata()?.modified()?, entry.path()));
    }
    plans.sort();
    for (_, path) in plans.iter().rev().skip(KEEP) {
        std::fs::remove_file(path)?;
    }
    Ok(())
}
