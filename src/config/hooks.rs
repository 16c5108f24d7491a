//! Reads which commands run at which points, and how long they may take.

use std::collections::BTreeMap;
use std::time::Duration;

use super::duration;
use super::secret::command;
use super::shape::Hook;
use super::suggest::closest;
use super::walk::At;
use crate::event::Step;

const DEFAULT_TIMEOUT: Duration = Duration::from_mins(10);
const MAX_TIMEOUT: Duration = Duration::from_hours(24);

/// The points that belong to the run as a whole.
const RUN_POINTS: [&str; 7] =
    ["before-run", "after-run", "on-failure", "always", "quiesce", "resume", "drill"];

/// Every point a hook can be attached to.
pub(super) fn points() -> Vec<String> {
    let around = |step: &Step| [format!("before-{}", step.name()), format!("after-{}", step.name())];
    RUN_POINTS.iter().map(|&point| point.to_owned()).chain(Step::ALL.iter().flat_map(around)).collect()
}

pub(super) fn read(at: &At<'_>) -> Option<BTreeMap<String, Vec<Hook>>> {
    let points = points();
    let known: Vec<_> = points.iter().map(String::as_str).collect();
    let table = at.group(&known, |key| {
        closest(key, known.iter().copied()).map_or_else(
            || {
                "use before- or after- and the name of a step, before-run, after-run, on-failure, always, quiesce, resume or drill"
                    .to_owned()
            },
            |meant| format!("did you mean {meant}?"),
        )
    })?;
    let mut hooks = BTreeMap::new();
    for point in table.keys().filter(|key| known.contains(key)) {
        let list = table.get(point).and_then(|at| at.list()).unwrap_or_default();
        hooks.insert(point.to_owned(), list.iter().filter_map(hook).collect());
    }
    Some(hooks)
}

fn hook(at: &At<'_>) -> Option<Hook> {
    let table = at.table(&["command", "timeout"])?;
    let command =
        table.need("command", "write the program and its arguments as a list").and_then(|at| command(&at));
    let timeout = match table.get("timeout") {
        Some(at) => timeout(&at),
        None => Some(DEFAULT_TIMEOUT),
    };
    Some(Hook { command: command?, timeout: timeout? })
}

fn timeout(at: &At<'_>) -> Option<Duration> {
    duration::between(at, (Duration::from_secs(1)..=MAX_TIMEOUT, "1s to 24h"), "write it like 30s, 5m or 1h")
}
