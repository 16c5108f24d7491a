//! What is told, in words: the same document is a mail, the input of templates, and JSON as it is.

use std::fmt::Write;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::occasion::{Alert, Occasion, Streak};
use super::spec::{NotifySpec, Word};
use crate::event::{RunKind, RunState, printable};

/// Paths that a letter names; the counts are exact.
const NAMED: usize = 10;

/// One reason may be a page; nobody reads it on a telephone.
const LONGEST: usize = 2000;

/// Every field is always there, so that a template can be tried out when the configuration is read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// The same however often it is sent: a repeat can be recognised.
    pub id: String,
    /// `success`, `incomplete`, `failed`, `skipped`, `cancelled`, `crashed`, `alert`, `recovered`, `started` or `test`.
    pub event: Word,
    /// `info`, `warning` or `error`.
    pub level: String,
    pub site: String,
    pub host: String,
    /// One line.
    pub title: String,
    /// Several lines.
    pub text: String,
    /// When it happened.
    pub at: Timestamp,
    /// The same as people of the site's zone read it.
    pub time: String,
    /// The name of the alert, if it is about one.
    pub alert: Option<String>,
    /// `backup`, `drill`, ..., if it is about a run.
    pub kind: Option<String>,
    pub run: Option<String>,
    pub cause: Option<String>,
    pub outcome: Option<String>,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub seconds: Option<i64>,
    pub snapshot: Option<String>,
    pub error: Option<String>,
    pub remedy: Option<String>,
    /// The first of them.
    pub missed: Vec<Missed>,
    pub missed_count: u64,
    /// What could not be released or put back: a person must look.
    pub stuck: Vec<String>,
    /// Failures of this kind one after the other, this one included.
    pub failures: Option<u32>,
    /// The command to type next.
    pub command: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Missed {
    pub path: String,
    pub why: String,
}

/// Nothing that was named by others may end a line or speak to a terminal.
fn plain(text: &str) -> String {
    let text = printable(text);
    if text.chars().count() <= LONGEST {
        return text.into_owned();
    }
    text.chars().take(LONGEST).chain(" ...".chars()).collect()
}

impl Letter {
    pub(super) fn new(
        spec: &NotifySpec,
        site: &str,
        occasion: &Occasion,
        id: String,
        now: Timestamp,
    ) -> Self {
        let mut letter = match occasion {
            Occasion::Started(run) => Self::of_run(spec, site, run, Word::Started, None, now),
            Occasion::Ended { run, streak } | Occasion::Crashed { run, streak } => {
                Self::of_run(spec, site, run, occasion.word(), *streak, now)
            }
            Occasion::Recovered { run, streak } => {
                Self::of_run(spec, site, run, Word::Recovered, Some(*streak), now)
            }
            Occasion::Alert(alert) => Self::of_alert(spec, site, alert, Word::Alert),
            Occasion::AlertOver(alert) => Self::of_alert(spec, site, alert, Word::Recovered),
        };
        letter.id = id;
        letter
    }

    /// What `lifeboat notify test` sends.
    pub(super) fn test(spec: &NotifySpec, site: &str, now: Timestamp) -> Self {
        let mut letter = Self::empty(spec, site, Word::Test, now);
        letter.id = format!("test-{}", now.as_millisecond());
        letter.title = format!("{}: this is a test", letter.site);
        letter.command = command(spec, "notify list");
        letter.text = format!(
            "Messages about the site {} on {} will come this way.\n\nSent:     {}\n",
            letter.site, letter.host, letter.time
        );
        letter
    }

    fn empty(spec: &NotifySpec, site: &str, event: Word, at: Timestamp) -> Self {
        let level = match event {
            Word::Success | Word::Recovered | Word::Started | Word::Test => "info",
            Word::Incomplete | Word::Skipped | Word::Cancelled => "warning",
            Word::Failed | Word::Crashed | Word::Alert => "error",
        };
        let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
        Self {
            id: String::new(),
            event,
            level: level.to_owned(),
            site: plain(site),
            host: plain(&host.unwrap_or_default()),
            title: String::new(),
            text: String::new(),
            at,
            time: spec.local(at),
            alert: None,
            kind: None,
            run: None,
            cause: None,
            outcome: None,
            started: None,
            finished: None,
            seconds: None,
            snapshot: None,
            error: None,
            remedy: None,
            missed: Vec::new(),
            missed_count: 0,
            stuck: Vec::new(),
            failures: None,
            command: String::new(),
        }
    }

    fn of_alert(spec: &NotifySpec, site: &str, alert: &Alert, event: Word) -> Self {
        let mut letter = Self::empty(spec, site, event, alert.at);
        letter.alert = Some(alert.name.name().to_owned());
        letter.title = format!("{}: {}", letter.site, plain(&alert.text));
        letter.remedy = alert.remedy.as_deref().map(plain);
        letter.started = Some(alert.began);
        letter.command = command(spec, "doctor");
        letter.text = letter.alert_text(spec, alert.began);
        letter
    }

    fn of_run(
        spec: &NotifySpec,
        site: &str,
        run: &RunState,
        event: Word,
        streak: Option<Streak>,
        now: Timestamp,
    ) -> Self {
        let at = if event == Word::Started { run.started } else { run.finished };
        let mut letter = Self::empty(spec, site, event, at.unwrap_or(now));
        let kind = run.kind.map_or("run", RunKind::name);
        let text = |text: &Option<String>| text.as_deref().map(plain);
        letter.kind = Some(kind.to_owned());
        letter.run = Some(plain(&run.run));
        letter.cause = Some(plain(&run.cause));
        letter.outcome = run.outcome.map(|outcome| Word::from(outcome).name().to_owned());
        (letter.started, letter.finished) = (run.started, run.finished);
        letter.seconds =
            run.started.zip(run.finished).map(|(from, to)| to.duration_since(from).as_secs().max(0));
        letter.snapshot = text(&run.snapshot);
        letter.error = text(&run.error);
        if event == Word::Crashed {
            let step = run.steps.iter().rev().find(|step| step.ended.is_none());
            let during = step.map(|step| format!(" during the step {}", step.step.name()));
            letter.error.get_or_insert(format!(
                "its process ended{} without saying why: killed, out of memory, or the machine went down",
                during.unwrap_or_default()
            ));
        }
        letter.remedy = text(&run.remedy);
        letter.missed = run
            .missed
            .iter()
            .take(NAMED)
            .map(|(path, why)| Missed { path: plain(path), why: plain(why) })
            .collect();
        letter.missed_count = run.missed_count;
        letter.stuck =
            run.stuck.iter().map(|(step, error)| plain(&format!("{}: {error}", step.name()))).collect();
        letter.failures = streak.map(|streak| streak.count);
        letter.command = next_command(spec, &letter);
        letter.title = title(&letter, kind);
        letter.text = letter.run_text(spec, streak);
        letter
    }

    fn run_text(&self, spec: &NotifySpec, streak: Option<Streak>) -> String {
        let mut out = self.head();
        let (kind, run) = (self.kind.as_deref().unwrap_or("run"), self.run.as_deref().unwrap_or_default());
        let cause = self.cause.as_deref().filter(|cause| !cause.is_empty());
        line(
            &mut out,
            "Run",
            &format!("{kind} {run}{}", cause.map(|by| format!(" ({by})")).unwrap_or_default()),
        );
        line(&mut out, "Began", &self.started.map(|at| spec.local(at)).unwrap_or_default());
        let took = self.seconds.map(|seconds| format!(", after {}", span(seconds))).unwrap_or_default();
        line(&mut out, "Ended", &self.finished.map(|at| spec.local(at) + &took).unwrap_or_default());
        line(&mut out, "Outcome", self.outcome.as_deref().unwrap_or_default());
        line(&mut out, "Snapshot", self.snapshot.as_deref().unwrap_or_default());
        line(&mut out, "Reason", self.error.as_deref().unwrap_or_default());
        line(&mut out, "Try", self.remedy.as_deref().unwrap_or_default());
        if let Some(Streak { count, since }) = streak {
            let since = spec.local(since);
            let text = match (self.event, count) {
                (Word::Recovered, 1) => format!("it failed once, {since}"),
                (Word::Recovered, _) => format!("it failed {count} times in a row, from {since} on"),
                (_, 1) => String::new(),
                _ => format!("this is failure {count} in a row, since {since}"),
            };
            line(&mut out, "Before", &text);
        }
        if self.missed_count > 0 {
            out.push_str("\nMissing from it:\n");
            for Missed { path, why } in &self.missed {
                let _ = writeln!(out, "  {path}: {why}");
            }
            let more = self.missed_count.saturating_sub(self.missed.len() as u64);
            if more > 0 {
                let _ = writeln!(out, "  and {more} more");
            }
        }
        if !self.stuck.is_empty() {
            out.push_str("\nSomebody must look at this, it could not be put back:\n");
            for stuck in &self.stuck {
                let _ = writeln!(out, "  {stuck}");
            }
        }
        self.tail(out)
    }

    fn alert_text(&self, spec: &NotifySpec, began: Timestamp) -> String {
        let mut out = format!("{}\n\n{}", self.title, self.head());
        line(&mut out, "Since", &spec.local(began));
        if self.event == Word::Recovered {
            line(&mut out, "Over", &self.time);
        }
        line(&mut out, "Try", self.remedy.as_deref().unwrap_or_default());
        self.tail(out)
    }

    fn head(&self) -> String {
        let mut out = String::new();
        line(&mut out, "Site", &format!("{} on {}", self.site, self.host));
        out
    }

    fn tail(&self, mut out: String) -> String {
        let _ = writeln!(out, "\nTo see more, type:\n  {}", self.command);
        out
    }
}

fn line(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(out, "{:<9} {value}", format!("{name}:"));
    }
}

fn title(letter: &Letter, kind: &str) -> String {
    let site = &letter.site;
    match letter.event {
        Word::Started => format!("{site}: {kind} began"),
        Word::Success => format!("{site}: {kind} succeeded"),
        Word::Incomplete if letter.missed_count == 1 => {
            format!("{site}: {kind} incomplete, 1 path is missing")
        }
        Word::Incomplete if letter.missed_count > 0 => {
            format!("{site}: {kind} incomplete, {} paths are missing", letter.missed_count)
        }
        Word::Incomplete => format!("{site}: {kind} incomplete"),
        Word::Recovered => format!("{site}: {kind} works again"),
        Word::Crashed => format!("{site}: {kind} broke off"),
        Word::Failed if letter.failures.is_some_and(|count| count > 1) => {
            format!("{site}: {kind} failed, {} times in a row", letter.failures.unwrap_or_default())
        }
        Word::Failed => format!("{site}: {kind} failed"),
        Word::Skipped => format!("{site}: {kind} was skipped"),
        Word::Cancelled => format!("{site}: {kind} was cancelled"),
        Word::Alert | Word::Test => format!("{site}: {kind}"),
    }
}

/// What is worth typing after this.
fn next_command(spec: &NotifySpec, letter: &Letter) -> String {
    match (letter.event, letter.kind.as_deref()) {
        (Word::Crashed, Some("restore" | "drill" | "recover")) => command(spec, "recover"),
        (Word::Success | Word::Recovered, _) => command(spec, "snapshots"),
        _ => command(spec, &format!("runs {}", letter.run.as_deref().unwrap_or_default())),
    }
}

fn command(spec: &NotifySpec, words: &str) -> String {
    let config = printable(&spec.config.display().to_string()).into_owned();
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%".contains(&byte);
    if config.bytes().all(safe) {
        format!("lifeboat --config {config} {words}")
    } else {
        format!("lifeboat --config '{}' {words}", config.replace('\'', r"'\''"))
    }
}

/// `45 s`, `12 min`, `3 h`, `9 d`.
pub(super) fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}
