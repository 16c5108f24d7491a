//! The outbox: what is posted is there after a crash, in order, once, and in bounds.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt;

use lifeboat::event::{Outcome, RunKind};
use lifeboat::notify::{NotifySpec, Outbox, directory, run_ended};
use nix::fcntl::{Flock, FlockArg};
use tempfile::TempDir;

use super::servers::{Web, closed_port, status};
use super::{at, deliver, fail_and_deliver, run, spec, webhook};

fn away() -> NotifySpec {
    spec(vec![webhook("chat", format!("http://127.0.0.1:{}/", closed_port()))])
}

#[test]
fn what_is_posted_is_private_and_is_there_for_the_next_process() {
    let state = TempDir::new().unwrap();
    assert_eq!(fail_and_deliver(&away(), state.path(), "r1", 0).waiting, 1);
    let mut files = 0;
    for place in ["waiting", "dead", "."] {
        for entry in fs::read_dir(directory(state.path()).join(place)).unwrap() {
            let meta = entry.unwrap().metadata().unwrap();
            let mode = if meta.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(meta.permissions().mode() & 0o777, mode);
            files += usize::from(meta.is_file());
        }
    }
    assert!(files >= 4, "a message, the ledger, what was told, locks");
    let web = Web::start([]);
    let back = spec(vec![webhook("chat", web.url("/"))]);
    assert_eq!(deliver(&back, state.path(), 9000).sent, 1);
    assert_eq!(web.requests()[0].json()["run"], "r1");
}

#[test]
fn the_same_is_told_once_however_often_it_is_posted() {
    let (state, web) = (TempDir::new().unwrap(), Web::start([status(404)]));
    let spec = spec(vec![webhook("chat", web.url("/")), webhook("other", web.url("/other"))]);
    for _ in 0..3 {
        fail_and_deliver(&spec, state.path(), "r1", 0);
    }
    assert_eq!(web.requests().len(), 2, "neither what was sent nor what is dead");
    fail_and_deliver(&spec, state.path(), "r2", 1000);
    assert_eq!(web.requests().len(), 4);
    assert_eq!(web.requests()[3].json()["failures"], 2, "and it is counted once");
    run_ended(&spec, state.path(), "shop", &run("r2", RunKind::Backup, Outcome::Failed, 1000), at(1300))
        .unwrap();
    assert!(Outbox::open(state.path()).unwrap().list().unwrap().waiting.is_empty(), "it is not even posted");
}

/// The process that sent it died when it had noted that, and before it could remove it.
#[test]
fn what_is_noted_as_sent_is_not_sent_again() {
    let (state, web) = (TempDir::new().unwrap(), Web::start([]));
    let spec = spec(vec![webhook("chat", web.url("/"))]);
    run_ended(&spec, state.path(), "shop", &run("r1", RunKind::Backup, Outcome::Failed, 0), at(300)).unwrap();
    let waiting = directory(state.path()).join("waiting");
    let file = fs::read_dir(&waiting).unwrap().next().unwrap().unwrap().path();
    let message = fs::read(&file).unwrap();
    assert_eq!(deliver(&spec, state.path(), 300).sent, 1);
    fs::write(&file, message).unwrap();
    let report = deliver(&spec, state.path(), 400);
    assert_eq!((report.sent, report.waiting, report.counts.sent_ever), (0, 0, 1), "{report:?}");
    assert_eq!(web.requests().len(), 1);
}

#[test]
fn each_channel_keeps_its_order_and_waits_for_no_other() {
    let state = TempDir::new().unwrap();
    let (slow, quick) = (Web::start([status(500)]), Web::start([]));
    let spec = spec(vec![webhook("slow", slow.url("/")), webhook("quick", quick.url("/"))]);
    for (name, second) in [("r1", 0), ("r2", 1), ("r3", 2)] {
        run_ended(&spec, state.path(), "shop", &run(name, RunKind::Backup, Outcome::Failed, second), at(300))
            .unwrap();
    }
    let report = deliver(&spec, state.path(), 300);
    assert_eq!((report.sent, report.waiting), (3, 3), "{report:?}");
    assert_eq!(slow.requests().len(), 1, "those behind it wait");
    assert_eq!(deliver(&spec, state.path(), 600).sent, 3);
    let order = |web: &Web| -> Vec<String> {
        web.requests().iter().map(|request| request.json()["run"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (order(&slow), order(&quick)),
        (["r1", "r1", "r2", "r3"].map(String::from).into(), ["r1", "r2", "r3"].map(String::from).into())
    );
}

#[test]
fn after_three_days_it_is_given_up() {
    let state = TempDir::new().unwrap();
    let spec = away();
    let mut now = 300;
    let mut attempts = 1;
    let mut report = fail_and_deliver(&spec, state.path(), "r1", 0);
    while let Some(next) = report.next_try {
        assert!(attempts < 100, "it is never given up");
        now = next.as_second() - at(0).as_second();
        report = deliver(&spec, state.path(), now + 1);
        attempts += 1;
    }
    assert_eq!((report.waiting, report.given_up, report.counts.given_up), (0, 1, 1));
    assert!((72 * 3600..79 * 3600).contains(&now), "{now}");
    assert!((15..25).contains(&attempts), "{attempts}");
    let dead = Outbox::open(state.path()).unwrap().list().unwrap().dead;
    assert_eq!((dead.len(), dead[0].attempts), (1, attempts));
}

#[test]
fn what_cannot_be_sent_at_all_is_set_aside_and_shown() {
    let state = TempDir::new().unwrap();
    assert_eq!(fail_and_deliver(&away(), state.path(), "r1", 0).waiting, 1);
    let waiting = directory(state.path()).join("waiting");
    fs::write(waiting.join("00000000000000000001-cut.json"), "{\"format\": 1, \"id").unwrap();
    let web = Web::start([]);
    let renamed = spec(vec![webhook("renamed", web.url("/"))]);
    let report = deliver(&renamed, state.path(), 9000);
    assert_eq!((report.sent, report.waiting, report.given_up), (0, 0, 1), "{report:?}");
    let listing = Outbox::open(state.path()).unwrap().list().unwrap();
    assert_eq!(listing.damaged, ["00000000000000000001-cut.json"]);
    assert_eq!(listing.dead[0].trouble.as_deref(), Some("there is no channel chat any more"));
}

#[test]
fn if_too_many_wait_those_that_matter_least_go_and_are_counted() {
    let state = TempDir::new().unwrap();
    let spec = away();
    let tell = |name: &str, outcome, second| {
        run_ended(&spec, state.path(), "shop", &run(name, RunKind::Backup, outcome, second), at(second))
            .unwrap();
    };
    tell("bad", Outcome::Failed, 0);
    tell("good", Outcome::Skipped, 1);
    let waiting = directory(state.path()).join("waiting");
    let text =
        fs::read_dir(&waiting).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let mut message: serde_json::Value = text
        .map(|text| serde_json::from_str(&text).unwrap())
        .find(|message: &serde_json::Value| message["letter"]["run"] == "bad")
        .unwrap();
    let first = message["place"].as_i64().unwrap();
    for number in 1..999 {
        let id = format!("{number:016x}");
        message["place"] = (first - number).into();
        message["id"] = id.clone().into();
        fs::write(waiting.join(format!("{:020}-{id}.json", first - number)), message.to_string()).unwrap();
    }
    let outbox = Outbox::open(state.path()).unwrap();
    assert_eq!(outbox.list().unwrap().waiting.len(), 1000);
    tell("new", Outcome::Failed, 2);
    let listing = outbox.list().unwrap();
    assert_eq!((listing.waiting.len(), listing.counts.dropped), (1000, 1));
    assert!(!listing.waiting.iter().any(|message| message.letter.run.as_deref() == Some("good")));
    assert_eq!(listing.waiting[999].letter.run.as_deref(), Some("new"), "behind all others");
    tell("newer", Outcome::Failed, 3);
    let listing = outbox.list().unwrap();
    assert_eq!((listing.waiting.len(), listing.counts.dropped), (1000, 2));
    assert_ne!(listing.waiting[0].id, format!("{:016x}", 998), "the oldest");
}

#[test]
fn one_process_sends_at_a_time() {
    let (state, web) = (TempDir::new().unwrap(), Web::start([]));
    let spec = spec(vec![webhook("chat", web.url("/"))]);
    run_ended(&spec, state.path(), "shop", &run("r1", RunKind::Backup, Outcome::Failed, 0), at(300)).unwrap();
    let lock = directory(state.path()).join("delivery.lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(lock).unwrap();
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
    let report = deliver(&spec, state.path(), 300);
    assert!(report.busy && report.waiting == 1 && report.next_try.is_some(), "{report:?}");
    drop(held);
    assert_eq!(deliver(&spec, state.path(), 300).sent, 1);
    assert_eq!(web.requests().len(), 1);
}
