//! What differs between two snapshots.

use maud::{Markup, html};
use serde::Deserialize;

use super::Page;
use super::frame::{self, Tab};
use super::snapshot::place;
use super::snapshots::name;
use super::visit::Visit;
use super::words::{bytes, number, shown};
use crate::api::extract::Asked;
use crate::api::lookups::{Change, Differences};
use crate::api::problem::{Answer, Problem};

#[derive(Deserialize)]
pub(super) struct Two {
    old: Option<String>,
    new: Option<String>,
}

pub(super) async fn page(visit: Visit, Asked(two): Asked<Two>) -> Answer<Page> {
    let all = visit.office.recent_snapshots(&visit.card).await?;
    let (Some(old), Some(new)) = (two.old, two.new) else {
        return Err(Problem::of_kind(
            "usage",
            "two snapshots are needed",
            Some("choose them from the list".to_owned()),
        ));
    };
    let (old, new) = (&all[place(&all, &old)?], &all[place(&all, &new)?]);
    if old.id == new.id {
        return Err(Problem::of_kind(
            "usage",
            "a snapshot does not differ from itself",
            Some("choose two from the list".to_owned()),
        ));
    }
    // People choose in whatever order.
    let (old, new) = if old.time <= new.time { (old, new) } else { (new, old) };
    let found = visit.office.differences(&visit.card, &old.id, &new.id).await?;
    let content = html! {
        p.trail { a href=(visit.path("/snapshots")) { "Snapshots" } }
        h1 { "What changed" }
        p.lead {
            "From " a href=(visit.path(&format!("/snapshots/{}", old.id))) { (name(old, &visit.clock)) }
            " to " a href=(visit.path(&format!("/snapshots/{}", new.id))) { (name(new, &visit.clock)) }
        }
        (counts(&found))
        (changes(&found.changes))
        @let more = (found.added + found.removed + found.changed + found.metadata).saturating_sub(found.changes.len() as u64);
        @if more > 0 { p.hint { "And " (number(more)) " more." } }
    };
    Ok(frame::of_site(&visit, Tab::Snapshots, "What changed", &content))
}

pub(super) fn counts(found: &Differences) -> Markup {
    let entry = |count: u64, text: &str| html! { li { strong { (number(count)) } " " (text) } };
    html! {
        ul.counts {
            (entry(found.added, "added")) (entry(found.changed, "changed")) (entry(found.removed, "removed"))
            (entry(found.metadata, "with other attributes")) (entry(found.unchanged, "unchanged"))
            li { strong { (bytes(found.bytes)) } " of new content" }
        }
    }
}

fn changes(all: &[Change]) -> Markup {
    html! {
        @if all.is_empty() { p.hint { "Nothing differs." } }
        @else {
            div.scroll.card.flush {
                table.changes {
                    thead { tr { th { "Change" } th { "Path" } } }
                    tbody { @for change in all { tr { td { (word(&change.kind)) } td.path { (shown(&change.path)) } } } }
                }
            }
        }
    }
}

/// What happened to a path, as a sign and a word.
pub(super) fn word(kind: &str) -> Markup {
    let (sign, text) = match kind {
        "added" => ("+", "added"),
        "removed" => ("−", "removed"),
        "changed" => ("≠", "changed"),
        _ => ("·", "attributes"),
    };
    html! { span class=(format!("change {text}")) { span.sign aria-hidden="true" { (sign) } " " (text) } }
}
