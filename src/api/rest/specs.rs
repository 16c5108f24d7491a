//! How sites are backed up: their configurations as documents, without the secrets that are written out in them.
//!
//! Whoever may change them may not bring in programs: hooks and commands stay as the files on the machine have them.

use std::path::Path;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::aside::aside;
use crate::api::extract::{Json, Named};
use crate::api::office::Shared;
use crate::api::problem::{Answer, Mistake, Problem};
use crate::config::{self, Problems};
use crate::error::Error;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(spec, replace, change))
        .routes(routes!(create))
        .routes(routes!(repository))
}

/// How a site is backed up. Secrets that are written out are shown as `***`; references to secrets are shown as they are.
#[utoipa::path(get, path = "/v1/sites/{site}/configuration", tag = "configuration", security(("token" = ["read"])),
    params(("site" = String, Path)),
    responses((status = 200, description = "The configuration as it was accepted", body = Object)))]
async fn spec(State(office): State<Shared>, Named(site): Named<String>) -> Answer<axum::Json<Value>> {
    let accepted = office.card(&site)?.accepted;
    aside(move || shown(&read(&accepted)?)).await.map(axum::Json)
}

/// Replaces the configuration. What it leaves out is at its default then; `***` where there was a secret means that secret.
#[utoipa::path(put, path = "/v1/sites/{site}/configuration", tag = "configuration", security(("token" = ["admin"])),
    params(("site" = String, Path)), request_body = Object,
    responses((status = 200, description = "The configuration as it is now", body = Object)))]
async fn replace(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Json(new): Json<Value>,
) -> Answer<axum::Json<Value>> {
    revise(&office, &site, move |old| config::edit::replace(Some(old), &new)).await
}

/// Changes the configuration by a JSON merge patch (RFC 7396): what is not named is kept, and `null` removes.
#[utoipa::path(patch, path = "/v1/sites/{site}/configuration", tag = "configuration", security(("token" = ["admin"])),
    params(("site" = String, Path)), request_body = Object,
    responses((status = 200, description = "The configuration as it is now", body = Object)))]
async fn change(
    State(office): State<Shared>,
    Named(site): Named<String>,
    Json(patch): Json<Value>,
) -> Answer<axum::Json<Value>> {
    revise(&office, &site, move |old| config::edit::merge(old, &patch)).await
}

/// Adds a site, described by its configuration. Its repository is made by an act of its own.
#[utoipa::path(post, path = "/v1/sites", tag = "configuration", security(("token" = ["admin"])),
    request_body = Object,
    responses((status = 201, description = "The configuration as it was accepted", body = Object)))]
async fn create(State(office): State<Shared>, Json(new): Json<Value>) -> Answer<Response> {
    let name = new.pointer("/site/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let directory = office.settings.sites.clone();
    let known = office.card(&name).is_ok();
    let written = aside(move || {
        let text = config::edit::replace(None, &new).map_err(mistakes)?;
        // It is a name by now: the configuration was accepted.
        let file = directory.join(format!("{name}.yaml"));
        if known || file.exists() {
            return Err(Problem::of_kind("locked", format!("there is a site {name} already"), None));
        }
        std::fs::create_dir_all(&directory).map_err(Error::from)?;
        config::write(&file, text.as_bytes())?;
        Ok((name, file))
    });
    let (name, file) = written.await?;
    let taken = accepted(&office, &file).await.and_then(|()| office.card(&name));
    // What the agent does not take on is not left behind.
    let card = taken.inspect_err(|_| drop(std::fs::remove_file(&file)))?;
    let shown = aside(move || shown(&read(&card.accepted)?)).await?;
    Ok((StatusCode::CREATED, axum::Json(shown)).into_response())
}

/// A repository that was made.
#[derive(Serialize, serde::Deserialize, ToSchema)]
struct Made {
    /// Its id.
    repository: String,
}

/// Makes the site's repository on its storage, which must not have one yet.
#[utoipa::path(post, path = "/v1/sites/{site}/repository", tag = "configuration", security(("token" = ["admin"])),
    params(("site" = String, Path)), responses((status = 201, description = "It is there", body = Made)))]
async fn repository(
    State(office): State<Shared>,
    Named(site): Named<String>,
) -> Answer<(StatusCode, axum::Json<Made>)> {
    let card = office.card(&site)?;
    let made = office.look_up(&card.accepted, &["init"]).await?;
    Ok((StatusCode::CREATED, axum::Json(made)))
}

/// Writes the file that people edit, and has the agent read it; what it refuses is put back.
async fn revise(
    office: &Shared,
    site: &str,
    edit: impl FnOnce(&[u8]) -> Result<zeroize::Zeroizing<String>, Problems> + Send + 'static,
) -> Answer<axum::Json<Value>> {
    let card = office.card(site)?;
    // One after the other: each begins with what the one before has written.
    let _turn = office.editing.lock().await;
    let file = card.config_file.clone();
    let former = aside(move || {
        let old = read(&file)?;
        let new = edit(&old).map_err(mistakes)?;
        config::write(&file, new.as_bytes())?;
        Ok::<_, Problem>(old)
    });
    let former = former.await?;
    if let Err(problem) = accepted(office, &card.config_file).await {
        let file = card.config_file.clone();
        aside(move || config::write(&file, &former)).await?;
        office.desk.reload().await?;
        return Err(problem);
    }
    aside(move || shown(&read(&card.accepted)?)).await.map(axum::Json)
}

/// Has the agent read all configurations; an error if it does not take this one.
async fn accepted(office: &Shared, file: &Path) -> Answer<()> {
    let reloaded = office.desk.reload().await?;
    match reloaded.refused.into_iter().find(|(refused, _)| refused == file) {
        Some((_, why)) => Err(Problem::of_kind("usage", why, None)),
        None => Ok(()),
    }
}

fn read(file: &Path) -> Answer<zeroize::Zeroizing<Vec<u8>>> {
    Ok(config::load_with_text(file).map_err(Error::from)?.1)
}

fn shown(text: &[u8]) -> Answer<Value> {
    config::redacted(text).map_err(mistakes)
}

fn mistakes(problems: Problems) -> Problem {
    let mistake =
        |problem: config::Problem| Mistake { path: problem.path, text: problem.text, remedy: problem.remedy };
    Problem::of_document(problems.list.into_iter().map(mistake).collect())
}
