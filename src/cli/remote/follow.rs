//! Looking on until a run of the agent's ends, as if it were made here.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cli::Session;
use crate::cli::bar::Terminal;
use crate::client::{Client, Progress, Run, Step};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Outcome, Sink, What};

/// A run of which nothing was heard for so long is asked for.
const QUIET: Duration = Duration::from_secs(5);

/// An agent that is gone may be back, as after an update.
const AWAY: Duration = Duration::from_mins(2);
const AGAIN: Duration = Duration::from_secs(1);

/// Shows a run until it is over; its last state. Whoever stops this stops looking on, and not the run.
pub(super) fn follow(session: &Session<'_>, client: &Client, site: &str, run: &str) -> Result<Run> {
    let mut told = Told::new(session);
    let mut away: Option<Instant> = None;
    loop {
        let error = match look_on(client, site, run, &mut told, &mut away) {
            Ok(state) => return Ok(state),
            Err(error) => error,
        };
        if error.kind() == Kind::Cancelled {
            return Err(Error::new(Kind::Cancelled, format!("{run} goes on without being looked at"))
                .with_remedy(format!("`lifeboat cancel {run}` stops it")));
        }
        if error.kind() != Kind::Failed || away.get_or_insert_with(Instant::now).elapsed() > AWAY {
            return Err(error.with_remedy(format!("the run may go on: see `lifeboat runs {run}`")));
        }
        std::thread::sleep(AGAIN);
    }
}

fn look_on(
    client: &Client,
    site: &str,
    run: &str,
    told: &mut Told,
    away: &mut Option<Instant>,
) -> Result<Run> {
    // Opened before the run is looked at: nothing falls between.
    let mut events = client.events(Some(site))?;
    let mut state = client.run(site, run)?;
    *away = None;
    loop {
        told.take(&state);
        if state.is_over() {
            return Ok(state);
        }
        state = loop {
            match events.next(QUIET)? {
                Some(happening) if happening.name == "run" => {
                    match serde_json::from_value::<Run>(happening.data) {
                        Ok(state) if state.id == run => break state,
                        _ => {}
                    }
                }
                Some(_) => {}
                None => break client.run(site, run)?,
            }
        };
    }
}

/// How a run ended that has something to show; any other end is an error, as it is of a run that is made here.
pub(super) fn ended(run: &Run) -> Result<Outcome> {
    let outcome = run.outcome.as_ref().and_then(|name| parse::<Outcome>(name));
    let kind = match outcome {
        Some(outcome @ (Outcome::Success | Outcome::Incomplete)) => return Ok(outcome),
        Some(Outcome::Skipped) => Kind::Skipped,
        Some(Outcome::Cancelled) => Kind::Cancelled,
        Some(Outcome::Failed) | None => Kind::Failed,
    };
    let text = match (&run.error, outcome) {
        (Some(text), _) => text.clone(),
        (None, Some(outcome)) => format!("{}: {}", run.id, outcome.name()),
        (None, None) => format!("{}: its process died, and the agent puts right what it left", run.id),
    };
    let error = Error::new(kind, text);
    Err(match &run.remedy {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    })
}

/// The states of a run, told as what happened between them.
struct Told {
    run: String,
    terminal: Terminal,
    /// States as they are, for programs.
    json: bool,
    waits: bool,
    steps: usize,
    begun: bool,
    notes: usize,
    warnings: usize,
    missed: usize,
    stuck: usize,
    phase: Option<String>,
}

impl Told {
    fn new(session: &Session<'_>) -> Self {
        Self {
            run: String::new(),
            terminal: Terminal::new(session.global),
            json: session.global.json,
            waits: false,
            steps: 0,
            begun: false,
            notes: 0,
            warnings: 0,
            missed: 0,
            stuck: 0,
            phase: None,
        }
    }

    fn take(&mut self, run: &Run) {
        self.run.clone_from(&run.id);
        if self.json {
            self.terminal.program(&json!({ "event": "run", "run": run }));
            return;
        }
        let now = Timestamp::now();
        if run.standing == "waiting" && !std::mem::replace(&mut self.waits, true) {
            self.say(now, What::Note { text: "it waits for its turn".to_owned() });
        }
        if run.phase != self.phase {
            self.phase.clone_from(&run.phase);
            if let Some(phase) = run.phase.as_ref().and_then(|phase| parse(phase)) {
                self.say(now, What::PhaseBegun { phase });
            }
        }
        self.lists(run, now);
        self.steps(run);
        if let Some(progress) = run.progress.as_ref().filter(|_| self.begun) {
            self.progress(progress, now);
        }
        if let Some(outcome) = run.outcome.as_ref().and_then(|name| parse(name)) {
            self.say(now, What::RunFinished { outcome, snapshot: None, error: None });
        }
    }

    fn lists(&mut self, run: &Run, now: Timestamp) {
        for text in run.notes.iter().skip(self.notes) {
            self.say(now, What::Note { text: text.clone() });
        }
        for text in run.warnings.iter().skip(self.warnings) {
            self.say(now, What::Warning { path: None, text: text.clone() });
        }
        for text in run.missed.iter().skip(self.missed) {
            let (path, why) = text.split_once(": ").unwrap_or((text, ""));
            self.say(now, What::Missed { path: path.to_owned(), why: why.to_owned() });
        }
        for text in run.stuck.iter().skip(self.stuck) {
            self.say(now, What::Warning { path: None, text: format!("STUCK: {text}") });
        }
        // A state may be older than the one before: two ways lead here.
        self.notes = self.notes.max(run.notes.len());
        self.warnings = self.warnings.max(run.warnings.len());
        self.missed = self.missed.max(run.missed.len());
        self.stuck = self.stuck.max(run.stuck.len());
    }

    fn steps(&mut self, run: &Run) {
        while let Some(state) = run.steps.get(self.steps) {
            // A step that only a newer agent knows goes by without a line.
            let step = parse::<crate::event::Step>(&state.step);
            if !std::mem::replace(&mut self.begun, true)
                && let Some(step) = step
            {
                self.say(state.started, What::StepStarted { step });
            }
            if state.seconds.is_none() {
                return;
            }
            if let Some(step) = step {
                let what = match &state.failed {
                    Some(error) => What::StepFailed { step, error: error.clone(), remedy: None },
                    None => What::StepDone { step },
                };
                self.say(end_of(state), what);
            }
            (self.steps, self.begun) = (self.steps + 1, false);
        }
    }

    fn progress(&self, progress: &Progress, now: Timestamp) {
        if let Some(unit) = parse(&progress.unit) {
            self.say(now, What::Progress { done: progress.done, total: progress.total, unit });
        }
    }

    fn say(&self, at: Timestamp, what: What) {
        self.terminal.take(&Event { run: self.run.clone(), seq: 0, at, what });
    }
}

fn end_of(step: &Step) -> Timestamp {
    let took = step.seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    step.started.checked_add(took.unwrap_or_default()).unwrap_or(step.started)
}

/// A word of ours.
fn parse<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::String(word.to_owned())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(standing: &str, outcome: Option<&str>, error: Option<&str>) -> Run {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Run {
            id: "r".to_owned(),
            standing: standing.to_owned(),
            outcome: owned(outcome),
            error: owned(error),
            ..Run::default()
        }
    }

    #[test]
    fn the_end_of_a_run_has_the_exit_code_of_one_that_was_made_here() {
        let code = |run: &Run| match ended(run) {
            Ok(outcome) => outcome.exit_code(),
            Err(error) => error.kind().exit_code(),
        };
        for (outcome, expected) in [
            ("success", 0),
            ("incomplete", 3),
            ("failed", 1),
            ("skipped", 75),
            ("cancelled", 130),
            ("new", 1),
        ] {
            assert_eq!(code(&run("ended", Some(outcome), None)), expected, "{outcome}");
        }
        assert_eq!(code(&run("crashed", None, None)), 1);
        let failed = ended(&run("ended", Some("failed"), Some("the disk is full"))).unwrap_err();
        assert_eq!(failed.to_string(), "the disk is full");
    }
}
