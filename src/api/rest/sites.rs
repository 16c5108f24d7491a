//! Which sites there are, when they are backed up, and requests for a backup soon.

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agent::spool;
use crate::api::aside::aside;
use crate::api::extract::{Asked, Json, Named};
use crate::api::office::{Shared, config_of};
use crate::api::problem::{Answer, Problem};
use crate::api::view::SiteView;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(sites))
        .routes(routes!(site))
        .routes(routes!(schedule))
        .routes(routes!(requests, request))
}

/// The sites that the agent looks after.
#[utoipa::path(get, path = "/v1/sites", tag = "sites", security(("token" = ["read"])),
    responses((status = 200, description = "Sites", body = [SiteView])))]
async fn sites(State(office): State<Shared>) -> axum::Json<Vec<SiteView>> {
    axum::Json(office.desk.sites().iter().map(SiteView::of).collect())
}

/// One of them.
#[utoipa::path(get, path = "/v1/sites/{site}", tag = "sites", security(("token" = ["read"])),
    params(("site" = String, Path)), responses((status = 200, description = "The site", body = SiteView)))]
async fn site(State(office): State<Shared>, Named(site): Named<String>) -> Answer<axum::Json<SiteView>> {
    Ok(axum::Json(SiteView::of(&office.card(&site)?)))
}

#[derive(Deserialize, IntoParams)]
struct Count {
    /// So many of the next times, 1 to 1000; left out: 10.
    #[param(minimum = 1, maximum = 1000)]
    count: Option<u16>,
}

/// A time at which work is due.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub(in crate::api) struct DueView {
    /// `backup`, `check` or `drill`.
    pub(in crate::api) work: String,
    pub(in crate::api) due: Timestamp,
    /// On the clocks of the site.
    pub(in crate::api) local: String,
    pub(in crate::api) zone: String,
    /// How much later than the schedule says it, so that not all sites begin at once.
    pub(in crate::api) jitter_seconds: i64,
    /// Out of hours in which nothing begins.
    pub(in crate::api) moved: bool,
}

/// When the agent will work.
#[utoipa::path(get, path = "/v1/sites/{site}/schedule", tag = "sites", security(("token" = ["read"])),
    params(("site" = String, Path), Count),
    responses((status = 200, description = "The next times", body = [DueView])))]
async fn schedule(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Asked(count): Asked<Count>,
) -> Answer<axum::Json<Vec<DueView>>> {
    let count = format!("--count={}", count.count.unwrap_or(10));
    let card = office.card(&site)?;
    Ok(axum::Json(office.look_up(&card.accepted, &["schedule", &count]).await?))
}

/// Something changed, and a backup is wanted soon.
#[derive(Serialize, ToSchema)]
struct RequestView {
    name: String,
    reason: String,
    /// It was tried often enough.
    dead: bool,
}

/// The requests that wait, and those that were given up.
#[utoipa::path(get, path = "/v1/sites/{site}/requests", tag = "sites", security(("token" = ["read"])),
    params(("site" = String, Path)), responses((status = 200, description = "Requests", body = [RequestView])))]
async fn requests(
    State(office): State<Shared>,
    Named(site): Named<String>,
) -> Answer<axum::Json<Vec<RequestView>>> {
    let card = office.card(&site)?;
    let found = aside(move || -> Answer<_> {
        let also = config_of(&card)?.schedule.on_request.spool;
        Ok(spool::list(&card.state, also.as_deref())?)
    });
    let view = |request: spool::Request| RequestView {
        name: crate::event::printable(&request.name).into_owned(),
        reason: crate::event::printable(&request.reason).into_owned(),
        dead: request.dead,
    };
    Ok(axum::Json(found.await?.into_iter().map(view).collect()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RequestWish {
    /// What changed.
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Left {
    /// The request's name.
    request: String,
}

/// Asks for a backup soon, because something changed; the request goes when a snapshot holds what it is about.
#[utoipa::path(post, path = "/v1/sites/{site}/requests", tag = "sites", security(("token" = ["backup"])),
    params(("site" = String, Path)), request_body = RequestWish,
    responses((status = 202, description = "It waits", body = Left)))]
async fn request(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Json(wish): Json<RequestWish>,
) -> Answer<(StatusCode, axum::Json<Left>)> {
    let card = office.card(&site)?;
    let reason = wish.reason.unwrap_or_default();
    if reason.len() > 1000 {
        return Err(Problem::of_kind("usage", "the reason is longer than 1000 bytes", None));
    }
    let request = aside(move || spool::leave(&card.state, &reason)).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(Left { request })))
}
