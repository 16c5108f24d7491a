//! The requests of a site: when a backup is begun for them, and what becomes of them at its end.

use jiff::Timestamp;

use super::{Site, is_locked};
use crate::agent::order::{Order, Work};
use crate::agent::spool::{Spool, Tried};
use crate::agent::worker::End;
use crate::error::Result;
use crate::event::Outcome;
use crate::history::{self, Past, Standing};
use crate::schedule::Kind;

impl Site {
    /// Takes note of the requests in all spools that can be read.
    pub(super) fn look_at_spools(&mut self, now: Timestamp) {
        for error in self.spool.look(&mut self.memory.requests, now) {
            self.complain_sometimes(format!("requests are not seen: {error}"), now);
        }
    }

    pub(super) fn look_at_requests(&mut self, now: Timestamp, orders: &mut Vec<Order>) -> Result<()> {
        self.look_at_spools(now);
        let history = history::directory(&self.state);
        for run in Spool::open_runs(&self.memory.requests) {
            if self.at_hand.contains(&run) {
                continue;
            }
            match history::read(&history, &run)? {
                Some(Past { standing: Standing::Running, .. }) => {}
                past => self.requests_settled(&run, tried(past.as_ref(), None), now)?,
            }
        }
        let backup = |order: &Order| order.work.is_backup();
        let busy =
            self.memory.requested.is_some() || orders.iter().any(backup) || self.has_backup_at_hand(now);
        let due = self.spool.due(&self.memory.requests).filter(|_| self.enabled);
        if !busy && due.is_some_and(|due| due <= now) && self.forbidden.until(now).is_none() {
            let run = history::new_run("backup");
            self.spool.begin(&mut self.memory.requests, &run, now);
            self.memory.requested = Some(run.clone());
            self.keep(now);
            self.say(format!("backing up for {} request(s)", self.spool.waiting()));
            orders.push(Order { site: self.state.clone(), run, work: Work::Requested });
        }
        Ok(())
    }

    fn has_backup_at_hand(&self, now: Timestamp) -> bool {
        let pending = self.memory.tasks.get(&Kind::Backup).and_then(|memory| memory.pending.as_ref());
        pending.is_some_and(|pending| pending.not_before <= now)
    }

    pub(super) fn requests_settled(&mut self, run: &str, tried: Tried, now: Timestamp) -> Result<()> {
        if self.memory.requested.as_deref() == Some(run) {
            self.memory.requested = None;
        }
        let settled = self.spool.settle(&mut self.memory.requests, run, tried, now);
        self.keep(now);
        let settled = settled?;
        if settled.satisfied > 0 {
            self.say(format!("{} request(s) are satisfied by {run}", settled.satisfied));
        }
        if let Some(then) = settled.next_try {
            self.complain(format!("the requests are tried again at {}", self.local(then)));
        }
        for name in settled.given_up {
            self.complain(format!("request {name} was given up: see `lifeboat request --list`"));
        }
        Ok(())
    }
}

/// What a backup came to for the requests it was to satisfy.
pub(super) fn tried(past: Option<&Past>, end: Option<&End>) -> Tried {
    match past.and_then(|past| past.state.outcome) {
        Some(Outcome::Success) => Tried::Whole,
        Some(Outcome::Cancelled) => Tried::Not,
        _ if is_locked(end) => Tried::Not,
        _ => Tried::InVain,
    }
}
