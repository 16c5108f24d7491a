//! How others join in: executables that run before and after steps, under a contract that cannot hurt a site.
//!
//! A hook reads the run's state as JSON from its standard input and finds `LIFEBOAT_RUN`, `LIFEBOAT_POINT`, `LIFEBOAT_SITE` and
//! `LIFEBOAT_KIND` in an otherwise clean environment. No shell is between. What it says goes to the log; what it leaves running in its process group is ended with it. Exit status 0 means go
//! on, 75 from a `before-` hook means leave this run or step out, anything else from a `before-` hook (and from `after-probe`, `quiesce`, `resume` and `drill`) is an error, and from any
//! other hook a warning: what was done by then stays done.

use std::time::Duration;

use crate::error::{Context, Error, Kind, Result};
use crate::event::{Cx, RunState, What};
use crate::sys::process::{self, Ended, How, Program};
use crate::sys::trust;

/// Exit status of a `before-` hook that asks for the run to be left out (`EX_TEMPFAIL` of sysexits.h).
const SKIP: i32 = 75;

/// Bytes kept of each output of a hook.
const KEEP: usize = 64 << 10;

/// Lines of a hook that reach the log.
const LINES: usize = 500;

/// One executable at one point, such as `before-dump` or `on-failure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSpec {
    pub point: String,
    pub command: Vec<String>,
    pub timeout: Duration,
}

/// How a hook went that did not stop the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// It failed where it could not stop anything; a warning says so.
    Warned,
}

/// Runs a hook to its end or to its deadline, and says what follows for the run.
pub fn run(spec: &HookSpec, state: &RunState, cx: &Cx) -> Result<Verdict> {
    let name = spec.command.first().map_or("", String::as_str);
    let ended = execute(spec, state, cx);
    if let Ok(ended) = &ended {
        say(name, ended, cx);
    }
    let verdict = ended.and_then(|ended| judge(spec, name, &ended));
    let word = match &verdict {
        Ok(()) => "ok".to_owned(),
        Err(error) if error.kind() == Kind::Skipped => "skip".to_owned(),
        Err(error) => error.to_string(),
    };
    cx.emit(What::HookRan { point: spec.point.clone(), hook: name.to_owned(), verdict: word });
    match verdict {
        Ok(()) => Ok(Verdict::GoOn),
        Err(error) if can_veto(spec) || error.kind() == Kind::Cancelled => Err(error),
        Err(error) => {
            cx.warn(error.to_string());
            Ok(Verdict::Warned)
        }
    }
}

fn execute(spec: &HookSpec, state: &RunState, cx: &Cx) -> Result<Ended> {
    let what = || format!("{} hook", spec.point);
    let program = spec.command.first().ok_or_else(|| Error::usage(format!("{} has no command", what())))?;
    trust::check(program.as_ref()).with_context(what)?;
    let input = serde_json::to_vec(state).with_context(what)?;
    let kind = serde_json::to_value(state.kind).with_context(what)?;
    let environment = [
        ("LIFEBOAT_RUN", cx.run_id()),
        ("LIFEBOAT_POINT", &spec.point),
        ("LIFEBOAT_SITE", &state.site),
        ("LIFEBOAT_KIND", kind.as_str().unwrap_or_default()),
    ];
    let program = Program {
        command: &spec.command,
        environment: &environment,
        input: &input,
        deadline: spec.timeout,
        keep: KEEP,
    };
    process::run_unless(&program, || cx.is_cancelled()).with_context(what)
}

fn judge(spec: &HookSpec, name: &str, ended: &Ended) -> Result<()> {
    let point = &spec.point;
    match ended.how {
        How::Stopped => Err(Error::cancelled()),
        How::Overdue => Err(Error::failed(format!(
            "{point} hook {name} did not end within {:?} and was stopped",
            spec.timeout
        ))
        .with_remedy("see in the log what it waited for, or give it more time (timeout)")),
        How::ByItself => match ended.status.code() {
            Some(0) => Ok(()),
            Some(SKIP) if is_before(spec) => {
                Err(Error::new(Kind::Skipped, format!("{point} hook {name} asked to leave this out")))
            }
            _ => Err(Error::failed(format!("{point} hook {name} ended with {}", ended.status))
                .with_remedy("what it said is in the log; run it by hand to see why")),
        },
    }
}

/// Passes on what a hook said, line by line, without what could play tricks on a terminal.
fn say(name: &str, ended: &Ended, cx: &Cx) {
    let text = [&ended.output, &ended.errors].map(|output| String::from_utf8_lossy(output).into_owned());
    let mut lines = text.iter().flat_map(|text| text.lines()).map(plain).filter(|line| !line.is_empty());
    for line in lines.by_ref().take(LINES) {
        cx.note(format!("{name}: {line}"));
    }
    if ended.cut || lines.next().is_some() {
        cx.note(format!("{name}: (it said more than is kept)"));
    }
}

fn plain(line: &str) -> String {
    line.trim_end().chars().map(|char| if char.is_control() && char != '\t' { ' ' } else { char }).collect()
}

/// Until a restore is committed, who looked at it may turn it down; and a site that could not be stopped, or not be started
/// again, is more than a warning.
fn can_veto(spec: &HookSpec) -> bool {
    is_before(spec) || ["after-probe", "quiesce", "resume", "drill"].contains(&&*spec.point)
}

fn is_before(spec: &HookSpec) -> bool {
    spec.point.starts_with("before-")
}
