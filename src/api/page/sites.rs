//! All sites: how well each is protected, and what is at work.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use maud::{Markup, html};

use super::health::{Facts, Health};
use super::icons::Mark;
use super::visit::{Visitor, clock, encoded};
use super::words::shown;
use super::{frame, work};
use crate::agent::Card;
use crate::api::aside::aside;
use crate::api::office::{Shared, config_of};
use crate::api::problem::Answer;
use crate::api::view::RunView;
use crate::config::Config;

/// Runs of a site among which its last backup is looked for.
const LOOKED_AT: usize = 12;

struct Site {
    card: Card,
    health: Option<Health>,
    at_work: Option<RunView>,
}

pub(super) async fn page(State(office): State<Shared>, visitor: Visitor) -> Answer<Response> {
    let cards = office.desk.sites();
    if let [only] = &*cards {
        return Ok(Redirect::to(&format!("/sites/{}", encoded(&only.name))).into_response());
    }
    let mut sites = Vec::new();
    for card in cards.iter() {
        sites.push(look(&office, card).await?);
    }
    // Where somebody has to look comes first.
    sites.sort_by_key(|site| std::cmp::Reverse(site.health.as_ref().map_or(Mark::Bad, |health| health.mark)));
    Ok(frame::plain(Some(&visitor), "All sites", &content(&sites), true).into_response())
}

async fn look(office: &Shared, card: &Card) -> Answer<Site> {
    let config = config_of(card);
    let clock = clock(&config);
    let at_work = office.at_work(card.clone()).await?;
    let runs = office.runs(card.clone(), LOOKED_AT).await?;
    let health = match config {
        Ok(config) => facts(card, config, runs, clock.now).await.ok().map(|facts| facts.judge(&clock)),
        Err(_) => None,
    };
    Ok(Site { card: card.clone(), health, at_work })
}

pub(super) async fn facts(card: &Card, config: Config, runs: Vec<RunView>, now: Timestamp) -> Answer<Facts> {
    let card = card.clone();
    aside(move || Facts::gather(&card, &config, &runs, now)).await
}

fn content(sites: &[Site]) -> Markup {
    let worst = sites
        .iter()
        .filter_map(|site| site.health.as_ref())
        .filter(|health| health.mark > Mark::Good)
        .count();
    html! {
        div data-part="sites" {
            h1 { "All sites" }
            @if sites.is_empty() {
                section.card.empty {
                    h2 { "No sites yet" }
                    p { "Describe one with " code { "lifeboat init" } ", or put its configuration into the directory of sites." }
                }
            } @else if worst == 0 {
                p.lead { "All are protected." }
            } @else {
                p.lead { (worst) " of " (sites.len()) " want to be looked at." }
            }
            ul.sites {
                @for site in sites { li { (one(site)) } }
            }
        }
    }
}

fn one(site: &Site) -> Markup {
    let path = format!("/sites/{}", encoded(&site.card.name));
    html! {
        article.card.site {
            header {
                h2 { a href=(path) { (site.card.name) } }
                @match &site.health {
                    Some(health) => (health.badge()),
                    None => span.badge.attention { (Mark::Attention.icon()) "Not known" },
                }
            }
            @if let Some(health) = &site.health { (health.line()) }
            @for trouble in &site.card.troubles { p.trouble { (Mark::Attention.icon()) (shown(trouble)) } }
            @if let Some(run) = &site.at_work {
                (brief(run, &path))
            }
        }
    }
}

fn brief(run: &RunView, path: &str) -> Markup {
    let percent = run.progress.and_then(|progress| progress.percent);
    let step = run.step.as_deref().map(work::step);
    html! {
        p.brief data-run=(run.id) data-sign=(work::sign(run)) data-kind=(work::kind(run)) {
            a href=(format!("{path}/runs/{}", run.id)) { (work::kind(run)) @if run.standing == "waiting" { " waits" } @else { " at work" } }
            @if let Some(step) = step { ": " (step) }
            @if run.standing == "running" {
                progress max="100" value=[percent.map(|percent| format!("{percent:.1}"))] aria-label="Progress of this step" {}
                span.numbers data-field="numbers" { (work::numbers(run.progress.as_ref())) }
            }
        }
    }
}
