//! A directory of a snapshot.

use maud::{Markup, html};
use serde::Deserialize;

use super::Page;
use super::frame::{self, Tab};
use super::icons;
use super::snapshot::place;
use super::visit::{Visit, encoded};
use super::words::{bytes, many, short, shown};
use crate::access::Scope;
use crate::api::extract::{Asked, Named};
use crate::api::lookups::{FileEntry, SnapshotView};
use crate::api::problem::Answer;

/// Entries on one page.
const MOST: usize = 1000;

#[derive(Deserialize)]
pub(super) struct Directory {
    path: Option<String>,
    #[serde(default)]
    from: usize,
}

pub(super) async fn page(
    visit: Visit,
    Named((_, id)): Named<(String, String)>,
    Asked(of): Asked<Directory>,
) -> Answer<Page> {
    let all = visit.office.recent_snapshots(&visit.card).await?;
    let snapshot = &all[place(&all, &id)?];
    let path = of.path.clone().unwrap_or_else(|| home(&visit));
    let mut entries = visit.office.files(&visit.card, &snapshot.id, &path).await?;
    entries.sort_by(|one, other| (one.kind != "dir", &one.path).cmp(&(other.kind != "dir", &other.path)));
    let part = &entries[of.from.min(entries.len())..(of.from + MOST).min(entries.len())];
    let directories = entries.iter().filter(|entry| entry.kind == "dir").count() as u64;
    let size: u64 = entries.iter().filter(|entry| entry.kind == "file").map(|entry| entry.size).sum();
    let content = html! {
        p.trail {
            a href=(visit.path("/snapshots")) { "Snapshots" } " › "
            a href=(visit.path(&format!("/snapshots/{}", snapshot.id))) { (visit.clock.at(snapshot.time)) }
        }
        h1 { "Browse" }
        (crumbs(&visit, snapshot, &path))
        p.muted { (many(directories, "directory")) ", " (many(entries.len() as u64 - directories, "other entry")) ", " (bytes(size)) }
        @if entries.is_empty() { p.hint { "It is empty." } }
        @else { (listing(&visit, snapshot, part)) }
        (more(&visit, snapshot, &path, of.from, entries.len()))
        @if !visit.may(Scope::Restore) { (frame::only_looks(&visit, Scope::Restore)) }
    };
    Ok(frame::of_site(&visit, Tab::Snapshots, &format!("Browse {}", short(&snapshot.id)), &content))
}

/// The site itself.
fn home(visit: &Visit) -> String {
    let root = visit.config.as_ref().map(|config| config.site.root.display().to_string());
    root.ok().filter(|root| root.starts_with('/')).unwrap_or_else(|| "/".to_owned())
}

fn address(visit: &Visit, snapshot: &SnapshotView, path: &str) -> String {
    visit.path(&format!("/snapshots/{}/browse?path={}", snapshot.id, encoded(path)))
}

fn crumbs(visit: &Visit, snapshot: &SnapshotView, path: &str) -> Markup {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    html! {
        nav.crumbs aria-label="Directories above" {
            ol {
                li { a href=(address(visit, snapshot, "/")) aria-label="The snapshot's top" { "/" } }
                @for (at, name) in parts.iter().enumerate() {
                    li {
                        @if at + 1 == parts.len() { span aria-current="page" { (shown(name)) } }
                        @else { a href=(address(visit, snapshot, &format!("/{}", parts[..=at].join("/")))) { (shown(name)) } }
                    }
                }
            }
        }
    }
}

fn listing(visit: &Visit, snapshot: &SnapshotView, entries: &[FileEntry]) -> Markup {
    html! {
        div.scroll.card.flush {
            table.files {
                thead { tr { th { "Name" } th.num { "Size" } th { "Changed" } th.wide { "Mode" } th.wide { "Owner" } @if visit.may(Scope::Restore) { th { span.unseen { "Download" } } } } }
                tbody { @for entry in entries { (row(visit, snapshot, entry)) } }
            }
        }
    }
}

fn row(visit: &Visit, snapshot: &SnapshotView, entry: &FileEntry) -> Markup {
    let name = shown(entry.path.rsplit('/').next().unwrap_or(&entry.path));
    html! {
        tr {
            th scope="row" {
                (icons::file(&entry.kind))
                @if entry.kind == "dir" && has_address(&entry.path) { a href=(address(visit, snapshot, &entry.path)) { (name) "/" } }
                @else { (name) @if entry.kind == "dir" { "/" } @if entry.kind == "symlink" { span.muted { " (link)" } } }
            }
            td.num { @if entry.kind == "file" { (bytes(entry.size)) } }
            td { @if let Some(at) = entry.mtime { (visit.clock.at(at)) } }
            td.wide { code { (shown(&entry.mode)) } }
            td.wide { (shown(&entry.owner)) }
            @if visit.may(Scope::Restore) {
                td.acts { @if entry.kind == "file" { (get(visit, &snapshot.id, &entry.path, &name)) } }
            }
        }
    }
}

/// What is no UTF-8 in a name was replaced before it came here.
fn has_address(path: &str) -> bool {
    !path.contains(char::REPLACEMENT_CHARACTER)
}

/// The way to a file's bytes.
pub(super) fn get(visit: &Visit, snapshot: &str, path: &str, name: &str) -> Markup {
    if !has_address(path) {
        return html! { span.muted title="Its name is no UTF-8: a restore brings it back" { "by a restore" } };
    }
    html! {
        a.get href=(visit.answer(&format!("/snapshots/{snapshot}/content?path={}", encoded(path)))) download title="Download" {
            (icons::download()) span.unseen { "Download " (name) }
        }
    }
}

fn more(visit: &Visit, snapshot: &SnapshotView, path: &str, from: usize, count: usize) -> Markup {
    let link = |from: usize| format!("{}&from={from}", address(visit, snapshot, path));
    html! {
        @if count > MOST {
            nav.pages aria-label="More entries" {
                @if from > 0 { a href=(link(from.saturating_sub(MOST))) { "Before" } }
                @if from + MOST < count { a href=(link(from + MOST)) { "More" } }
            }
        }
    }
}
