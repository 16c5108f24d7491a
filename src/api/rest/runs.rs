//! What runs did, and what one does at this moment.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agent::Card;
use crate::api::aside::aside;
use crate::api::extract::{Asked, Named};
use crate::api::office::{Office, Shared};
use crate::api::problem::{Answer, Problem};
use crate::api::view::RunView;
use crate::error::Error;
use crate::history::{self, Standing};

const MOST: usize = 1000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(runs))
        .routes(routes!(run))
        .routes(routes!(events))
        .routes(routes!(cancel))
}

/// The run at work, with its phase and progress.
#[utoipa::path(get, path = "/v1/sites/{site}/status", tag = "runs", security(("token" = ["read"])),
    params(("site" = String, Path)),
    responses((status = 200, description = "A run is at work, or waits", body = RunView),
        (status = 204, description = "Nothing is at work")))]
async fn status(State(office): State<Shared>, Named(site): Named<String>) -> Answer<Response> {
    let card = office.card(&site)?;
    Ok(match office.at_work(card).await? {
        Some(run) => axum::Json(run).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}

#[derive(Deserialize, IntoParams)]
struct Newest {
    /// At most so many of the newest, 1 to 1000; left out: 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// The runs of a site, the newest first.
#[utoipa::path(get, path = "/v1/sites/{site}/runs", tag = "runs", security(("token" = ["read"])),
    params(("site" = String, Path), Newest),
    responses((status = 200, description = "Runs", body = [RunView])))]
async fn runs(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Asked(newest): Asked<Newest>,
) -> Answer<axum::Json<Vec<RunView>>> {
    let limit = newest.limit.unwrap_or(50);
    if limit == 0 || limit > MOST {
        return Err(Problem::of_kind(
            "usage",
            format!("limit is {limit}"),
            Some(format!("give 1 to {MOST}")),
        ));
    }
    let card = office.card(&site)?;
    Ok(axum::Json(office.runs(card, limit).await?))
}

/// One run.
#[utoipa::path(get, path = "/v1/sites/{site}/runs/{run}", tag = "runs", security(("token" = ["read"])),
    params(("site" = String, Path), ("run" = String, Path)),
    responses((status = 200, description = "The run", body = RunView)))]
async fn run(
    State(office): State<Shared>,
    Named((site, run)): Named<(String, String)>,
) -> Answer<axum::Json<RunView>> {
    Ok(axum::Json(office.run(office.card(&site)?, run).await?))
}

/// One thing that happened in a run.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct EventView {
    /// Counts from 1 within a run.
    seq: u32,
    pub(in crate::api) at: Timestamp,
    /// Such as `step-started`.
    pub(in crate::api) event: String,
    /// The same as a line for people.
    pub(in crate::api) text: String,
}

/// All that was said in a run.
#[utoipa::path(get, path = "/v1/sites/{site}/runs/{run}/events", tag = "runs", security(("token" = ["read"])),
    params(("site" = String, Path), ("run" = String, Path)),
    responses((status = 200, description = "Its events, the first one first", body = [EventView])))]
async fn events(
    State(office): State<Shared>,
    Named((site, run)): Named<(String, String)>,
) -> Answer<axum::Json<Vec<EventView>>> {
    Ok(axum::Json(office.events(office.card(&site)?, run).await?))
}

/// Asks a run that the agent began to unwind, or takes back one that waits.
#[utoipa::path(post, path = "/v1/sites/{site}/runs/{run}/cancel", tag = "runs", security(("token" = ["backup"])),
    params(("site" = String, Path), ("run" = String, Path)),
    responses((status = 202, description = "It was asked")))]
async fn cancel(
    State(office): State<Shared>,
    Named((site, run)): Named<(String, String)>,
) -> Answer<StatusCode> {
    let card = office.card(&site)?;
    office.desk.cancel(&card, &run).await?;
    Ok(StatusCode::ACCEPTED)
}

fn no_run() -> Problem {
    Problem::not_found("there is no run of this name")
}

impl Office {
    /// The run at work of a site, whoever began it; else the next one that waits.
    pub(in crate::api) async fn at_work(&self, card: Card) -> Answer<Option<RunView>> {
        let shown = card.at_work.as_ref().and_then(|at_work| self.desk.live.find(&card.state, &at_work.run));
        // It may have ended a moment ago, and the agent not know it yet.
        if let Some(shown) = shown.filter(|shown| shown.past.standing == Standing::Running) {
            return Ok(Some(RunView::of(&card.name, &shown.past, Timestamp::now())));
        }
        let waiting = card.queue.first().map(|queued| RunView::waiting(&card.name, queued));
        let newest = self.runs(card, 5).await?;
        Ok(newest.into_iter().find(|run| !run.is_over()).or(waiting))
    }

    pub(in crate::api) async fn runs(&self, card: Card, limit: usize) -> Answer<Vec<RunView>> {
        let live = self.desk.live.clone();
        let read = aside(move || {
            let now = Timestamp::now();
            let past = history::newest(&history::directory(&card.state), limit)?;
            let view = |past: history::Past| {
                let shown = live.find(&card.state, &past.id).filter(|_| past.standing == Standing::Running);
                RunView::of(&card.name, shown.as_ref().map_or(&past, |shown| &shown.past), now)
            };
            Ok::<_, Error>(past.into_iter().map(view).collect())
        });
        read.await
    }

    /// All that was said in a run, the first thing first.
    pub(in crate::api) async fn events(&self, card: Card, run: String) -> Answer<Vec<EventView>> {
        let events = aside(move || history::events(&history::directory(&card.state), &run)).await?;
        let view = |event: &crate::event::Event| EventView {
            seq: event.seq,
            at: event.at,
            event: event.what.name().to_owned(),
            text: event.what.text(),
        };
        Ok(events.ok_or_else(no_run)?.iter().map(view).collect())
    }

    pub(in crate::api) async fn run(&self, card: Card, run: String) -> Answer<RunView> {
        if let Some(shown) = self.desk.live.find(&card.state, &run) {
            return Ok(RunView::of(&card.name, &shown.past, Timestamp::now()));
        }
        if let Some(queued) = card.queue.iter().find(|queued| queued.run == run) {
            return Ok(RunView::waiting(&card.name, queued));
        }
        let read = aside(move || {
            let past = history::read(&history::directory(&card.state), &run)?;
            let begun = past.map(|past| RunView::of(&card.name, &past, Timestamp::now()));
            // Its process is there, and has not written a word yet.
            let beginning = card.at_work.as_ref().filter(|at_work| at_work.run == run);
            Ok::<_, Error>(begun.or_else(|| beginning.map(|run| RunView::waiting(&card.name, run))))
        });
        read.await?.ok_or_else(no_run)
    }
}
