//! What drills have proven: which snapshots came back, when, and how much of them.

use maud::{Markup, html};

use super::frame::{self, Tab};
use super::icons::Mark;
use super::visit::Visit;
use super::words::{bytes, many, shown, took};
use super::{Page, overview, snapshots, work};
use crate::access::Scope;
use crate::agent::{self, Drill};
use crate::api::aside::aside;
use crate::api::lookups::SnapshotView;
use crate::api::problem::Answer;

/// Drills that are listed.
const MOST: usize = 100;

pub(super) async fn page(visit: Visit) -> Answer<Page> {
    let state = visit.card.state.clone();
    let mut drills = aside(move || agent::drills(&state)).await?;
    drills.reverse();
    let at_work = visit.office.at_work(visit.card.clone()).await?;
    let all = visit.office.recent_snapshots(&visit.card).await;
    let content = html! {
        h1 { "Restore drills" }
        p.lead { "A drill brings a snapshot back beside the site and compares every byte, so that you know before you need it." }
        div data-part="work" {
            @if let Some(run) = &at_work { (work::at_work(&visit, run, &html! { h2 { a href=(visit.path(&format!("/runs/{}", run.id))) { (work::kind(run)) } } })) }
        }
        @if visit.may(Scope::Backup) {
            form.bar method="post" action=(visit.path("/drill")) {
                (visit.csrf())
                button.primary type="submit" { "Run a drill now" }
                span.hint { "With the newest snapshot. The site works on meanwhile." }
            }
        } @else { (frame::only_looks(&visit, Scope::Backup)) }
        div data-part="drills" {
            section.card {
                h2 { "By snapshot" }
                @match &all {
                    Ok(all) => (proven(&visit, all)),
                    Err(problem) => (overview::unreadable(problem)),
                }
            }
            section.card {
                h2 { "All drills" }
                @if drills.is_empty() { p.hint { "None was held yet." } }
                @else { (table(&visit, &drills)) }
            }
        }
    };
    Ok(frame::live(&visit, Tab::Drills, "Drills", &content, at_work.is_some()))
}

fn proven(visit: &Visit, all: &[SnapshotView]) -> Markup {
    let tried: Vec<_> = all.iter().filter(|one| one.drill.is_some()).take(MOST).collect();
    html! {
        @if tried.is_empty() { p.hint { "No snapshot that there is was in a drill yet." } }
        @else {
            ul.plain {
                @for snapshot in tried {
                    li {
                        a href=(visit.path(&format!("/snapshots/{}", snapshot.id))) { (visit.clock.at(snapshot.time)) } " "
                        (snapshots::state(snapshot, &visit.clock))
                        @if let Some(drill) = &snapshot.drill { span.muted { " " (visit.clock.ago(drill.at)) } }
                    }
                }
            }
        }
    }
}

fn table(visit: &Visit, drills: &[Drill]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="All drills" {
            table {
                thead { tr { th { "When" } th { "Result" } th.wide { "Snapshot of" } th { "Brought back" } th.num.wide { "Took" } } }
                tbody { @for drill in drills.iter().take(MOST) { (row(visit, drill)) } }
            }
        }
    }
}

fn row(visit: &Visit, drill: &Drill) -> Markup {
    let (mark, text) = match (drill.ended, drill.failures.is_empty(), drill.parts > 1) {
        (None, ..) => (Mark::Plain, "no verdict"),
        (_, false, _) => (Mark::Bad, "failed"),
        (_, true, true) => (Mark::Good, "a part came back"),
        (_, true, false) => (Mark::Good, "all came back"),
    };
    html! {
        tr {
            th scope="row" { (visit.clock.at(drill.begun)) }
            td {
                span class=(format!("badge small {}", mark.class())) { (mark.icon()) (text) }
                @if drill.parts > 1 { span.muted { " part " (drill.part) " of " (drill.parts) } }
                @if !drill.failures.is_empty() {
                    ul.lines { @for failure in drill.failures.iter().take(20) { li { (shown(&failure.what)) ": " (shown(&failure.why)) } } }
                }
            }
            td.wide { (visit.clock.at(drill.time)) }
            td { (many(drill.files, "file")) ", " (bytes(drill.bytes)) @if drill.rows > 0 { ", " (many(drill.rows, "row")) } }
            td.num.wide { @if drill.ended.is_some() { (took(drill.seconds)) } }
        }
    }
}
