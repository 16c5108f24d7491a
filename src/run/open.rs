//! Getting at a site's repository: the right storage, the right repository on it, and nobody in the way.

use std::sync::Arc;

use super::Job;
use super::scope::{Alone, Run};
use crate::error::Result;
use crate::event::{Cx, Step};
use crate::repo::{Medium, Mode, Repo};
use crate::storage::identity::{self, Identity, Standing};
use crate::storage::{Attached, Storage, StorageSpec};
use crate::sys::claim::claim;

/// A repository in reach, for the length of the run it was opened in.
pub struct Opened {
    pub repo: Repo,
    pub lock: Arc<crate::repo::Lock>,
}

impl Job {
    pub(crate) fn medium(&self) -> Medium {
        match self.storage {
            StorageSpec::Local(_) => Medium::Local,
            StorageSpec::Nfs(_) => Medium::Shared,
        }
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
    let at = run.hold(Step::Mount, || storage.attach(cx), |at| storage.detach(at))?;
    let repo = run.step(Step::Open, || open_repo(job, &at, cx))?;
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
    let at = run.hold(Step::Mount, || storage.attach(cx), |at| storage.detach(at))?;
    run.step(Step::Open, || {
        let repo = Repo::create(&at.root, job.medium(), &job.repo, cx)?;
        remember(job, &at, &repo)?;
        Ok(repo)
    })
}

/// Opens the repository if storage and repository are the ones this site was set up with.
pub(crate) fn open_repo(job: &Job, at: &Attached, cx: &Cx) -> Result<Repo> {
    let remembered = identity::recall(&job.state)?;
    let standing = identity::verify(&at.root, remembered.as_ref(), None)?;
    let repo = Repo::open(&at.root, job.medium(), &job.repo, cx)?;
    if standing == Standing::Known {
        identity::verify(&at.root, remembered.as_ref(), Some(repo.id()))?;
    } else {
        // A new node, or a repository made by stock restic: it was opened with our key, so it is the one that is meant.
        remember(job, at, &repo)?;
        cx.note(format!("remembered this storage and its repository {}", &repo.id()[..8]));
    }
    Ok(repo)
}

fn remember(job: &Job, at: &Attached, repo: &Repo) -> Result<()> {
    let storage = identity::mark(&at.root)?;
    identity::remember(&job.state, &Identity { storage, repository: repo.id().to_owned() })
}
