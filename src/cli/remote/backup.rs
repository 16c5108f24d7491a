//! `lifeboat backup --remote`: the agent makes it, with its own rights, in its turn.

use std::io::{self, Write};

use serde_json::json;

use super::follow::{ended, follow};
use super::{client, site};
use crate::cli::args::Backup;
use crate::cli::output::{bytes, count, duration};
use crate::cli::{Done, SUCCESS, Session};
use crate::client::Run;
use crate::event::Outcome;

pub(in crate::cli) fn backup(session: &Session<'_>, args: &Backup) -> Done {
    let client = client(session, &args.ask)?;
    let site = site(session, &args.ask, &client)?.name;
    let run = client.backup(&site, args.comment.as_deref(), args.pin.as_deref())?;
    if args.no_wait {
        return session.output.result(SUCCESS, &json!({ "site": site, "run": run, "state": null }), |out| {
            writeln!(out, "{run}")
        });
    }
    session.output.say(format!("the agent backs up {site} as {run}"));
    let state = follow(session, &client, &site, &run)?;
    let outcome = ended(&state)?;
    let document = json!({ "site": site, "run": run, "state": state });
    session.output.result(outcome.exit_code(), &document, |out| told(out, &state, outcome))
}

/// As after a backup that was made here.
fn told(out: &mut dyn Write, state: &Run, outcome: Outcome) -> io::Result<()> {
    let saved = state.saved.clone().unwrap_or_default();
    let snapshot = state.snapshot.as_deref().unwrap_or("?");
    writeln!(
        out,
        "snapshot {snapshot:.8} saved: {}, {} read",
        count(saved.files, "file"),
        bytes(saved.bytes)
    )?;
    writeln!(
        out,
        "{} new, {} changed, {} unmodified; {} added, {} stored",
        saved.files_new,
        saved.files_changed,
        saved.files.saturating_sub(saved.files_new.saturating_add(saved.files_changed)),
        bytes(saved.bytes_added),
        bytes(saved.bytes_stored)
    )?;
    if let Some(seconds) = state.held_seconds {
        writeln!(out, "downtime: {}", duration(seconds))?;
    }
    if outcome == Outcome::Incomplete {
        writeln!(out, "INCOMPLETE: {} could not be saved", count(state.missed_count, "thing"))?;
    }
    Ok(())
}
