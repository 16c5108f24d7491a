//! How others join in: executables that run before and after steps, under a contract that cannot hurt a site.
//!
//! hooks/README.md is the contract as it is told to authors. No shell is between; what a hook leaves running in its process
//! group is ended with it, and what it says goes to the log, unless it is an answer. Exit status 0 means go on, 75 from a
//! `before-` hook means leave this run or step out; anything else is an error or a warning, as `point` says: what was done by
//! then stays done.

mod answer;
mod checks;
mod directory;
mod input;
mod point;

pub use answer::Answer;
pub use checks::{Flaw, examine};
pub use directory::{Found, Ignored, find};
pub use input::{VERSION, environment, input, schema};
pub use point::points;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::error::{Context, Error, Kind, Result};
use crate::event::{Cx, RunState, What};
use crate::sys::process::{self, Ended, How, Program};

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
    pub origin: Origin,
    /// Name or number of who it runs as; left out: who we are.
    pub user: Option<String>,
    /// Of the program's file, which is not run if it has another one.
    pub sha256: Option<[u8; 32]>,
    /// It can write below these directories alone; empty: wherever its user can.
    pub writable: Vec<PathBuf>,
    /// What it starts gains no rights by set-user-id bits and the like. Implied by `writable`.
    pub no_new_privileges: bool,
}

/// Who says that a hook is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `hooks.d/POINT/`
    AllSites,
    /// `hooks.d/sites/SITE/POINT/`
    Site,
    Configuration,
}

impl Origin {
    /// In words for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AllSites => "hooks.d",
            Self::Site => "hooks.d of the site",
            Self::Configuration => "configuration",
        }
    }
}

impl HookSpec {
    /// If nothing else is said.
    pub const TIMEOUT: Duration = Duration::from_mins(10);

    /// One about which nothing else is said.
    pub fn new(point: impl Into<String>, command: Vec<String>) -> Self {
        Self {
            point: point.into(),
            command,
            timeout: Self::TIMEOUT,
            origin: Origin::Configuration,
            user: None,
            sha256: None,
            writable: Vec::new(),
            no_new_privileges: false,
        }
    }

    /// The program, as logs name the hook.
    pub fn name(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }
}

/// How a hook went that did not stop the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    GoOn,
    /// It failed where it could not stop anything; a warning says so.
    Warned,
}

/// What came of a hook.
pub struct Asked {
    pub verdict: Result<Verdict>,
    /// What it answered, if that was understood and may be said at its point.
    pub answer: Option<Answer>,
}

/// Runs a hook to its end or to its deadline, and says what follows for the run.
pub fn run(spec: &HookSpec, state: &RunState, cx: &Cx) -> Result<Verdict> {
    ask(spec, state, cx).verdict
}

/// The same for who wants to know what it answered.
pub fn ask(spec: &HookSpec, state: &RunState, cx: &Cx) -> Asked {
    let (mut stops, mut answer) = (point::can_veto(&spec.point, state), None);
    let result = execute(spec, state, cx).and_then(|ended| {
        let asked = judge(spec, state, &ended);
        let did_its_work = asked.as_ref().map_or_else(|error| error.kind() == Kind::Skipped, |()| true);
        let answers = did_its_work && answer::is_meant(&ended.output);
        say(spec.name(), &ended, answers, cx);
        if !answers {
            return asked;
        }
        // It did its work; only what it says of that is wrong.
        stops = point::can_stop(&spec.point, state);
        let given = heed(spec, state, &ended, cx)?;
        let reason = given.skip.clone();
        answer = Some(given);
        reason.map_or(asked, |reason| Err(skipped(spec, &format!(": {reason}"))))
    });
    let word = match &result {
        Ok(()) => "ok".to_owned(),
        Err(error) if error.kind() == Kind::Skipped => "skip".to_owned(),
        Err(error) => error.to_string(),
    };
    cx.emit(What::HookRan { point: spec.point.clone(), hook: spec.name().to_owned(), verdict: word });
    let verdict = match result {
        Ok(()) => Ok(Verdict::GoOn),
        Err(error) if stops || error.kind() == Kind::Cancelled => Err(error),
        Err(error) => {
            cx.warn(error.to_string());
            Ok(Verdict::Warned)
        }
    };
    Asked { verdict, answer }
}

fn execute(spec: &HookSpec, state: &RunState, cx: &Cx) -> Result<Ended> {
    let what = || format!("{} hook", spec.point);
    let rights = checks::ready(spec).with_context(what)?;
    let input = input(spec, state)?;
    let environment = environment(spec, state);
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, &**value)).collect();
    let program = Program {
        command: &spec.command,
        environment: &environment,
        input: &input,
        deadline: spec.timeout,
        keep: KEEP,
    };
    process::run_with(&program, &rights, || cx.is_cancelled()).with_context(what)
}

fn judge(spec: &HookSpec, state: &RunState, ended: &Ended) -> Result<()> {
    let (point, name) = (&spec.point, spec.name());
    match ended.how {
        How::Stopped => Err(Error::cancelled()),
        How::Overdue => Err(Error::failed(format!(
            "{point} hook {name} did not end within {:?} and was stopped",
            spec.timeout
        ))
        .with_remedy("see in the log what it waited for, or give it more time (timeout)")),
        How::ByItself => match ended.status.code() {
            Some(0) => Ok(()),
            Some(SKIP) if point::can_stop(point, state) => Err(skipped(spec, "")),
            _ => Err(Error::failed(format!("{point} hook {name} ended with {}", ended.status)).with_remedy(
                "what it said is in the log; run it by hand with `lifeboat hooks run` to see why",
            )),
        },
    }
}

fn skipped(spec: &HookSpec, reason: &str) -> Error {
    let text = format!("{} hook {} asked to leave this out{reason}", spec.point, spec.name());
    Error::new(Kind::Skipped, text)
}

/// What a hook answered, told to whoever reads of the run; the run finds it in its own state.
fn heed(spec: &HookSpec, state: &RunState, ended: &Ended, cx: &Cx) -> Result<Answer> {
    let (point, name) = (&spec.point, spec.name());
    let answer = answer::read(&ended.output, ended.output_cut)
        .and_then(|answer| answer.fit(point, state))
        .with_context(|| format!("{point} hook {name} answered what cannot be followed"))
        .remedy("see `lifeboat hooks schema`; what is for the log belongs on its standard error")?;
    let Answer { skip, exclude, tags, note } = answer.clone();
    for (did, things) in [("left out of the files", &exclude), ("tagged the snapshot", &tags)] {
        if !things.is_empty() {
            cx.note(format!("{point} hook {name} {did}: {}", things.join(", ")));
        }
    }
    if let Some(note) = &note {
        cx.note(format!("{name}: {note}"));
    }
    cx.emit(What::HookAnswered { point: point.clone(), hook: name.to_owned(), skip, exclude, tags, note });
    Ok(answer)
}

/// Passes on what a hook said, line by line, without what could play tricks on a terminal.
fn say(name: &str, ended: &Ended, answers: bool, cx: &Cx) {
    let outputs: &[_] = if answers { &[&ended.errors] } else { &[&ended.output, &ended.errors] };
    let text: Vec<_> = outputs.iter().map(|output| String::from_utf8_lossy(output)).collect();
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
