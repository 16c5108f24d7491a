//! `lifeboat runs --remote`: the history, as the agent tells it.

use jiff::tz::TimeZone;

use super::{client, site};
use crate::cli::args::Runs;
use crate::cli::output::{duration, printable, table};
use crate::cli::{Done, SUCCESS, Session};
use crate::client::{Client, Run};
use crate::error::{Error, Result};
use crate::sys::local_time::local_time;

/// As many as an agent gives.
const MOST: usize = 1000;

pub(in crate::cli) fn runs(session: &Session<'_>, args: &Runs) -> Done {
    let client = client(session, &args.ask)?;
    let site = site(session, &args.ask, &client)?.name;
    if let Some(id) = &args.id {
        return one(session, &client, &site, id);
    }
    let runs = client.runs(&site, args.count.clamp(1, MOST))?;
    let zone = TimeZone::system();
    session.output.result(SUCCESS, &runs, |out| {
        if runs.is_empty() {
            return writeln!(out, "nothing ran yet");
        }
        let rows = runs.iter().map(|run| {
            let begun = run.started.map(|at| local_time(at, &zone)).unwrap_or_default();
            let cells = [
                &run.id,
                &begun,
                run.kind.as_deref().unwrap_or_default(),
                &run.cause,
                &run.seconds().map(duration).unwrap_or_default(),
                run.word(),
                &what_came_of(run),
            ];
            cells.map(|cell| printable(cell).into_owned()).to_vec()
        });
        writeln!(out, "{}", table(&["Run", "Begun", "Kind", "Cause", "Took", "Outcome", ""], &[4], rows))
    })
}

/// Its error, or its snapshot.
pub(super) fn what_came_of(run: &Run) -> String {
    let snapshot = || run.snapshot.as_ref().map(|id| format!("snapshot {id:.8}"));
    run.error.clone().or_else(snapshot).unwrap_or_default()
}

fn one(session: &Session<'_>, client: &Client, site: &str, id: &str) -> Done {
    let run = find(client, site, id)?;
    let happened = client.happened(site, &run.id)?;
    let zone = TimeZone::system();
    session.output.result(SUCCESS, &happened, |out| {
        for happened in &happened {
            writeln!(out, "  {}  {}", local_time(happened.at, &zone), printable(&happened.text))?;
        }
        writeln!(out, "{}: {}", printable(&run.id), printable(run.word()))
    })
}

/// A name, or the beginning of one that only one run has.
fn find(client: &Client, site: &str, id: &str) -> Result<Run> {
    let mut found: Vec<Run> = client.runs(site, MOST)?;
    found.retain(|run| run.id.starts_with(id));
    if let Some(exact) = found.iter().position(|run| run.id == id) {
        return Ok(found.swap_remove(exact));
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Error::usage(format!("there is no run {id:?}")).with_remedy("see `lifeboat runs --remote`")),
        _ => {
            Err(Error::usage(format!("several runs begin with {id:?}")).with_remedy("write more of its name"))
        }
    }
}
