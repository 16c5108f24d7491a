//! `lifeboat snapshots`.

use super::args::Snapshots;
use super::output::{bytes, table};
use super::{Done, SUCCESS, Session};
use crate::repo::{Mode, Snapshot};
use crate::run::{self, Job};

pub(super) fn snapshots(session: &Session<'_>, args: &Snapshots) -> Done {
    let job = session.repository_job()?;
    let cx = session.quiet_cx();
    let found = run::with_repo(&job, Mode::Shared, "snapshots", &cx, crate::repo::Repo::snapshots)?;
    let shown: Vec<&Snapshot> =
        found.iter().filter(|snapshot| args.all || snapshot.site == job.site.name).collect();
    session.output.result(SUCCESS, &shown, |out| {
        let rows = shown.iter().map(|snapshot| row(snapshot, &job));
        writeln!(
            out,
            "{}",
            table(&["ID", "Time", "Site", "Files", "Size", "Added", "Tags"], &[3, 4, 5], rows)
        )?;
        let others = found.len() - shown.len();
        if others > 0 {
            writeln!(out, "{others} more of other sites; --all shows them")?;
        }
        Ok(())
    })
}

fn row(snapshot: &Snapshot, job: &Job) -> Vec<String> {
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
    ]
}
