//! What the service manager is told, if there is one: ready, alive, reloading, stopping, and one line of status.

use std::time::Duration;

use sd_notify::NotifyState;

/// Half of the time after which it would think us dead; nothing if it does not ask.
pub(super) fn heartbeat() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

pub(super) fn reloading() {
    let now = NotifyState::monotonic_usec_now();
    tell(&[NotifyState::Reloading]);
    if let Ok(now) = now {
        tell(&[NotifyState::Reloading, now]);
    }
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// A service manager that cannot be reached is its own problem.
fn tell(states: &[NotifyState<'_>]) {
    drop(sd_notify::notify(states));
}
