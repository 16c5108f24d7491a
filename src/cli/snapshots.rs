//! `lifeboat snapshots`.

use serde::Serialize;

use super::args::Snapshots;
use super::output::{bytes, table};
use super::{Done, SUCCESS, Session};
use crate::repo::{Mode, Snapshot};
use crate::run::{self, DrillVerdict, Job, Standing};

pub(super) fn snapshots(session: &Session<'_>, args: &Snapshots) -> Done {
    let job = session.repository_job()?;
    let cx = session.quiet_cx();
    let found = run::with_repo(&job, Mode::Shared, "snapshots", &cx, crate::repo::Repo::snapshots)?;
    // What drills proved is worth less than what there is to restore.
    let drills = run::drills(&job).unwrap_or_else(|error| {
        cx.warn(format!("what drills have proven is not shown: {error}"));
        Vec::new()
    });
    let proven = run::standing(&drills);
    let listed = found.iter().filter(|snapshot| args.all || snapshot.site == job.site.name);
    let shown: Vec<Listed<'_>> =
        listed.map(|snapshot| Listed { snapshot, drill: proven.get(&snapshot.id).copied() }).collect();
    session.output.result(SUCCESS, &shown, |out| {
        let rows = shown.iter().map(|listed| row(listed, &job));
        writeln!(
            out,
            "{}",
            table(&["ID", "Time", "Site", "Files", "Size", "Added", "Tags", "Drill"], &[3, 4, 5], rows)
        )?;
        let others = found.len() - shown.len();
        if others > 0 {
            writeln!(out, "{others} more of other sites; --all shows them")?;
        }
        Ok(())
    })
}

/// A snapshot, and what drills have shown of it.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    snapshot: &'a Snapshot,
    #[serde(skip_serializing_if = "Option::is_none")]
    drill: Option<Standing>,
}

fn row(Listed { snapshot, drill }: &Listed<'_>, job: &Job) -> Vec<String> {
    let time = job.local(snapshot.time);
    let known =
        |text: fn(&crate::repo::Stats) -> String| snapshot.stats.as_ref().map(text).unwrap_or_default();
    vec![
        snapshot.short_id().to_owned(),
        time,
        snapshot.site.clone(),
        known(|stats| stats.files.to_string()),
        known(|stats| bytes(stats.bytes)),
        known(|stats| bytes(stats.bytes_stored)),
        snapshot.tags.join(", "),
        drill.map(|standing| said(standing, job)).unwrap_or_default(),
    ]
}

fn said(standing: Standing, job: &Job) -> String {
    let word = match standing.verdict {
        DrillVerdict::Proven => "proven",
        DrillVerdict::InPart => "in part",
        DrillVerdict::Failed => "FAILED",
    };
    let day = job.local(standing.at);
    format!("{word} {}", day.get(..10).unwrap_or(&day))
}
