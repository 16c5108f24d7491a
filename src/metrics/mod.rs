//! What a site's runs come to in numbers, for Prometheus.
//!
//! All of it is folded from the events of runs and from what the agent remembers; nothing is counted anywhere else. What each number means
//! is told in `manifests/monitoring/README.md`, which has a line for each of them.

mod page;
mod totals;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use self::totals::Totals;

use self::page::{Labels, Page};
use crate::event::{RepositorySize, Rotation, Saved};

/// What there is to say about a site at one moment.
#[derive(Clone, Debug, Default)]
pub struct Site {
    pub name: String,
    pub totals: Totals,
    pub last_success: Option<Timestamp>,
    pub last_proven: Option<Timestamp>,
    /// Of the storage when it was last reached, in bytes: free, and in all.
    pub space: Option<(u64, u64)>,
    /// Each kind of work that is scheduled.
    pub work: Vec<Work>,
    pub queue: Queue,
    pub requests_waiting: u64,
    pub notifications_waiting: u64,
}

/// How it stands with one kind of scheduled work.
#[derive(Clone, Debug, Default)]
pub struct Work {
    pub kind: &'static str,
    /// Times that were left out because a run was at work.
    pub skipped: u64,
    /// Times that passed while nobody was there.
    pub missed: u64,
    pub next: Option<Timestamp>,
    /// Since it was due and nobody has begun it; zero if nothing is owed.
    pub late_seconds: f64,
    /// That is too long.
    pub overdue: bool,
}

/// Runs that were decided on and are not over, by how far they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Queue {
    /// Could begin.
    pub waiting: u64,
    /// Wait for a moment: of their next try, or of the end of hours in which nothing begins.
    pub postponed: u64,
    pub running: u64,
}

/// Everything about these sites, family by family, as the format wants it.
pub fn render(sites: &[Site]) -> String {
    let mut page = Page::of(sites);
    standing(&mut page);
    outcomes(&mut page);
    last_runs(&mut page);
    backups(&mut page);
    storage(&mut page);
    retention(&mut page);
    schedule(&mut page);
    waiting(&mut page);
    page.end()
}

fn standing(page: &mut Page<'_>) {
    let seconds = |moment: Option<Timestamp>| moment.map(Timestamp::as_second);
    page.gauge(("last_success_timestamp_seconds", "When a complete backup last ended."), |site| {
        seconds(site.last_success)
    });
    page.gauge(("last_proven_timestamp_seconds", "When a drill last proved a restore."), |site| {
        seconds(site.last_proven)
    });
}

fn outcomes(page: &mut Page<'_>) {
    fn each<'a>((kind, outcomes): (&'a String, &'a BTreeMap<String, u64>)) -> Vec<(Labels<'a>, u64)> {
        let labels = |outcome: &'a str| vec![("kind", kind.as_str()), ("outcome", outcome)];
        outcomes.iter().map(|(outcome, count)| (labels(outcome), *count)).collect()
    }
    page.counters(("runs_total", "Runs that came to an end, by outcome."), |site| {
        site.totals.runs.iter().flat_map(each).collect()
    });
    page.counter(("held_seconds_total", "Seconds for which backups held the site still."), |site| {
        site.totals.held_seconds
    });
}

fn last_runs(page: &mut Page<'_>) {
    page.of_last(("last_run_timestamp_seconds", "When the last run of a kind ended."), |last| {
        last.ended.map(Timestamp::as_second)
    });
    page.of_last(("last_run_success", "Whether it was a success."), |last| Some(u8::from(last.succeeded)));
    page.of_last(("last_run_seconds", "How long it took."), |last| Some(last.seconds));
    page.of_last(("last_run_missed", "Files and tables that are missing from it."), |last| Some(last.missed));
    page.of_last(("last_run_held_seconds", "How long it held the site still."), |last| last.held_seconds);
    page.gauges(("last_run_step_seconds", "How long each of its steps took."), |site| {
        let steps = site.totals.last.iter().flat_map(|(kind, last)| {
            let labels = |step| vec![("kind", kind.as_str()), ("step", step)];
            last.steps.iter().map(move |(step, seconds)| (labels(step.as_str()), *seconds))
        });
        steps.collect()
    });
}

fn backups(page: &mut Page<'_>) {
    type Number = fn(&Saved) -> u64;
    let totals: [(_, _, Number); 4] = [
        ("files_read_total", "Files that backups looked at.", |saved| saved.files),
        ("bytes_read_total", "Bytes of the files and dumps in all snapshots.", |saved| saved.bytes),
        ("bytes_added_total", "New bytes in them, before compression.", |saved| saved.bytes_added),
        ("bytes_stored_total", "What the repository grew by for them.", |saved| saved.bytes_stored),
    ];
    for (name, help, number) in totals {
        page.counter((name, help), |site| number(&site.totals.saved));
    }
    let help = "Files in the last backup that has its snapshot, by what became of them since the one before.";
    page.gauges(("last_backup_files", help), |site| {
        let Some(saved) = site.totals.last_saved else { return Vec::new() };
        let same = saved.files.saturating_sub(saved.files_new + saved.files_changed);
        let states = [("new", saved.files_new), ("changed", saved.files_changed), ("unmodified", same)];
        states.map(|(state, count)| (vec![("state", state)], count)).into()
    });
}

fn storage(page: &mut Page<'_>) {
    page.gauge(("storage_free_bytes", "Room on the storage."), |site| site.space.map(|(free, _)| free));
    page.gauge(("storage_size_bytes", "Size of the storage."), |site| site.space.map(|(_, size)| size));
    let help = "How long the last run took to reach the storage and to prove that it is the one meant.";
    page.gauge(("storage_probe_seconds", help), |site| site.totals.probe_seconds);
    let repository = |site: &Site, number: fn(RepositorySize) -> u64| site.totals.repository.map(number);
    page.gauge(("repository_bytes", "What the packs of the repository's index hold."), |site| {
        repository(site, |size| size.bytes)
    });
    page.gauge(("repository_packs", "How many packs these are."), |site| repository(site, |size| size.packs));
}

fn retention(page: &mut Page<'_>) {
    type Number = fn(Rotation) -> u64;
    let gauges: [(_, _, Number); 4] = [
        ("snapshots", "Snapshots that the last rotation left.", |rotation| rotation.snapshots),
        ("snapshots_complete", "Those of them in which nothing is missing.", |rotation| rotation.complete),
        ("snapshots_held", "Those of them that go when their grace is over.", |rotation| rotation.held),
        (
            "snapshots_refused",
            "Those of them that no rule keeps, and that stay because removing them looked wrong.",
            |rotation| rotation.refused,
        ),
    ];
    for (name, help, number) in gauges {
        page.gauge((name, help), |site| site.totals.rotation.map(number));
    }
    page.counter(("snapshots_removed_total", "Snapshots that rotations removed."), |site| {
        site.totals.rotated.removed
    });
    page.counter(("rotations_total", "Rotations that came to a decision."), |site| {
        site.totals.rotated.rotations
    });
    page.counter(("rotations_refused_total", "Those that removed nothing of what was to go."), |site| {
        site.totals.rotated.refused
    });
}

fn schedule(page: &mut Page<'_>) {
    fn each<V>(site: &Site, value: impl Fn(&Work) -> V) -> Vec<(Labels<'_>, V)> {
        site.work.iter().map(|work| (vec![("kind", work.kind)], value(work))).collect()
    }
    page.counters(("schedule_skipped_total", "Times left out because a run was at work."), |site| {
        each(site, |work| work.skipped)
    });
    page.counters(("schedule_missed_total", "Times that passed while no agent was there."), |site| {
        each(site, |work| work.missed)
    });
    page.gauges(("schedule_next_timestamp_seconds", "When work is due next."), |site| {
        let next = |work: &Work| Some((vec![("kind", work.kind)], work.next?.as_second()));
        site.work.iter().filter_map(next).collect()
    });
    page.gauges(("schedule_late_seconds", "Since when work has been due that nobody has begun."), |site| {
        each(site, |work| work.late_seconds)
    });
    page.gauges(("schedule_overdue", "Whether that is too long."), |site| {
        each(site, |work| u8::from(work.overdue))
    });
}

fn waiting(page: &mut Page<'_>) {
    page.gauge(("queue_waiting", "Runs that were decided on and could begin."), |site| {
        Some(site.queue.waiting)
    });
    page.gauge(
        ("queue_postponed", "Runs that wait for their next try, or for an hour that is allowed."),
        |site| Some(site.queue.postponed),
    );
    page.gauge(("queue_running", "Runs of the agent that are at work."), |site| Some(site.queue.running));
    page.gauge(("requests_waiting", "Requests for a backup."), |site| Some(site.requests_waiting));
    page.gauge(("notifications_waiting", "Messages that are not delivered yet."), |site| {
        Some(site.notifications_waiting)
    });
}
