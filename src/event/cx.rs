//! The one thing every function that works long is handed: where to report, and whether to go on.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Event, RunState, Step, Unit, What};
use crate::error::{Error, Result};
use crate::sys::signal;
use crate::sys::watch::Owner;

const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Receives every event, in order; must not fail and must not block for long.
pub trait Sink: Send + Sync {
    fn take(&self, event: &Event);
}

/// Has long work wait while the machine is busy with other things.
pub trait Pace: Send + Sync {
    /// Called between two files or packs; an error only if somebody asked to stop meanwhile.
    fn wait(&self, cx: &Cx) -> Result<()>;
}

/// Set once, from a signal or a person; read everywhere.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A failure that tests ask for, at the one place where all steps pass.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub step: Step,
    pub kind: FaultKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    Error,
    Panic,
    /// The process is gone before the step does anything.
    Kill,
    /// The process is gone as soon as the step is done.
    KillAfter,
    /// At the n-th point (from 1) between two changes of the step.
    ErrorWithin(u32),
    KillWithin(u32),
}

/// Reports events and answers whether to go on; cheap to clone, shared by all threads of a run.
#[derive(Clone)]
pub struct Cx {
    cancel: Cancel,
    /// Ends a part of the run alone, such as one that takes longer than it may.
    part: Option<Cancel>,
    shared: Arc<Shared>,
    /// Endings go on after a cancel: a mount that stays behind is worse than a second of waiting.
    shielded: bool,
    unheard: bool,
    pub fault: Option<Fault>,
}

struct Shared {
    run: String,
    seq: AtomicU32,
    sinks: Vec<Arc<dyn Sink>>,
    last_progress: Mutex<Option<Instant>>,
    /// Points between changes that were passed in the step at which a fault is to strike.
    passed: AtomicU32,
    /// Who has the work wait for a machine that is busy with other things.
    pace: OnceLock<Box<dyn Pace>>,
    /// Somebody is kept waiting, so that nothing else may.
    hurried: AtomicBool,
    /// The fold so far; its lock also makes events of several threads reach the sinks in the order of their numbers.
    state: Mutex<RunState>,
}

impl Cx {
    pub fn new(run: impl Into<String>, cancel: Cancel, sinks: Vec<Arc<dyn Sink>>) -> Self {
        let shared = Shared {
            run: run.into(),
            seq: AtomicU32::new(0),
            sinks,
            last_progress: Mutex::default(),
            passed: AtomicU32::new(0),
            state: Mutex::default(),
            pace: OnceLock::new(),
            hurried: AtomicBool::new(false),
        };
        Self { cancel, part: None, shared: Arc::new(shared), shielded: false, unheard: false, fault: None }
    }

    /// A context that nobody listens to, for probes and tests.
    pub fn silent() -> Self {
        Self::new("-", Cancel::default(), Vec::new())
    }

    /// The same context, deaf to cancellation: for what must be released.
    #[must_use]
    pub fn shielded(&self) -> Self {
        Self { shielded: true, ..self.clone() }
    }

    /// The same context, for a part of the run that another hand may end.
    #[must_use]
    pub fn part(&self, end: &Cancel) -> Self {
        Self { part: Some(end.clone()), ..self.clone() }
    }

    /// The same context, heard by nobody: for what is done again and told then.
    #[must_use]
    pub fn unheard(&self) -> Self {
        Self { unheard: true, ..self.clone() }
    }

    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Passed between two changes that belong together: the place where tests end a process that is half way through.
    pub fn between(&self, step: Step) -> Result<()> {
        let Some(fault) = self.fault.filter(|fault| fault.step == step) else { return Ok(()) };
        let passed = self.shared.passed.fetch_add(1, Ordering::SeqCst) + 1;
        match fault.kind {
            FaultKind::KillWithin(point) if point == passed => signal::kill_self(),
            FaultKind::ErrorWithin(point) if point == passed => {
                Err(Error::failed(format!("injected error within {}", step.name())))
            }
            _ => Ok(()),
        }
    }

    /// Everything that was said so far, folded: the report is its final value.
    pub fn state(&self) -> RunState {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn run_id(&self) -> &str {
        &self.shared.run
    }

    pub fn emit(&self, what: What) {
        if self.unheard {
            return;
        }
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = self.shared.seq.fetch_add(1, Ordering::SeqCst) + 1;
        let event = Event { run: self.shared.run.clone(), seq, at: Timestamp::now(), what };
        state.apply(&event);
        for sink in &self.shared.sinks {
            sink.take(&event);
        }
    }

    pub fn note(&self, text: impl Into<String>) {
        self.emit(What::Note { text: text.into() });
    }

    pub fn warn(&self, text: impl Into<String>) {
        self.emit(What::Warning { path: None, text: text.into() });
    }

    /// Something is missing from the result; the outcome cannot be success any more.
    pub fn missed(&self, path: impl Into<String>, why: impl Into<String>) {
        self.emit(What::Missed { path: path.into(), why: why.into() });
    }

    /// Call as often as you like: at most four a second get through, and always the first (`done == 0`), with which a
    /// phase begins, and the last one (`done == total`).
    pub fn progress(&self, done: u64, total: Option<u64>, unit: Unit) {
        {
            let mut last = self.shared.last_progress.lock().unwrap_or_else(PoisonError::into_inner);
            let matters = done == 0 || total == Some(done);
            if !matters && last.is_some_and(|at| at.elapsed() < PROGRESS_EVERY) {
                return;
            }
            *last = Some(Instant::now());
        }
        self.emit(What::Progress { done, total, unit });
    }

    pub fn is_cancelled(&self) -> bool {
        !self.shielded && (self.cancel.is_cancelled() || self.part.as_ref().is_some_and(Cancel::is_cancelled))
    }

    /// Long loops call this: `Err` with kind `Cancelled` once somebody asked to stop.
    pub fn go_on(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Who has this run's work wait; set once.
    pub fn set_pace(&self, pace: Box<dyn Pace>) {
        // A run that is told inside of another one has that one's.
        drop(self.shared.pace.set(pace));
    }

    /// `go_on` for where the work may also rest a while, which is never while somebody is kept waiting.
    pub fn go_on_at_pace(&self) -> Result<()> {
        self.go_on()?;
        match self.shared.pace.get() {
            // That the work rests is told whatever else is not.
            Some(pace) if !self.is_hurried() => pace.wait(&Self { unheard: false, ..self.clone() }),
            _ => Ok(()),
        }
    }

    /// From now on, or not any more, somebody is kept waiting: no limit may make the work longer.
    pub fn hurry(&self, hurried: bool) {
        self.shared.hurried.store(hurried, Ordering::SeqCst);
    }

    pub fn is_hurried(&self) -> bool {
        self.shared.hurried.load(Ordering::SeqCst)
    }

    pub fn cancel_handle(&self) -> Cancel {
        self.cancel.clone()
    }
}

impl Owner for Cx {
    fn warn(&self, text: String) {
        Self::warn(self, text);
    }

    fn is_in_a_hurry(&self) -> bool {
        self.is_cancelled()
    }
}
