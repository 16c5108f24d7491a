//! A run in words: what it is, what it does at this moment, how it ended.

use maud::{Markup, html};

use super::icons::Mark;
use super::visit::Visit;
use super::words::{bytes, number, shown, took};
use crate::access::Scope;
use crate::api::view::{ProgressView, RunView};
use crate::event::Unit;

pub(super) fn kind(run: &RunView) -> &'static str {
    // One that has said nothing yet is known by its name.
    let word = run.kind.as_deref().or_else(|| run.id.split('-').nth(1));
    match word {
        Some("backup") => "Backup",
        Some("restore") if run.id.contains("-undo-") => "Undo of a restore",
        Some("undo") => "Undo of a restore",
        Some("restore") => "Restore",
        Some("forget") => "Rotation",
        Some("check") => "Check",
        Some("recover") => "Recovery",
        Some("drill") => "Restore drill",
        _ => "Run",
    }
}

pub(super) fn cause(run: &RunView) -> &'static str {
    match run.cause.as_str() {
        "schedule" | "scheduled" => "by schedule",
        "request" | "requested" => "because something changed",
        "manual" => "by hand",
        _ => "",
    }
}

/// What a step does.
pub(super) fn step(name: &str) -> String {
    let text = match name {
        "claim" => "Claiming the site",
        "lock" => "Locking the repository",
        "mount" => "Reaching the storage",
        "open" => "Opening the repository",
        "dump" => "Fixing the moment of the databases",
        "save" => "Saving files and databases",
        "verify" => "Reading the snapshot back",
        "rotate" => "Applying the retention rules",
        "prune" => "Giving space back",
        "check" => "Looking for damage",
        "find" => "Choosing the snapshot",
        "preflight" => "Checking that everything needed is there",
        "stage" => "Preparing a place",
        "fetch" => "Fetching and verifying files",
        "load" => "Loading databases beside the live ones",
        "adapt" => "Adapting configuration and names",
        "online" => "Saving ahead while the site works",
        "quiesce" => "Holding the site still",
        "swap-files" => "Exchanging the files",
        "swap-database" => "Exchanging the databases",
        "recover" => "Putting back what was left unfinished",
        "rescue" => "Saving the present state first",
        "probe" => "Looking at the result",
        "commit" => "Declaring the result valid",
        "resume" => "Giving the site back",
        "settle" => "Keeping what was live before",
        other => return shown(other),
    };
    text.to_owned()
}

fn phase(name: &str) -> Option<&'static str> {
    Some(match name {
        "preparing" | "online" => "the site works meanwhile",
        "quiesced" => "the site stands still",
        "finalizing" => "the site works again",
        _ => return None,
    })
}

/// How it stands, or ended.
pub(super) fn ending(run: &RunView) -> (Mark, &'static str) {
    match (run.standing.as_str(), run.outcome.as_deref()) {
        ("waiting", _) => (Mark::Plain, "waits"),
        ("running", _) => (Mark::Plain, "at work"),
        ("crashed", _) => (Mark::Bad, "crashed"),
        (_, Some("success")) => (Mark::Good, "success"),
        (_, Some("incomplete")) => (Mark::Attention, "incomplete"),
        (_, Some("skipped")) => (Mark::Plain, "left out"),
        (_, Some("cancelled")) => (Mark::Attention, "cancelled"),
        _ => (Mark::Bad, "failed"),
    }
}

pub(super) fn badge(run: &RunView) -> Markup {
    let (mark, text) = ending(run);
    html! { span class=(format!("badge small {}", mark.class())) { (mark.icon()) (text) } }
}

/// In seconds, of one that is at its end.
pub(super) fn seconds(run: &RunView) -> Option<f64> {
    Some(run.finished?.duration_since(run.started?).as_secs_f64())
}

/// What is at work, with what is known of its end; kept up to date by the script.
pub(super) fn at_work(visit: &Visit, run: &RunView, heading: &Markup) -> Markup {
    html! {
        section.card.work data-run=(run.id) data-sign=(sign(run)) data-kind=(kind(run)) aria-label="At work" {
            (heading)
            @if run.standing == "waiting" {
                p { "It waits for its turn." }
            } @else {
                p.doing {
                    strong data-field="step" { (run.step.as_deref().map_or_else(|| "Between two steps".to_owned(), step)) }
                    @if let Some(text) = run.phase.as_deref().and_then(phase) { span.muted { " · " (text) } }
                }
                (bar(run.progress.as_ref()))
                p.numbers data-field="numbers" { (numbers(run.progress.as_ref())) }
            }
            (cancel(visit, run))
        }
    }
}

/// When this changes, more than numbers have to be shown anew.
pub(super) fn sign(run: &RunView) -> String {
    let (step, phase) = (run.step.as_deref().unwrap_or_default(), run.phase.as_deref().unwrap_or_default());
    format!("{}|{step}|{phase}|{}", run.standing, run.steps.len())
}

fn bar(progress: Option<&ProgressView>) -> Markup {
    if let Some(percent) = progress.and_then(|progress| progress.percent) {
        html! {
            progress max="100" value=(format!("{percent:.1}")) aria-label="Progress of this step" { (format!("{percent:.0} %")) }
        }
    } else {
        html! { progress max="100" aria-label="Progress of this step" {} }
    }
}

/// `42 % · 1.2 GiB of 3.4 GiB · about 2 minutes left`; the script says it in the same way.
pub(super) fn numbers(progress: Option<&ProgressView>) -> String {
    let Some(progress) = progress else { return "No numbers yet".to_owned() };
    let said = |count: u64| match progress.unit {
        Unit::Bytes => bytes(count),
        Unit::Files | Unit::Rows => number(count),
    };
    let unit = match progress.unit {
        Unit::Bytes => "",
        Unit::Files => " files",
        Unit::Rows => " rows",
    };
    let mut parts = Vec::new();
    parts.extend(progress.percent.map(|percent| format!("{percent:.0} %")));
    parts.push(match progress.total {
        Some(total) => format!("{} of {}{unit}", said(progress.done), said(total)),
        None => format!("{}{unit}", said(progress.done)),
    });
    parts.extend(progress.seconds_left.map(|left| format!("about {} left", took(left.max(1.0).round()))));
    parts.join(" · ")
}

fn cancel(visit: &Visit, run: &RunView) -> Markup {
    let ours = visit.card.at_work.as_ref().is_some_and(|at_work| at_work.run == run.id)
        || visit.card.queue.iter().any(|queued| queued.run == run.id);
    html! {
        @if !visit.may(Scope::Backup) {
            p.hint { "This token cannot cancel it." }
        } @else if ours {
            form method="post" action=(visit.path(&format!("/runs/{}/cancel", run.id))) {
                (visit.csrf())
                button #cancel type="submit" { "Cancel" span.unseen { " this " (kind(run).to_lowercase()) } }
            }
        } @else {
            p.hint { "It was begun by hand, and is cancelled where it was begun." }
        }
    }
}

/// Runs as rows, the newest first; `ago` tells as well how long that is.
pub(super) fn table(visit: &Visit, runs: &[RunView], ago: bool) -> Markup {
    html! {
        div.scroll {
            table.runs {
                thead { tr { th { "Run" } th { "Result" } th { "Begun" } th.num { "Took" } th.num.wide { "Added" } } }
                tbody {
                    @for run in runs {
                        tr {
                            th scope="row" {
                                a href=(visit.path(&format!("/runs/{}", run.id))) { (kind(run)) }
                                " " span.muted.cause { (cause(run)) }
                            }
                            td { (badge(run)) }
                            td { @if let Some(at) = run.started { (visit.clock.at(at)) @if ago { " " span.muted.wide { (visit.clock.ago(at)) } } } }
                            td.num { @if let Some(seconds) = seconds(run) { (took(seconds)) } }
                            td.num.wide { @if let Some(saved) = run.saved { (bytes(saved.bytes_stored)) } }
                        }
                    }
                }
            }
        }
    }
}
