//! A file across all snapshots.

use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{self, Tab};
use super::refusal::unknown;
use super::visit::{Visit, encoded};
use super::words::{bytes, many, shown};
use super::{Page, browse, icons};
use crate::access::Scope;
use crate::api::extract::Asked;
use crate::api::lookups::{Found, FoundPath};
use crate::api::problem::Answer;

/// Paths that are shown.
const MOST: u32 = 100;

/// Versions of a path that are shown at once.
const VERSIONS: usize = 20;

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    q: String,
}

pub(super) async fn page(visit: Visit, Asked(wanted): Asked<Wanted>) -> Answer<Page> {
    let pattern = wanted.q.trim().to_owned();
    let found =
        if pattern.is_empty() { None } else { Some(visit.office.find(&visit.card, &pattern, MOST).await) };
    let content = html! {
        h1 { "Find a file" }
        form.wide-search role="search" aria-label="All snapshots" action=(visit.path("/search")) {
            label for="q" { "A part of its name, or a pattern with * and ?" }
            div.bar {
                input #q type="search" name="q" value=(pattern) maxlength="200" autocomplete="off" autofocus[pattern.is_empty()];
                button.primary type="submit" { "Search all snapshots" }
            }
        }
        @match &found {
            None => {}
            Some(Err(problem)) => (unknown("The search did not work.", problem)),
            Some(Ok(found)) => (results(&visit, found)),
        }
    };
    Ok(frame::of_site(&visit, Tab::Snapshots, "Find a file", &content))
}

fn results(visit: &Visit, found: &Found) -> Markup {
    html! {
        p.lead role="status" {
            @if found.paths.is_empty() { "Nothing of this name" }
            @else { (many(found.paths.len() as u64, "path")) @if found.left_out > 0 { " and " (found.left_out) " more" } }
            " in " (many(found.snapshots, "snapshot")) "."
        }
        @if found.left_out > 0 { p.hint { "Only the first ones are shown: say more of the name." } }
        @if !found.paths.is_empty() {
            div.card.flush.results { @for path in &found.paths { (one(visit, path)) } }
        }
        @if !visit.may(Scope::Restore) { (frame::only_looks(visit, Scope::Restore)) }
    }
}

fn one(visit: &Visit, found: &FoundPath) -> Markup {
    let (directory, name) = found.path.rsplit_once('/').unwrap_or(("", &found.path));
    html! {
        article.found {
            h2 { (icons::file(found.versions.first().map_or("file", |version| &version.kind))) span.path { span.muted { (shown(directory)) "/" } (shown(name)) } }
            @if !found.in_newest { p { span.badge.small.attention { (icons::Mark::Attention.icon()) "not in the newest snapshot" } } }
            ul.plain.versions {
                @for version in found.versions.iter().take(VERSIONS) {
                    li {
                        a href=(visit.path(&format!("/snapshots/{}/browse?path={}", version.snapshot, encoded(if directory.is_empty() { "/" } else { directory })))) { (visit.clock.at(version.time)) }
                        @if version.kind == "file" { " · " (bytes(version.size)) }
                        @if let Some(at) = version.mtime { span.muted { " · changed " (visit.clock.at(at)) } }
                        @if visit.may(Scope::Restore) && version.kind == "file" { " " (browse::get(visit, &version.snapshot, &found.path, &shown(name))) }
                    }
                }
                @if found.versions.len() > VERSIONS { li.muted { "and " (found.versions.len() - VERSIONS) " older ones" } }
            }
        }
    }
}
