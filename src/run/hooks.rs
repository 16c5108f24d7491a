//! Where a site's hooks join the stories: around each step and around the run.

use super::Job;
use super::scope::Around;
use crate::error::Result;
use crate::event::{Cx, Step};
use crate::hook;

impl Around for Job {
    fn before(&self, step: Step, cx: &Cx) -> Result<()> {
        self.hooks_at(&format!("before-{}", step.name()), cx)
    }

    fn after(&self, step: Step, cx: &Cx) -> Result<()> {
        self.hooks_at(&format!("after-{}", step.name()), cx)
    }
}

impl Job {
    /// Those of one point, in the order of the configuration; the first that says stop is the last.
    pub(crate) fn hooks_at(&self, point: &str, cx: &Cx) -> Result<()> {
        for hook in self.hooks.iter().filter(|hook| hook.point == point) {
            hook::run(hook, &cx.state(), cx)?;
        }
        Ok(())
    }
}

/// `before-run` first, then the story, then `after-run` or `on-failure`, and `always` last, whatever happened.
pub(crate) fn around_run<T>(job: &Job, cx: &Cx, story: impl FnOnce() -> Result<T>) -> Result<T> {
    let result = job.hooks_at("before-run", cx).and_then(|()| story());
    // A cancel ends the work, not what is told about it.
    let shielded = cx.shielded();
    let told = match &result {
        Ok(_) => job.hooks_at("after-run", &shielded),
        Err(_) => job.hooks_at("on-failure", &shielded),
    };
    let always = job.hooks_at("always", &shielded);
    // These hooks cannot fail a run: what they have to say was said as warnings.
    if let Err(error) = told.and(always) {
        cx.warn(error.to_string());
    }
    result
}
