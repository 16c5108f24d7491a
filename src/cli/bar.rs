//! A run as it goes: a bar on a terminal, plain lines in a log, JSON lines for programs; all from one stream of events.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::args::Global;
use super::output::{bytes, duration, printable};
use crate::event::{Event, Outcome, Sink, Step, Unit, What};

pub(super) struct Terminal {
    form: Form,
    quiet: bool,
    put: fn(&str),
    state: Mutex<State>,
}

#[derive(PartialEq, Eq)]
enum Form {
    Bar,
    Lines,
    Json,
}

#[derive(Default)]
struct State {
    step: Option<(Step, Timestamp)>,
    bar: Option<ProgressBar>,
    told: Option<(u64, Unit)>,
}

impl Terminal {
    pub(super) fn new(global: &Global) -> Self {
        let form = match (global.json, stderr().is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Bar,
            (false, false) => Form::Lines,
        };
        Self { form, quiet: global.quiet, put: to_stderr, state: Mutex::default() }
    }

    /// Lines on standard output, for a run that was: they are what was asked for.
    pub(super) fn replay() -> Self {
        Self { form: Form::Lines, quiet: false, put: to_stdout, state: Mutex::default() }
    }

    /// A line for programs.
    pub(super) fn program(&self, document: &serde_json::Value) {
        (self.put)(&document.to_string());
    }

    /// A line above the bar, or just a line.
    fn line(&self, state: &State, text: &str) {
        let text = printable(text);
        match &state.bar {
            Some(bar) => bar.suspend(|| (self.put)(&text)),
            None => (self.put)(&text),
        }
    }

    fn progress(&self, state: &mut State, done: u64, total: Option<u64>, unit: Unit) {
        state.told = Some((done, unit));
        if self.form != Form::Bar || self.quiet {
            return;
        }
        let step = state.step.map_or("", |(step, _)| step.name());
        let bar = state.bar.get_or_insert_with(|| new_bar(step, unit));
        if let Some(total) = total {
            // An estimate may be too small; a bar beyond its end would look broken.
            bar.set_length(total.max(done));
        }
        bar.set_position(done);
    }

    fn ended(&self, state: &mut State, at: Timestamp, mark: &str, error: Option<&str>) {
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
        let Some((step, started)) = state.step.take() else { return };
        let amount = match state.told.take() {
            Some((done, Unit::Bytes)) if done > 0 => format!(", {}", bytes(done)),
            Some((done, Unit::Rows)) if done > 0 => format!(", {done} rows"),
            Some((done, Unit::Files)) if done > 0 => format!(", {done} files"),
            _ => String::new(),
        };
        let seconds = at.duration_since(started).as_secs_f64();
        if error.is_some() || !self.quiet {
            self.line(state, &format!("  {mark} {:<13} {seconds:>6.2} s{amount}", step.name()));
        }
        if let Some(error) = error {
            self.line(state, &format!("      {error}"));
        }
    }
}

impl Sink for Terminal {
    fn take(&self, event: &Event) {
        if self.form == Form::Json {
            if let Ok(line) = serde_json::to_string(event) {
                (self.put)(&line);
            }
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.what {
            What::StepStarted { step } => state.step = Some((*step, event.at)),
            What::StepDone { .. } => self.ended(&mut state, event.at, "✓", None),
            // The error itself is told once, at the end; an attempt's error would otherwise be lost.
            What::StepFailed { error, .. } => self.ended(&mut state, event.at, "✗", Some(error)),
            What::StepSkipped { why, .. } => self.ended(&mut state, event.at, "-", Some(why)),
            What::Progress { done, total, unit } => self.progress(&mut state, *done, *total, *unit),
            What::Warning { .. } | What::Missed { .. } => {
                self.line(&state, &format!("  ! {}", event.what.text()));
            }
            What::Note { .. } | What::HookRan { .. } | What::PhaseBegun { .. } if !self.quiet => {
                self.line(&state, &format!("    {}", event.what.text()));
            }
            What::GivenBack { seconds } if !self.quiet => {
                self.line(&state, &format!("    the site was held still for {}", duration(*seconds)));
            }
            What::Reverted { step } => {
                self.line(&state, &format!("    put back what {} had changed", step.name()));
            }
            What::Stuck { step, error } => {
                self.line(&state, &format!("  ! STUCK: {} could not be undone: {error}", step.name()));
            }
            What::RunFinished { outcome, .. } if !self.quiet && *outcome != Outcome::Success => {
                self.line(&state, &format!("  {}", ending(*outcome)));
            }
            _ => {}
        }
    }
}

const fn ending(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "done",
        Outcome::Incomplete => "incomplete: see the lines marked with !",
        Outcome::Failed => "failed",
        Outcome::Skipped => "skipped",
        Outcome::Cancelled => "cancelled",
    }
}

fn new_bar(step: &'static str, unit: Unit) -> ProgressBar {
    let template = match unit {
        Unit::Bytes => {
            "    {prefix:13} {bar:28} {binary_bytes:>10} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left"
        }
        Unit::Files | Unit::Rows => {
            "    {prefix:13} {bar:28} {human_pos:>10} of {human_len}, {per_sec}, {eta} left"
        }
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(4));
    bar.set_style(style.progress_chars("━╸ "));
    bar.set_prefix(step);
    bar
}

// Nobody to tell if it is closed; the exit code still says it.
fn to_stderr(text: &str) {
    drop(writeln!(stderr().lock(), "{text}"));
}

fn to_stdout(text: &str) {
    drop(writeln!(stdout().lock(), "{text}"));
}
