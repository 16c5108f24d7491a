//! `lifeboat hooks`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use super::args::Hooks;
use super::output::{Output, table};
use super::{Done, SUCCESS, Session};
use crate::error::{Error, Kind, Result};
use crate::run::{self, Answer, Asked, Flaw, HookSpec, HookVerdict, Ignored, Job};

pub(super) fn hooks(session: &Session<'_>, action: &Hooks) -> Done {
    match action {
        Hooks::List => list(session),
        Hooks::Check => check(session),
        Hooks::Run { point, dry_run } => {
            must_be_point(point)?;
            let job = session.any_job()?;
            if *dry_run { show(session, &job, point) } else { run(session, &job, point) }
        }
        Hooks::Schema => {
            let schema = serde_json::to_string_pretty(&run::hook_schema())?;
            Output::raw(|out| writeln!(out, "{schema}"))
        }
    }
}

/// One hook as it is listed.
#[derive(Serialize)]
struct Listed<'a> {
    point: &'a str,
    command: &'a [String],
    origin: &'static str,
    /// Left out: as whom Lifeboat runs.
    user: Option<&'a str>,
    timeout_seconds: u64,
    pinned: bool,
    /// Empty: wherever its user can write.
    writable: Vec<String>,
    no_new_privileges: bool,
}

impl<'a> From<&'a HookSpec> for Listed<'a> {
    fn from(hook: &'a HookSpec) -> Self {
        Self {
            point: &hook.point,
            command: &hook.command,
            origin: hook.origin.name(),
            user: hook.user.as_deref(),
            timeout_seconds: hook.timeout.as_secs(),
            pinned: hook.sha256.is_some(),
            writable: hook.writable.iter().map(|path| path.display().to_string()).collect(),
            no_new_privileges: hook.no_new_privileges || !hook.writable.is_empty(),
        }
    }
}

impl Listed<'_> {
    fn row(&self) -> Vec<String> {
        let confined = match (self.writable.is_empty(), self.no_new_privileges) {
            (false, _) => format!("to {}", self.writable.join(", ")),
            (true, true) => "no new privileges".to_owned(),
            (true, false) => "-".to_owned(),
        };
        vec![
            self.point.to_owned(),
            self.command.join(" "),
            self.origin.to_owned(),
            self.user.unwrap_or("-").to_owned(),
            format!("{} s", self.timeout_seconds),
            if self.pinned { "yes" } else { "no" }.to_owned(),
            confined,
        ]
    }
}

fn list(session: &Session<'_>) -> Done {
    let found = session.config()?.hooks()?;
    // Those of one point stand together, in their order.
    let mut hooks: Vec<Listed<'_>> = found.hooks.iter().map(Listed::from).collect();
    let points = run::hook_points();
    hooks.sort_by_key(|hook| points.iter().position(|point| point == hook.point));
    let document = json!({ "hooks": hooks, "ignored": found.ignored });
    session.output.result(SUCCESS, &document, |out| {
        if hooks.is_empty() {
            writeln!(out, "no hooks")?;
        } else {
            let header = ["point", "hook", "from", "user", "deadline", "pinned", "confined"];
            writeln!(out, "{}", table(&header, &[4], hooks.iter().map(Listed::row)))?;
        }
        tell_ignored(&found.ignored, out)
    })
}

fn tell_ignored(ignored: &[Ignored], out: &mut dyn Write) -> io::Result<()> {
    for Ignored { path, why } in ignored {
        writeln!(out, "! {} is not run: it {why}", path.display())?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Examined<'a> {
    #[serde(flatten)]
    hook: Listed<'a>,
    flaws: Vec<Flaw>,
}

fn check(session: &Session<'_>) -> Done {
    let found = session.config()?.hooks()?;
    let examined: Vec<Examined<'_>> = found
        .hooks
        .iter()
        .map(|hook| Examined { hook: hook.into(), flaws: run::examine_hook(hook) })
        .collect();
    let bad = examined.iter().any(|hook| !hook.flaws.is_empty());
    let code = if bad { Kind::Failed.exit_code() } else { SUCCESS };
    let document = json!({ "hooks": examined, "ignored": found.ignored });
    session.output.result(code, &document, |out| {
        for Examined { hook, flaws } in &examined {
            let mark = if flaws.is_empty() { "✓" } else { "✗" };
            writeln!(out, "{mark} {} {} ({})", hook.point, hook.command.join(" "), hook.origin)?;
            for flaw in flaws {
                writeln!(out, "    {}", flaw.text)?;
                if let Some(remedy) = &flaw.remedy {
                    writeln!(out, "    try: {remedy}")?;
                }
            }
        }
        if examined.is_empty() {
            writeln!(out, "no hooks")?;
        }
        tell_ignored(&found.ignored, out)
    })
}

fn must_be_point(point: &str) -> Result<()> {
    let points = run::hook_points();
    if points.iter().any(|known| known == point) {
        return Ok(());
    }
    Err(Error::usage(format!("there is no point {point}"))
        .with_remedy(format!("use one of {}", points.join(", "))))
}

/// What would be run, and nothing else.
fn show(session: &Session<'_>, job: &Job, point: &str) -> Done {
    let state = run::made_up_state(job, point, "by-hand");
    let mut shown = Vec::new();
    for hook in job.hooks.iter().filter(|hook| hook.point == point) {
        let environment: BTreeMap<_, _> = run::hook_environment(hook, &state).into_iter().collect();
        let input: Value = serde_json::from_slice(&run::hook_input(hook, &state)?)?;
        shown.push((Listed::from(hook), environment, input));
    }
    let document: Vec<Value> = shown
        .iter()
        .map(|(hook, environment, input)| json!({ "hook": hook, "environment": environment, "input": input }))
        .collect();
    session.output.result(SUCCESS, &document, |out| {
        for (hook, environment, input) in &shown {
            writeln!(out, "{} ({})", hook.command.join(" "), hook.origin)?;
            for (name, value) in environment {
                writeln!(out, "    {name}={value}")?;
            }
            writeln!(out, "{input:#}")?;
        }
        if shown.is_empty() {
            writeln!(out, "no hooks at {point}")?;
        }
        Ok(())
    })
}

/// What came of one hook.
#[derive(Serialize)]
struct Tried<'a> {
    hook: Listed<'a>,
    /// `go-on`, `warned`, `skip` or `failed`.
    verdict: &'static str,
    answer: Option<&'a Answer>,
    error: Option<String>,
}

fn run(session: &Session<'_>, job: &Job, point: &str) -> Done {
    let cx = session.cx();
    let state = run::made_up_state(job, point, cx.run_id());
    let tried = run::try_hooks(job, point, &state, &cx);
    let failed = tried.iter().find_map(|(_, asked)| asked.verdict.as_ref().err());
    let code = failed.map_or(SUCCESS, |error| error.kind().exit_code());
    let tried: Vec<Tried<'_>> = tried.iter().map(|(hook, asked)| tried_hook(hook, asked)).collect();
    session.output.result(code, &tried, |out| {
        for tried in &tried {
            writeln!(out, "{} {}: {}", point, tried.hook.command.join(" "), tried.verdict)?;
            if let Some(answer) = tried.answer {
                writeln!(out, "    answered {}", serde_json::to_string(answer)?)?;
            }
            if let Some(error) = &tried.error {
                writeln!(out, "    {error}")?;
            }
        }
        if tried.is_empty() {
            writeln!(out, "no hooks at {point}")?;
        }
        Ok(())
    })
}

fn tried_hook<'a>(hook: &'a HookSpec, asked: &'a Asked) -> Tried<'a> {
    let verdict = match &asked.verdict {
        Ok(HookVerdict::GoOn) => "go-on",
        Ok(HookVerdict::Warned) => "warned",
        Err(error) if error.kind() == Kind::Skipped => "skip",
        Err(_) => "failed",
    };
    let error = asked.verdict.as_ref().err().map(ToString::to_string);
    Tried { hook: hook.into(), verdict, answer: asked.answer.as_ref(), error }
}
