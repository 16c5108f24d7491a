//! What is told, and that it arrives: real servers on loopback, real outboxes, the real binary.

mod cli;
mod mail;
mod outbox;
pub(crate) mod servers;
mod told;
mod web;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lifeboat::event::{Event, Outcome, RunKind, RunState, What};
use lifeboat::notify::{
    AlertSpec, Channel, Hidden, Means, Method, NotifySpec, Outbox, PingSpec, Report, WebhookSpec, Word,
    run_ended,
};
use lifeboat::sys::secret::Secret;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// A run of the site `shop` that ended so; it began at this second and took five minutes.
fn run(name: &str, kind: RunKind, outcome: Outcome, second: i64) -> RunState {
    let mut state = began(name, kind, second);
    let mut seq = 1;
    let mut apply = |what| {
        seq += 1;
        state.apply(&Event { run: name.to_owned(), seq, at: at(second + 300), what });
    };
    if outcome == Outcome::Incomplete {
        apply(What::Missed { path: "uploads/a.jpg".to_owned(), why: "permission denied".to_owned() });
    }
    let error = (outcome == Outcome::Failed).then(|| "the storage is away".to_owned());
    apply(What::RunFinished { outcome, snapshot: None, error });
    state
}

fn began(name: &str, kind: RunKind, second: i64) -> RunState {
    let mut state = RunState::default();
    let what = What::RunStarted { kind, site: "shop".to_owned(), cause: "schedule".to_owned() };
    state.apply(&Event { run: name.to_owned(), seq: 1, at: at(second), what });
    state
}

fn spec(channels: Vec<Channel>) -> NotifySpec {
    NotifySpec {
        channels,
        alerts: AlertSpec::default(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        config: "/etc/lifeboat/shop.yaml".into(),
        patience: Duration::from_secs(10),
    }
}

const KINDS: [RunKind; 6] =
    [RunKind::Backup, RunKind::Restore, RunKind::Forget, RunKind::Check, RunKind::Recover, RunKind::Drill];

/// A channel that is told everything.
fn channel(name: &str, means: Means) -> Channel {
    Channel { name: name.to_owned(), on: Word::ALL.to_vec(), runs: KINDS.to_vec(), means }
}

fn hidden(text: impl Into<String>) -> Hidden {
    let text = text.into();
    Hidden::new(move || Ok(Secret::new(text.clone())))
}

fn hook(url: impl Into<String>) -> WebhookSpec {
    WebhookSpec { url: hidden(url), method: Method::Post, headers: Vec::new(), body: None, ca: None }
}

fn webhook(name: &str, url: impl Into<String>) -> Channel {
    channel(name, Means::Webhook(hook(url)))
}

fn ping(url: impl Into<String>) -> Channel {
    channel("ping", Means::Ping(PingSpec { url: hidden(url), ca: None }))
}

/// Tells of a backup that failed at this second, and returns what one call of the delivery came to.
fn fail_and_deliver(spec: &NotifySpec, state: &Path, name: &str, second: i64) -> Report {
    run_ended(spec, state, "shop", &run(name, RunKind::Backup, Outcome::Failed, second), at(second + 300))
        .unwrap();
    deliver(spec, state, second + 300)
}

fn deliver(spec: &NotifySpec, state: &Path, second: i64) -> Report {
    Outbox::open(state).unwrap().deliver(spec, at(second)).unwrap()
}

/// All that is kept on disk, to look for what must not be there.
fn everything_in(directory: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &everything_in(&path);
        } else {
            text += &path.display().to_string();
            text += &String::from_utf8_lossy(&std::fs::read(&path).unwrap());
        }
    }
    text
}
