//! Where others come to see how things stand and to ask for something, from other threads than the agent's.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};

use super::live::Live;
use super::wish::Wish;
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::schedule::Kind;

/// Who asks more than this at once waits.
const WAITING: usize = 64;

/// A site as the agent stands with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Card {
    pub name: String,
    /// The configuration as people edit it.
    pub config_file: PathBuf,
    /// The same as it was accepted.
    pub accepted: PathBuf,
    /// Where the site is remembered.
    pub state: PathBuf,
    pub work: Vec<Due>,
    /// What waits for its turn, the next one first.
    pub queue: Vec<Queued>,
    /// What is at work for it.
    pub at_work: Option<Queued>,
    /// What the agent complains of at present.
    pub troubles: Vec<String>,
}

/// One kind of scheduled work.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Due {
    pub work: Kind,
    /// When it is due next.
    pub next: Option<Timestamp>,
    /// What was decided on and did not come to its end.
    pub pending: Option<String>,
    pub skipped: u64,
    pub missed: u64,
}

/// A run that waits, or was given to its process, which may not have said a word yet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Queued {
    pub run: String,
    pub what: &'static str,
}

/// What a reload came to: the files that were refused, with the reasons.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reloaded {
    pub refused: Vec<(PathBuf, String)>,
}

pub(super) type Reply<T> = oneshot::Sender<Result<T>>;

/// What only the loop can do.
pub(super) enum Ask {
    Begin { site: PathBuf, wish: Wish, reply: Reply<String> },
    Cancel { site: PathBuf, run: String, reply: Reply<()> },
    Reload { reply: Reply<Reloaded> },
}

/// The visitors' side.
#[derive(Clone)]
pub struct Desk {
    asks: mpsc::Sender<Ask>,
    cards: watch::Receiver<Arc<[Card]>>,
    pub live: Live,
}

/// The agent's side.
pub struct Counter {
    pub(super) asks: mpsc::Receiver<Ask>,
    pub(super) cards: watch::Sender<Arc<[Card]>>,
    pub(super) live: Live,
}

/// Both sides of a desk.
pub fn desk() -> (Desk, Counter) {
    let (to, asks) = mpsc::channel(WAITING);
    let cards = watch::Sender::new(Arc::from([]));
    let live = Live::default();
    let desk = Desk { asks: to, cards: cards.subscribe(), live: live.clone() };
    (desk, Counter { asks, cards, live })
}

impl Desk {
    /// All sites, in the order of their names.
    pub fn sites(&self) -> Arc<[Card]> {
        self.cards.borrow().clone()
    }

    pub fn site(&self, name: &str) -> Option<Card> {
        self.cards.borrow().iter().find(|card| card.name == name).cloned()
    }

    /// Wakes when something about a site has changed.
    pub fn watch_sites(&self) -> watch::Receiver<Arc<[Card]>> {
        self.cards.clone()
    }

    /// Has a run begun as soon as there is room for it; its name in the history.
    pub async fn begin(&self, site: &Card, wish: Wish) -> Result<String> {
        let site = site.state.clone();
        self.ask(|reply| Ask::Begin { site, wish, reply }).await
    }

    /// Asks a run to unwind, or forgets one that waits.
    pub async fn cancel(&self, site: &Card, run: &str) -> Result<()> {
        let (site, run) = (site.state.clone(), run.to_owned());
        self.ask(|reply| Ask::Cancel { site, run, reply }).await
    }

    /// Has all configurations read anew.
    pub async fn reload(&self) -> Result<Reloaded> {
        self.ask(|reply| Ask::Reload { reply }).await
    }

    async fn ask<T>(&self, ask: impl FnOnce(Reply<T>) -> Ask) -> Result<T> {
        let gone = || Error::new(ErrorKind::Cancelled, "the agent is on its way out");
        let (reply, answer) = oneshot::channel();
        self.asks.send(ask(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
