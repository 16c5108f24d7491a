//! What can be asked for: each answer is the name of a run, at once, and the run has its turn as soon as there is room.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agent::Wish;
use crate::api::extract::{Json, Named};
use crate::api::office::{Office, Shared};
use crate::api::problem::{Answer, Problem};
use crate::event::printable;

/// Longer is no comment.
const LONGEST: usize = 1000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(backup))
        .routes(routes!(drill))
        .routes(routes!(check))
        .routes(routes!(restore))
        .routes(routes!(undo))
}

/// A run that was asked for.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Accepted {
    /// Its name in the history.
    pub(in crate::api) run: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BackupWish {
    /// Kept with the snapshot.
    #[schema(max_length = 1000)]
    comment: Option<String>,
    /// Holds the snapshot back from every rule for so long, such as `30d`, or for good if empty.
    pin: Option<String>,
}

/// Begins a backup.
#[utoipa::path(post, path = "/v1/sites/{site}/backups", tag = "runs", security(("token" = ["backup"])),
    params(("site" = String, Path)), request_body = BackupWish,
    responses((status = 202, description = "It will be run", body = Accepted)))]
async fn backup(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Json(wish): Json<BackupWish>,
) -> Answer<Response> {
    let comment = comment(wish.comment)?;
    let pin = wish.pin.map(|pin| pin.trim().to_owned());
    if let Some(pin) = pin.as_deref().filter(|pin| !pin.is_empty()) {
        pin.parse::<crate::schedule::Within>().map_err(|text| Problem::of_kind("usage", text, None))?;
    }
    office.accept(&site, Wish::Backup { comment, pin }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DrillWish {
    /// A snapshot's id, or a time; left out: the newest.
    at: Option<String>,
    /// Of the files, in percent; left out: all of them.
    #[schema(exclusive_minimum = 0, maximum = 100)]
    sample: Option<f64>,
}

/// Begins a restore drill.
#[utoipa::path(post, path = "/v1/sites/{site}/drills", tag = "runs", security(("token" = ["backup"])),
    params(("site" = String, Path)), request_body = DrillWish,
    responses((status = 202, description = "It will be run", body = Accepted)))]
async fn drill(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Json(wish): Json<DrillWish>,
) -> Answer<Response> {
    is_share(wish.sample)?;
    office.accept(&site, Wish::Drill { at: wish.at, sample: wish.sample }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CheckWish {
    /// Of the stored data, in percent, the next part each time; left out: none of it.
    #[schema(exclusive_minimum = 0, maximum = 100)]
    read_data: Option<f64>,
}

/// Begins a search for damage in the repository.
#[utoipa::path(post, path = "/v1/sites/{site}/checks", tag = "runs", security(("token" = ["backup"])),
    params(("site" = String, Path)), request_body = CheckWish,
    responses((status = 202, description = "It will be run", body = Accepted)))]
async fn check(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Json(wish): Json<CheckWish>,
) -> Answer<Response> {
    is_share(wish.read_data)?;
    office.accept(&site, Wish::Check { read_data: wish.read_data }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RestoreWish {
    /// The id of a plan that was looked at.
    plan: String,
}

/// Begins the restore that a plan describes; it does just that, or nothing if the site has changed since.
#[utoipa::path(post, path = "/v1/sites/{site}/restores", tag = "restore", security(("token" = ["restore"])),
    params(("site" = String, Path)), request_body = RestoreWish,
    responses((status = 202, description = "It will be run", body = Accepted)))]
async fn restore(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Json(wish): Json<RestoreWish>,
) -> Answer<Response> {
    let plain = !wish.plan.is_empty()
        && wish.plan.len() <= 64
        && wish.plan.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain {
        return Err(Problem::of_kind("usage", "this is no plan's id", Some("make a plan first".to_owned())));
    }
    office.accept(&site, Wish::Restore { plan: wish.plan }).await
}

/// Goes back to what the last restore replaced; an undo can be undone.
#[utoipa::path(post, path = "/v1/sites/{site}/undo", tag = "restore", security(("token" = ["restore"])),
    params(("site" = String, Path)),
    responses((status = 202, description = "It will be run", body = Accepted)))]
async fn undo(State(office): State<Shared>, Named(site): Named<String>) -> Answer<Response> {
    office.accept(&site, Wish::Undo).await
}

/// A comment as it is kept; nothing if it says nothing.
pub(in crate::api) fn comment(said: Option<String>) -> Answer<Option<String>> {
    let comment = said.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match &comment {
        Some(text) if text.chars().count() > LONGEST || printable(text) != text.as_str() => {
            Err(Problem::of_kind("usage", "this is no comment", Some("give one line of text".to_owned())))
        }
        _ => Ok(comment),
    }
}

fn is_share(share: Option<f64>) -> Answer<()> {
    match share {
        Some(share) if !(share > 0.0 && share <= 100.0) => Err(Problem::of_kind(
            "usage",
            format!("{share} is no share in percent"),
            Some("give more than 0 and at most 100".to_owned()),
        )),
        _ => Ok(()),
    }
}

impl Office {
    /// Has it begun; the run's name, and where it is shown.
    pub(in crate::api) async fn accept(&self, site: &str, wish: Wish) -> Answer<Response> {
        let card = self.card(site)?;
        let run = self.desk.begin(&card, wish).await?;
        let place = format!("/v1/sites/{site}/runs/{run}");
        Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], axum::Json(Accepted { run })).into_response())
    }
}
