//! `lifeboat runs`: the history.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use super::args::Runs;
use super::bar::Terminal;
use super::output::{duration, table};
use super::{Done, SUCCESS, Session};
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::history::{self, Past, Standing};
use crate::sys::local_time::local_time;

/// How often a file is looked at that somebody follows.
const LOOK: Duration = Duration::from_millis(300);

pub(super) fn runs(session: &Session<'_>, args: &Runs) -> Done {
    if args.remote {
        return super::remote::runs(session, args);
    }
    super::remote::only_remote(&args.ask)?;
    let config = session.config()?;
    let directory = history::directory(&config.site_state());
    let zone = config.time_zone()?;
    match (&args.id, args.follow) {
        (Some(id), follow) => one(session, &directory, &find(&directory, id)?, follow),
        (None, true) => all(session, &directory),
        (None, false) => {
            let runs = history::newest(&directory, args.count)?;
            session.output.result(SUCCESS, &runs, |out| list(&runs, &zone, out))
        }
    }
}

fn list(runs: &[Past], zone: &jiff::tz::TimeZone, out: &mut dyn Write) -> io::Result<()> {
    if runs.is_empty() {
        return writeln!(out, "nothing ran yet");
    }
    let rows = runs.iter().map(|past| {
        let state = &past.state;
        let begun = state.started.map(|at| local_time(at, zone));
        let took = state.started.zip(state.finished).map(|(from, to)| to.duration_since(from).as_secs_f64());
        vec![
            past.id.clone(),
            begun.unwrap_or_default(),
            state.kind.map_or("", crate::event::RunKind::name).to_owned(),
            state.cause.clone(),
            took.map(duration).unwrap_or_default(),
            word(past).to_owned(),
            state
                .error
                .clone()
                .or_else(|| state.snapshot.as_ref().map(|id| format!("snapshot {id:.8}")))
                .unwrap_or_default(),
        ]
    });
    writeln!(out, "{}", table(&["Run", "Begun", "Kind", "Cause", "Took", "Outcome", ""], &[4], rows))
}

fn word(past: &Past) -> &'static str {
    match (past.standing, past.state.outcome) {
        (Standing::Running, _) => "running",
        (Standing::Crashed, _) | (_, None) => "CRASHED",
        (_, Some(outcome)) => outcome.name(),
    }
}

/// A name, or the beginning of one that only one run has.
fn find(directory: &Path, id: &str) -> Result<String> {
    let names = history::names(directory)?;
    let mut found = names.iter().filter(|name| name.starts_with(id));
    match (found.next(), found.next()) {
        (Some(name), None) => Ok(name.clone()),
        (Some(name), _) if name == id => Ok(name.clone()),
        (Some(_), Some(_)) => {
            Err(Error::usage(format!("several runs begin with {id:?}")).with_remedy("write more of its name"))
        }
        (None, _) => Err(Error::usage(format!("there is no run {id:?}")).with_remedy("see `lifeboat runs`")),
    }
}

fn one(session: &Session<'_>, directory: &Path, run: &str, follow: bool) -> Done {
    let past = history::read(directory, run)?;
    if !follow {
        let events = history::events(directory, run)?.unwrap_or_default();
        if !session.global.json {
            let lines = Terminal::replay();
            for event in &events {
                lines.take(event);
            }
        }
        return session
            .output
            .result(SUCCESS, &events, |out| writeln!(out, "{run}: {}", past.as_ref().map_or("", word)));
    }
    let mut told = 0;
    let lines = Terminal::new(session.global);
    while !session.cancel.is_cancelled() {
        // Looked at before its events are read: an end is never missed.
        let standing = history::read(directory, run)?.map(|past| past.standing);
        told += tell(directory, run, told, &lines)?;
        if standing != Some(Standing::Running) {
            break;
        }
        std::thread::sleep(LOOK);
    }
    let end = history::read(directory, run)?;
    let end = end.as_ref().map_or("gone", word);
    session.output.result(SUCCESS, &serde_json::json!({ "run": run, "outcome": end }), |out| {
        writeln!(out, "{run}: {end}")
    })
}

/// Every run from now on, one after the other, until somebody stops it.
fn all(session: &Session<'_>, directory: &Path) -> Done {
    let mut newest = history::names(directory)?.into_iter().next();
    while !session.cancel.is_cancelled() {
        let names = history::names(directory)?;
        let fresh = names.into_iter().filter(|name| newest.as_ref().is_none_or(|newest| name > newest)).min();
        if let Some(run) = fresh {
            one(session, directory, &run, true)?;
            newest = Some(run);
        }
        std::thread::sleep(LOOK);
    }
    Ok(SUCCESS)
}

fn tell(directory: &Path, run: &str, told: usize, lines: &Terminal) -> Result<usize> {
    let events: Vec<Event> = history::events(directory, run)?.unwrap_or_default();
    let fresh = events.iter().skip(told);
    Ok(fresh.inspect(|event| lines.take(event)).count())
}
