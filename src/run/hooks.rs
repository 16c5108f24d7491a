//! Where a site's hooks join the stories: around each step and around the run; and how they are tried by hand.

use super::scope::Around;
use super::{Ending, Job};
use crate::error::Result;
use crate::event::{Cx, Outcome, RunKind, RunState, Step};
use crate::hook::{self, Asked, HookSpec};

impl Around for Job {
    fn before(&self, step: Step, cx: &Cx) -> Result<()> {
        self.hooks_at(&format!("before-{}", step.name()), cx)
    }

    fn after(&self, step: Step, cx: &Cx) -> Result<()> {
        self.hooks_at(&format!("after-{}", step.name()), cx)
    }
}

impl Job {
    /// Those of one point: what is for all sites, what is for this one, what the configuration names. The first that says stop
    /// is the last, but at `resume`: what one could not start again is no reason to leave the rest.
    pub(crate) fn hooks_at(&self, point: &str, cx: &Cx) -> Result<()> {
        let mut hooks = self.hooks_of(point);
        let mut each = |hook: &HookSpec| hook::run(hook, &cx.state(), cx).map(drop);
        if point == "resume" {
            hooks.map(each).fold(Ok(()), Result::and)
        } else {
            hooks.try_for_each(&mut each)
        }
    }

    fn hooks_of(&self, point: &str) -> impl Iterator<Item = &HookSpec> {
        self.hooks.iter().filter(move |hook| hook.point == point)
    }
}

/// `after-run` or `on-failure`, and `always` last, whatever happened. They are told how the run ends.
pub(crate) fn tell(job: &Job, ending: &Ending, cx: &Cx) {
    // A cancel ends the work, not what is told about it.
    let shielded = cx.shielded();
    let told = if ending.error.is_none() { "after-run" } else { "on-failure" };
    for hook in job.hooks_of(told).chain(job.hooks_of("always")) {
        // These hooks cannot fail a run: what they have to say was said as warnings.
        if let Err(error) = hook::run(hook, &ending.on(cx.state()), &shielded) {
            cx.warn(error.to_string());
        }
    }
}

/// A state as a hook may find it at this point, for who tries it by hand.
pub fn made_up_state(job: &Job, point: &str, run: &str) -> RunState {
    let step = Step::ALL.into_iter().find(|step| {
        point.strip_prefix("before-").or_else(|| point.strip_prefix("after-")) == Some(step.name())
    });
    let kind = match step {
        Some(
            Step::Find
            | Step::Preflight
            | Step::Stage
            | Step::Fetch
            | Step::Load
            | Step::Adapt
            | Step::SwapFiles
            | Step::SwapDatabase
            | Step::Rescue
            | Step::Probe
            | Step::Commit
            | Step::Settle,
        ) => RunKind::Restore,
        Some(Step::Prune) => RunKind::Forget,
        Some(Step::Check) => RunKind::Check,
        Some(Step::Recover) => RunKind::Recover,
        None if point == "drill" => RunKind::Drill,
        _ => RunKind::Backup,
    };
    let (outcome, error) = match point {
        "after-run" | "always" => (Some(Outcome::Success), None),
        "on-failure" => (Some(Outcome::Failed), Some("nothing: this run is made up".to_owned())),
        _ => (None, None),
    };
    RunState {
        run: run.to_owned(),
        kind: Some(kind),
        site: job.site.name.clone(),
        cause: "by hand".to_owned(),
        started: Some(jiff::Timestamp::now()),
        outcome,
        error,
        ..RunState::default()
    }
}

/// Runs the hooks of one point as a run would, with a state that was made up. Stops where a run would.
pub fn try_hooks<'a>(job: &'a Job, point: &str, state: &RunState, cx: &Cx) -> Vec<(&'a HookSpec, Asked)> {
    let mut tried = Vec::new();
    for hook in job.hooks_of(point) {
        let asked = hook::ask(hook, state, cx);
        let stops = asked.verdict.is_err() && point != "resume";
        tried.push((hook, asked));
        if stops {
            break;
        }
    }
    tried
}
