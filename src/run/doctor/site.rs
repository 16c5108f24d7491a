//! The site itself: its root, what earlier restores left, what was proven, and its hooks.

use super::Finding;
use crate::error::Error;
use crate::hook::examine;
use crate::run::drill::{Standing, Verdict, drills, standing};
use crate::run::{Job, recover, staging};
use crate::sys::mount;

pub(super) fn look(job: &Job) -> Vec<Finding> {
    let mut findings = vec![root(job), movable(job)];
    findings.extend(half_done(job));
    findings.extend(unfinished(job));
    findings.push(proven(job));
    findings.extend(hooks(job));
    findings
}

fn root(job: &Job) -> Finding {
    let root = job.site.root.display();
    let read =
        std::fs::read_dir(&job.site.root).map(|entries| format!("can be read, entries: {}", entries.count()));
    Finding::of(&format!("site {root}"), read.map_err(Error::from)).at(root)
}

/// Bad for a restore in place only, so it is a warning.
fn movable(job: &Job) -> Finding {
    let what = "restore in place";
    let mounted = match mount::at_or_below(&job.site.root) {
        Ok(mounted) => mounted,
        Err(error) => return Finding::of(what, Err(error)),
    };
    match mounted.first() {
        None => Finding::ok(what, "can be exchanged in one step"),
        Some(point) => Finding::warning(
            what,
            format!(
                "{} is a mount point: its content is not saved, and the root cannot be exchanged",
                point.display()
            ),
            "restore with `--to DIR`, or list what is mounted as a site of its own",
        )
        .at(point.display()),
    }
}

/// A restore that did not come to its end, and can be put right.
fn half_done(job: &Job) -> Option<Finding> {
    let text = match recover::unfinished(job) {
        Ok(None) => return None,
        Ok(Some(what)) => what,
        Err(error) => error.to_string(),
    };
    let remedy = "`lifeboat recover` puts the site back as it was before, or finishes what was committed";
    Some(Finding::error("an unfinished run", text, remedy).at(job.state.display()))
}

/// When a restore was last proven to work.
fn proven(job: &Job) -> Finding {
    let what = "last proven restore";
    let remedy = "`lifeboat drill` restores the latest snapshot beside the site and looks at it";
    let all = match drills(job) {
        Ok(all) => all,
        Err(error) => return Finding::of(what, Err(error)),
    };
    let standing: Vec<_> = standing(&all).into_values().collect();
    let newest = standing.iter().max_by_key(|standing| standing.at);
    let whole = standing.iter().filter(|standing| standing.verdict == Verdict::Proven).max_by_key(|s| s.at);
    let whole = whole.map_or_else(
        || "no snapshot is proven whole".to_owned(),
        |standing| format!("the last whole one {}", job.local(standing.at)),
    );
    match newest {
        None => Finding::warning(what, "no snapshot was ever drilled", remedy),
        Some(Standing { verdict: Verdict::Failed, at }) => {
            Finding::error(what, format!("the last drill, of {}, failed; {whole}", job.local(*at)), remedy)
        }
        Some(Standing { verdict: Verdict::InPart, at }) => {
            Finding::ok(what, format!("{}, of a part of its snapshot; {whole}", job.local(*at)))
        }
        Some(Standing { verdict: Verdict::Proven, at }) => Finding::ok(what, job.local(*at)),
    }
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
    left.map(|path| {
        Finding::warning(
            "an earlier restore",
            format!("{} was left behind when it was killed", path.display()),
            "it may hold the only copy of the former files: look into it, then remove it",
        )
        .at(path.display())
    })
    .collect()
}

/// Those that a run would refuse to start.
fn hooks(job: &Job) -> Vec<Finding> {
    let flawed = job.hooks.iter().flat_map(|hook| examine(hook).into_iter().map(move |flaw| (hook, flaw)));
    let mut findings: Vec<_> = flawed
        .map(|(hook, flaw)| {
            let remedy = flaw.remedy.as_deref().unwrap_or("see `lifeboat hooks check`");
            let program = hook.command.first().map_or("", String::as_str);
            Finding::error(format!("{} hook", hook.point), flaw.text, remedy).at(program)
        })
        .collect();
    if findings.is_empty() && !job.hooks.is_empty() {
        findings.push(Finding::ok("hooks", format!("{} that nobody else can change", job.hooks.len())));
    }
    findings
}
