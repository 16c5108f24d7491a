//! `lifeboat restore --undo`.

use std::io::Write;

use serde::Serialize;

use super::args::Restore;
use super::restore::{moved, replaces};
use super::{Done, SUCCESS, Session};
use crate::error::Error;
use crate::event::{Outcome, RunKind, RunState};
use crate::run::{self, Job, UndoPreview, UndoRequest, Undone};

#[derive(Serialize)]
struct Document<'a> {
    undone: &'a Undone,
    run: &'a RunState,
}

pub(super) fn undo(session: &Session<'_>, args: &Restore) -> Done {
    let job = session.any_job()?;
    if !args.dry_run && !args.yes && !session.output.can_ask() {
        return Err(Error::usage("an undo replaces the live site and nobody can be asked here")
            .with_remedy("look at it with `--dry-run`, then give `--yes`"));
    }
    let confirm = |preview: &UndoPreview| args.yes || ask(session, preview, &job);
    let request = UndoRequest {
        keep_newer: args.keep_newer.clone(),
        safety: !args.no_safety,
        dry_run: args.dry_run,
        confirm: &confirm,
    };
    let cx = if args.dry_run { session.cx() } else { session.run_cx(&job, RunKind::Restore)? };
    let (result, state) = run::execute(RunKind::Restore, &job, "manual", &cx, || {
        run::undo(&job, &request, &cx).map(|done| (done, None))
    });
    let undone = result?;
    let code = state.outcome.map_or(SUCCESS, Outcome::exit_code);
    session.output.result(code, &Document { undone: &undone, run: &state }, |out| {
        if undone.dry_run {
            describe(&undone.preview, &job, out)?;
            return writeln!(out, "nothing was changed");
        }
        writeln!(
            out,
            "{} is as it was before the restore of {}",
            job.site.name,
            job.local(undone.preview.undoes)
        )?;
        moved(&undone.carried, &undone.aside, undone.kept.as_deref(), out)?;
        for copy in &undone.databases {
            writeln!(out, "what {} held is in {}", copy.live, copy.former)?;
        }
        writeln!(out, "`lifeboat restore --undo` once more goes forward again")
    })
}

fn ask(session: &Session<'_>, preview: &UndoPreview, job: &Job) -> bool {
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    drop(describe(preview, job, &mut text));
    replaces(session, &text, job)
}

fn describe(preview: &UndoPreview, job: &Job, out: &mut dyn Write) -> std::io::Result<()> {
    let brought = preview.brought.as_deref().map(|id| format!(", which brought snapshot {id:.8}"));
    writeln!(
        out,
        "back to the moment before the restore of {}{}",
        job.local(preview.undoes),
        brought.unwrap_or_default()
    )?;
    if !preview.kept {
        let safety = preview.safety.as_deref().unwrap_or_default();
        return writeln!(
            out,
            "from snapshot {safety:.8}: what that restore had set aside is not there any more"
        );
    }
    if let Some(files) = &preview.files {
        writeln!(out, "files: from {}", files.display())?;
    }
    for database in &preview.databases {
        writeln!(out, "database: {database}, from what was set aside")?;
    }
    Ok(())
}
