//! The runs of a site, the newest first.

use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{self, Tab};
use super::visit::Visit;
use super::{Page, work};
use crate::access::Scope;
use crate::api::extract::Asked;
use crate::api::problem::Answer;

/// At first, and at most.
const FEW: usize = 50;
const MOST: usize = 1000;

#[derive(Deserialize)]
pub(super) struct Newest {
    limit: Option<usize>,
}

pub(super) async fn page(visit: Visit, Asked(newest): Asked<Newest>) -> Answer<Page> {
    let limit = newest.limit.unwrap_or(FEW).clamp(1, MOST);
    let runs = visit.office.runs(visit.card.clone(), limit).await?;
    let at_work = visit.office.at_work(visit.card.clone()).await?;
    let content = html! {
        h1 { "Runs" }
        @if visit.may(Scope::Backup) {
            form.bar method="post" action=(visit.path("/check")) {
                (visit.csrf())
                button type="submit" { "Check the repository for damage" }
            }
        }
        div data-part="runs" {
            @if let Some(run) = &at_work {
                (work::at_work(&visit, run, &html! { h2 { a href=(visit.path(&format!("/runs/{}", run.id))) { (work::kind(run)) } } }))
            }
            (waiting(&visit))
            @if runs.is_empty() { p.hint { "Nothing has run yet." } }
            @else { div.card.flush { (work::table(&visit, &runs, true)) } }
            @if runs.len() == limit && limit < MOST {
                nav.pages aria-label="Older runs" { a href=(visit.path(&format!("/runs?limit={}", (limit * 4).min(MOST)))) { "Show older ones" } }
            }
        }
    };
    Ok(frame::live(&visit, Tab::Runs, "Runs", &content, at_work.is_some()))
}

fn waiting(visit: &Visit) -> Markup {
    html! {
        @for queued in &visit.card.queue {
            p.muted { a href=(visit.path(&format!("/runs/{}", queued.run))) { "A " (queued.what) } " waits for its turn." }
        }
    }
}
