//! What would make the next backup or restore fail, found by trying each part of it, with the remedy.

use serde::Serialize;

use super::Job;
use super::drill::{Standing, Verdict, drills, standing};
use super::open::{Reach, open_repo};
use super::{recover, staging};
use crate::database;
use crate::dump::no_previous;
use crate::error::Error;
use crate::event::Cx;
use crate::repo::Mode;
use crate::storage;
use crate::sys::claim::claim;
use crate::sys::mount;
use crate::sys::space::Space;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub what: String,
    pub health: Health,
    pub text: String,
    pub remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    Good,
    /// It works today.
    Warning,
    Bad,
}

/// Less free space than this on the storage is worth a word.
const LOW_PERCENT: u64 = 10;

/// Looks at everything a run needs; changes nothing but a probe file that it removes.
pub fn examine(job: &Job, cx: &Cx) -> Vec<Finding> {
    let mut findings = vec![root(job), movable(job)];
    findings.extend(half_done(job));
    findings.extend(unfinished(job));
    findings.push(proven(job));
    for spec in &job.databases {
        let database = database::open(spec);
        let begun = database.begin(&no_previous, cx).map(|_feed| "a consistent dump can begin".to_owned());
        findings.push(finding(&database.describe(), begun));
    }
    match claim(&job.state.join("lock"), "doctor") {
        Err(busy) => findings.push(finding("this site", Err(busy))),
        Ok(_claim) => findings.extend(storage(job, cx)),
    }
    findings
}

fn storage(job: &Job, cx: &Cx) -> Vec<Finding> {
    let storage = storage::open(&job.storage);
    let name = storage.describe();
    let reach = match Reach::gain(job, storage.as_ref(), cx) {
        Ok(reach) => reach,
        Err(error) => return vec![finding(&name, Err(error))],
    };
    let mut findings =
        vec![finding(&name, Ok("can be reached and written".to_owned())), space(&name, reach.root())];
    match open_repo(job, &reach, cx) {
        Err(error) => findings.push(finding("repository", Err(error))),
        Ok(repo) => {
            let listed = repo
                .snapshots()
                .map(|all| format!("{} opens, {} snapshots", repo.directory().display(), all.len()));
            findings.push(finding("repository", listed));
            let locked = repo.lock(Mode::Exclusive).and_then(|lock| lock.release());
            findings.push(finding("locks", locked.map(|()| "nobody holds the repository".to_owned())));
        }
    }
    let given_back = reach.give_back(storage.as_ref()).map(|()| "given back as it was found".to_owned());
    findings.push(finding("unmount", given_back));
    findings
}

fn root(job: &Job) -> Finding {
    let read = std::fs::read_dir(&job.site.root).map(|entries| format!("{} entries", entries.count()));
    finding(&format!("site {}", job.site.root.display()), read.map_err(Error::from))
}

/// Bad for a restore in place only, so it is a warning.
fn movable(job: &Job) -> Finding {
    let mounted = match mount::at_or_below(&job.site.root) {
        Ok(mounted) => mounted,
        Err(error) => return finding("restore in place", Err(error)),
    };
    let (health, text, remedy) = match mounted.first() {
        None => (Health::Good, "can be exchanged in one step".to_owned(), None),
        Some(point) => (
            Health::Warning,
            format!(
                "{} is a mount point: its content is not saved, and the root cannot be exchanged",
                point.display()
            ),
            Some("restore with `--to DIR`, or list what is mounted as a site of its own".to_owned()),
        ),
    };
    Finding { what: "restore in place".to_owned(), health, text, remedy }
}

/// A restore that did not come to its end, and can be put right.
fn half_done(job: &Job) -> Option<Finding> {
    let text = match recover::unfinished(job) {
        Ok(None) => return None,
        Ok(Some(what)) => what,
        Err(error) => error.to_string(),
    };
    Some(Finding {
        what: "an unfinished run".to_owned(),
        health: Health::Bad,
        text,
        remedy: Some(
            "`lifeboat recover` puts the site back as it was before, or finishes what was committed"
                .to_owned(),
        ),
    })
}

/// When a restore was last proven to work.
fn proven(job: &Job) -> Finding {
    let what = "last proven restore";
    let all = match drills(job) {
        Ok(all) => all,
        Err(error) => return finding(what, Err(error)),
    };
    let standing: Vec<_> = standing(&all).into_values().collect();
    let newest = standing.iter().max_by_key(|standing| standing.at);
    let whole = standing.iter().filter(|standing| standing.verdict == Verdict::Proven).max_by_key(|s| s.at);
    let whole = whole.map_or_else(
        || "no snapshot is proven whole".to_owned(),
        |standing| format!("the last whole one {}", job.local(standing.at)),
    );
    let (health, text) = match newest {
        None => (Health::Warning, "no snapshot was ever drilled".to_owned()),
        Some(Standing { verdict: Verdict::Failed, at }) => {
            (Health::Bad, format!("the last drill, of {}, failed; {whole}", job.local(*at)))
        }
        Some(Standing { verdict: Verdict::InPart, at }) => {
            (Health::Good, format!("{}, of a part of its snapshot; {whole}", job.local(*at)))
        }
        Some(Standing { verdict: Verdict::Proven, at }) => (Health::Good, job.local(*at)),
    };
    let remedy = match health {
        Health::Good => None,
        _ => Some("`lifeboat drill` restores the latest snapshot beside the site and looks at it".to_owned()),
    };
    Finding { what: what.to_owned(), health, text, remedy }
}

/// What a restore without a journal left beside the site: half fetched files, or the former ones if it came to the swap.
fn unfinished(job: &Job) -> Vec<Finding> {
    // What has a journal is told by it.
    if recover::unfinished(job).is_ok_and(|journal| journal.is_some()) {
        return Vec::new();
    }
    let entries = job.site.root.parent().and_then(|beside| std::fs::read_dir(beside).ok());
    let places = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let left = places.filter(|path| staging::is_unfinished(&job.site.root, path));
    left.map(|path| Finding {
        what: "an earlier restore".to_owned(),
        health: Health::Warning,
        text: format!("{} was left behind when it was killed", path.display()),
        remedy: Some(
            "it may hold the only copy of the former files: look into it, then remove it".to_owned(),
        ),
    })
    .collect()
}

fn space(name: &str, root: &std::path::Path) -> Finding {
    let what = format!("space on {name}");
    match Space::at(root) {
        Err(error) => finding(&what, Err(error.into())),
        Ok(Space { free, size }) => {
            let percent = free.saturating_mul(100) / size.max(1);
            let health = if percent < LOW_PERCENT { Health::Warning } else { Health::Good };
            let remedy = (health == Health::Warning)
                .then(|| "keep fewer snapshots, or make the storage larger".to_owned());
            Finding { what, health, text: format!("{percent}% free"), remedy }
        }
    }
}

fn finding(what: &str, result: Result<String, Error>) -> Finding {
    let (health, text, remedy) = match result {
        Ok(text) => (Health::Good, text, None),
        Err(error) => (Health::Bad, error.to_string(), error.remedy().map(str::to_owned)),
    };
    Finding { what: what.to_owned(), health, text, remedy }
}
