//! One snapshot: what it holds, what is known of it, and what can be done with it.

use maud::{Markup, html};

use super::Page;
use super::frame::{self, Tab};
use super::icons;
use super::snapshots::{comment, state};
use super::visit::{Visit, encoded};
use super::words::{bytes, many, number, short, shown};
use crate::access::Scope;
use crate::api::extract::Named;
use crate::api::lookups::SnapshotView;
use crate::api::problem::{Answer, Problem};

/// Where the dumps of databases lie in each snapshot.
const DUMPS: &str = "/@lifeboat/db";

pub(super) async fn page(visit: Visit, Named((_, id)): Named<(String, String)>) -> Answer<Page> {
    let all = visit.office.recent_snapshots(&visit.card).await?;
    let at = place(&all, &id)?;
    let snapshot = &all[at];
    let before = all.get(at + 1);
    // One without databases has no such directory.
    let dumps = visit.office.files(&visit.card, &snapshot.id, DUMPS).await.unwrap_or_default();
    let databases: Vec<&str> = dumps
        .iter()
        .filter(|entry| entry.kind == "dir")
        .filter_map(|entry| entry.path.rsplit('/').next())
        .collect();
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
            section.card { h2 { "Databases" } (dumped(&visit, snapshot, &databases)) }
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

fn dumped(visit: &Visit, snapshot: &SnapshotView, databases: &[&str]) -> Markup {
    html! {
        @if databases.is_empty() {
            p.hint { "There is no database in it." }
        } @else {
            ul.plain {
                @for name in databases {
                    li {
                        (shown(name)) " "
                        @if visit.may(Scope::Restore) {
                            a.get href=(visit.answer(&format!("/snapshots/{}/sql?database={}", snapshot.id, encoded(name)))) download { (icons::download()) "Download as SQL" }
                        }
                    }
                }
            }
            @if !visit.may(Scope::Restore) { (frame::only_looks(visit, Scope::Restore)) }
        }
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
