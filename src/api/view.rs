//! What callers are shown: the same in answers and in the stream of events.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::agent::{Card, Due, Queued};
use crate::event::{RunKind, RunState, StepState, Unit};
use crate::history::{Past, Standing};

/// A site that the agent looks after.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct SiteView {
    pub(super) name: String,
    /// What is scheduled.
    pub(super) work: Vec<WorkView>,
    /// Runs that wait for their turn, the next one first.
    pub(super) queue: Vec<QueuedView>,
    /// The run that is at work.
    pub(super) at_work: Option<String>,
    /// What the agent complains of at present.
    pub(super) troubles: Vec<String>,
}

/// One kind of scheduled work.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct WorkView {
    /// `backup`, `check` or `drill`.
    pub(super) work: String,
    /// When it is due next; nothing if not any more.
    pub(super) next: Option<Timestamp>,
    /// The run that was decided on and did not come to its end.
    pub(super) pending: Option<String>,
    /// Times that came due while a run was at work.
    pub(super) skipped: u64,
    /// Times that passed while there was no agent.
    pub(super) missed: u64,
}

/// A run that waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct QueuedView {
    pub(super) run: String,
    /// Such as `backup` or `restore`.
    pub(super) what: String,
}

/// A run: one that waits, is at work, or was.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(super) struct RunView {
    pub(super) id: String,
    pub(super) site: String,
    /// `backup`, `restore`, `forget`, `check`, `recover` or `drill`.
    pub(super) kind: Option<String>,
    /// `waiting`, `running`, `ended` or `crashed`.
    pub(super) standing: String,
    /// Who or what began it.
    pub(super) cause: String,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    /// Of a backup that holds the site still: `preparing`, `online`, `quiesced` or `finalizing`.
    pub(super) phase: Option<String>,
    /// The step at work.
    pub(super) step: Option<String>,
    pub(super) progress: Option<ProgressView>,
    pub(super) steps: Vec<StepView>,
    /// `success`, `incomplete`, `failed`, `skipped` or `cancelled`; nothing before its end, and of one that crashed.
    pub(super) outcome: Option<String>,
    pub(super) error: Option<String>,
    pub(super) remedy: Option<String>,
    /// The snapshot that was saved, or brought back.
    pub(super) snapshot: Option<String>,
    pub(super) notes: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) warning_count: u64,
    /// What is missing from the result.
    pub(super) missed: Vec<String>,
    pub(super) missed_count: u64,
    /// What could not be released or put back: somebody must look.
    pub(super) stuck: Vec<String>,
    pub(super) saved: Option<SavedView>,
    /// For how long a backup held the site still.
    pub(super) held_seconds: Option<f64>,
}

/// What a snapshot holds, and what of it is new.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct SavedView {
    pub(super) files: u64,
    pub(super) files_new: u64,
    pub(super) files_changed: u64,
    pub(super) bytes: u64,
    /// Before compression.
    pub(super) bytes_added: u64,
    /// What the repository grew by.
    pub(super) bytes_stored: u64,
}

/// How far the step at work is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(super) struct ProgressView {
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    /// `bytes`, `files` or `rows`.
    #[schema(value_type = String)]
    pub(super) unit: Unit,
    /// Of `total`; 0 to 100.
    pub(super) percent: Option<f64>,
    /// About so long to the end of this step, at its pace so far.
    pub(super) seconds_left: Option<f64>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct StepView {
    pub(super) step: String,
    pub(super) started: Timestamp,
    pub(super) seconds: Option<f64>,
    pub(super) failed: Option<String>,
    pub(super) reverted: bool,
}

impl SiteView {
    pub(super) fn of(card: &Card) -> Self {
        let work = |due: &Due| WorkView {
            work: due.work.name().to_owned(),
            next: due.next,
            pending: due.pending.clone(),
            skipped: due.skipped,
            missed: due.missed,
        };
        let queued = |queued: &Queued| QueuedView { run: queued.run.clone(), what: queued.what.to_owned() };
        Self {
            name: card.name.clone(),
            work: card.work.iter().map(work).collect(),
            queue: card.queue.iter().map(queued).collect(),
            at_work: card.at_work.as_ref().map(|at_work| at_work.run.clone()),
            troubles: card.troubles.clone(),
        }
    }
}

impl RunView {
    pub(super) fn of(site: &str, past: &Past, now: Timestamp) -> Self {
        let state = &past.state;
        let standing = match past.standing {
            Standing::Running => "running",
            Standing::Ended => "ended",
            Standing::Crashed => "crashed",
        };
        let at_work =
            state.steps.last().filter(|step| past.standing == Standing::Running && step.ended.is_none());
        Self {
            id: past.id.clone(),
            site: site.to_owned(),
            kind: state.kind.map(|kind| kind.name().to_owned()),
            standing: standing.to_owned(),
            cause: state.cause.clone(),
            started: state.started,
            finished: state.finished,
            phase: state.phase.map(|phase| phase.name().to_owned()),
            step: at_work.map(|step| step.step.name().to_owned()),
            progress: at_work.and_then(|step| ProgressView::of(step, now)),
            steps: state.steps.iter().map(StepView::of).collect(),
            outcome: state.outcome.map(|outcome| outcome.name().to_owned()),
            error: state.error.clone(),
            remedy: state.remedy.clone(),
            snapshot: state.snapshot.clone(),
            notes: state.notes.clone(),
            warnings: state.warnings.clone(),
            warning_count: state.warning_count,
            missed: state.missed.iter().map(|(path, why)| format!("{path}: {why}")).collect(),
            missed_count: state.missed_count,
            stuck: state.stuck.iter().map(|(step, error)| format!("{}: {error}", step.name())).collect(),
            saved: saved(state),
            held_seconds: state.held_seconds,
        }
    }

    /// One that has not begun.
    pub(super) fn waiting(site: &str, queued: &Queued) -> Self {
        Self {
            id: queued.run.clone(),
            site: site.to_owned(),
            kind: Some(queued.what.to_owned()),
            standing: "waiting".to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.standing.as_str(), "ended" | "crashed")
    }
}

fn saved(state: &RunState) -> Option<SavedView> {
    state.saved.filter(|_| state.kind == Some(RunKind::Backup)).map(|saved| SavedView {
        files: saved.files,
        files_new: saved.files_new,
        files_changed: saved.files_changed,
        bytes: saved.bytes,
        bytes_added: saved.bytes_added,
        bytes_stored: saved.bytes_stored,
    })
}

impl ProgressView {
    #[allow(clippy::cast_precision_loss)] // shown to people
    fn of(step: &StepState, now: Timestamp) -> Option<Self> {
        let unit = step.unit?;
        // It was an estimate, and was wrong.
        let total = step.total.filter(|total| *total >= step.done);
        let share = total.filter(|total| *total > 0).map(|total| step.done as f64 / total as f64);
        let elapsed = now.duration_since(step.started).max(SignedDuration::ZERO).as_secs_f64();
        // The first moments say nothing of the pace.
        let left =
            share.filter(|share| *share > 0.01 && elapsed > 1.0).map(|share| elapsed * (1.0 - share) / share);
        Some(Self {
            done: step.done,
            total,
            unit,
            percent: share.map(|share| share * 100.0),
            seconds_left: left,
        })
    }
}

impl StepView {
    fn of(step: &StepState) -> Self {
        Self {
            step: step.step.name().to_owned(),
            started: step.started,
            seconds: step.ended.map(|ended| ended.duration_since(step.started).as_secs_f64()),
            failed: step.failed.clone(),
            reverted: step.reverted,
        }
    }
}
