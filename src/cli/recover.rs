//! `lifeboat recover`.

use serde::Serialize;

use super::{Done, SUCCESS, Session};
use crate::event::{Outcome, RunKind, RunState};
use crate::run::{self, Recovered, Recovery};

#[derive(Serialize)]
struct Document<'a> {
    recovered: &'a Recovered,
    run: &'a RunState,
}

pub(super) fn recover(session: &Session<'_>) -> Done {
    let job = session.any_job()?;
    let cx = session.run_cx(&job, RunKind::Recover)?;
    let (result, state) = run::execute(RunKind::Recover, &job, "manual", &cx, || {
        run::recover(&job, &cx).map(|done| (done, None))
    });
    let recovered = result?;
    let code = state.outcome.map_or(SUCCESS, Outcome::exit_code);
    session.output.result(code, &Document { recovered: &recovered, run: &state }, |out| {
        let when = recovered.begun.map(|begun| job.local(begun)).unwrap_or_default();
        match recovered.recovery {
            Recovery::Nothing => writeln!(out, "no restore is unfinished: nothing to recover"),
            Recovery::GivenBack => {
                writeln!(out, "the site works again; the backup of {when} held it still when it was killed")
            }
            Recovery::PutBack => writeln!(out, "the site is as it was before the restore of {when}"),
            Recovery::Finished => writeln!(out, "the restore of {when} was committed; it is at its end now"),
        }
    })
}
