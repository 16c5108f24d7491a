//! `lifeboat backup`.

use serde::Serialize;

use super::args::Backup;
use super::output::{bytes, count, duration, printable};
use super::{Done, Session};
use crate::error::{Error, Result};
use crate::event::{RunKind, RunState, check_tag};
use crate::repo::Snapshot;
use crate::run::{self, BackupRequest};

#[derive(Serialize)]
struct Document<'a> {
    snapshot: &'a Snapshot,
    /// How long the site was held still; nothing if it was not.
    downtime_seconds: Option<f64>,
    run: &'a RunState,
}

pub(super) fn backup(session: &Session<'_>, args: &Backup) -> Done {
    if args.remote {
        return super::remote::backup(session, args);
    }
    super::remote::only_remote(&args.ask)?;
    let job = session.job()?;
    let cause = match (args.scheduled, args.requested) {
        (true, _) => "scheduled",
        (_, true) => "requested",
        _ => "manual",
    };
    for tag in &args.tag {
        check_tag(tag).map_err(|why| {
            Error::usage(format!("the tag `{tag}` {why}"))
                .with_remedy("choose another one; `keep` holds a snapshot for good")
        })?;
    }
    let mut tags = vec![cause.to_owned()];
    tags.extend(args.tag.iter().cloned());
    if let Some(duration) = &args.pin {
        let duration = Some(duration.as_str()).filter(|text| !text.is_empty());
        tags.push(super::pin::for_so_long(duration, &job)?.tag());
    }
    let comment = args.comment.as_deref().map(comment).transpose()?;
    let request = BackupRequest { tags, comment, no_rotation: args.no_rotation };
    let cx = session.run_cx(&job, RunKind::Backup)?;
    session.output.say(format!("backing up {} ({})", job.site.name, job.site.root.display()));

    let (result, report) = run::execute(RunKind::Backup, &job, cause, &cx, || {
        run::backup(&job, &request, &cx).map(|snapshot| {
            let id = snapshot.id.clone();
            (snapshot, Some(id))
        })
    });
    let snapshot = result?;
    let code = report.outcome.map_or(0, crate::event::Outcome::exit_code);
    let downtime_seconds = report.held_seconds;
    session.output.result(code, &Document { snapshot: &snapshot, downtime_seconds, run: &report }, |out| {
        let stats = snapshot.stats.unwrap_or_default();
        writeln!(
            out,
            "snapshot {} saved: {}, {} read",
            snapshot.short_id(),
            count(stats.files, "file"),
            bytes(stats.bytes)
        )?;
        writeln!(
            out,
            "{} new, {} changed, {} unmodified; {} added, {} stored",
            stats.files_new,
            stats.files_changed,
            stats.files_unmodified,
            bytes(stats.bytes_added),
            bytes(stats.bytes_stored)
        )?;
        if let Some(seconds) = downtime_seconds {
            writeln!(out, "downtime: {}", duration(seconds))?;
        }
        if report.missed_count > 0 {
            writeln!(out, "INCOMPLETE: {} could not be saved", count(report.missed_count, "thing"))?;
        }
        Ok(())
    })
}

/// It is shown in lists, on one line.
fn comment(text: &str) -> Result<String> {
    const LONGEST: usize = 1000;
    let text = text.trim();
    let wrong = if text.is_empty() {
        "is empty".to_owned()
    } else if text.chars().count() > LONGEST {
        format!("is longer than {LONGEST} characters")
    } else if printable(text) != text {
        "has a line end or another control character in it".to_owned()
    } else {
        return Ok(text.to_owned());
    };
    Err(Error::usage(format!("the comment {wrong}"))
        .with_remedy("write it on one line, such as 'before the update'"))
}
