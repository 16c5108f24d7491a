//! The snapshots of each site as they were read last: a page that is looked at often is no reason to read a repository often.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use super::lookups::SnapshotView;
use super::office::Shared;
use super::problem::{Answer, Problem};
use crate::agent::Card;
use crate::error::Error;
use crate::history;

/// What is done to a repository elsewhere is seen after so long.
const FRESH: Duration = Duration::from_mins(1);

/// A repository that could not be read is tried again after so long.
const FAILED: Duration = Duration::from_secs(10);

/// A page waits so long; a storage that does not answer keeps the rest of it from nobody.
const PATIENCE: Duration = Duration::from_secs(6);

/// Runs whose end changes what snapshots there are.
const LOOKED_AT: usize = 4;

pub(super) type Snapshots = Arc<[SnapshotView]>;

/// By where a site is remembered.
#[derive(Default)]
pub(super) struct Shelf(Mutex<HashMap<PathBuf, Kept>>);

struct Kept {
    begun: Instant,
    /// When a run of the site last ended.
    stamp: Option<Timestamp>,
    /// Nothing as long as they are being read.
    read: watch::Receiver<Option<Answer<Snapshots>>>,
}

impl Kept {
    fn serves(&self, stamp: Option<Timestamp>) -> bool {
        let age = self.begun.elapsed();
        self.stamp == stamp
            && match &*self.read.borrow() {
                Some(Err(_)) => age < FAILED,
                Some(Ok(_)) => age < FRESH,
                None => self.read.has_changed().is_ok(),
            }
    }
}

impl Shelf {
    /// Has a site's snapshots read anew the next time.
    pub(super) fn clear(&self, card: &Card) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&card.state);
    }
}

impl super::office::Office {
    /// The newest first, as they were at most a minute ago, or since the last run.
    pub(super) async fn recent_snapshots(self: &Shared, card: &Card) -> Answer<Snapshots> {
        let stamp = last_end(card.clone()).await;
        let mut read = self.reading(card, stamp);
        let read = tokio::time::timeout(PATIENCE, read.wait_for(Option::is_some)).await;
        match read {
            Ok(Ok(answer)) => answer.clone().unwrap_or_else(|| Err(Problem::overdue())),
            Ok(Err(_)) => Err(Error::failed("a thread broke off").into()),
            Err(_) => Err(Problem::overdue()
                .with_remedy("the repository is still being read: load the page anew in a moment")),
        }
    }

    /// Where they arrive. They are read to the end even if nobody waits for it any more: the next one who asks has them.
    fn reading(
        self: &Shared,
        card: &Card,
        stamp: Option<Timestamp>,
    ) -> watch::Receiver<Option<Answer<Snapshots>>> {
        let known = self.desk.sites();
        let mut kept_lists = self.shelf.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept_lists.retain(|site, _| known.iter().any(|card| card.state == *site));
        if let Some(kept) = kept_lists.get(&card.state).filter(|kept| kept.serves(stamp)) {
            return kept.read.clone();
        }
        let (sender, read) = watch::channel(None);
        kept_lists.insert(card.state.clone(), Kept { begun: Instant::now(), stamp, read: read.clone() });
        let (office, card) = (Arc::clone(self), card.clone());
        tokio::spawn(async move {
            let found = office.snapshots(&card).await;
            sender.send_replace(Some(found.map(Arc::from)));
        });
        read
    }
}

async fn last_end(card: Card) -> Option<Timestamp> {
    let read = move || history::newest(&history::directory(&card.state), LOOKED_AT).unwrap_or_default();
    let runs = tokio::task::spawn_blocking(read).await.unwrap_or_default();
    runs.iter().filter_map(|run| run.state.finished).max()
}
