//! A site at a glance: how well it is protected, what is at work, what there is to go back to, and what can be done.

use maud::{Markup, html};

use super::charts::{Bar, Chart};
use super::frame::{self, Tab};
use super::health::{Facts, Health};
use super::icons::Mark;
use super::refusal::{told, unknown};
use super::visit::Visit;
use super::words::{bytes, many, shown, took};
use super::{Page, calendar, sites, work};
use crate::access::Scope;
use crate::agent::Due;
use crate::api::problem::{Answer, Problem};
use crate::api::shelf::Snapshots;
use crate::api::view::RunView;
use crate::config::{Config, Database};

/// Enough for the charts and the failures of the last weeks.
const RUNS: usize = 80;

const LATEST: usize = 6;

struct Seen {
    health: Answer<Health>,
    at_work: Option<RunView>,
    runs: Vec<RunView>,
    snapshots: Answer<Snapshots>,
}

pub(super) async fn page(visit: Visit) -> Answer<Page> {
    let (office, card) = (&visit.office, &visit.card);
    let runs = office.runs(card.clone(), RUNS).await?;
    let at_work = office.at_work(card.clone()).await?;
    let snapshots = office.recent_snapshots(card).await;
    let health = match visit.config.clone() {
        Ok(config) => sites::facts(card, config, runs.clone(), visit.clock.now).await,
        Err(problem) => Err(problem),
    };
    let unreadable = snapshots.is_err();
    let health = health.map(|facts| Facts { unreadable, ..facts }.judge(&visit.clock));
    let seen = Seen { health, at_work, runs, snapshots };
    let content = html! {
        div.hero {
            div data-part="health" { (standing(&visit, &seen)) }
            (actions(&visit))
        }
        div data-part="work" { (at_work_and_troubles(&visit, &seen)) }
        div data-part="history" { (history(&visit, &seen)) }
    };
    Ok(frame::live(&visit, Tab::Overview, visit.site(), &content, seen.at_work.is_some()))
}

fn standing(visit: &Visit, seen: &Seen) -> Markup {
    html! {
        h1 { (visit.site()) }
        @match &seen.health {
            Ok(health) => { p { (health.badge()) } (health.line()) }
            Err(problem) => (unknown("How well this site is protected is not known.", problem)),
        }
        @if let Ok(config) = &visit.config { (protected(config, seen)) }
    }
}

/// What is in the backups.
fn protected(config: &Config, seen: &Seen) -> Markup {
    let stats = seen.snapshots.as_ref().ok().and_then(|all| all.first()?.stats);
    let databases = match &config.databases {
        None => "the databases that its own configuration names".to_owned(),
        Some(all) if all.is_empty() => "no database".to_owned(),
        Some(all) => {
            let names: Vec<_> = all.iter().map(database).collect();
            format!(
                "{} {}",
                if names.len() == 1 { "the database" } else { "the databases" },
                names.join(", ")
            )
        }
    };
    html! {
        p.muted.what {
            "Saved are " code { (shown(&config.site.root.display().to_string())) } " and " (databases)
            @if let Some(stats) = stats { ": " (many(stats.files, "file")) ", " (bytes(stats.bytes)) }
            "."
        }
    }
}

fn database(database: &Database) -> String {
    match database {
        Database::Mysql { name, .. } => shown(name.as_deref().unwrap_or("of the site")),
        Database::Postgres { name, .. } | Database::Plugin { name, .. } => shown(name),
        Database::Sqlite { path } => shown(
            &path.file_name().map_or_else(|| path.display().to_string(), |name| name.display().to_string()),
        ),
    }
}

fn actions(visit: &Visit) -> Markup {
    html! {
        section.actions aria-label="Actions" {
            @if visit.may(Scope::Backup) {
                form.backup method="post" action=(visit.path("/backup")) {
                    (visit.csrf())
                    label for="comment" { "Comment " span.muted { "(optional)" } }
                    input #comment name="comment" maxlength="200" placeholder="Before the update…" autocomplete="off";
                    button.primary type="submit" { "Back up now" }
                }
            }
            @if visit.may(Scope::Restore) {
                a.button.wide href=(visit.path("/restore")) { "Restore…" }
            }
            @if !visit.may(Scope::Backup) { (frame::only_looks(visit, Scope::Backup)) }
            @else if !visit.may(Scope::Restore) { (frame::only_looks(visit, Scope::Restore)) }
        }
    }
}

fn at_work_and_troubles(visit: &Visit, seen: &Seen) -> Markup {
    html! {
        @if let Some(run) = &seen.at_work {
            (work::at_work(visit, run, &html! {
                h2 { a href=(visit.path(&format!("/runs/{}", run.id))) { (work::kind(run)) @if run.standing == "waiting" { " waits" } @else { " at work" } } }
            }))
        }
        @if !visit.card.troubles.is_empty() {
            section.note.attention aria-label="Complaints" {
                h2 { (Mark::Attention.icon()) "The agent complains" }
                ul { @for trouble in &visit.card.troubles { li { (shown(trouble)) } } }
            }
        }
    }
}

fn history(visit: &Visit, seen: &Seen) -> Markup {
    html! {
        div.columns {
            section.card {
                h2 { a href=(visit.path("/snapshots")) { "Snapshots" } }
                @match &seen.snapshots {
                    Ok(all) if all.is_empty() => p.hint { "There is none yet: the first backup makes one." },
                    Ok(all) => (calendar::drawn(visit, all, &seen.runs)),
                    Err(problem) => (unreadable(problem)),
                }
            }
            section.card {
                h2 { "Sizes and times" }
                (charts(visit, &seen.runs))
            }
        }
        div.columns.uneven {
            section.card {
                h2 { a href=(visit.path("/runs")) { "Latest runs" } }
                @if seen.runs.is_empty() { p.hint { "Nothing has run yet." } }
                @else { (work::table(visit, &seen.runs[..seen.runs.len().min(LATEST)], false)) }
            }
            section.card {
                h2 { "Next" }
                (next(visit))
            }
        }
    }
}

pub(super) fn unreadable(problem: &Problem) -> Markup {
    html! {
        div.note.attention {
            p { strong { "What snapshots there are is not known at the moment." } }
            (told(problem))
        }
    }
}

fn charts(visit: &Visit, runs: &[RunView]) -> Markup {
    let backups = || runs.iter().rev().filter(|run| run.kind.as_deref() == Some("backup") && run.is_over());
    let bar = |run: &RunView, value: f64, said: String| Bar {
        value,
        when: run.started.map(|at| visit.clock.minute(at)).unwrap_or_default(),
        said,
        mark: work::ending(run).0,
        link: visit.path(&format!("/runs/{}", run.id)),
    };
    let size =
        |run: &RunView| run.saved.map(|saved| bar(run, float(saved.bytes_stored), bytes(saved.bytes_stored)));
    let sizes: Vec<_> = backups().filter_map(size).collect();
    let time = |run: &RunView| work::seconds(run).map(|seconds| bar(run, seconds, took(seconds)));
    let times: Vec<_> = backups().filter_map(time).collect();
    let added = Chart {
        id: "added",
        title: "Added by each backup",
        of: "each backup",
        bars: &sizes,
        axis: &|value| bytes(whole(value)),
    };
    let duration =
        Chart { id: "durations", title: "Duration of backups", of: "each backup", bars: &times, axis: &took };
    html! { (added.drawn()) (duration.drawn()) }
}

#[allow(clippy::cast_precision_loss)] // drawn
const fn float(value: u64) -> f64 {
    value as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a size
const fn whole(value: f64) -> u64 {
    value as u64
}

fn next(visit: &Visit) -> Markup {
    let mut work: Vec<&Due> = visit.card.work.iter().collect();
    work.sort_by_key(|due| (due.next.is_none(), due.next));
    html! {
        @if work.is_empty() {
            p { "Nothing is scheduled. Write " code { "schedule: daily" } " into the configuration, for instance." }
        } @else {
            dl.next {
                @for due in work {
                    dt { (match due.work.name() { "backup" => "Backup", "check" => "Check", _ => "Restore drill" }) }
                    dd {
                        @match due.next {
                            Some(next) => { (visit.clock.at(next)) " " span.muted { "(" (visit.clock.ago(next)) ")" } }
                            None => "not any more",
                        }
                    }
                }
            }
        }
        @for queued in &visit.card.queue {
            p.muted { a href=(visit.path(&format!("/runs/{}", queued.run))) { "A " (queued.what) } " waits for its turn." }
        }
    }
}
