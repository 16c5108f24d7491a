//! `lifeboat drill`.

use serde::Serialize;

use super::args::Drill;
use super::output::{bytes, count, duration};
use super::restore::rows;
use super::{Done, SUCCESS, Session};
use crate::event::{Outcome, RunKind, RunState};
use crate::run::{self, DrillRequest, Drilled};
use crate::schedule::Wanted;

#[derive(Serialize)]
struct Document<'a> {
    drilled: &'a Drilled,
    run: &'a RunState,
}

pub(super) fn drill(session: &Session<'_>, args: &Drill) -> Done {
    let job = session.config()?.job_to_restore().map(|job| session.patient(job))?;
    let request = DrillRequest {
        wanted: Wanted::parse(&args.at, jiff::Timestamp::now(), &job.zone)?,
        parts: args.sample.map_or(1, run::parts),
        max_bytes: args.max_bytes.map(|mebibytes| mebibytes << 20),
        max_seconds: args.max_minutes.map(|minutes| minutes * 60),
    };
    let cause = if args.scheduled { "scheduled" } else { "manual" };
    let cx = session.run_cx(&job, RunKind::Drill)?;
    let (result, state) = run::execute(RunKind::Drill, &job, cause, &cx, || {
        run::drill(&job, &request, &cx).map(|done| (done, None))
    });
    let done = result?;
    let code = state.outcome.map_or(SUCCESS, Outcome::exit_code);
    session.output.result(code, &Document { drilled: &done, run: &state }, |out| {
        let drill = &done.drill;
        writeln!(
            out,
            "snapshot {:.8} of {} comes back: {}, {}{} in {}",
            drill.snapshot,
            job.local(drill.time),
            count(drill.files, "file"),
            bytes(drill.bytes),
            rows(", ", drill.rows, ""),
            duration(drill.seconds)
        )?;
        if drill.parts > 1 {
            writeln!(
                out,
                "this was part {} of {} of its files: after {} drills all of them are covered",
                drill.part, drill.parts, drill.parts
            )?;
        }
        if let Some(server) = &drill.server {
            writeln!(out, "databases were loaded into a server of their own: {server}")?;
        }
        if state.missed_count > 0 {
            writeln!(out, "INCOMPLETE: {} did not come back as it was", count(state.missed_count, "thing"))?;
        }
        let guess = if done.whole_site.measured { "" } else { ", a guess" };
        writeln!(out, "a restore of the whole site takes about {}{guess}", duration(done.whole_site.seconds))
    })
}
