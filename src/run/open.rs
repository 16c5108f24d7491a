//! Getting at a site's repository: the right storage, the right repository on it, and nobody in the way.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use super::Job;
use super::scope::{Alone, Run};
use crate::error::{Context, Kind, Result};
use crate::event::{Cx, Step, What};
use crate::repo::{Mode, Place, Repo, RepoSpec};
use crate::storage::identity::{self, Identity, Standing};
use crate::storage::{Attached, Storage};
use crate::sys::claim::claim;
use crate::sys::secret::Secret;
use crate::sys::space::Space;
use crate::sys::watch::Watch;

/// A repository in reach, for the length of the run it was opened in.
pub struct Opened {
    pub repo: Repo,
    pub lock: Arc<crate::repo::Lock>,
}

/// A storage in reach and, where it is a mount, under watch.
#[derive(Clone)]
pub(crate) struct Reach {
    at: Attached,
    place: Place,
    /// How long it took to attach and prove it.
    probe: Duration,
}

impl Reach {
    pub(crate) fn gain(job: &Job, storage: &dyn Storage, cx: &Cx) -> Result<Self> {
        let begun = Instant::now();
        let at = storage.attach(cx)?;
        let probe = begun.elapsed();
        match Watch::start(&at.root, job.patience, cx) {
            Ok(watch) => Ok(Self { place: Place::watched(&at.root, watch), at, probe }),
            Err(error) => {
                if let Err(stuck) = storage.detach(&at) {
                    cx.warn(stuck.to_string());
                }
                Err(error)
            }
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.at.root
    }

    /// The watch ends first: it must not act on what somebody mounts there next.
    pub(crate) fn give_back(&self, storage: &dyn Storage) -> Result<()> {
        self.place.watch.end();
        storage.detach(&self.at)
    }
}

/// One run at a time changes a site or its snapshots; whoever comes second is told who was first.
pub fn claim_site(run: &mut Run<'_>, job: &Job, purpose: &str) -> Result<()> {
    // Dropping the claim is its release.
    run.hold(Step::Claim, || claim(&job.state.join("lock"), purpose).map(Arc::new), |_claim| Ok(()))?;
    Ok(())
}

/// The way of every story to its snapshots: attaches the storage, opens the repository, locks it.
pub fn open<'a>(
    run: &mut Run<'a>,
    job: &'a Job,
    storage: &'a dyn Storage,
    mode: Mode,
    cx: &'a Cx,
) -> Result<Opened> {
    let reach = run.hold(Step::Mount, || Reach::gain(job, storage, cx), |reach| reach.give_back(storage))?;
    let repo = run.step(Step::Open, || open_repo(job, &reach, cx))?;
    tell_space(&reach, cx);
    let lock = run.hold(Step::Lock, || repo.lock(mode).map(Arc::new), |lock| lock.release())?;
    Ok(Opened { repo, lock })
}

/// Something short with an open repository, outside of any story: listing, browsing, keys. No hook joins in, and who only
/// reads waits for nobody.
pub fn with_repo<T>(
    job: &Job,
    mode: Mode,
    purpose: &str,
    cx: &Cx,
    work: impl FnOnce(&Repo) -> Result<T>,
) -> Result<T> {
    let storage = crate::storage::open(&job.storage);
    let mut run = Run::new(&Alone, cx);
    if mode == Mode::Exclusive {
        claim_site(&mut run, job, purpose)?;
    }
    let opened = open(&mut run, job, storage.as_ref(), mode, cx)?;
    work(&opened.repo)
}

/// Creates a site's repository on its storage, by a person's explicit wish.
pub fn init(job: &Job, cx: &Cx) -> Result<Repo> {
    let storage = crate::storage::open(&job.storage);
    let mut run = Run::new(&Alone, cx);
    claim_site(&mut run, job, "init")?;
    let reach = run.hold(
        Step::Mount,
        || Reach::gain(job, storage.as_ref(), cx),
        |reach| reach.give_back(storage.as_ref()),
    )?;
    run.step(Step::Open, || {
        let repo = Repo::create(&reach.place, &job.repo, cx)?;
        remember(job, &reach.at, &repo)?;
        Ok(repo)
    })
}

/// Gives a repository that another program made to a site: its storage is marked and remembered, and the site's own password
/// opens it. `former` is what opened it so far. Said again, it does what is missing.
pub fn adopt(job: &Job, former: &Secret, own: &Secret, remove_former: bool, cx: &Cx) -> Result<Adoptee> {
    let storage = crate::storage::open(&job.storage);
    let mut run = Run::new(&Alone, cx);
    claim_site(&mut run, job, "adopt")?;
    let reach = run.hold(
        Step::Mount,
        || Reach::gain(job, storage.as_ref(), cx),
        |reach| reach.give_back(storage.as_ref()),
    )?;
    let repo = run.step(Step::Open, || open_by_either(job, &reach, former, own, cx))?;
    let mode = if remove_former { Mode::Exclusive } else { Mode::Shared };
    run.hold(Step::Lock, || repo.lock(mode).map(Arc::new), |lock| lock.release())?;
    run.step(Step::Open, || {
        let mut adoptee = Adoptee::of(&repo)?;
        if !repo.opens(own)? {
            adoptee.key_added = Some(repo.add_key(own)?);
        }
        if remove_former {
            // Proven by what a person would do with it: nothing of this node takes part.
            Repo::open_by(&reach.place, &job.repo, own, cx).context("open it by the new password alone")?;
            adoptee.keys_removed = repo.remove_password(former, own)?;
        }
        // The node's key opens it too, so that what was typed may have been taken away long ago.
        adoptee.former_opens = repo.opens(former)?;
        Ok(adoptee)
    })
}

/// By the node's key, by the password it had, or by the one that it has since an earlier adoption.
fn open_by_either(job: &Job, reach: &Reach, former: &Secret, own: &Secret, cx: &Cx) -> Result<Repo> {
    let by = |password: &Secret| {
        let spec = RepoSpec { password: Some(password.clone()), ..job.repo.clone() };
        open_repo(&Job { repo: spec, ..job.clone() }, reach, cx)
    };
    match by(former) {
        Err(error) if error.kind() == Kind::WrongPassword && !job.repo.key_file.exists() => {
            by(own).map_err(|_| error)
        }
        other => other,
    }
}

/// What is in a repository that is adopted, and what that did to its keys.
#[derive(Clone, Debug, Serialize)]
pub struct Adoptee {
    pub repository: String,
    pub snapshots: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_added: Option<String>,
    pub keys_removed: Vec<String>,
    /// Whether the former password opens it still.
    pub former_opens: bool,
}

impl Adoptee {
    /// Looks at its snapshots alone.
    pub fn of(repo: &Repo) -> Result<Self> {
        let snapshots = repo.snapshots()?;
        Ok(Self {
            repository: repo.id().to_owned(),
            snapshots: snapshots.len() as u64,
            oldest: snapshots.first().map(|one| one.time),
            newest: snapshots.last().map(|one| one.time),
            key_added: None,
            keys_removed: Vec::new(),
            former_opens: true,
        })
    }
}

/// Opens the repository if storage and repository are the ones this site was set up with.
pub(crate) fn open_repo(job: &Job, reach: &Reach, cx: &Cx) -> Result<Repo> {
    let Reach { at, place, .. } = reach;
    let remembered = identity::recall(&job.state)?;
    let standing = identity::verify(&at.root, remembered.as_ref(), None)?;
    let repo = Repo::open(place, &job.repo, cx)?;
    if standing == Standing::Known {
        identity::verify(&at.root, remembered.as_ref(), Some(repo.id()))?;
    } else {
        // A new node, or a repository made by stock restic: it was opened with our key, so it is the one that is meant.
        remember(job, at, &repo)?;
        cx.note(format!("remembered this storage and its repository {}", &repo.id()[..8]));
    }
    Ok(repo)
}

/// So that whoever keeps the history can tell when the storage will be full. That it cannot be had is no reason to stop.
fn tell_space(reach: &Reach, cx: &Cx) {
    if let Ok(Space { free, size }) = Space::at(reach.root()) {
        let probe_seconds = Some(reach.probe.as_secs_f64());
        cx.emit(What::Space { free, total: size, probe_seconds });
    }
}

fn remember(job: &Job, at: &Attached, repo: &Repo) -> Result<()> {
    let storage = identity::mark(&at.root)?;
    identity::remember(&job.state, &Identity { storage, repository: repo.id().to_owned() })
}
