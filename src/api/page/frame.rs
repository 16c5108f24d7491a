//! What is around every page: its head, the way to the other pages, and who is logged in.

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

use super::visit::{Visit, Visitor};
use super::{Page, assets, icons};
use crate::access::Scope;

/// The pages of a site that can be reached from each of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Snapshots,
    Restore,
    Runs,
    Drills,
    Retention,
    Settings,
}

const TABS: [(Tab, &str, &str); 7] = [
    (Tab::Overview, "Overview", ""),
    (Tab::Snapshots, "Snapshots", "/snapshots"),
    (Tab::Restore, "Restore", "/restore"),
    (Tab::Runs, "Runs", "/runs"),
    (Tab::Drills, "Drills", "/drills"),
    (Tab::Retention, "Retention", "/retention"),
    (Tab::Settings, "Settings", "/settings"),
];

/// A page of a site.
pub(super) fn of_site(visit: &Visit, tab: Tab, title: &str, content: &Markup) -> Page {
    framed(visit, tab, title, content, false)
}

/// The same while something is at work: without a script it loads itself anew.
pub(super) fn live(visit: &Visit, tab: Tab, title: &str, content: &Markup, at_work: bool) -> Page {
    framed(visit, tab, title, content, at_work)
}

fn framed(visit: &Visit, tab: Tab, title: &str, content: &Markup, again: bool) -> Page {
    let name = visit.site();
    let shown = TABS.iter().filter(|(tab, ..)| *tab != Tab::Restore || visit.may(Scope::Restore));
    let tabs = html! {
        nav.tabs aria-label=(format!("Pages of {name}")) {
            ul {
                @for (one, text, rest) in shown {
                    li { a href=(visit.path(rest)) aria-current=[(*one == tab).then_some("page")] { (text) } }
                }
            }
            form.search role="search" aria-label="Quick search" action=(visit.path("/search")) {
                label.unseen for="search" { "Search all snapshots for a file" }
                input #search type="search" name="q" placeholder="Find a file…" maxlength="200" autocomplete="off" data-key="/";
            }
        }
    };
    let whole = if tab == Tab::Overview { name.to_owned() } else { format!("{title} · {name}") };
    document(
        &whole,
        again,
        &html! {
            (top(Some(&visit.visitor), Some((name, &visit.path("")))))
            (tabs)
            main #main tabindex="-1" data-events=(format!("/v1/events?site={}", super::visit::encoded(name))) { (content) }
            (foot(Some(visit.clock.zone.iana_name().unwrap_or("the site"))))
        },
    )
}

/// A page that belongs to no site.
pub(super) fn plain(visitor: Option<&Visitor>, title: &str, content: &Markup, live: bool) -> Page {
    document(
        title,
        false,
        &html! {
            (top(visitor, None))
            main #main tabindex="-1" data-events=[live.then_some("/v1/events")] { (content) }
            (foot(None))
        },
    )
}

fn top(visitor: Option<&Visitor>, site: Option<(&str, &str)>) -> Markup {
    html! {
        header.top {
            a.brand href="/" { (icons::brand()) span { "Lifeboat" } }
            @if let Some((name, path)) = site {
                span.slash aria-hidden="true" { "/" }
                a.here href=(path) { (name) }
            }
            @if let Some(visitor) = visitor.filter(|visitor| visitor.0.csrf.is_some()) {
                form.who method="post" action="/logout" {
                    (visitor.csrf())
                    span.muted title="The token with which you are logged in" { (visitor.0.token.name) }
                    button.link type="submit" { "Sign out" }
                }
            }
        }
    }
}

fn foot(zone: Option<&str>) -> Markup {
    html! {
        footer.foot {
            "Lifeboat " (env!("CARGO_PKG_VERSION"))
            @if let Some(zone) = zone { " · times are those of " (zone) }
        }
    }
}

fn document(title: &str, again: bool, body: &Markup) -> Page {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Lifeboat" }
                link rel="stylesheet" href=(assets::STYLE.address());
                link rel="icon" type="image/svg+xml" href=(assets::ICON.address());
                script src=(assets::SCRIPT.address()) defer {}
                @if again { noscript { meta http-equiv="refresh" content="5"; } }
            }
            body {
                a.skip href="#main" { "To the content" }
                (body)
                p #announce.unseen role="status" {}
            }
        }
    };
    Html(whole.into_string())
}

/// What a token that can only look is told where others have buttons.
pub(super) fn only_looks(visit: &Visit, scope: Scope) -> Markup {
    let text = match scope {
        Scope::Restore => "This token cannot restore or download.",
        _ if !visit.may(Scope::Restore) => "This token can only look.",
        _ => "This token cannot begin backups.",
    };
    html! { p.hint { (text) } }
}
