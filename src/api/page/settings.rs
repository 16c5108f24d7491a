//! The configuration as it is in force, without its secrets. It is changed in its file, or by the API.

use maud::{Markup, html};
use serde_json::Value;

use super::Page;
use super::frame::{self, Tab};
use super::refusal::unknown;
use super::visit::Visit;
use super::words::shown;
use crate::api::problem::Answer;

/// Deeper than any configuration.
const DEEPEST: usize = 12;

/// As in the example; what it does not name comes behind.
const ORDER: [&str; 6] = ["site", "databases", "storage", "repository", "schedule", "retention"];

pub(super) async fn page(visit: Visit) -> Answer<Page> {
    let config = redacted(&visit).await;
    let content = html! {
        h1 { "Settings" }
        p.lead { "The configuration as the agent goes by it. Secrets are left out." }
        p.hint { "It is changed in " code { (shown(&visit.card.config_file.display().to_string())) } "; " code { "lifeboat config check" } " says whether it would be accepted." }
        @match &config {
            Ok(config) => (sections(config)),
            Err(problem) => (unknown("The configuration cannot be shown.", problem)),
        }
    };
    Ok(frame::of_site(&visit, Tab::Settings, "Settings", &content))
}

/// As the command line shows it.
async fn redacted(visit: &Visit) -> Answer<Value> {
    visit.office.look_up(&visit.card.accepted, &["config", "show"]).await
}

fn sections(config: &Value) -> Markup {
    let Some(all) = config.as_object() else { return value(config, 0) };
    let (single, mut whole): (Vec<_>, Vec<_>) = all
        .iter()
        .filter(|(_, part)| !part.is_null())
        .partition(|(_, part)| !part.is_object() && !part.is_array());
    whole.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()));
    html! {
        div.settings {
            @for (name, part) in whole { section.card { h2 { (shown(name)) } (value(part, 0)) } }
            @if !single.is_empty() {
                section.card {
                    h2 { "more" }
                    dl { @for (name, part) in single { dt { (shown(name)) } dd { (value(part, 0)) } } }
                }
            }
        }
    }
}

fn value(part: &Value, depth: usize) -> Markup {
    if depth > DEEPEST {
        return html! { "…" };
    }
    match part {
        Value::Null => html! { span.muted { "not set" } },
        Value::Bool(true) => html! { "yes" },
        Value::Bool(false) => html! { "no" },
        Value::Number(number) => html! { (number) },
        Value::String(text) => html! { span.break { (shown(text)) } },
        Value::Array(all) if all.is_empty() => html! { span.muted { "none" } },
        Value::Array(all) => html! { ul.values { @for one in all { li { (value(one, depth + 1)) } } } },
        Value::Object(all) => html! {
            dl { @for (name, one) in all.iter().filter(|(_, one)| !one.is_null()) { dt { (shown(name)) } dd { (value(one, depth + 1)) } } }
        },
    }
}
