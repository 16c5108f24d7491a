//! The way out: the run at work may end, then it is cancelled, then the agent goes without it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::worker::Lane;
use super::{Agent, systemd};

/// A run that was cancelled has this long to unwind before the agent goes without it.
pub(super) const UNWIND: Duration = Duration::from_mins(1);

/// The way out.
pub(super) struct Stop {
    /// When the run at work is cancelled.
    pub(super) cancel_at: Instant,
    pub(super) cancelled: bool,
}

impl Agent<'_> {
    pub(super) fn begin_to_stop(&mut self) {
        let what = if self.is_busy() { "the run at work may end" } else { "nothing is at work" };
        self.voice.say(None, format!("asked to stop: {what}"));
        systemd::stopping();
        // Should it be cancelled from now on, by whomever, the next agent begins it again.
        for order in [&self.runs, &self.rescue].into_iter().filter_map(Lane::at_work) {
            if let Some(site) = self.sites.iter_mut().find(|site| site.state == order.site) {
                site.interrupting(order, Timestamp::now());
            }
        }
        self.stopping = Some(Stop { cancel_at: Instant::now() + self.settings.drain, cancelled: false });
    }

    pub(super) fn is_busy(&self) -> bool {
        self.runs.at_work().is_some() || self.rescue.at_work().is_some()
    }

    /// Whether there is nothing to wait for any more, on the way out.
    pub(super) fn is_done(&mut self) -> bool {
        let busy = self.is_busy();
        let Some(stop) = &mut self.stopping else { return false };
        if !busy {
            return true;
        }
        let (now, cancel_at) = (Instant::now(), stop.cancel_at);
        if now < cancel_at {
            return false;
        }
        if !std::mem::replace(&mut stop.cancelled, true) {
            self.voice.complain(None, "the run at work did not end in time and is cancelled");
            self.cancel();
        }
        now >= cancel_at + UNWIND
    }

    /// Asks what is at work to unwind.
    pub(super) fn cancel(&self) {
        for lane in [&self.runs, &self.rescue] {
            if let Err(error) = lane.cancel() {
                self.voice.complain(None, error.to_string());
            }
        }
    }
}
