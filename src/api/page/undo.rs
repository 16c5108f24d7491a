//! Back to what the last restore replaced.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::Page;
use super::confirm::{self, Typed};
use super::frame::{self, Tab};
use super::visit::Visit;
use super::words::{short, shown};
use crate::agent::Wish;
use crate::api::extract::Form;
use crate::api::problem::Answer;

/// What an undo would do, as the command line says it.
#[derive(Deserialize)]
struct Preview {
    undoes: Timestamp,
    brought: Option<String>,
    kept: bool,
    files: Option<String>,
    #[serde(default)]
    databases: Vec<String>,
}

pub(super) async fn page(visit: Visit) -> Answer<Page> {
    let preview = look(&visit).await?;
    Ok(shown_to(&visit, &preview, None))
}

pub(super) async fn confirmed(visit: Visit, Form(typed): Form<Typed>) -> Answer<Response> {
    if !typed.is(&visit) {
        let preview = look(&visit).await?;
        let page = shown_to(&visit, &preview, Some(&typed.name));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    Ok(visit.begin(Wish::Undo).await?.into_response())
}

async fn look(visit: &Visit) -> Answer<Preview> {
    #[derive(Deserialize)]
    struct Said {
        undone: Undone,
    }
    #[derive(Deserialize)]
    struct Undone {
        preview: Preview,
    }
    let said: Said = visit.office.look_up(&visit.card.accepted, &["restore", "--undo", "--dry-run"]).await?;
    Ok(said.undone.preview)
}

fn shown_to(visit: &Visit, preview: &Preview, wrong: Option<&str>) -> Page {
    let content = html! {
        h1 { "Undo the last restore" }
        p.lead { "Back to how the site was before the restore of " strong { (visit.clock.at(preview.undoes)) } ", " (visit.clock.ago(preview.undoes)) "." }
        section.card { (what(visit, preview)) }
        section.card.danger-zone {
            h2 { "Do it" }
            p { "What is live now is kept too: an undo can itself be undone." }
            (confirm::form(visit, &visit.path("/undo"), "Undo the restore", wrong))
        }
    };
    frame::of_site(visit, Tab::Restore, "Undo the last restore", &content)
}

fn what(visit: &Visit, preview: &Preview) -> Markup {
    html! {
        dl {
            @if let Some(brought) = &preview.brought {
                dt { "That restore brought" } dd { a href=(visit.path(&format!("/snapshots/{brought}"))) { "snapshot " (short(brought)) } }
            }
            @if preview.kept {
                @if let Some(files) = &preview.files { dt { "Files" } dd { "those that were live before, from " code.break { (shown(files)) } } }
                @if !preview.databases.is_empty() { dt { "Databases" } dd { (shown(&preview.databases.join(", "))) ", as they were before" } }
            } @else {
                dt { "From" } dd { "the snapshot that the restore made first: what it had set aside is not there any more" }
            }
            dt { "Changes since" } dd { "What was changed on the site after the restore goes back with it; it is set aside, not destroyed." }
        }
    }
}
