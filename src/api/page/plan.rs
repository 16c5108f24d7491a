//! The second half of a restore: what it would do, in numbers and words; and the confirmation that has it done.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::Page;
use super::compare::{counts, word};
use super::confirm::{self, Typed};
use super::frame::{self, Tab};
use super::icons::Mark;
use super::snapshots::{name, state};
use super::visit::Visit;
use super::words::{bytes, many, number, shown, span};
use crate::agent::{Card, Wish};
use crate::api::extract::{Form, Named};
use crate::api::lookups::{DatabasePlan, FilePlan, Plan};
use crate::api::problem::{Answer, Problem};

/// Plans that can still be looked at, over all sites.
const KEPT: usize = 32;

/// Changes that are named.
const NAMED: usize = 200;

/// What happens to files that only the snapshot has, that are others in it, and that it has not.
const WORDS: [&str; 3] = ["brought back", "changed back", "set aside"];

/// What was planned last: a plan is looked at on a page of its own, as often as one wants.
#[derive(Default)]
pub(in crate::api) struct Plans(Mutex<VecDeque<(PathBuf, Arc<Plan>)>>);

impl Plans {
    /// The plan's id.
    pub(super) fn keep(&self, card: &Card, plan: Plan) -> String {
        let id = plan.id.clone();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all.len() >= KEPT {
            all.pop_front();
        }
        all.push_back((card.state.clone(), Arc::new(plan)));
        id
    }

    fn find(&self, card: &Card, id: &str) -> Answer<Arc<Plan>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().rev().find(|(site, plan)| *site == card.state && plan.id == id);
        found.map(|(_, plan)| Arc::clone(plan)).ok_or_else(|| {
            Problem::of_kind(
                "changed",
                "this plan is not at hand any more",
                Some("make it anew: choose the moment again".to_owned()),
            )
        })
    }
}

pub(super) async fn page(visit: Visit, Named((_, id)): Named<(String, String)>) -> Answer<Page> {
    let plan = visit.office.plans.find(&visit.card, &id)?;
    Ok(shown_to(&visit, &plan, None))
}

pub(super) async fn confirmed(
    visit: Visit,
    Named((_, id)): Named<(String, String)>,
    Form(typed): Form<Typed>,
) -> Answer<Response> {
    let plan = visit.office.plans.find(&visit.card, &id)?;
    if !typed.is(&visit) {
        let page = shown_to(&visit, &plan, Some(&typed.name));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    Ok(visit.begin(Wish::Restore { plan: plan.id.clone() }).await?.into_response())
}

fn shown_to(visit: &Visit, plan: &Plan, wrong: Option<&str>) -> Page {
    let action = visit.path(&format!("/plans/{}", plan.id));
    let content = html! {
        p.trail { a href=(visit.path("/restore")) { "Restore" } }
        h1 { "What a restore would do" }
        p.lead { "Back to " strong { (visit.clock.at(plan.snapshot.time)) } ", " (visit.clock.ago(plan.snapshot.time)) ". Nothing is changed yet." }
        (summary(visit, plan))
        @if let Some(files) = &plan.files { (of_files(files)) }
        @for database in &plan.databases { (of_database(database)) }
        section.card.danger-zone {
            h2 { "Do it" }
            p {
                "The live site is replaced. What is live now is saved first, and kept beside it: afterwards you can undo all of this. "
                "If the site changes before it begins, nothing is done."
            }
            (confirm::form(visit, &action, "Restore now", wrong))
        }
    };
    frame::of_site(visit, Tab::Restore, "What a restore would do", &content)
}

fn summary(visit: &Visit, plan: &Plan) -> Markup {
    html! {
        section.card {
            @if !plan.snapshot.complete {
                p.note.attention { (Mark::Attention.icon()) " This snapshot is incomplete: something was missing when it was made." }
            }
            dl {
                dt { "Snapshot" }
                dd { a href=(visit.path(&format!("/snapshots/{}", plan.snapshot.id))) { (name(&plan.snapshot, &visit.clock)) } " " (state(&plan.snapshot, &visit.clock)) }
                dt { "To bring back" }
                dd { (parts(plan)) }
                dt { "To fetch" }
                dd { (bytes(plan.fetch)) " from the storage; the rest is taken from the live files, each part compared with its hash" }
                dt { "Time" }
                dd { (time(plan)) }
            }
        }
    }
}

fn parts(plan: &Plan) -> String {
    let mut parts = Vec::new();
    if plan.files.is_some() {
        parts.push(format!("files, {} in all", bytes(plan.bytes)));
    }
    if !plan.databases.is_empty() {
        parts.push(many(plan.databases.len() as u64, "database"));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", and ") }
}

fn time(plan: &Plan) -> String {
    let guess = if plan.measured {
        "as measured on this machine"
    } else {
        "a guess: no restore was measured on this machine yet"
    };
    let still = "The site stands still only while the results are exchanged at the end, usually for less than a second or two";
    format!("About {} ({guess}). {still}.", span(whole(plan.seconds)))
}

#[allow(clippy::cast_possible_truncation)] // seconds
fn whole(seconds: f64) -> i64 {
    seconds.ceil().max(1.0) as i64
}

fn of_files(files: &FilePlan) -> Markup {
    let all = &files.differences;
    let more = (all.added + all.changed + all.removed + all.metadata)
        .saturating_sub(NAMED.min(all.changes.len()) as u64);
    html! {
        section.card {
            h2 { "Files" }
            (counts(all, WORDS))
            @if files.set_aside > 0 {
                p { "What came after the snapshot, " (many(files.set_aside, "file")) ", is kept beside the site, and not destroyed." }
            }
            @if !all.changes.is_empty() {
                details open[all.changes.len() <= 20] {
                    summary { "Which ones" }
                    ul.lines {
                        @for change in all.changes.iter().take(NAMED) { li { (word(&change.kind, WORDS)) " " span.path { (shown(&change.path)) } } }
                    }
                    @if more > 0 { p.muted { "and " (number(more)) " more" } }
                }
            }
        }
    }
}

fn of_database(database: &DatabasePlan) -> Markup {
    html! {
        section.card {
            h2.break { (shown(&database.database)) }
            p {
                @if database.rows > 0 { (many(database.rows, "row")) " in the snapshot. " }
                "It is loaded beside the live one, compared, and exchanged."
            }
            @if !database.tables.is_empty() {
                div.scroll tabindex="0" role="region" aria-label="Tables" {
                    table {
                        thead { tr { th { "Table" } th { "What happens" } th.num { "Rows" } } }
                        tbody {
                            @for table in &database.tables {
                                tr {
                                    th scope="row" { (shown(&table.name)) }
                                    td { (match table.kind.as_str() { "added" => "brought back", "removed" => "set aside", _ => "replaced" }) }
                                    td.num { @if let Some(rows) = table.rows { (number(rows)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
