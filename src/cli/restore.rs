//! `lifeboat restore`.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::args::Restore;
use super::browse::{mark, name};
use super::output::{bytes, count, duration, printable};
use super::{Done, SUCCESS, Session, undo};
use crate::database::Means;
use crate::error::{Error, Result};
use crate::event::{Outcome, RunKind, RunState};
use crate::repo::ChangeKind;
use crate::run::{
    self, DatabasePlan, Job, Listing, Parts, Preview, RestoreRequest, Restored, Source, Target,
};
use crate::schedule::Wanted;

/// Paths shown before "and N more".
const SHOWN: usize = 20;

pub(super) fn restore(session: &Session<'_>, args: &Restore) -> Done {
    if args.discard_former {
        return discard_former(session, args.yes);
    }
    if args.undo {
        return undo::undo(session, args);
    }
    if let Some(id) = &args.plan_id {
        return planned(session, args, id);
    }
    let source = source(session, args)?;
    let job = job_for(session, args)?;
    let at = args.at.as_deref().unwrap_or("latest");
    let wanted = Wanted::parse(at, jiff::Timestamp::now(), &job.zone)?;
    let confirm = |preview: &Preview| args.yes || ask(session, preview, &job);
    let request = RestoreRequest {
        source: source.as_ref(),
        wanted,
        target: target(args),
        include: args.include.clone(),
        parts: parts(args),
        keep_newer: args.keep_newer.clone(),
        safety: !args.no_safety,
        in_place_database: args.in_place_database,
        dry_run: args.dry_run,
        plan: None,
        confirm: &confirm,
    };
    if matches!(request.target, Target::InPlace { .. })
        && !args.dry_run
        && !args.yes
        && !session.output.can_ask()
    {
        return Err(Error::usage("a restore in place replaces the live site and nobody can be asked here")
            .with_remedy("look at it with `--dry-run`, then give `--yes`"));
    }
    carry_out(session, args, &job, &request)
}

/// What was looked at is done without another question.
fn planned(session: &Session<'_>, args: &Restore, id: &str) -> Done {
    let plan = run::saved_plan(&session.any_job()?, id)?;
    let job = if plan.databases {
        session.config()?.job_to_restore().map(|job| session.patient(job))
    } else {
        session.any_job()
    }?;
    let request = RestoreRequest {
        source: None,
        wanted: Wanted::Id(plan.snapshot),
        target: Target::InPlace { files: plan.files, databases: plan.databases },
        include: plan.include,
        parts: plan.parts,
        keep_newer: plan.keep_newer,
        safety: plan.safety,
        in_place_database: plan.in_place_database,
        dry_run: false,
        plan: Some(id.to_owned()),
        confirm: &|_| true,
    };
    carry_out(session, args, &job, &request)
}

fn carry_out(session: &Session<'_>, args: &Restore, job: &Job, request: &RestoreRequest<'_>) -> Done {
    let cx = if request.dry_run { session.cx() } else { session.run_cx(job, RunKind::Restore)? };
    let (result, state) = run::execute(RunKind::Restore, job, "manual", &cx, || {
        run::restore(job, request, &cx).map(|done| (done, None))
    });
    let restored = result?;
    let code = state.outcome.map_or(SUCCESS, Outcome::exit_code);
    session.output.result(code, &Document { restored: &restored, run: &state }, |out| {
        if restored.dry_run {
            describe(&restored.preview, job, out)?;
            writeln!(out, "nothing was changed")?;
            return restored.preview.plan.as_ref().map_or(Ok(()), |id| {
                writeln!(
                    out,
                    "`lifeboat restore --plan-id {id}` does just this, as long as the site stays as it is"
                )
            });
        }
        tell(&restored, &state, args, out)
    })
}

#[derive(Serialize)]
struct Document<'a> {
    restored: &'a Restored,
    run: &'a RunState,
}

/// The site that was saved, if it goes into another one.
fn source(session: &Session<'_>, args: &Restore) -> Result<Option<Source>> {
    if args.into.is_none() {
        return Ok(None);
    }
    Source::new(session.repository_job()?, args.keep.clone(), &args.remap).map(Some)
}

/// Files alone, or a restore elsewhere, need no login to any database; nor a site that is still there.
fn job_for(session: &Session<'_>, args: &Restore) -> Result<Job> {
    if let Some(into) = &args.into {
        let config = crate::config::load(into)?;
        let job = if args.files { config.job_without_databases() } else { config.job() };
        return job.map(|job| session.patient(job));
    }
    if args.files || args.to.is_some() || !args.include.is_empty() {
        // The databases still tell which files are theirs and stay out of the swap.
        session.any_job()
    } else {
        session.config()?.job_to_restore().map(|job| session.patient(job))
    }
}

fn target(args: &Restore) -> Target {
    match &args.to {
        Some(directory) => Target::Directory(directory.clone()),
        None => Target::InPlace { files: !args.databases_alone(), databases: !args.files },
    }
}

fn parts(args: &Restore) -> Parts {
    // The bare flag means all of them.
    let databases = args.database.iter().filter(|name| !name.is_empty()).cloned().collect();
    Parts { databases, tables: args.table.clone() }
}

fn ask(session: &Session<'_>, preview: &Preview, job: &Job) -> bool {
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    drop(describe(preview, job, &mut text));
    replaces(session, &text, job)
}

/// Shows what will be, and asks whether it shall.
pub(super) fn replaces(session: &Session<'_>, text: &[u8], job: &Job) -> bool {
    session.output.say(String::from_utf8_lossy(text));
    session.output.confirm(&format!("replace the live site {} by this?", job.site.root.display()))
}

fn describe(preview: &Preview, job: &Job, out: &mut dyn Write) -> std::io::Result<()> {
    let time = job.local(preview.snapshot.time);
    writeln!(out, "snapshot {} of {time}", preview.snapshot.short_id())?;
    if let Some(files) = &preview.files {
        writeln!(
            out,
            "files: {} to bring back, {} to change, {} to set aside, {} with other attributes, {} as they are",
            files.count(ChangeKind::Added),
            files.count(ChangeKind::Changed),
            files.count(ChangeKind::Removed),
            files.count(ChangeKind::Metadata),
            files.unchanged
        )?;
        for change in files.changes.iter().take(SHOWN) {
            writeln!(out, "  {} {}", mark(change.kind), name(&change.path))?;
        }
        if files.changes.len() > SHOWN {
            writeln!(out, "  and {} more", files.changes.len() - SHOWN)?;
        }
    }
    if preview.carried.count > 0 {
        writeln!(out, "newer files that move along: {}", preview.carried.count)?;
        list(&preview.carried, out)?;
    }
    if preview.aside.count > 0 {
        writeln!(
            out,
            "newer files that are set aside, not destroyed (`--keep-newer PATTERN` takes them along): {}",
            preview.aside.count
        )?;
        list(&preview.aside, out)?;
    }
    for database in &preview.databases {
        describe_database(database, out)?;
    }
    let guess =
        if preview.time.measured { "" } else { ", a guess: no restore was measured on this node yet" };
    writeln!(
        out,
        "{} of files, {} of them from the storage; about {}{guess}",
        bytes(preview.bytes),
        bytes(preview.fetch),
        duration(preview.time.seconds)
    )
}

fn describe_database(plan: &DatabasePlan, out: &mut dyn Write) -> std::io::Result<()> {
    let of_kind = |kind| plan.tables.iter().filter(move |table| table.kind == kind);
    writeln!(out, "database: {}{}", plan.database, rows(", ", plan.rows, " in the snapshot"))?;
    match plan.means {
        Means::Beside => {}
        Means::SideTables => writeln!(out, "exchanged as tables under other names inside its schema")?,
        Means::InPlace => {
            writeln!(out, "DROPPED AND LOADED ANEW: the site is without this database until that is done")?;
        }
        Means::ByPlugin => {
            writeln!(
                out,
                "REPLACED IN PLACE by its plugin, which has no other way; what is live is dumped first"
            )?;
        }
    }
    if plan.tables.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "tables: {} to bring back, {} to replace, {} to set aside",
        of_kind(ChangeKind::Added).count(),
        of_kind(ChangeKind::Changed).count(),
        of_kind(ChangeKind::Removed).count()
    )?;
    for table in plan.tables.iter().take(SHOWN) {
        let rows = table.rows.map(|rows| format!(", {}", count(rows, "row"))).unwrap_or_default();
        writeln!(out, "  {} {}{rows}", mark(table.kind), printable(&table.name))?;
    }
    match plan.tables.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more"),
    }
}

/// Nothing where nobody counted: a dump of `SQLite` consists of pages.
pub(super) fn rows(before: &str, number: u64, after: &str) -> String {
    if number == 0 { String::new() } else { format!("{before}{}{after}", count(number, "row")) }
}

fn tell(restored: &Restored, state: &RunState, args: &Restore, out: &mut dyn Write) -> std::io::Result<()> {
    let fetched = restored.fetched;
    writeln!(
        out,
        "restored snapshot {}: {}, {}{}",
        restored.preview.snapshot.short_id(),
        count(fetched.files, "file"),
        bytes(fetched.bytes),
        match fetched.reused {
            0 => String::new(),
            reused => format!(", {} of them taken from the live site", bytes(reused)),
        }
    )?;
    if let Some(seconds) = restored.downtime_seconds {
        writeln!(out, "the site stood still for {}", duration(seconds))?;
    }
    for copy in &restored.databases {
        let tables = format!(": {}{}", rows("", copy.rows, " in "), count(copy.tables, "table"));
        // Only its plugin knows what is in it.
        let tables = if copy.means == Means::ByPlugin { "" } else { &tables };
        writeln!(out, "database {}{tables}", copy.live)?;
    }
    if let Some(directory) = &args.to {
        writeln!(out, "in {}", directory.display())?;
    }
    moved(&restored.carried, &restored.aside, restored.kept.as_deref(), out)?;
    for copy in &restored.databases {
        writeln!(out, "the former content of {} is in {}", copy.live, copy.former)?;
    }
    if let Some(safety) = &restored.safety {
        writeln!(out, "what was live before is also saved as snapshot {safety:.8}")?;
    }
    if restored.kept.is_some() || !restored.databases.is_empty() {
        writeln!(
            out,
            "`lifeboat restore --undo` goes back to it, `lifeboat restore --discard-former` removes what was set aside"
        )?;
    }
    if state.missed_count > 0 {
        writeln!(
            out,
            "INCOMPLETE: {} could not be brought back as it was",
            count(state.missed_count, "thing")
        )?;
    }
    Ok(())
}

/// What became of the former files.
pub(super) fn moved(
    carried: &Listing,
    aside: &Listing,
    kept: Option<&Path>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    if carried.count > 0 {
        writeln!(out, "{} moved along", count(carried.count, "newer file"))?;
    }
    let Some(kept) = kept else { return Ok(()) };
    writeln!(out, "the former files are in {}", kept.display())?;
    if aside.count > 0 {
        writeln!(
            out,
            "{} set aside there, listed in {}:",
            count(aside.count, "newer file"),
            kept.join("set-aside.txt").display()
        )?;
        list(aside, out)?;
    }
    Ok(())
}

fn list(listing: &Listing, out: &mut dyn Write) -> std::io::Result<()> {
    for path in listing.first.iter().take(SHOWN) {
        writeln!(out, "  {}", name(path))?;
    }
    match listing.count.saturating_sub(SHOWN as u64) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more"),
    }
}

fn discard_former(session: &Session<'_>, yes: bool) -> Done {
    let job = session.job()?;
    let former = run::former(&job)?;
    if former.is_empty() {
        return session.output.result(SUCCESS, &former, |out| writeln!(out, "nothing is set aside"));
    }
    for one in &former {
        session.output.say(format!("{one}"));
    }
    if !yes && !session.output.confirm("remove all of this for good?") {
        return Err(Error::usage("not confirmed, nothing was removed").with_remedy("give `--yes`"));
    }
    run::discard_former(&job, &session.cx())?;
    session.output.result(SUCCESS, &former, |out| writeln!(out, "removed"))
}
