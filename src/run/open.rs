//! Getting at a site's repository: the right storage, the right repository on it, and nobody in the way.

use std::sync::Arc;

use super::Job;
use super::scope::Run;
use crate::error::{Error, Kind, Result};
use crate::event::{Cx, Step};
use crate::repo::{Medium, Mode, Repo};
use crate::storage::{Attached, Storage, StorageSpec, identity};
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

/// The beginning of every story: claims the site, attaches the storage, opens the repository, locks it.
pub fn open<'a>(
    run: &mut Run<'a>,
    job: &'a Job,
    storage: &'a dyn Storage,
    mode: Mode,
    purpose: &str,
    cx: &'a Cx,
) -> Result<Opened> {
    run.hold(
        Step::Claim,
        || claim(&job.state.join("lock"), purpose).map(Arc::new),
        |_claim| Ok(()), // dropping it is the release
    )?;
    let at = run.hold(Step::Mount, || storage.attach(cx), |at| storage.detach(at))?;
    let repo = run.step(Step::Open, || open_repo(job, &at, cx))?;
    let lock = run.hold(Step::Lock, || repo.lock(mode).map(Arc::new), |lock| lock.release())?;
    Ok(Opened { repo, lock })
}

/// Something short with an open repository, outside of any story: listing, browsing, keys.
pub fn with_repo<T>(job: &Job, mode: Mode, purpose: &str, cx: &Cx, work: impl FnOnce(&Repo) -> Result<T>) -> Result<T> {
    let storage = crate::storage::open(&job.storage);
    let mut run = Run::new(job, cx);
    let opened = open(&mut run, job, storage.as_ref(), mode, purpose, cx)?;
    work(&opened.repo)
}

/// Creates a site's repository on its storage, by a person's explicit wish.
pub fn init(job: &Job, cx: &Cx) -> Result<Repo> {
    let storage = crate::storage::open(&job.storage);
    let mut run = Run::new(job, cx);
    run.hold(Step::Claim, || claim(&job.state.join("lock"), "init").map(Arc::new), |_| Ok(()))?;
    let at = run.hold(Step::Mount, || storage.attach(cx), |at| storage.detach(at))?;
    run.step(Step::Open, || {
        let marker = identity::mark(&at.root)?;
        let repo = Repo::create(&at.root, job.medium(), &job.repo, cx)?;
        identity::remember(&job.state, &identity::Identity { storage: marker, repository: repo.id().to_owned() })?;
        Ok(repo)
    })
}

/// Opens the repository if storage and repository are the ones this site was set up with.
fn open_repo(job: &Job, at: &Attached, cx: &Cx) -> Result<Repo> {
    let remembered = identity::recall(&job.state)?;
    identity::verify(&at.root, remembered.as_ref())?;
    let repo = Repo::open(&at.root, job.medium(), &job.repo, cx)?;
    match remembered {
        Some(known) if known.repository != repo.id() => Err(Error::new(
            Kind::NoRepository,
            format!("the repository in {} is not the one this site was set up with", repo.directory().display()),
        )
        .with_remedy(format!(
            "it was made anew since; if that is what you want, remove {} and run again",
            job.state.join(identity::FILE).display()
        ))),
        Some(_) => Ok(repo),
        None => {
            let marker = identity::mark(&at.root)?;
            identity::remember(&job.state, &identity::Identity { storage: marker, repository: repo.id().to_owned() })?;
            cx.note(format!("remembered storage and repository {}", &repo.id()[..8]));
            Ok(repo)
        }
    }
}
