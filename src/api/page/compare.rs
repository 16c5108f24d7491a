//! What differs between two snapshots.

use maud::{Markup, html};
use serde::Deserialize;

use super::Page;
use super::frame::{self, Tab};
use super::snapshot::place;
use super::snapshots::name;
use super::visit::{Visit, encoded};
use super::words::{bytes, many, number, shown};
use crate::api::extract::Asked;
use crate::api::lookups::{Change, Differences};
use crate::api::problem::{Answer, Problem};

/// Below it lie the dumps, in each snapshot.
const OURS: &str = "@lifeboat";

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
        (counts(&found, ["added", "changed", "removed"]))
        (changes(&visit, &found.changes, &old.id, &new.id))
        @let more = (found.added + found.removed + found.changed + found.metadata).saturating_sub(found.changes.len() as u64);
        @if more > 0 { p.hint { "And " (number(more)) " more." } }
    };
    Ok(frame::of_site(&visit, Tab::Snapshots, "What changed", &content))
}

/// In the caller's words for what was added, changed and removed.
pub(super) fn counts(found: &Differences, words: [&str; 3]) -> Markup {
    let entry = |count: u64, text: &str| html! { li { strong { (number(count)) } " " (text) } };
    html! {
        ul.counts {
            (entry(found.added, words[0])) (entry(found.changed, words[1])) (entry(found.removed, words[2]))
            (entry(found.metadata, "with other attributes")) (entry(found.unchanged, "unchanged"))
            li { strong { (bytes(found.bytes)) } " of new content" }
        }
    }
}

/// Content first; the parts of dumps are files of ours, whose number says enough.
fn changes(visit: &Visit, all: &[Change], old: &str, new: &str) -> Markup {
    let (dumps, files): (Vec<_>, Vec<_>) =
        all.iter().partition(|change| change.path.trim_start_matches('/').starts_with(OURS));
    let (attributes, content): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|change| change.kind == "metadata");
    let dumps = dumps.iter().filter(|change| change.kind != "metadata").count() as u64;
    html! {
        @if dumps > 0 { p.muted { "Among them " (many(dumps, "part")) " of the databases' dumps and their lists." } }
        @if content.is_empty() { p.hint { "No file has another content." } }
        @else { (table(visit, &content, old, new)) }
        @if !attributes.is_empty() {
            details {
                summary { (many(attributes.len() as u64, "file")) " with other attributes: owner, mode or time" }
                (table(visit, &attributes, old, new))
            }
        }
    }
}

fn table(visit: &Visit, changes: &[&Change], old: &str, new: &str) -> Markup {
    html! {
        div.scroll.card.flush {
            table.changes {
                thead { tr { th { "Change" } th { "Path" } } }
                tbody {
                    @for change in changes {
                        @let path = format!("/{}", change.path.trim_start_matches('/'));
                        @let directory = path.rsplit_once('/').map_or("/", |(directory, _)| if directory.is_empty() { "/" } else { directory });
                        @let snapshot = if change.kind == "removed" { old } else { new };
                        tr {
                            td { (word(&change.kind, ["added", "changed", "removed"])) }
                            td.path { a href=(visit.path(&format!("/snapshots/{snapshot}/browse?path={}", encoded(directory)))) { (shown(&path)) } }
                        }
                    }
                }
            }
        }
    }
}

/// What happened to a path, as a sign and a word.
pub(super) fn word(kind: &str, words: [&str; 3]) -> Markup {
    let (sign, class, text) = match kind {
        "added" => ("+", "added", words[0]),
        "changed" => ("≠", "changed", words[1]),
        "removed" => ("−", "removed", words[2]),
        _ => ("·", "attributes", "attributes"),
    };
    html! { span class=(format!("change {class}")) { span.sign aria-hidden="true" { (sign) } " " (text) } }
}
