//! The routes below `/v1`, each described where it is answered; the document that describes them all; and what each asks of callers.

mod events;
mod runs;
mod sites;
mod snapshots;
mod standing;
mod wishes;

pub(super) use self::runs::EventView;
pub(super) use self::wishes::comment;

use std::str::FromStr;

use axum::Json;
use axum::http::Method;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{HttpMethod, OpenApi as Document, PathItem, path::Operation};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::guard::{Rule, Rules};
use super::office::Shared;
use super::problem::Problem;
use super::router::Routes;
use crate::access::Scope;

#[derive(OpenApi)]
#[openapi(
    info(title = "Lifeboat", description = "Ask and steer the backup agent of web sites."),
    components(schemas(Problem))
)]
struct Head;

fn described() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Head::openapi())
        .merge(standing::routes())
        .merge(events::routes())
        .merge(sites::routes())
        .merge(runs::routes())
        .merge(wishes::routes())
        .merge(snapshots::routes())
        .routes(routes!(openapi))
}

/// Describes every route.
pub(super) fn document() -> Document {
    let mut document = described().split_for_parts().1;
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_with(Default::default).add_security_scheme("token", scheme);
    document
}

/// All of them.
pub(super) fn routes() -> Routes {
    Routes::new(described().split_for_parts().0, rules(&document()))
}

/// What each route needs, as its description says; one that does not say is for nobody.
fn rules(document: &Document) -> Rules {
    let mut rules = Rules::default();
    for (path, item) in &document.paths.paths {
        for (method, operation) in operations(item) {
            if let Some(scope) = scope(operation) {
                rules.add(&method, path, Rule::Scope(scope));
            }
        }
    }
    rules
}

fn operations(item: &PathItem) -> Vec<(Method, &Operation)> {
    let all = [
        (Method::GET, HttpMethod::Get, &item.get),
        (Method::PUT, HttpMethod::Put, &item.put),
        (Method::POST, HttpMethod::Post, &item.post),
        (Method::DELETE, HttpMethod::Delete, &item.delete),
        (Method::PATCH, HttpMethod::Patch, &item.patch),
    ];
    all.into_iter().filter_map(|(method, _, operation)| Some((method, operation.as_ref()?))).collect()
}

fn scope(operation: &Operation) -> Option<Scope> {
    let asked = serde_json::to_value(operation.security.as_ref()?).ok()?;
    Scope::from_str(asked.get(0)?.get("token")?.get(0)?.as_str()?).ok()
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "agent", security(("token" = ["read"])),
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json")))]
async fn openapi() -> Json<Document> {
    Json(document())
}
