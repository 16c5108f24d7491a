//! The body of a webhook as a person wrote it: a template that cannot run for ever, and that is tried out before it is needed.

use std::io::{self, Write};

use jiff::Timestamp;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::letter::Letter;
use super::occasion::{Alert, AlertName, Occasion, Streak};
use super::spec::NotifySpec;
use crate::event::{Event, Outcome, RunKind, RunState, Step, What};

/// Instructions of the template engine.
const FUEL: u64 = 200_000;

/// In bytes; what chat services take is far less.
const LARGEST: usize = 256 * 1024;

/// Renders a body; the error is one line about the template.
pub(super) fn render(template: &str, letter: &Letter) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let mut out = Capped(Vec::new());
    environment
        .template_from_str(template)
        .and_then(|template| template.render_captured_to(Value::from(Serde(letter)), &mut out).map(drop))
        .map_err(|error| said(&error))?;
    String::from_utf8(out.0).map_err(|_| "it does not give UTF-8".to_owned())
}

/// Whether a body must be JSON: what is sent as such, and what begins like it.
pub(super) fn is_json(content_type: Option<&str>, template: &str) -> bool {
    let start = template.trim_start();
    let looks = start.starts_with('[')
        || (start.starts_with('{') && !["{{", "{%", "{#"].iter().any(|tag| start.starts_with(tag)));
    content_type.map_or(looks, |kind| kind.to_ascii_lowercase().contains("json"))
}

/// Tries a template with letters of each sort, in which names are as hostile as they come.
pub fn check(template: &str, content_type: Option<&str>, spec: &NotifySpec) -> Result<(), String> {
    for letter in samples(spec) {
        let body = render(template, &letter)?;
        if is_json(content_type, template)
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&body)
        {
            return Err(format!("what it gives is not JSON when a name has quotes in it ({error})"));
        }
    }
    Ok(())
}

fn samples(spec: &NotifySpec) -> Vec<Letter> {
    let now = Timestamp::UNIX_EPOCH;
    let mut run = RunState::default();
    let hostile = "a \"quoted\"\\ \r\nname}}".to_owned();
    let events = [
        What::RunStarted { kind: RunKind::Backup, site: hostile.clone(), cause: hostile.clone() },
        What::Missed { path: hostile.clone(), why: hostile.clone() },
        What::Stuck { step: Step::Mount, error: hostile.clone() },
        What::RunFinished {
            outcome: Outcome::Failed,
            snapshot: Some(hostile.clone()),
            error: Some(hostile.clone()),
        },
    ];
    for (seq, what) in (1..).zip(events) {
        run.apply(&Event { run: hostile.clone(), seq, at: now, what });
    }
    let streak = Streak { count: 2, since: now };
    let alert = Alert {
        name: AlertName::NoSuccess,
        text: hostile.clone(),
        remedy: Some(hostile.clone()),
        began: now,
        at: now,
    };
    let bare = RunState { kind: Some(RunKind::Drill), ..RunState::default() };
    let occasions = [
        Occasion::Ended { run: run.clone(), streak: Some(streak) },
        Occasion::Recovered { run, streak },
        Occasion::Crashed { run: bare.clone(), streak: None },
        Occasion::Alert(alert.clone()),
        Occasion::AlertOver(alert),
        Occasion::Started(bare),
    ];
    occasions.iter().map(|occasion| Letter::new(spec, &hostile, occasion, "sample".to_owned(), now)).collect()
}

fn said(error: &minijinja::Error) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let line = error.line().map(|line| format!(" in its line {line}")).unwrap_or_default();
    crate::event::printable(&format!("{}{detail}{cause}{line}", error.kind())).into_owned()
}

struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.0.len() + data.len() > LARGEST {
            return Err(io::Error::other("it gives more than 256 KiB"));
        }
        self.0.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
