//! The routes below `/v1`, each described where it is answered; the document that describes them all; and what each asks of callers.

mod events;
mod runs;
mod sites;
mod snapshots;
mod specs;
mod standing;
mod wishes;

pub(super) use self::runs::EventView;
pub(super) use self::wishes::comment;

use std::str::FromStr;

use axum::Json;
use axum::http::Method;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Document, PathItem, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::guard::{Rule, Rules};
use super::office::Shared;
use super::problem::Told;
use super::router::Routes;
use crate::access::Scope;

#[derive(OpenApi)]
#[openapi(
    info(title = "Lifeboat", description = "Ask and steer the backup agent of web sites."),
    components(schemas(Told))
)]
struct Head;

fn described() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Head::openapi())
        .merge(standing::routes())
        .merge(events::routes())
        .merge(sites::routes())
        .merge(specs::routes())
        .merge(runs::routes())
        .merge(wishes::routes())
        .merge(snapshots::routes())
        .routes(routes!(openapi))
}

/// Describes every route.
fn document() -> Document {
    let mut document = described().split_for_parts().1;
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_with(Default::default).add_security_scheme("token", scheme);
    let problem = ResponseBuilder::new()
        .description("What went wrong, and what can be done about it (RFC 9457)")
        .content("application/problem+json", Content::new(Some(Ref::from_schema_name("Problem"))))
        .build();
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch]
            .into_iter()
            .flatten()
        {
            operation.responses.responses.insert("default".to_owned(), RefOr::T(problem.clone()));
        }
    }
    document
}

/// All of them.
pub(super) fn routes() -> Routes {
    let (routes, document) = described().split_for_parts();
    Routes::new(routes, rules(&document))
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
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::DELETE, &item.delete),
        (Method::PATCH, &item.patch),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?))).collect()
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
