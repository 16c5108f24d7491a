//! What happens, as it happens: the state first, then each change. Who is slow gets fewer states of a run, and always its last one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agent::Card;
use crate::api::extract::Asked;
use crate::api::guard::Caller;
use crate::api::office::Shared;
use crate::api::problem::Answer;
use crate::api::view::{RunView, SiteView};

/// So that proxies and clients know that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Changes of this time are told together: four times a second is as often as people look.
const TOGETHER: Duration = Duration::from_millis(250);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(events))
}

#[derive(Deserialize, IntoParams)]
struct Of {
    /// Only this site.
    site: Option<String>,
}

/// A stream of `sites` and `run` events (server-sent events). The data of `sites` is a list of sites, that of `run` is a run.
/// The first event is `sites`, the next are the runs at work and those that ended lately; then comes what changes.
#[utoipa::path(get, path = "/v1/events", tag = "agent", security(("token" = ["read"])), params(Of),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream")))]
async fn events(
    State(office): State<Shared>,
    Extension(caller): Extension<Caller>,
    Asked(of): Asked<Of>,
) -> Answer<impl IntoResponse> {
    if let Some(site) = &of.site {
        office.card(site)?;
    }
    let watching = Watching {
        runs: office.desk.live.watch(),
        sites: office.desk.watch_sites(),
        office,
        token: caller.token.id,
        only: of.site,
        version: 0,
        ready: Vec::new(),
        begun: false,
    };
    let events = stream::unfold(watching, |mut watching| async move {
        let event = watching.next().await?;
        Some((Ok::<_, Infallible>(event), watching))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// One client.
struct Watching {
    office: Shared,
    runs: tokio::sync::watch::Receiver<u64>,
    sites: tokio::sync::watch::Receiver<Arc<[Card]>>,
    /// By which it was let in.
    token: String,
    only: Option<String>,
    /// What it was told up to.
    version: u64,
    /// What is to be told next, the last one first.
    ready: Vec<Event>,
    begun: bool,
}

impl Watching {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop() {
                return Some(event);
            }
            if !self.begun {
                self.begun = true;
                self.take_sites();
                self.take_runs();
                self.ready.reverse();
                continue;
            }
            let sites = tokio::select! {
                changed = self.sites.changed() => { changed.ok()?; true }
                changed = self.runs.changed() => { changed.ok()?; false }
            };
            // One that was revoked hears nothing more.
            self.office.door.valid(&self.token)?;
            if sites {
                self.take_sites();
            } else {
                tokio::time::sleep(TOGETHER).await;
                self.take_runs();
            }
            self.ready.reverse();
        }
    }

    fn take_sites(&mut self) {
        let cards = self.sites.borrow_and_update().clone();
        let wanted = cards.iter().filter(|card| self.only.as_ref().is_none_or(|only| *only == card.name));
        let sites: Vec<_> = wanted.map(SiteView::of).collect();
        self.ready.extend(event("sites", &sites));
    }

    fn take_runs(&mut self) {
        self.runs.borrow_and_update();
        let (fresh, version) = self.office.desk.live.since(self.version);
        self.version = version;
        let cards = self.office.desk.sites();
        let names: BTreeMap<&PathBuf, &str> =
            cards.iter().map(|card| (&card.state, card.name.as_str())).collect();
        let now = Timestamp::now();
        for shown in fresh {
            let Some(name) = names.get(&shown.site) else { continue };
            if self.only.as_ref().is_none_or(|only| only == name) {
                self.ready.extend(event("run", &RunView::of(name, &shown.past, now)));
            }
        }
    }
}

fn event(name: &str, data: &impl serde::Serialize) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}
