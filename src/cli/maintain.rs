//! `lifeboat forget` and `lifeboat check`.

use super::args::{Check, Forget};
use super::browse::name;
use super::output::{bytes, count, table};
use super::{Done, SUCCESS, Session};
use crate::error::{Error, Kind};
use crate::event::{Outcome, RunKind};
use crate::repo::{CheckReport, DamageKind};
use crate::run::{self, CheckRequest, Checked, ForgetRequest, Forgotten, Job, Reading, Walk};
use crate::schedule::Rule;

pub(super) fn forget(session: &Session<'_>, args: &Forget) -> Done {
    let job = session.any_job()?;
    if job.retention.keeps_everything() {
        return Err(
            Error::usage("the configuration has no retention rule").with_remedy("set `retention: {last: 7}`")
        );
    }
    let request = ForgetRequest { dry_run: args.dry_run, prune: args.prune, force: args.force };
    let cx = if args.dry_run { session.cx() } else { session.run_cx(&job, RunKind::Forget)? };
    let (result, state) = run::execute(RunKind::Forget, &job, "manual", &cx, || {
        run::forget(&job, request, &cx).map(|done| (done, None))
    });
    let done = result?;
    let code = state.outcome.map_or(SUCCESS, Outcome::exit_code);
    session.output.result(code, &done, |out| {
        let rows = done.verdicts.iter().map(|(snapshot, verdict)| {
            let time = job.local(snapshot.time);
            let what = if verdict.keep { "keep" } else { "remove" };
            vec![snapshot.short_id().to_owned(), time, what.to_owned(), verdict.reason.clone()]
        });
        writeln!(out, "{}", table(&["ID", "Time", "Verdict", "Reason"], &[], rows))?;
        if let Some(refusal) = &done.refused {
            writeln!(out, "REFUSED: {}; `lifeboat forget --force` would remove them", refusal.text())?;
        }
        writeln!(out, "{}", summary(&done, args.dry_run))
    })
}

fn summary(done: &Forgotten, dry_run: bool) -> String {
    if dry_run {
        let doomed = done.verdicts.iter().filter(|(_, verdict)| !verdict.keep).count();
        let doomed = count(doomed as u64, "snapshot");
        let later = done.verdicts.iter().filter(|(_, verdict)| verdict.rule == Rule::Grace).count();
        let later = if later > 0 { format!(", {later} later") } else { String::new() };
        return match &done.refused {
            Some(_) => format!("{doomed} to go, but none would be removed{later}; nothing was changed"),
            None => format!("{doomed} would be removed{later}; nothing was changed"),
        };
    }
    let removed = format!("{} removed", count(done.removed, "snapshot"));
    match done.pruned {
        None => removed,
        Some(pruned) => format!(
            "{removed}; {} marked as unused (deleted by a prune after 23 hours), {} deleted",
            bytes(pruned.bytes_marked),
            count(pruned.packs_deleted, "pack")
        ),
    }
}

pub(super) fn check(session: &Session<'_>, args: &Check) -> Done {
    let job = session.repository_job()?;
    let read = match (args.read_data, args.read_data_subset) {
        (true, _) => Reading::Everything,
        (false, Some(percent)) => Reading::Share(percent),
        (false, None) => Reading::Nothing,
    };
    let cause = if args.scheduled { "scheduled" } else { "manual" };
    let request = CheckRequest { read, repair: args.repair };
    let cx = session.run_cx(&job, RunKind::Check)?;
    let (result, state) = run::execute(RunKind::Check, &job, cause, &cx, || {
        run::check(&job, request, &cx).map(|done| (done, None))
    });
    let done = result?;
    let Checked { report, walk, moved } = &done;
    let ended = state.outcome.map_or(SUCCESS, Outcome::exit_code);
    let code = if report.damages.is_empty() { ended } else { Kind::Failed.exit_code() };
    session.output.result(code, &done, |out| {
        describe(report, out)?;
        if let Some(walk) = walk {
            describe_walk(walk, &job, out)?;
        }
        for file in moved {
            writeln!(out, "set aside as damaged/{}", file.replace('/', "-"))?;
        }
        if !moved.is_empty() {
            writeln!(out, "the index was rebuilt; the next backup stores anew what the live site still has")?;
        } else if report.damages.iter().any(|damage| damage.kind != DamageKind::Missing) {
            writeln!(out, "`lifeboat check --repair` sets these files aside and rebuilds the index")?;
        }
        Ok(())
    })
}

fn describe_walk(walk: &Walk, job: &Job, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    write!(
        out,
        "this was part {} of {}: everything is read once in {} checks",
        walk.part, walk.parts, walk.parts
    )?;
    match walk.all_read {
        Some(time) => writeln!(out, "; all of it was read by {}", job.local(time)),
        None => writeln!(out),
    }
}

fn describe(report: &CheckReport, out: &mut dyn std::io::Write) -> std::io::Result<()> {
    writeln!(
        out,
        "looked at {} and {}, read {}",
        count(report.snapshots, "snapshot"),
        count(report.packs, "pack"),
        bytes(report.bytes_read)
    )?;
    if report.unreferenced > 0 {
        writeln!(out, "{} left by interrupted runs, harmless", count(report.unreferenced, "pack"))?;
    }
    if report.damages.is_empty() {
        return writeln!(out, "no damage found");
    }
    for damage in &report.damages {
        writeln!(out, "DAMAGED {}: {}", damage.file, damage.what)?;
        for (snapshot, affected) in &damage.affects {
            writeln!(out, "  snapshot {snapshot}: {} cannot be restored", count(affected.count, "path"))?;
            for path in &affected.paths {
                writeln!(out, "    {}", name(path))?;
            }
        }
    }
    Ok(())
}
