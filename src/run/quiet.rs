//! A backup that holds the site still: for as short as can be, never longer than its limit, and given back in every ending.
//!
//! The journal that a restore keeps announces it before a hook stops anything, so that `recover` gives back what a killed
//! process held. Whoever gives back (the story, its unwinding, the guard of the limit, `recover`) does it by `recover::put_back`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::journal::Journal;
use super::restore::token;
use super::scope::Run;
use super::{Job, recover};
use crate::error::{Context, Error, Result};
use crate::event::{Cancel, Cx, Phase, Step, What};

/// What of a site is held still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    #[default]
    Off,
    /// While the moment of the databases is fixed.
    DatabaseOnly,
    /// Until files that have changed are read, too: files and databases are of one moment.
    Full,
}

/// How a backup holds the site still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiesce {
    pub mode: Mode,
    /// How long at most; then the site is given back, and the run fails.
    pub limit: Duration,
}

impl Default for Quiesce {
    fn default() -> Self {
        Self { mode: Mode::Off, limit: Self::LIMIT }
    }
}

impl Quiesce {
    /// Visitors wait for some seconds, not for minutes.
    pub const LIMIT: Duration = Duration::from_mins(1);
}

/// A site that may be held still; cloning shares it.
#[derive(Clone)]
pub(crate) struct Quiet(Arc<Shared>);

struct Shared {
    job: Job,
    /// Deaf to a cancel: giving back is never cancelled.
    cx: Cx,
    held: Mutex<Option<Held>>,
    /// It was given back before the limit, the last time.
    in_time: AtomicBool,
}

/// The site is held still, or may be.
struct Held {
    journal: Journal,
    since: Instant,
    /// Set when the limit is reached: ends what is done meanwhile.
    end: Cancel,
    /// Dropped, it sends the guard of the limit home.
    _guard: Sender<()>,
}

/// Says that this backup will hold the site still.
pub(crate) fn announce(job: &Job, cx: &Cx) {
    if job.quiesce.mode != Mode::Off {
        cx.emit(What::PhaseBegun { phase: Phase::Preparing });
    }
}

/// Has the hooks stop what writes to the site, from here to `resume`, or to the end of the run.
pub(crate) fn quiesce(run: &mut Run<'_>, job: &Job, cx: &Cx) -> Result<Quiet> {
    let quiet = Quiet::of(job, cx);
    if quiet.is_off() {
        return Ok(quiet);
    }
    run.hold(Step::Quiesce, || quiet.stop(cx).map(|()| quiet.clone()), Quiet::give_back)
}

/// The site works again as it did before.
pub(crate) fn resume(run: &mut Run<'_>, quiet: &Quiet) -> Result<()> {
    if quiet.is_off() {
        return Ok(());
    }
    run.step(Step::Resume, || quiet.resume())
}

impl Quiet {
    fn of(job: &Job, cx: &Cx) -> Self {
        let (job, cx) = (job.clone(), cx.shielded());
        Self(Arc::new(Shared { job, cx, held: Mutex::default(), in_time: AtomicBool::new(false) }))
    }

    fn is_off(&self) -> bool {
        self.0.job.quiesce.mode == Mode::Off
    }

    /// The same once more, in one piece: for what begins again after the site was given back.
    pub(crate) fn once_more<T>(&self, cx: &Cx, work: impl FnOnce(&Cx) -> Result<T>) -> Result<T> {
        if self.is_off() {
            return work(cx);
        }
        self.stop(cx)?;
        let done = self.while_held(cx, work);
        let given_back = self.resume();
        done.and_then(|done| given_back.map(|()| done))
    }

    /// Does what must be done while the site is held still, with a context that ends at the limit.
    pub(crate) fn while_held<T>(&self, cx: &Cx, work: impl FnOnce(&Cx) -> Result<T>) -> Result<T> {
        let Some(end) = self.0.held().as_ref().map(|held| held.end.clone()) else { return work(cx) };
        let done = work(&cx.part(&end));
        if end.is_cancelled() { Err(self.overdue()) } else { done }
    }

    fn stop(&self, cx: &Cx) -> Result<()> {
        let limit = self.0.job.quiesce.limit;
        let (guard, home) = mpsc::channel::<()>();
        let mut held = self.0.held();
        let journal = Journal::of_backup(token());
        journal.write(&self.0.job.state)?;
        self.0.cx.emit(What::PhaseBegun { phase: Phase::Quiesced });
        self.0.cx.hurry(true);
        let (since, end) = (Instant::now(), Cancel::default());
        *held = Some(Held { journal, since, end: end.clone(), _guard: guard });
        // Without it a hook that never ends would hold the site for as long.
        let (shared, ended) = (Arc::clone(&self.0), end.clone());
        let started = std::thread::Builder::new().name("quiet".to_owned()).spawn(move || {
            if home.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                shared.limit_reached(&ended);
            }
        });
        let stopped = started
            .context("start the guard of quiesce.limit")
            .and_then(|_| cx.between(Step::Quiesce))
            .and_then(|()| self.0.job.hooks_at("quiesce", &cx.part(&end)))
            .and_then(|()| cx.between(Step::Quiesce));
        drop(held);
        stopped.map_err(|error| {
            if let Err(error) = self.give_back() {
                cx.warn(error.to_string());
            }
            if end.is_cancelled() { self.overdue() } else { error }
        })
    }

    /// Gives back, and fails if the limit came first.
    fn resume(&self) -> Result<()> {
        self.0.give_back(&mut self.0.held())?;
        if self.0.in_time.load(Ordering::SeqCst) { Ok(()) } else { Err(self.overdue()) }
    }

    /// As soon as nothing needs the site to stand still any more. If that fails, `resume` tries again, and says so.
    pub(crate) fn give_back_early(&self) {
        if let Err(error) = self.give_back() {
            self.0.cx.note(format!("{error}; trying again"));
        }
    }

    /// Harmless where nothing is held.
    fn give_back(&self) -> Result<()> {
        self.0.give_back(&mut self.0.held())
    }

    fn overdue(&self) -> Error {
        Error::failed(format!(
            "the site was held still for the {:?} of quiesce.limit, and given back before everything was saved: \
             there is no snapshot",
            self.0.job.quiesce.limit
        ))
        .with_remedy(
            "see what took so long; allow more with `quiesce.limit`, or hold less with `quiesce.mode: database-only`",
        )
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// If it cannot be given back, it stays held in our books: the story's end tries once more, and then `recover`.
    fn give_back(&self, held: &mut Option<Held>) -> Result<()> {
        let Some(now) = held.as_ref() else { return Ok(()) };
        self.cx.emit(What::PhaseBegun { phase: Phase::Finalizing });
        recover::put_back(&self.job, &now.journal, &self.cx)?;
        self.cx.emit(What::GivenBack { seconds: now.since.elapsed().as_secs_f64() });
        self.cx.hurry(false);
        self.in_time.store(!now.end.is_cancelled(), Ordering::SeqCst);
        *held = None;
        Ok(())
    }

    /// What is done meanwhile is asked to end; a hook of `quiesce` has ended by the time the lock is free.
    fn limit_reached(&self, end: &Cancel) {
        end.cancel();
        if let Err(error) = self.give_back(&mut self.held()) {
            self.cx.warn(format!("the site could not be given back at the end of quiesce.limit: {error}"));
        }
    }
}
