//! Whether the agent is there, and everything in numbers.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agent;
use crate::api::aside::aside;
use crate::api::office::Shared;
use crate::api::problem::Answer;
use crate::error::Error;
use crate::metrics::render;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics))
}

/// How the agent is.
#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`, or `trouble` if somebody should look.
    status: &'static str,
    version: &'static str,
    /// What the agent complains of, by site.
    troubles: Vec<String>,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "agent", security(("token" = ["read"])),
    responses((status = 200, description = "It does", body = Health)))]
async fn healthz() -> axum::Json<Health> {
    axum::Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION"), troubles: Vec::new() })
}

/// Whether it looks after all its sites without complaints.
#[utoipa::path(get, path = "/readyz", tag = "agent", security(("token" = ["read"])),
    responses((status = 200, description = "It does, or says of what it complains", body = Health)))]
async fn readyz(State(office): State<Shared>) -> axum::Json<Health> {
    let sites = office.desk.sites();
    let troubles: Vec<_> = sites
        .iter()
        .flat_map(|card| card.troubles.iter().map(|text| format!("{}: {text}", card.name)))
        .chain(office.door.trouble())
        .collect();
    let status = if troubles.is_empty() { "ok" } else { "trouble" };
    axum::Json(Health { status, version: env!("CARGO_PKG_VERSION"), troubles })
}

/// All sites in numbers, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "agent", security(("token" = ["read"])),
    responses((status = 200, description = "Text format 0.0.4", body = String, content_type = "text/plain")))]
async fn metrics(State(office): State<Shared>) -> Answer<Response> {
    let cards = office.desk.sites();
    let asked = std::sync::Arc::clone(&office);
    let page = aside(move || {
        let now = Timestamp::now();
        let one = |card: &agent::Card| {
            let config = crate::config::load(&card.accepted).map_err(Error::from)?;
            agent::numbers(&config, now)
        };
        // One site that cannot be counted is missing, which an alert can see; the others are not.
        let sites = cards.iter().filter_map(|card| {
            one(card).map_err(|error| asked.complain(format!("{} is in no metrics: {error}", card.name))).ok()
        });
        Ok::<_, Error>(render(&sites.collect::<Vec<_>>()))
    });
    let page = page.await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response())
}
