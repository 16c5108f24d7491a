//! The snapshots of a site, the newest first; two of them can be chosen to be compared.

use jiff::civil::Date;
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{self, Tab};
use super::icons::{self, Mark};
use super::visit::Visit;
use super::words::{Clock, bytes, many, number, short, shown};
use super::{Page, overview};
use crate::access::Scope;
use crate::api::extract::Asked;
use crate::api::lookups::{Held, SnapshotView};
use crate::api::problem::Answer;
use crate::schedule::Pin;

/// On one page.
const MOST: usize = 200;

#[derive(Deserialize)]
pub(super) struct Filter {
    day: Option<String>,
    #[serde(default)]
    from: usize,
}

pub(super) async fn page(visit: Visit, Asked(filter): Asked<Filter>) -> Answer<Page> {
    let all = visit.office.recent_snapshots(&visit.card).await;
    let day = filter.day.as_deref().and_then(|day| day.parse::<Date>().ok());
    let content = html! {
        h1 { "Snapshots" @if let Some(day) = day { " of " (day.strftime("%A, %-d %B %Y")) } }
        @match &all {
            Err(problem) => (overview::unreadable(problem)),
            Ok(all) => {
                @let of_day: Vec<_> = all.iter().filter(|one| day.is_none_or(|day| visit.clock.day(one.time) == day)).collect();
                p.lead {
                    (many(of_day.len() as u64, "snapshot"))
                    @if day.is_some() { " of " (number(all.len() as u64)) ". " a href=(visit.path("/snapshots")) { "Show all" } }
                }
                @if of_day.is_empty() { p.hint { "There is none." } }
                @else { (list(&visit, &of_day, &filter)) }
            }
        }
    };
    Ok(frame::of_site(&visit, Tab::Snapshots, "Snapshots", &content))
}

fn list(visit: &Visit, all: &[&SnapshotView], filter: &Filter) -> Markup {
    let shown = &all[filter.from.min(all.len())..(filter.from + MOST).min(all.len())];
    let comparable = shown.len() > 1;
    html! {
        form action=(visit.path("/compare")) {
            @if comparable {
                p.bar { button type="submit" { "Compare the two chosen" } span.hint { "A is the older one, B the newer." } }
            }
            div.scroll.card.flush {
                table.snapshots {
                    thead {
                        tr {
                            @if comparable { th.pick { "A" } th.pick { "B" } }
                            th { "Time" } th { "State" } th.num.wide { "Files" } th.num.wide { "Size" } th.num.wide { "Added" } th.wide { "Comment" } th { span.unseen { "Actions" } }
                        }
                    }
                    tbody {
                        @for (at, snapshot) in shown.iter().enumerate() {
                            (row(visit, snapshot, comparable, at))
                        }
                    }
                }
            }
        }
        (pages(visit, all.len(), filter))
    }
}

fn row(visit: &Visit, snapshot: &SnapshotView, comparable: bool, at: usize) -> Markup {
    let time = visit.clock.minute(snapshot.time);
    let path = visit.path(&format!("/snapshots/{}", snapshot.id));
    html! {
        tr {
            @if comparable {
                td.pick { input type="radio" name="old" value=(snapshot.id) checked[at == 1] aria-label=(format!("A: the older one is that of {time}")); }
                td.pick { input type="radio" name="new" value=(snapshot.id) checked[at == 0] aria-label=(format!("B: the newer one is that of {time}")); }
            }
            th scope="row" { a href=(path) { (visit.clock.at(snapshot.time)) } " " span.muted.wide { (visit.clock.ago(snapshot.time)) } }
            td { (state(snapshot, &visit.clock)) span.narrow.comment { (comment(snapshot)) } }
            td.num.wide { @if let Some(stats) = snapshot.stats { (number(stats.files)) } }
            td.num.wide { @if let Some(stats) = snapshot.stats { (bytes(stats.bytes)) } }
            td.num.wide { @if let Some(stats) = snapshot.stats { (bytes(stats.bytes_stored)) } }
            td.comment.wide { (comment(snapshot)) }
            td.acts {
                a href=(format!("{path}/browse")) { "Browse" span.unseen { " the snapshot of " (time) } }
                @if visit.may(Scope::Restore) {
                    " " a href=(visit.path(&format!("/restore?at={}", snapshot.id))) { "Restore…" span.unseen { " the snapshot of " (time) } }
                }
            }
        }
    }
}

/// What is known of it, in marks with words.
pub(super) fn state(snapshot: &SnapshotView, clock: &Clock) -> Markup {
    let verdict = snapshot.drill.as_ref().map(|drill| drill.verdict.as_str());
    let (mark, text) = match (snapshot.complete, verdict) {
        (false, _) => (Mark::Attention, "incomplete"),
        (_, Some("proven")) => (Mark::Good, "proven"),
        (_, Some("failed")) => (Mark::Bad, "failed its drill"),
        (_, Some(_)) => (Mark::Good, "proven in part"),
        (true, None) => (Mark::Plain, "complete"),
    };
    html! {
        span class=(format!("badge small {}", mark.class())) { (mark.icon()) (text) }
        @if let Some(held) = snapshot.pin { (pinned(held, clock)) }
    }
}

fn pinned(held: Held, clock: &Clock) -> Markup {
    html! {
        @match held.until {
            None => { " " span.badge.small.plain { (icons::pin()) "pinned" } },
            Some(end) if end > clock.now => { " " span.badge.small.plain title=(format!("until {}", clock.minute(end))) { (icons::pin()) "pinned" } },
            Some(_) => {}
        }
    }
}

/// What a person said of it, and its tags.
pub(super) fn comment(snapshot: &SnapshotView) -> Markup {
    let ours = ["complete", "incomplete", "scheduled", "manual", "requested"];
    let tags = snapshot.tags.iter().filter(|tag| !ours.contains(&tag.as_str()) && !Pin::is_ours(tag));
    html! {
        @if let Some(text) = &snapshot.comment { (shown(text)) " " }
        @for tag in tags { span.tag { (shown(tag)) } " " }
    }
}

fn pages(visit: &Visit, count: usize, filter: &Filter) -> Markup {
    let day =
        filter.day.as_deref().map(|day| format!("&day={}", super::visit::encoded(day))).unwrap_or_default();
    let link = |from: usize| visit.path(&format!("/snapshots?from={from}{day}"));
    html! {
        @if count > MOST {
            nav.pages aria-label="More snapshots" {
                @if filter.from > 0 { a href=(link(filter.from.saturating_sub(MOST))) { "Newer ones" } }
                @if filter.from + MOST < count { a href=(link(filter.from + MOST)) { "Older ones" } }
            }
        }
    }
}

/// `2026-11-26 03:00 · 1a2b3c4d`.
pub(super) fn name(snapshot: &SnapshotView, clock: &Clock) -> String {
    format!("{} · {}", clock.minute(snapshot.time), short(&snapshot.id))
}
