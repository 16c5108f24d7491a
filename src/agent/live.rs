//! What is at work at this moment, for whoever watches: the fold of each run's events as they come, kept a while after its end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::order::Order;
use crate::event::{Event, Outcome, RunState};
use crate::history::{Past, Standing};

/// Runs that are shown after their end, over all sites: who watches slowly must not miss how one ended.
const ENDED: usize = 64;

/// A run as it is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Where its site is remembered.
    pub site: PathBuf,
    pub past: Past,
    /// Grows with each change, over all runs.
    pub version: u64,
}

/// A board that one side writes on and many look at; who is slow sees fewer states, and always the last one.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    board: Mutex<Vec<Arc<Shown>>>,
    version: watch::Sender<u64>,
    arrived: Notify,
}

impl Default for Live {
    fn default() -> Self {
        Self(Arc::new(Inner {
            board: Mutex::default(),
            version: watch::Sender::new(0),
            arrived: Notify::new(),
        }))
    }
}

impl Live {
    /// A run is about to begin: from here on it is found, though it has said nothing.
    pub(super) fn expect(&self, site: &Path, run: &str) {
        self.change(site, run, |_| ());
    }

    /// A run says something.
    pub(super) fn tell(&self, site: &Path, event: &Event) {
        self.change(site, &event.run, |past| past.state.apply(event));
    }

    /// A run is known by its history: one that is not ours, or is at its end, whatever was heard of it before.
    pub fn see(&self, site: &Path, past: &Past) {
        if self.find(site, &past.id).is_none_or(|shown| shown.past != *past) {
            self.change(site, &past.id, |shown| shown.clone_from(past));
        }
    }

    /// A run is at its end, whatever it managed to say of it.
    pub(super) fn gone(&self, site: &Path, run: &str) {
        if self.find(site, run).is_some_and(|shown| shown.past.standing == Standing::Running) {
            self.change(site, run, |past| past.standing = Standing::Crashed);
        }
    }

    /// A run that somebody was promised never got to say anything: this is how it ended.
    pub(super) fn never_began(&self, order: &Order, outcome: Outcome, why: &str) {
        if self.find(&order.site, &order.run).is_some_and(|shown| shown.past.state.kind.is_some()) {
            return;
        }
        self.change(&order.site, &order.run, |past| {
            let state = &mut past.state;
            state.kind = order.work.kind();
            (state.started, state.finished) = (None, Some(Timestamp::now()));
            (state.outcome, state.error) = (Some(outcome), Some(why.to_owned()));
        });
    }

    /// Everything that changed since this version, and the version now.
    pub fn since(&self, version: u64) -> (Vec<Arc<Shown>>, u64) {
        let board = self.board();
        let fresh = board.iter().filter(|shown| shown.version > version).cloned().collect();
        (fresh, *self.0.version.borrow())
    }

    /// One run.
    pub fn find(&self, site: &Path, run: &str) -> Option<Arc<Shown>> {
        self.board().iter().find(|shown| shown.site == site && shown.past.id == run).cloned()
    }

    /// Wakes with each change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        let watching = self.0.version.subscribe();
        self.0.arrived.notify_one();
        watching
    }

    /// Returns as soon as somebody watches.
    pub async fn watched(&self) {
        while self.0.version.receiver_count() == 0 {
            self.0.arrived.notified().await;
        }
    }

    fn change(&self, site: &Path, run: &str, change: impl FnOnce(&mut Past)) {
        let mut board = self.board();
        let at = board.iter().position(|shown| shown.site == site && shown.past.id == run);
        let mut shown = at.map_or_else(|| Arc::new(Shown::new(site, run)), |at| board.remove(at));
        let version = *self.0.version.borrow() + 1;
        let new = Arc::make_mut(&mut shown);
        change(&mut new.past);
        if new.past.state.outcome.is_some() {
            new.past.standing = Standing::Ended;
        }
        new.version = version;
        board.push(shown);
        let ended = board.iter().filter(|shown| shown.past.standing != Standing::Running).count();
        let mut surplus = ended.saturating_sub(ENDED);
        board.retain(|shown| {
            let goes = surplus > 0 && shown.past.standing != Standing::Running;
            surplus -= usize::from(goes);
            !goes
        });
        // Before anybody else may write: versions only grow.
        self.0.version.send_replace(version);
    }

    fn board(&self) -> MutexGuard<'_, Vec<Arc<Shown>>> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn new(site: &Path, run: &str) -> Self {
        let state = RunState { run: run.to_owned(), started: Some(Timestamp::now()), ..RunState::default() };
        Self {
            site: site.to_owned(),
            past: Past { id: run.to_owned(), standing: Standing::Running, state },
            version: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::What;

    fn event(run: &str, what: What) -> Event {
        Event { run: run.to_owned(), seq: 1, at: Timestamp::UNIX_EPOCH, what }
    }

    #[test]
    fn who_is_slow_sees_the_last_state_and_memory_is_bounded() {
        let live = Live::default();
        let site = Path::new("/s");
        for number in 0..1000 {
            let run = format!("r{number}");
            for _ in 0..3 {
                live.tell(site, &event(&run, What::Note { text: "x".to_owned() }));
            }
            let outcome = Outcome::Success;
            live.tell(site, &event(&run, What::RunFinished { outcome, snapshot: None, error: None }));
        }
        live.tell(site, &event("last", What::Note { text: "y".to_owned() }));
        let (all, version) = live.since(0);
        assert_eq!((all.len(), version), (ENDED + 1, 4001));
        assert_eq!(all.last().unwrap().past.id, "last");
        assert!(all[..ENDED].iter().all(|shown| shown.past.standing == Standing::Ended));
        assert!(live.since(version).0.is_empty());
    }

    #[test]
    fn a_crash_is_known_by_the_history() {
        let live = Live::default();
        let site = Path::new("/s");
        live.tell(site, &event("r", What::Note { text: "x".to_owned() }));
        let past = |standing| Past { id: "r".to_owned(), standing, state: RunState::default() };
        live.see(site, &past(Standing::Crashed));
        assert_eq!(live.find(site, "r").unwrap().past.standing, Standing::Crashed);
        let version = live.since(0).1;
        live.see(site, &past(Standing::Crashed));
        assert_eq!(live.since(0).1, version, "nothing new wakes nobody");
    }
}
