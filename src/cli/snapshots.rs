//! `lifeboat snapshots`.

use jiff::Timestamp;
use serde::Serialize;

use super::args::Snapshots;
use super::backups::Backups;
use super::output::{Output, bytes, printable, table};
use super::{Done, SUCCESS, Session};
use crate::repo::{Mode, Snapshot};
use crate::run::{self, DrillVerdict, Job, Standing};
use crate::schedule::Pin;

pub(super) fn snapshots(session: &Session<'_>, args: &Snapshots) -> Done {
    let job = session.repository_job()?;
    let cx = session.quiet_cx();
    let found = run::with_repo(&job, Mode::Shared, "snapshots", &cx, crate::repo::Repo::snapshots)?;
    if args.get_backups {
        let mut backups = Backups::default();
        backups.add(&job.site.name, &run::of_site(found, &job));
        return Output::raw(|out| backups.write(out));
    }
    // What drills proved is worth less than what there is to restore.
    let drills = run::drills(&job).unwrap_or_else(|error| {
        cx.warn(format!("what drills have proven is not shown: {error}"));
        Vec::new()
    });
    let proven = run::standing(&run::follow(drills, &found));
    let ours = |one: &Snapshot| one.site == job.site.name || one.adopted.is_some();
    let listed = found.iter().filter(|snapshot| args.all || ours(snapshot));
    let shown: Vec<Listed<'_>> =
        listed.map(|snapshot| Listed::of(snapshot, proven.get(&snapshot.id).copied())).collect();
    session.output.result(SUCCESS, &shown, |out| {
        let rows = shown.iter().map(|listed| row(listed, &job));
        writeln!(
            out,
            "{}",
            table(
                &["ID", "Time", "Site", "Files", "Size", "Added", "Tags", "Drill", "Comment"],
                &[3, 4, 5],
                rows
            )
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pin: Option<Held>,
}

/// That a pin holds it, or did.
#[derive(Serialize)]
struct Held {
    /// Left out: for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl Held {
    fn said(&self, job: &Job) -> String {
        match self.until {
            None => "pinned".to_owned(),
            Some(end) if end <= Timestamp::now() => format!("pin ended {}", job.local(end)),
            Some(end) => format!("pinned until {}", job.local(end)),
        }
    }
}

impl<'a> Listed<'a> {
    fn of(snapshot: &'a Snapshot, drill: Option<Standing>) -> Self {
        let pin = Pin::of(&snapshot.tags).map(|(_, pin)| match pin {
            Pin::ForGood => Held { until: None },
            Pin::Until(end) => Held { until: Some(end) },
        });
        Self { snapshot, drill, pin }
    }
}

fn row(Listed { snapshot, drill, pin }: &Listed<'_>, job: &Job) -> Vec<String> {
    let mut tags: Vec<String> = snapshot.tags.iter().filter(|tag| !Pin::is_ours(tag)).cloned().collect();
    tags.extend(pin.as_ref().map(|held| held.said(job)));
    tags.extend(snapshot.adopted.is_some().then(|| "adopted".to_owned()));
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
        tags.join(", "),
        drill.map(|standing| said(standing, job)).unwrap_or_default(),
        snapshot.comment.as_deref().map(in_brief).unwrap_or_default(),
    ]
}

/// The beginning of a comment, which may be of a stranger. The whole is in the JSON.
fn in_brief(comment: &str) -> String {
    const SHOWN: usize = 60;
    let comment = printable(comment);
    match comment.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &comment[..end]),
        None => comment.into_owned(),
    }
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
