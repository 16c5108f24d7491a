//! What happens: the stories of a backup and of a restore, and the verbs they are told in. Start reading at `backup`.

mod backup;
mod restore;

mod adapt;
mod adopted;
mod choose;
mod copies;
mod databases;
mod doctor;
mod drill;
mod find;
mod former;
mod hooks;
pub mod job;
mod journal;
mod limits;
mod maintenance;
mod moment;
mod newer;
mod open;
mod pace;
mod parts;
mod pins;
mod plans;
mod preflight;
mod quiet;
mod recover;
mod request;
mod rescue;
mod rotation;
pub mod scope;
mod selection;
mod staging;
mod undo;
mod walk;
mod work;

pub use crate::hook::{
    Answer, Asked, Flaw, HookSpec, Ignored, Verdict as HookVerdict, environment as hook_environment,
    examine as examine_hook, input as hook_input, points as hook_points, schema as hook_schema,
};
pub use backup::{BackupRequest, backup};
pub use choose::{of_site, snapshot as choose};
pub use doctor::{Finding, Level as FindingLevel, examine, unit, without_schedule};
pub use drill::{
    Drill, DrillRequest, Drilled, Failure, Standing, Verdict as DrillVerdict, drill, drills, drills_of,
    follow, last_passed, standing,
};
pub use find::find;
pub use former::{Former, discard_former, former};
pub use hooks::{made_up_state, try_hooks};
pub use job::Job;
pub use limits::{Limits, Pause};
pub use maintenance::{CheckRequest, Checked, Reading, check};
pub use newer::Listing;
pub use open::{Adoptee, Opened, adopt, claim_site, init, open, with_repo};
pub use pace::Estimate;
pub use parts::Parts;
pub use pins::{Pinned, pin, unpin};
pub use plans::{SavedPlan, saved_plan};
pub use quiet::{Mode as QuiesceMode, Quiesce};
pub use recover::{Recovered, Recovery, left_unfinished, recover, unfinished};
pub use request::{DatabasePlan, Preview, RestoreRequest, Source, TablePlan, Target};
pub use restore::{Restored, restore};
pub use rotation::{ForgetRequest, Forgotten, forget};
pub use undo::{UndoPreview, UndoRequest, Undone, undo};
pub use walk::{Walk, parts};

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Kind, Result};
use crate::event::{Cx, Outcome, RunKind, RunState, What};

/// Runs a story from its first event to its last. A panic becomes an error here: everything it held is released by then.
pub fn execute<T>(
    kind: RunKind,
    job: &Job,
    cause: &str,
    cx: &Cx,
    story: impl FnOnce() -> Result<(T, Option<String>)>,
) -> (Result<T>, RunState) {
    cx.emit(What::RunStarted { kind, site: job.site.name.clone(), cause: cause.to_owned() });
    let applied = limits::apply(job, cx);
    let result = catch_unwind(AssertUnwindSafe(|| job.hooks_at("before-run", cx).and_then(|()| story())))
        .unwrap_or_else(|panic| Err(Error::failed(scope::panic_text(panic.as_ref()))));
    let ending = Ending::of(&result, cx);
    hooks::tell(job, &ending, cx);
    drop(applied);
    let Ending { outcome, snapshot, error } = ending;
    cx.emit(What::RunFinished { outcome, snapshot, error });
    let result = match result {
        Err(_) if outcome == Outcome::Cancelled => Err(Error::cancelled()),
        other => other.map(|(done, _)| done),
    };
    (result, cx.state())
}

/// How a run ends, as it is told.
struct Ending {
    outcome: Outcome,
    snapshot: Option<String>,
    error: Option<String>,
}

impl Ending {
    fn of<T>(result: &Result<(T, Option<String>)>, cx: &Cx) -> Self {
        let outcome = match result {
            Ok(_) if cx.state().is_whole() => Outcome::Success,
            Ok(_) => Outcome::Incomplete,
            // Whatever broke first after a cancel, the cancel is why.
            Err(_) if cx.is_cancelled() => Outcome::Cancelled,
            Err(error) if error.kind() == Kind::Cancelled => Outcome::Cancelled,
            Err(error) if error.kind() == Kind::Skipped => Outcome::Skipped,
            Err(_) => Outcome::Failed,
        };
        match result {
            Ok((_, snapshot)) => Self { outcome, snapshot: snapshot.clone(), error: None },
            Err(error) => Self { outcome, snapshot: None, error: Some(error.to_string()) },
        }
    }

    /// What there is to say of the run, with its end.
    fn on(&self, state: RunState) -> RunState {
        let Self { outcome, snapshot, error } = self;
        RunState { outcome: Some(*outcome), snapshot: snapshot.clone(), error: error.clone(), ..state }
    }
}
