//! The points at which hooks join in.

use crate::event::{RunKind, RunState, Step};

/// The points that belong to the run as a whole.
const OF_RUN: [&str; 7] = ["before-run", "after-run", "on-failure", "always", "quiesce", "resume", "drill"];

/// Every point a hook can be attached to.
pub fn points() -> Vec<String> {
    let around = |step: &Step| [format!("before-{}", step.name()), format!("after-{}", step.name())];
    OF_RUN.iter().map(|&point| point.to_owned()).chain(Step::ALL.iter().flat_map(around)).collect()
}

/// At these points a hook can stop what comes next, or have it left out.
///
/// Not where a run brings a site back that another one left half way: nobody is to be kept from that.
pub(super) fn can_stop(point: &str, state: &RunState) -> bool {
    point.starts_with("before-") && point != "before-recover" && state.kind != Some(RunKind::Recover)
}

/// At these points a failure is an error: besides the former, until a restore is committed who looked at it may turn it down;
/// and a site that could not be stopped, or not be started again, is more than a warning.
pub(super) fn can_veto(point: &str, state: &RunState) -> bool {
    can_stop(point, state) || ["after-probe", "quiesce", "resume", "drill"].contains(&point)
}

/// At these points a hook can still say what is left out of the files, and what the snapshot is to be found by.
///
/// With `quiesce` the files are first read at the step `online`, otherwise at `save`; each of their reads must leave out the same.
pub(super) fn can_shape(point: &str, state: &RunState) -> bool {
    let begun = |step: Step| {
        let before = point.strip_prefix("before-") == Some(step.name());
        !before && state.steps.iter().any(|state| state.step == step)
    };
    let at_end = ["after-run", "on-failure", "always"].contains(&point);
    state.kind == Some(RunKind::Backup) && !at_end && !begun(Step::Online) && !begun(Step::Save)
}
