//! What is told when: failures each, recovery once, alerts at their begin and their end.

use std::time::Duration;

use jiff::Timestamp;
use lifeboat::event::{Outcome, RunKind};
use lifeboat::notify::{
    AlertSpec, Facts, NotifySpec, Outbox, Sample, Word, add_sample, look, run_ended, samples,
};
use tempfile::TempDir;

use super::{at, began, run, spec, webhook};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const GIB: u64 = 1 << 30;

struct World {
    state: TempDir,
    spec: NotifySpec,
    seen: usize,
}

impl World {
    fn new(alerts: AlertSpec) -> Self {
        let mut spec = spec(vec![webhook("chat", "http://127.0.0.1:1/")]);
        spec.channels[0].on = Word::USUAL.to_vec();
        spec.alerts = alerts;
        Self { state: TempDir::new().unwrap(), spec, seen: 0 }
    }

    /// The titles that are new.
    fn news(&mut self) -> Vec<String> {
        let waiting = Outbox::open(self.state.path()).unwrap().list().unwrap().waiting;
        let titles = waiting.iter().skip(self.seen).map(|message| message.letter.title.clone()).collect();
        self.seen = waiting.len();
        titles
    }

    fn ended(&mut self, name: &str, kind: RunKind, outcome: Outcome, second: i64) -> Vec<String> {
        let state = run(name, kind, outcome, second);
        run_ended(&self.spec, self.state.path(), "shop", &state, at(second + 300)).unwrap();
        self.news()
    }

    fn look(&mut self, facts: &Facts) -> Vec<String> {
        look(&self.spec, self.state.path(), "shop", facts).unwrap();
        self.news()
    }
}

fn facts(now: i64, last_success: Option<i64>) -> Facts {
    Facts {
        now: at(now),
        first_seen: at(0),
        last_success: last_success.map(at),
        last_proven: None,
        storage: Vec::new(),
    }
}

#[test]
fn recovery_is_told_once_and_by_kind() {
    let mut world = World::new(AlertSpec::default());
    let (backup, drill) = (RunKind::Backup, RunKind::Drill);
    assert_eq!(world.ended("a", backup, Outcome::Success, 0), [""; 0], "nothing was wrong");
    assert_eq!(world.ended("b", backup, Outcome::Failed, 10), ["shop: backup failed"]);
    assert_eq!(world.ended("c", drill, Outcome::Failed, 20), ["shop: drill failed"]);
    assert_eq!(
        world.ended("d", backup, Outcome::Incomplete, 30),
        ["shop: backup incomplete, 1 path is missing"]
    );
    assert_eq!(world.ended("e", backup, Outcome::Skipped, 40), [""; 0]);
    assert_eq!(world.ended("e2", backup, Outcome::Cancelled, 45), [""; 0]);
    assert_eq!(world.ended("f", backup, Outcome::Failed, 50), ["shop: backup failed, 3 times in a row"]);
    assert_eq!(world.ended("g", backup, Outcome::Success, 60), ["shop: backup works again"]);
    assert_eq!(world.ended("g", backup, Outcome::Success, 60), [""; 0], "told twice by a crash in between");
    assert_eq!(world.ended("h", backup, Outcome::Success, 70), [""; 0]);
    assert_eq!(world.ended("i", drill, Outcome::Success, 80), ["shop: drill works again"]);
    let waiting = Outbox::open(world.state.path()).unwrap().list().unwrap().waiting;
    assert!(
        waiting[4].letter.text.contains("it failed 3 times in a row, from 2027-01-15 09:00:10 CET on"),
        "{}",
        waiting[4].letter.text
    );
}

#[test]
fn a_run_without_an_end_is_told_as_one() {
    let mut world = World::new(AlertSpec::default());
    let state = began("a", RunKind::Restore, 0);
    run_ended(&world.spec, world.state.path(), "shop", &state, at(900)).unwrap();
    assert_eq!(world.news(), ["shop: restore broke off"]);
    let waiting = Outbox::open(world.state.path()).unwrap().list().unwrap().waiting;
    let letter = &waiting[0].letter;
    assert_eq!(letter.command, "lifeboat --config /etc/lifeboat/shop.yaml recover");
    assert!(letter.error.as_deref().unwrap().contains("its process ended"), "{letter:?}");
    assert_eq!(world.ended("b", RunKind::Restore, Outcome::Success, 1000), ["shop: restore works again"]);
}

#[test]
fn a_channel_is_told_what_it_asked_for() {
    let mut world = World::new(AlertSpec::default());
    world.spec.channels[0].on = vec![Word::Success];
    world.spec.channels[0].runs = vec![RunKind::Drill];
    assert_eq!(world.ended("a", RunKind::Drill, Outcome::Failed, 0), [""; 0]);
    assert_eq!(world.ended("b", RunKind::Backup, Outcome::Success, 10), [""; 0]);
    assert_eq!(world.ended("c", RunKind::Drill, Outcome::Success, 20), ["shop: drill succeeded"]);
}

#[test]
fn an_alert_is_told_when_it_begins_again_if_wanted_and_when_it_is_over() {
    let hours = Duration::from_hours;
    let mut alerts = AlertSpec { no_success_for: Some(hours(26)), ..AlertSpec::default() };
    alerts.drill_overdue = Some(hours(35 * 24));
    let mut world = World::new(alerts.clone());
    assert_eq!(world.look(&facts(26 * HOUR, None)), [""; 0]);
    assert_eq!(
        world.look(&facts(27 * HOUR, None)),
        ["shop: no successful backup since the agent looks after it, 27 h"]
    );
    for hour in 28..200 {
        assert_eq!(world.look(&facts(hour * HOUR, None)), [""; 0], "once");
    }
    world.spec.alerts.repeat = Some(hours(24));
    let told: Vec<_> = (200..272).flat_map(|hour| world.look(&facts(hour * HOUR, None))).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(
        world.look(&facts(300 * HOUR, Some(299 * HOUR))),
        ["shop: there is a successful backup again"]
    );
    assert_eq!(world.look(&facts(301 * HOUR, Some(299 * HOUR))), [""; 0]);
    // The clock was set back: nothing is long ago.
    assert_eq!(world.look(&facts(10 * HOUR, Some(299 * HOUR))), [""; 0]);
    let late = Facts {
        last_proven: Some(at(290 * HOUR)),
        ..facts(290 * HOUR + 36 * DAY, Some(290 * HOUR + 36 * DAY))
    };
    assert_eq!(world.look(&late), ["shop: drill overdue: no restore was proven for 36 d"]);
    // Who does not ask any more is not told that it is over.
    world.spec.alerts.drill_overdue = None;
    assert_eq!(world.look(&late), [""; 0]);
    world.spec.alerts.drill_overdue = alerts.drill_overdue;
    let later = Facts { now: at(290 * HOUR + 37 * DAY), ..late };
    assert_eq!(world.look(&later).len(), 1, "and later anew");
}

fn filling(days: i64, per_day: u64, free: u64) -> Vec<Sample> {
    let total = 1000 * GIB;
    let used = |hour: i64| total - free - per_day * u64::try_from(days * 24 - hour).unwrap() / 24;
    (0..=days * 24).map(|hour| Sample { at: at(hour * HOUR), free: total - used(hour), total }).collect()
}

#[test]
fn a_storage_that_fills_is_foretold_and_does_not_flutter() {
    let alerts = AlertSpec {
        storage_full_within: Some(Duration::from_hours(14 * 24)),
        storage_free_below: Some(5.0),
        ..AlertSpec::default()
    };
    let mut world = World::new(alerts);
    let with = |storage: Vec<Sample>| Facts { storage, ..facts(10 * DAY, None) };
    assert_eq!(world.look(&with(Vec::new())), [""; 0]);
    assert_eq!(world.look(&with(filling(10, 10 * GIB, 150 * GIB))), [""; 0], "15 days");
    let told = world.look(&with(filling(10, 10 * GIB, 135 * GIB)));
    assert_eq!(told, ["shop: storage nearly full (13 days left at 10.0 GiB a day)"]);
    assert_eq!(world.look(&with(filling(10, 10 * GIB, 150 * GIB))), [""; 0], "it is not over yet");
    assert_eq!(
        world.look(&with(filling(10, 10 * GIB, 200 * GIB))),
        ["shop: the storage has room for 20 days"]
    );
    let told = world.look(&with(filling(10, GIB, 49 * GIB)));
    assert_eq!(told, ["shop: only 4.9% of the storage is free (49.0 GiB)"]);
    assert_eq!(world.look(&with(filling(10, GIB, 51 * GIB))), [""; 0]);
    assert_eq!(world.look(&with(filling(10, GIB, 70 * GIB))), ["shop: 7.0% of the storage is free"]);
}

#[test]
fn the_log_of_a_storage_is_bounded_and_its_newest_sample_is_now() {
    let state = TempDir::new().unwrap();
    let sample =
        |second: i64| Sample { at: at(second), free: u64::try_from(second).unwrap(), total: 1 << 40 };
    for minute in 0..180 {
        add_sample(state.path(), sample(minute * 60)).unwrap();
    }
    let known = samples(state.path());
    assert!((4..6).contains(&known.len()), "{known:?}");
    assert_eq!(known.last(), Some(&sample(179 * 60)));
    let path = lifeboat::notify::directory(state.path()).join("storage.json");
    let many: Vec<_> = (0..900).map(|hour| sample(hour * HOUR)).collect();
    std::fs::write(&path, serde_json::to_vec(&many).unwrap()).unwrap();
    let known = add_sample(state.path(), sample(900 * HOUR)).unwrap();
    assert_eq!((known.len(), known[0]), (900, sample(HOUR)));
    let back = add_sample(state.path(), sample(500 * HOUR)).unwrap();
    assert_eq!(back.last().map(|last| last.at), Some(at(500 * HOUR)), "a clock that was set back");
    assert!(back.iter().all(|sample| sample.at <= at(500 * HOUR)));
    std::fs::write(&path, "damaged").unwrap();
    assert_eq!(samples(state.path()), []);
    let _: Timestamp = add_sample(state.path(), sample(0)).unwrap()[0].at;
}
