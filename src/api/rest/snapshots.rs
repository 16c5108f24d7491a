//! What snapshots there are, what is in them, and what a restore of one would do.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::extract::{Asked, Json, Named};
use crate::api::lookups::{Differences, FileEntry, Found, Plan, PlanWish, Retention, SnapshotView};
use crate::api::office::Shared;
use crate::api::problem::Answer;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(snapshots))
        .routes(routes!(files))
        .routes(routes!(content))
        .routes(routes!(sql))
        .routes(routes!(diff))
        .routes(routes!(find))
        .routes(routes!(retention))
        .routes(routes!(plan))
        .routes(routes!(pin, unpin))
}

/// All snapshots of a site, the newest first, with what drills have proven.
#[utoipa::path(get, path = "/v1/sites/{site}/snapshots", tag = "snapshots", security(("token" = ["read"])),
    params(("site" = String, Path)), responses((status = 200, description = "Snapshots", body = [SnapshotView])))]
async fn snapshots(
    State(office): State<Shared>,
    Named(site): Named<String>,
) -> Answer<axum::Json<Vec<SnapshotView>>> {
    Ok(axum::Json(office.snapshots(&office.card(&site)?).await?))
}

#[derive(Deserialize, IntoParams)]
struct Directory {
    /// Of a directory, absolute; left out: `/`.
    path: Option<String>,
}

/// What is in a directory of a snapshot.
#[utoipa::path(get, path = "/v1/sites/{site}/snapshots/{snapshot}/files", tag = "snapshots",
    security(("token" = ["read"])), params(("site" = String, Path), ("snapshot" = String, Path), Directory),
    responses((status = 200, description = "Its entries", body = [FileEntry])))]
async fn files(
    State(office): State<Shared>,
    Named((site, snapshot)): Named<(String, String)>,
    Asked(of): Asked<Directory>,
) -> Answer<axum::Json<Vec<FileEntry>>> {
    let card = office.card(&site)?;
    Ok(axum::Json(office.files(&card, &snapshot, of.path.as_deref().unwrap_or("/")).await?))
}

#[derive(Deserialize, IntoParams)]
struct File {
    /// Of a file, absolute.
    path: String,
}

/// A file of a snapshot. An answer that breaks off is not the whole file.
#[utoipa::path(get, path = "/v1/sites/{site}/snapshots/{snapshot}/content", tag = "snapshots",
    security(("token" = ["restore"])), params(("site" = String, Path), ("snapshot" = String, Path), File),
    responses((status = 200, description = "Its bytes", body = String, content_type = "application/octet-stream")))]
async fn content(
    State(office): State<Shared>,
    Named((site, snapshot)): Named<(String, String)>,
    Asked(file): Asked<File>,
) -> Answer<Response> {
    let card = office.card(&site)?;
    let body = office.content(&card, &snapshot, &file.path).await?;
    let name = file.path.rsplit('/').next().unwrap_or("file");
    Ok(download(name, body))
}

#[derive(Deserialize, IntoParams)]
struct Dump {
    /// Which database, if the snapshot has several.
    database: Option<String>,
}

/// A database of a snapshot as SQL that the stock client loads. An answer that breaks off is not the whole of it.
#[utoipa::path(get, path = "/v1/sites/{site}/snapshots/{snapshot}/sql", tag = "snapshots",
    security(("token" = ["restore"])), params(("site" = String, Path), ("snapshot" = String, Path), Dump),
    responses((status = 200, description = "SQL", body = String, content_type = "application/octet-stream")))]
async fn sql(
    State(office): State<Shared>,
    Named((site, snapshot)): Named<(String, String)>,
    Asked(dump): Asked<Dump>,
) -> Answer<Response> {
    let card = office.card(&site)?;
    let body = office.sql(&card, &snapshot, dump.database.as_deref()).await?;
    Ok(download(&format!("{}.sql", dump.database.as_deref().unwrap_or(&site)), body))
}

/// Whatever it is: a browser keeps it as a file, and never shows it as a page of ours.
pub(in crate::api) fn download(name: &str, body: axum::body::Body) -> Response {
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' })
        .collect();
    let quoted = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let said = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{quoted}");
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Ok(said) = HeaderValue::from_str(&said) {
        headers.insert(header::CONTENT_DISPOSITION, said);
    }
    response
}

#[derive(Deserialize, IntoParams)]
struct Other {
    /// The newer snapshot: an id, a time, or `latest`.
    with: String,
}

/// What differs between two snapshots.
#[utoipa::path(get, path = "/v1/sites/{site}/snapshots/{snapshot}/diff", tag = "snapshots",
    security(("token" = ["read"])), params(("site" = String, Path), ("snapshot" = String, Path), Other),
    responses((status = 200, description = "The differences", body = Differences)))]
async fn diff(
    State(office): State<Shared>,
    Named((site, snapshot)): Named<(String, String)>,
    Asked(other): Asked<Other>,
) -> Answer<axum::Json<Differences>> {
    let card = office.card(&site)?;
    Ok(axum::Json(office.differences(&card, &snapshot, &other.with).await?))
}

#[derive(Deserialize, IntoParams)]
struct Wanted {
    /// A part of the name, or a pattern with `*` and `?`.
    #[param(min_length = 1)]
    pattern: String,
    /// At most so many paths, 1 to 1000; left out: 200.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Searches all snapshots for a file.
#[utoipa::path(get, path = "/v1/sites/{site}/find", tag = "snapshots", security(("token" = ["read"])),
    params(("site" = String, Path), Wanted),
    responses((status = 200, description = "What was found", body = Found)))]
async fn find(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Asked(wanted): Asked<Wanted>,
) -> Answer<axum::Json<Found>> {
    let card = office.card(&site)?;
    Ok(axum::Json(office.find(&card, &wanted.pattern, wanted.limit.unwrap_or(200)).await?))
}

/// What the retention rules would keep and remove now, with the reasons. Nothing is removed.
#[utoipa::path(get, path = "/v1/sites/{site}/retention", tag = "snapshots", security(("token" = ["read"])),
    params(("site" = String, Path)), responses((status = 200, description = "The verdicts", body = Retention)))]
async fn retention(
    State(office): State<Shared>,
    Named(site): Named<String>,
) -> Answer<axum::Json<Retention>> {
    Ok(axum::Json(office.retention(&office.card(&site)?).await?))
}

/// Says what a restore would change and about how long it would take, and changes nothing.
#[utoipa::path(post, path = "/v1/sites/{site}/plans", tag = "restore", security(("token" = ["restore"])),
    params(("site" = String, Path)), request_body = PlanWish,
    responses((status = 200, description = "The plan; its id is what `restores` takes", body = Plan)))]
async fn plan(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Json(wish): Json<PlanWish>,
) -> Answer<axum::Json<Plan>> {
    Ok(axum::Json(office.plan(&office.card(&site)?, &wish).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PinWish {
    /// For so long, such as `30d`; left out: for good.
    #[serde(rename = "for")]
    duration: Option<String>,
}

/// A snapshot is held, or not any more.
#[derive(Serialize, ToSchema)]
struct Pinned {
    /// The snapshot's id, which changes with its tags.
    snapshot: String,
}

/// Holds a snapshot back from every rule.
#[utoipa::path(put, path = "/v1/sites/{site}/snapshots/{snapshot}/pin", tag = "snapshots",
    security(("token" = ["backup"])), params(("site" = String, Path), ("snapshot" = String, Path)),
    request_body = PinWish, responses((status = 200, description = "It is held", body = Pinned)))]
async fn pin(
    State(office): State<Shared>,
    Named((site, snapshot)): Named<(String, String)>,
    Json(wish): Json<PinWish>,
) -> Answer<axum::Json<Pinned>> {
    let card = office.card(&site)?;
    let snapshot = office.pin(&card, &snapshot, wish.duration.as_deref()).await?;
    Ok(axum::Json(Pinned { snapshot }))
}

/// Lets the rules decide on a snapshot again.
#[utoipa::path(delete, path = "/v1/sites/{site}/snapshots/{snapshot}/pin", tag = "snapshots",
    security(("token" = ["admin"])), params(("site" = String, Path), ("snapshot" = String, Path)),
    responses((status = 200, description = "It is not held any more", body = Pinned)))]
async fn unpin(
    State(office): State<Shared>,
    Named((site, snapshot)): Named<(String, String)>,
) -> Answer<axum::Json<Pinned>> {
    let snapshot = office.unpin(&office.card(&site)?, &snapshot).await?;
    Ok(axum::Json(Pinned { snapshot }))
}
