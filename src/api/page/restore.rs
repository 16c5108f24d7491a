//! The first half of a restore: which moment, and what of it. The answer is a plan, and nothing is changed.

use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{self, Tab};
use super::snapshots::state;
use super::visit::Visit;
use super::words::bytes;
use super::{Page, overview};
use crate::api::extract::{Asked, Form};
use crate::api::lookups::{Only, PlanWish, SnapshotView};
use crate::api::problem::{Answer, Problem};

/// Snapshots that are offered; older ones are asked for by their time.
const OFFERED: usize = 12;

#[derive(Deserialize)]
pub(super) struct Chosen {
    at: Option<String>,
}

pub(super) async fn page(visit: Visit, Asked(chosen): Asked<Chosen>) -> Answer<Page> {
    let all = visit.office.recent_snapshots(&visit.card).await;
    let offered = all.as_ref().map(|all| offered(all, chosen.at.as_deref()));
    let content = html! {
        h1 { "Restore" }
        p.lead { "Choose a moment. You see what would change before anything does, and everything can be undone." }
        form.restore method="post" action=(visit.path("/restore")) data-busy="Computing what a restore would do…" {
            (visit.csrf())
            fieldset.card {
                legend { "Which moment?" }
                @match &offered {
                    Ok(offered) => (moments(&visit, offered, chosen.at.as_deref())),
                    Err(problem) => (overview::unreadable(problem)),
                }
                div.field {
                    label for="time" { "Or another one: the newest complete snapshot at or before" }
                    input #time name="time" placeholder="2026-11-20 03:00, yesterday 03:00, 2 hours ago" maxlength="60" autocomplete="off";
                }
            }
            fieldset.card {
                legend { "What of it?" }
                ul.choices {
                    (part("everything", "Everything", "files and databases", true))
                    (part("files", "Files only", "databases stay as they are", false))
                    (part("databases", "Databases only", "files stay as they are", false))
                }
                div.field {
                    label for="include" { "Only these files " span.muted { "(optional; patterns as in a .gitignore, one on each line)" } }
                    textarea #include name="include" rows="2" placeholder="/wp-content/uploads/" spellcheck="false" {}
                }
            }
            p.bar {
                button.primary type="submit" { "Show what would change" }
                span.hint { "This may take a while for a large site. Nothing is changed yet." }
            }
        }
    };
    Ok(frame::of_site(&visit, Tab::Restore, "Restore", &content))
}

/// The newest ones, and the one that was chosen elsewhere.
fn offered<'a>(all: &'a [SnapshotView], chosen: Option<&str>) -> Vec<&'a SnapshotView> {
    let is_chosen = |one: &SnapshotView| chosen.is_some_and(|id| one.id == id);
    all.iter().enumerate().filter(|(at, one)| *at < OFFERED || is_chosen(one)).map(|(_, one)| one).collect()
}

fn moments(visit: &Visit, offered: &[&SnapshotView], chosen: Option<&str>) -> Markup {
    // What is incomplete is offered, and never proposed.
    let first = chosen.or_else(|| offered.iter().find(|one| one.complete).map(|one| one.id.as_str()));
    html! {
        @if offered.is_empty() { p.hint { "There is no snapshot yet." } }
        ul.choices.moments {
            @for snapshot in offered {
                li {
                    label {
                        input type="radio" name="at" value=(snapshot.id) checked[first == Some(snapshot.id.as_str())];
                        span.choice {
                            strong { (visit.clock.at(snapshot.time)) } " " span.muted { (visit.clock.ago(snapshot.time)) }
                            " " (state(snapshot, &visit.clock)) " " span.muted { (super::snapshots::comment(snapshot)) @if let Some(stats) = snapshot.stats { " " (bytes(stats.bytes)) } }
                        }
                    }
                }
            }
        }
    }
}

fn part(value: &str, name: &str, hint: &str, checked: bool) -> Markup {
    html! {
        li { label { input type="radio" name="part" value=(value) checked[checked]; span.choice { strong { (name) } " " span.muted { (hint) } } } }
    }
}

#[derive(Deserialize)]
pub(super) struct Asking {
    #[serde(default)]
    at: String,
    #[serde(default)]
    time: String,
    #[serde(default)]
    part: String,
    #[serde(default)]
    include: String,
}

pub(super) async fn make_plan(visit: Visit, Form(asking): Form<Asking>) -> Answer<Redirect> {
    let wish = wish(&asking)?;
    let plan = visit.office.plan(&visit.card, &wish).await?;
    let id = visit.office.plans.keep(&visit.card, plan);
    Ok(visit.go(&format!("/plans/{id}")))
}

fn wish(asking: &Asking) -> Answer<PlanWish> {
    let time = asking.time.trim();
    let at = if time.is_empty() { asking.at.trim() } else { time };
    if at.is_empty() {
        return Err(Problem::of_kind(
            "usage",
            "no moment was chosen",
            Some("choose a snapshot, or write a time".to_owned()),
        ));
    }
    let only = match asking.part.as_str() {
        "files" => Some(Only::Files),
        "databases" => Some(Only::Databases),
        _ => None,
    };
    let include: Vec<String> =
        asking.include.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if !include.is_empty() && only == Some(Only::Databases) {
        return Err(Problem::of_kind(
            "usage",
            "databases have no files",
            Some("leave the patterns out, or choose files".to_owned()),
        ));
    }
    Ok(PlanWish { at: at.to_owned(), only, include })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_counts_more_than_what_is_chosen() {
        let asking = |at: &str, time: &str, part: &str, include: &str| Asking {
            at: at.to_owned(),
            time: time.to_owned(),
            part: part.to_owned(),
            include: include.to_owned(),
        };
        let all = wish(&asking("abc", " 2026-11-20 03:00 ", "everything", "")).unwrap();
        assert_eq!((all.at.as_str(), all.only, all.include.len()), ("2026-11-20 03:00", None, 0));
        let some = wish(&asking("abc", "", "files", "/a\r\n\r\n /b \r\n")).unwrap();
        assert_eq!(
            (some.at.as_str(), some.only, some.include),
            ("abc", Some(Only::Files), vec!["/a".to_owned(), "/b".to_owned()])
        );
        assert!(wish(&asking("", " ", "", "")).is_err());
        assert!(wish(&asking("abc", "", "databases", "/a")).is_err());
    }
}
