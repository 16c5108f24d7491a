//! Where a site's hooks join the stories: around each step and around the run.

use super::Job;
use super::scope::Around;
use crate::error::Result;
use crate::event::{Cx, Step};

impl Around for Job {
    fn before(&self, _step: Step, _cx: &Cx) -> Result<()> {
        Ok(())
    }

    fn after(&self, _step: Step, _cx: &Cx) {}
}

/// `before-run` first, then the story, then `after-run` or `on-failure`, and `always` last.
pub(crate) fn around_run<T>(_job: &Job, _cx: &Cx, story: impl FnOnce() -> Result<T>) -> Result<T> {
    story()
}
