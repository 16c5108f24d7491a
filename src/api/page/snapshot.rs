//! One snapshot: what it holds, what is known of it, and what can be done with it.

use maud::{Markup, html};
use serde::Deserialize;

use super::Page;
use super::frame::{self, Tab};
use super::icons;
use super::refusal::unknown;
use super::snapshots::{comment, state};
use super::visit::{Visit, encoded};
use super::words::{bytes, many, number, short, shown};
use crate::access::Scope;
use crate::api::extract::Named;
use crate::api::lookups::SnapshotView;
use crate::api::problem::{Answer, Problem};
use crate::error::Error;

/// What each snapshot says of itself.
const MANIFEST: &str = "/@lifeboat/manifest.json";

/// Longer is no manifest, in bytes.
const LONGEST: usize = 4 << 20;

/// A database in a snapshot.
#[derive(Deserialize)]
struct Dump {
    engine: String,
    /// Its name, or the path of its file.
    database: String,
    tables: u64,
    rows: u64,
    bytes: u64,
    #[serde(default)]
    unsaved: Vec<serde::de::IgnoredAny>,
}

pub(super) async fn page(visit: Visit, Named((_, id)): Named<(String, String)>) -> Answer<Page> {
    let all = visit.office.recent_snapshots(&visit.card).await?;
    let at = place(&all, &id)?;
    let snapshot = &all[at];
    let before = all.get(at + 1);
    let dumps = dumps(&visit, &snapshot.id).await;
    let path = visit.path(&format!("/snapshots/{}", snapshot.id));
    let content = html! {
        p.trail { a href=(visit.path("/snapshots")) { "Snapshots" } }
        h1 { "Snapshot of " (visit.clock.at(snapshot.time)) }
        p { (state(snapshot, &visit.clock)) " " (comment(snapshot)) }
        p.bar {
            a.button.primary href=(format!("{path}/browse")) { "Browse files" }
            @if visit.may(Scope::Restore) { a.button href=(visit.path(&format!("/restore?at={}", snapshot.id))) { "Restore…" } }
            @if let Some(before) = before { a.button href=(visit.path(&format!("/compare?old={}&new={}", before.id, snapshot.id))) { "Compare with the one before" } }
        }
        div.columns {
            section.card { h2 { "What is in it" } (facts(&visit, snapshot)) }
            section.card {
                h2 { "Databases" }
                @match &dumps { Ok(dumps) => (dumped(&visit, snapshot, dumps)), Err(problem) => (unknown("What databases it holds is not known.", problem)) }
            }
        }
        (acts(&visit, snapshot))
    };
    Ok(frame::of_site(&visit, Tab::Snapshots, &format!("Snapshot {}", short(&snapshot.id)), &content))
}

/// By its id or the beginning of it.
pub(super) fn place(all: &[SnapshotView], id: &str) -> Answer<usize> {
    let mut found = all.iter().enumerate().filter(|(_, one)| id.len() >= 6 && one.id.starts_with(id));
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Ok(at),
        _ => Err(Problem::not_found("there is no such snapshot any more")
            .with_remedy("its id changes when it is pinned: choose it from the list")),
    }
}

fn facts(visit: &Visit, snapshot: &SnapshotView) -> Markup {
    html! {
        dl {
            dt { "Moment" } dd { (visit.clock.full(snapshot.time)) }
            @if let Some(stats) = snapshot.stats {
                dt { "Holds" } dd { (many(stats.files, "file")) ", " (bytes(stats.bytes)) }
                dt { "Since the one before" } dd { (number(stats.files_new)) " new, " (number(stats.files_changed)) " changed" }
                dt { "New data" } dd { (bytes(stats.bytes_added)) ", compressed " (bytes(stats.bytes_stored)) }
            }
            @if let Some(drill) = &snapshot.drill {
                dt { "Drill" }
                dd {
                    (match drill.verdict.as_str() { "proven" => "proven to come back whole", "failed" => "did not come back as it should", _ => "a part of it came back" })
                    " " (visit.clock.ago(drill.at))
                }
            }
            @if let Some(held) = snapshot.pin {
                dt { "Pinned" } dd { @match held.until { None => "for good", Some(end) => { "until " (visit.clock.at(end)) } } }
            }
            dt { "Id" } dd { code.break { (shown(&snapshot.id)) } }
        }
    }
}

async fn dumps(visit: &Visit, snapshot: &str) -> Answer<Vec<Dump>> {
    #[derive(Deserialize)]
    struct Manifest {
        databases: Vec<Dump>,
    }
    let body = visit.office.content(&visit.card, snapshot, MANIFEST).await?;
    let odd = |_| Problem::from(Error::failed("what the snapshot says of itself cannot be read"));
    let text = axum::body::to_bytes(body, LONGEST).await.map_err(odd)?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|_| Error::failed("what the snapshot says of itself is no manifest"))?;
    Ok(manifest.databases)
}

fn dumped(visit: &Visit, snapshot: &SnapshotView, dumps: &[Dump]) -> Markup {
    html! {
        @if dumps.is_empty() {
            p.hint { "There is no database in it." }
        } @else {
            ul.plain {
                @for dump in dumps {
                    li {
                        strong.break { (shown(&dump.database)) } " "
                        span.muted { (engine(&dump.engine)) @if dump.tables > 0 { ", " (many(dump.tables, "table")) } @if dump.rows > 0 { ", " (many(dump.rows, "row")) } ", " (bytes(dump.bytes)) }
                        @if !dump.unsaved.is_empty() { " " span.badge.small.attention { (icons::Mark::Attention.icon()) (many(dump.unsaved.len() as u64, "thing")) " missing" } }
                        @if visit.may(Scope::Restore) && is_sql(&dump.engine) {
                            br;
                            a.get href=(visit.answer(&format!("/snapshots/{}/sql?database={}", snapshot.id, encoded(&dump.database)))) download { (icons::download()) "Download as SQL" span.unseen { " " (shown(&dump.database)) } }
                        }
                    }
                }
            }
            @if !visit.may(Scope::Restore) { (frame::only_looks(visit, Scope::Restore)) }
        }
    }
}

/// The dumps that can be had as SQL.
fn is_sql(engine: &str) -> bool {
    matches!(engine, "mysql" | "postgresql")
}

fn engine(name: &str) -> String {
    match name {
        "mysql" => "MySQL or MariaDB".to_owned(),
        "postgresql" => "PostgreSQL".to_owned(),
        "sqlite" => "SQLite".to_owned(),
        other => shown(other),
    }
}

fn acts(visit: &Visit, snapshot: &SnapshotView) -> Markup {
    let path = visit.path(&format!("/snapshots/{}", snapshot.id));
    html! {
        @if visit.may(Scope::Backup) {
            section.card {
                h2 { "Prove or keep it" }
                div.forms {
                    form method="post" action=(visit.path("/drill")) {
                        (visit.csrf())
                        input type="hidden" name="at" value=(snapshot.id);
                        p { "A drill brings it back beside the site and compares every byte." }
                        button type="submit" { "Run a drill with it" }
                    }
                    form method="post" action=(format!("{path}/pin")) {
                        (visit.csrf())
                        label for="for" { "A pin holds it back from every rule. For how long?" }
                        input #for name="duration" placeholder="30d, 6m, 1y; empty: for good" pattern="[0-9ymdh ]*" autocomplete="off" maxlength="20";
                        button type="submit" { "Pin it" }
                    }
                    @if snapshot.pin.is_some() && visit.may(Scope::Admin) {
                        form method="post" action=(format!("{path}/unpin")) {
                            (visit.csrf())
                            p { "Without the pin the retention rules decide." }
                            button type="submit" { "Remove the pin" }
                        }
                    }
                }
            }
        }
    }
}
