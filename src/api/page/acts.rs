//! What is done by a button: each answer leads to the page where one sees what comes of it.

use std::time::Duration;

use axum::response::Redirect;
use serde::Deserialize;

use super::visit::Visit;
use crate::agent::{Card, Wish};
use crate::api::extract::{Form, Named};
use crate::api::problem::Answer;
use crate::api::rest::comment;

/// For the agent to say that it knows of a run.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct Backup {
    #[serde(default)]
    comment: String,
}

pub(super) async fn backup(visit: Visit, Form(asked): Form<Backup>) -> Answer<Redirect> {
    let comment = comment(Some(asked.comment))?;
    visit.begin(Wish::Backup { comment, pin: None }).await
}

#[derive(Deserialize)]
pub(super) struct Drill {
    at: Option<String>,
}

pub(super) async fn drill(visit: Visit, Form(asked): Form<Drill>) -> Answer<Redirect> {
    let at = asked.at.filter(|at| !at.is_empty());
    visit.begin(Wish::Drill { at, sample: None }).await
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

pub(super) async fn check(visit: Visit, Form(Nothing {}): Form<Nothing>) -> Answer<Redirect> {
    visit.begin(Wish::Check { read_data: None }).await
}

pub(super) async fn cancel(
    visit: Visit,
    Named((_, run)): Named<(String, String)>,
    Form(Nothing {}): Form<Nothing>,
) -> Answer<Redirect> {
    visit.office.desk.cancel(&visit.card, &run).await?;
    Ok(visit.go(&format!("/runs/{run}")))
}

#[derive(Deserialize)]
pub(super) struct Pin {
    #[serde(default)]
    duration: String,
}

pub(super) async fn pin(
    visit: Visit,
    Named((_, snapshot)): Named<(String, String)>,
    Form(asked): Form<Pin>,
) -> Answer<Redirect> {
    let duration = Some(asked.duration.trim()).filter(|text| !text.is_empty());
    let pinned = visit.office.pin(&visit.card, &snapshot, duration).await?;
    Ok(visit.go(&format!("/snapshots/{pinned}")))
}

pub(super) async fn unpin(
    visit: Visit,
    Named((_, snapshot)): Named<(String, String)>,
    Form(Nothing {}): Form<Nothing>,
) -> Answer<Redirect> {
    let unpinned = visit.office.unpin(&visit.card, &snapshot).await?;
    Ok(visit.go(&format!("/snapshots/{unpinned}")))
}

impl Visit {
    /// Has it begun, and leads to where it can be watched.
    pub(super) async fn begin(&self, wish: Wish) -> Answer<Redirect> {
        let mut sites = self.office.desk.watch_sites();
        let run = self.office.desk.begin(&self.card, wish).await?;
        let is_known = |card: &Card| {
            let waits = || card.queue.iter().any(|queued| queued.run == run);
            card.state == self.card.state
                && (card.at_work.as_ref().is_some_and(|at_work| at_work.run == run) || waits())
        };
        // Else its page would not be there yet. One that is over already is not seen here, and has a page.
        let seen = sites.wait_for(|cards| cards.iter().any(is_known));
        drop(tokio::time::timeout(PATIENCE, seen).await);
        Ok(self.go(&format!("/runs/{run}")))
    }
}
