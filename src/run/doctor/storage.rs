//! The storage and the repository on it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Finding, clock, key, restic};
use crate::event::Cx;
use crate::repo::{Mode, Repo};
use crate::run::Job;
use crate::run::open::{Reach, open_repo};
use crate::storage::{self, StorageSpec};
use crate::sys::mount;
use crate::sys::space::Space;

/// Less free space than this is worth a word.
const LOW_PERCENT: u64 = 10;

pub(super) fn look(job: &Job, cx: &Cx) -> Vec<Finding> {
    let storage = storage::open(&job.storage);
    let name = storage.describe();
    let mut findings = vec![space("this node", &job.state)];
    let reach = match Reach::gain(job, storage.as_ref(), cx) {
        Ok(reach) => reach,
        Err(error) => {
            findings.push(Finding::of(&name, Err(error)).at(&name));
            return findings;
        }
    };
    findings.push(Finding::ok(name.clone(), "can be reached and written").at(&name));
    findings.push(mounted(job, reach.root()));
    findings.push(space(&name, reach.root()));
    findings.push(clock::storage(&name, reach.root()));
    match open_repo(job, &reach, cx) {
        Err(error) => findings.push(Finding::of("repository", Err(error)).at(reach.root().display())),
        Ok(repo) => findings.extend(repository(job, &repo)),
    }
    let given_back = reach.give_back(storage.as_ref()).map(|()| "given back as it was found".to_owned());
    findings.push(Finding::of("unmount", given_back).at(&name));
    findings
}

fn repository(job: &Job, repo: &Repo) -> Vec<Finding> {
    let place = repo.directory().display();
    let mut findings = Vec::new();
    let snapshots = repo.snapshots();
    let listed = match &snapshots {
        Ok(all) => Finding::ok("repository", format!("{place} opens, snapshots: {}", all.len())),
        Err(error) => Finding::failed("repository", error),
    };
    findings.push(listed.at(&place));
    if let Some(password) = &job.repo.password {
        findings.push(match repo.opens(password) {
            Ok(true) => Finding::ok("password", "opens the repository"),
            Ok(false) => Finding::error(
                "password",
                "opens no key of this repository: with the key file alone, a new node could not read the backups",
                "set `repository.password` right, or add this one with `lifeboat key add`",
            ),
            Err(error) => Finding::of("password", Err(error)),
        });
    }
    findings.extend(key::weak(job, repo));
    findings.extend(locks(repo));
    if let Ok(snapshots) = &snapshots {
        findings.extend(clock::future(job, snapshots));
        findings.push(restic::look(
            job,
            repo,
            &snapshots.iter().map(|snapshot| snapshot.id.clone()).collect(),
        ));
    }
    findings
}

/// Stale ones are told before the look itself takes them away, as any run does.
fn locks(repo: &Repo) -> Vec<Finding> {
    let what = "locks";
    let standing = match repo.locks() {
        Ok(standing) => standing,
        Err(error) => return vec![Finding::of(what, Err(error))],
    };
    let stale = standing.iter().filter(|lock| lock.stale);
    let mut findings: Vec<_> = stale
        .map(|lock| {
            let text = format!("{} left one and is gone", lock.holder);
            Finding::warning(
                what,
                text,
                "nothing is to be done: it was removed now. Look why that process ended",
            )
            .at(&lock.holder)
        })
        .collect();
    let locked = repo.lock(Mode::Exclusive).and_then(|lock| lock.release());
    findings.push(Finding::of(what, locked.map(|()| "nobody holds the repository".to_owned())));
    findings
}

/// What the storage is, as the kernel has it.
fn mounted(job: &Job, root: &Path) -> Finding {
    let what = "mount";
    let table = match mount::table() {
        Ok(table) => table,
        Err(error) => return Finding::of(what, Err(error)),
    };
    let Some(entry) = mount::covering(&table, root) else {
        return Finding::note(what, "the kernel lists no mount for the storage").at(root.display());
    };
    let text = format!("{} {} with {}", entry.fstype, entry.source, entry.super_options);
    let finding = match &job.storage {
        StorageSpec::Local(_) if entry.is_nfs() => Finding::warning(
            what,
            format!("{text}: a share that is named as a directory; that it is mounted is not checked"),
            "write `type: nfs` with `mount: present`, and a directory that is not mounted is refused",
        ),
        StorageSpec::Local(_) if same_device(root, &job.site.root) => Finding::warning(
            what,
            format!("{text}: the backups are on the same file system as the site, and are lost with it"),
            "keep them on another machine, or copy them to one",
        ),
        // `attach` has refused what is no NFS, or another server's.
        StorageSpec::Nfs(_) | StorageSpec::Local(_) => Finding::ok(what, text),
    };
    finding.at(root.display())
}

fn same_device(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| path.metadata().map(|meta| meta.dev()).ok();
    device(one).is_some() && device(one) == device(other)
}

fn space(name: &str, root: &Path) -> Finding {
    let what = format!("space on {name}");
    let finding = match Space::at(root) {
        Err(error) => Finding::of(&what, Err(error.into())),
        Ok(Space { free, size }) => {
            let percent = free.saturating_mul(100) / size.max(1);
            let text = format!("{percent}% free");
            if percent < LOW_PERCENT {
                Finding::warning(what, text, "keep fewer snapshots, or make it larger")
            } else {
                Finding::ok(what, text)
            }
        }
    };
    finding.at(root.display())
}
