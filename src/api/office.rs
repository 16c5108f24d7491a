//! What all requests share.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::audit::Audit;
use super::door::Door;
use super::listen::{Listen, Tls};
use super::page::Plans;
use super::problem::{Answer, Problem};
use super::session::Sessions;
use super::shelf::Shelf;
use super::throttle::Throttle;
use crate::access::{Made, Scope, Scopes};
use crate::agent::{Card, Desk};
use crate::config::{self, Config};
use crate::error::Result;
use crate::sys::fs::write_atomic;
use crate::sys::secret::Secret;

/// Processes that read repositories at the same time: each has an index in its memory.
const CHILDREN: usize = 2;

/// Those that are fetched from, on top of them: who takes their time over a download keeps nobody from looking.
const DOWNLOADS: usize = 2;

/// Where to listen, and whom to let in.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: Vec<Listen>,
    pub tls: Option<Tls>,
    /// The file of tokens.
    pub tokens: PathBuf,
    /// The file of what was asked for.
    pub audit: PathBuf,
    /// Where new sites are described.
    pub sites: PathBuf,
}

pub(super) struct Office {
    pub(super) settings: Settings,
    pub(super) desk: Desk,
    pub(super) door: Door,
    pub(super) sessions: Sessions,
    pub(super) throttle: Throttle,
    pub(super) audit: Audit,
    pub(super) children: Arc<Semaphore>,
    pub(super) downloads: Arc<Semaphore>,
    /// Configurations are changed one at a time.
    pub(super) editing: tokio::sync::Mutex<()>,
    pub(super) shelf: Shelf,
    pub(super) plans: Plans,
    complain: Box<dyn Fn(String) + Send + Sync>,
}

pub(super) type Shared = Arc<Office>;

impl Office {
    pub(super) fn open(
        settings: Settings,
        desk: Desk,
        complain: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<Shared> {
        let own = Made::new("command line", Scopes::new([Scope::Admin]), None, Timestamp::now());
        for listen in &settings.listen {
            if let Listen::Unix(path) = listen {
                leave(path, &own.text)?;
            }
        }
        let office = Self {
            door: Door::new(settings.tokens.clone(), own.known),
            audit: Audit::open(&settings.audit)?,
            settings,
            desk,
            sessions: Sessions::default(),
            throttle: Throttle::default(),
            children: Arc::new(Semaphore::new(CHILDREN)),
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
            editing: tokio::sync::Mutex::new(()),
            shelf: Shelf::default(),
            plans: Plans::default(),
            complain: Box::new(complain),
        };
        if let Some(trouble) = office.door.trouble() {
            office.complain(trouble);
        }
        Ok(Arc::new(office))
    }

    pub(super) fn complain(&self, text: impl Into<String>) {
        (self.complain)(text.into());
    }

    pub(super) fn card(&self, site: &str) -> Answer<Card> {
        self.desk.site(site).ok_or_else(|| {
            Problem::not_found("the agent looks after no site of this name")
                .with_remedy("choose one from the list of sites")
        })
    }
}

/// The configuration of a site as it was accepted.
pub(super) fn config_of(card: &Card) -> Answer<Config> {
    Ok(config::load(&card.accepted).map_err(crate::error::Error::from)?)
}

/// The token of this process lies beside its socket, where only its user can read it: for the command line on this machine.
fn leave(socket: &std::path::Path, token: &Secret) -> Result<()> {
    write_atomic(&crate::access::beside(socket), token.reveal().as_bytes(), 0o600)
}
