//! Five years of an agent that is killed at random: no time is forgotten, and none is worked twice.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lifeboat::schedule::Timetable;
use lifeboat::schedule::agenda::{Fate, Memory, Next, Seen, back_off};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::timetable::{FIRST, LAST, ZONES, timetable};

/// What is on the disk of the simulated machine: the memory as it was last written, and the history.
struct Machine {
    timetable: Timetable,
    memory: Memory,
    /// Each run that began, for which time, and whether it ended.
    history: BTreeMap<String, (Timestamp, bool)>,
    names: u32,
    given_up: u64,
    wrong_clock: u64,
}

/// The moments at which the agent is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kill {
    Never,
    BeforeWriting,
    BeforeBeginning,
    InTheRun,
    BeforeNoting,
}

impl Machine {
    fn new(timetable: Timetable) -> Self {
        Self {
            timetable,
            memory: Memory::default(),
            history: BTreeMap::new(),
            names: 0,
            given_up: 0,
            wrong_clock: 0,
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("run-{}", self.names)
    }

    /// One look of an agent, which dies at a certain moment.
    fn look(&mut self, now: Timestamp, kill: Kill) {
        let mut memory = self.memory.clone();
        let name = self.name();
        let seen = memory.look(&self.timetable, now, || name);
        if kill == Kill::BeforeWriting {
            return;
        }
        self.memory = memory.clone();
        self.wrong_clock += u64::from(matches!(seen, Seen::ClockWasWrong { .. }));
        for _ in 0..3 {
            let Some(pending) = memory.pending.clone().filter(|pending| pending.not_before <= now) else {
                return;
            };
            let fate = match self.history.get(&pending.run) {
                None => {
                    if kill == Kill::BeforeBeginning {
                        return;
                    }
                    let former = self.history.insert(pending.run.clone(), (pending.nominal, false));
                    assert!(former.is_none());
                    if kill == Kill::InTheRun {
                        return;
                    }
                    self.history.insert(pending.run.clone(), (pending.nominal, true));
                    if kill == Kill::BeforeNoting {
                        return;
                    }
                    Fate::Over
                }
                Some((_, true)) => Fate::Over,
                Some((_, false)) => Fate::Crashed,
            };
            let name = self.name();
            self.given_up += u64::from(memory.ended(fate, 2, now, || name) == Next::GivenUp);
            self.memory = memory.clone();
        }
    }

    /// Every time up to the last one that was dealt with is accounted for.
    fn judge(&self, begun: Timestamp, what: &str) -> u64 {
        let settled = self.memory.settled.unwrap();
        let times = self.timetable.iter(begun).take_while(|next| next.nominal <= settled).count() as u64;
        let mut ended: Vec<_> =
            self.history.values().filter(|(_, ended)| *ended).map(|(time, _)| *time).collect();
        let count = ended.len() as u64;
        ended.sort_unstable();
        ended.dedup();
        assert_eq!(ended.len() as u64, count, "{what}: a time was worked twice");
        let open = u64::from(self.memory.pending.is_some());
        let told = count + self.memory.missed + self.memory.skipped + self.given_up + open;
        assert_eq!(
            told, times,
            "{what}: {count} worked, {} missed, {} skipped",
            self.memory.missed, self.memory.skipped
        );
        count
    }
}

#[test]
fn every_time_is_worked_once_though_the_agent_is_killed_again_and_again() {
    let mut random = StdRng::seed_from_u64(5);
    for zone in ZONES {
        for cron in ["30 2 * * *", "0 */6 * * *", "0 3 * * sun", "15 0 1 * *"] {
            let mut machine = Machine::new(timetable(cron, zone));
            let (begun, end) = (
                machine.timetable.zone.to_timestamp(FIRST).unwrap(),
                machine.timetable.zone.to_timestamp(LAST).unwrap(),
            );
            let mut now = begun;
            machine.look(now, Kill::Never);
            while now < end {
                // Mostly the agent is there in time; sometimes it was away for days.
                let pause = if random.random_ratio(1, 50) {
                    random.random_range(1..14 * 24 * 60)
                } else {
                    random.random_range(1..90)
                };
                now += SignedDuration::from_mins(pause);
                let kill = match random.random_range(0..20) {
                    0 => Kill::BeforeWriting,
                    1 => Kill::BeforeBeginning,
                    2 => Kill::InTheRun,
                    3 => Kill::BeforeNoting,
                    _ => Kill::Never,
                };
                machine.look(now, kill);
            }
            machine.look(now, Kill::Never);
            let worked = machine.judge(begun, &format!("{zone} {cron}"));
            assert!(worked > 40, "{zone} {cron}: only {worked} runs");
        }
    }
}

#[test]
fn in_time_and_never_killed_nothing_is_missed() {
    for zone in ZONES {
        let mut machine = Machine::new(timetable("30 2 * * *", zone));
        let (begun, end) = (
            machine.timetable.zone.to_timestamp(FIRST).unwrap(),
            machine.timetable.zone.to_timestamp(LAST).unwrap(),
        );
        let mut now = begun;
        while now < end {
            machine.look(now, Kill::Never);
            let next = machine.memory.next_look(&machine.timetable, now).unwrap();
            assert!(next > now);
            now = next;
        }
        machine.look(now, Kill::Never);
        // 2021 to 2025: one of them was a leap year.
        assert_eq!(
            machine.judge(begun, zone),
            1826 + u64::from(now >= end && machine.memory.settled.unwrap() >= end)
        );
        assert_eq!((machine.memory.missed, machine.memory.skipped), (0, 0), "{zone}");
    }
}

#[test]
fn after_downtime_one_run_makes_up_for_all() {
    let mut memory = Memory::default();
    let timetable = timetable("0 * * * *", "UTC");
    let start: Timestamp = "2026-01-01T00:30:00Z".parse().unwrap();
    let hours = SignedDuration::from_hours;
    assert_eq!(memory.look(&timetable, start, || unreachable!()), Seen::Nothing);
    assert_eq!(memory.look(&timetable, start + hours(10), || "a".into()), Seen::Taken { missed: 9 });
    // Two more come due while that run is at work.
    assert_eq!(memory.look(&timetable, start + hours(12), || unreachable!()), Seen::Skipped(2));
    assert_eq!(memory.ended(Fate::Over, 2, start + hours(12), || unreachable!()), Next::Done);
    assert_eq!(memory.look(&timetable, start + hours(12), || unreachable!()), Seen::Nothing);
    assert_eq!((memory.missed, memory.skipped), (9, 2));
}

#[test]
fn a_failed_run_is_tried_again_and_gives_way_to_the_next_time() {
    let mut memory = Memory::default();
    let timetable = timetable("0 * * * *", "UTC");
    let at = |time: &str| format!("2026-01-01T{time}Z").parse::<Timestamp>().unwrap();
    memory.look(&timetable, at("00:30:00"), || unreachable!());
    memory.look(&timetable, at("01:00:00"), || "a".into());
    assert_eq!(memory.ended(Fate::Again, 2, at("01:50:00"), || "b".into()), Next::Retry(at("01:55:00")));
    assert_eq!(memory.ended(Fate::Again, 2, at("01:56:00"), || "c".into()), Next::Retry(at("02:06:00")));
    // It waits for its third try when the next time comes.
    assert_eq!(memory.look(&timetable, at("02:00:00"), || "d".into()), Seen::Taken { missed: 0 });
    let pending = memory.pending.clone().unwrap();
    assert_eq!((pending.run.as_str(), pending.attempt), ("d", 1));
    for attempt in 1..=2 {
        assert!(matches!(
            memory.ended(Fate::Again, 2, at("02:10:00"), || format!("e{attempt}")),
            Next::Retry(_)
        ));
    }
    assert_eq!(memory.ended(Fate::Again, 2, at("02:30:00"), || unreachable!()), Next::GivenUp);
    assert_eq!(memory.pending, None);
}

#[test]
fn a_clock_that_was_far_ahead_does_not_silence_the_agent() {
    let timetable = timetable("0 3 * * *", "Europe/Berlin");
    let mut memory = Memory::default();
    let at = |time: &str| time.parse::<Timestamp>().unwrap();
    memory.look(&timetable, at("2026-01-01T00:00:00Z"), || unreachable!());
    memory.look(&timetable, at("2031-01-01T12:00:00Z"), || "a".into());
    memory.ended(Fate::Over, 2, at("2031-01-01T12:00:00Z"), || unreachable!());
    let seen = memory.look(&timetable, at("2026-01-02T00:00:00Z"), || unreachable!());
    assert!(matches!(seen, Seen::ClockWasWrong { .. }), "{seen:?}");
    assert_eq!(memory.look(&timetable, at("2026-01-02T02:00:00Z"), || "b".into()), Seen::Taken { missed: 0 });
    memory.ended(Fate::Over, 2, at("2026-01-02T02:00:00Z"), || unreachable!());
    // Set back by an hour: the time that was worked is not worked again.
    assert_eq!(memory.look(&timetable, at("2026-01-02T01:30:00Z"), || unreachable!()), Seen::Nothing);
    assert_eq!(memory.look(&timetable, at("2026-01-02T02:30:00Z"), || unreachable!()), Seen::Nothing);
}

#[test]
fn a_schedule_that_was_changed_owes_nothing() {
    let mut memory = Memory::default();
    let at = |time: &str| format!("2026-01-01T{time}Z").parse::<Timestamp>().unwrap();
    memory.look(&timetable("0 3 * * *", "UTC"), at("02:00:00"), || unreachable!());
    let hourly = timetable("0 * * * *", "UTC");
    assert_eq!(memory.look(&hourly, at("15:30:00"), || unreachable!()), Seen::Nothing);
    assert_eq!(memory.look(&hourly, at("16:00:00"), || "a".into()), Seen::Taken { missed: 0 });
}

#[test]
fn a_run_that_the_agents_own_end_ended_costs_no_try() {
    let mut memory = Memory::default();
    let at = |time: &str| format!("2026-01-01T{time}Z").parse::<Timestamp>().unwrap();
    memory.look(&timetable("0 * * * *", "UTC"), at("00:30:00"), || unreachable!());
    memory.look(&timetable("0 * * * *", "UTC"), at("01:00:00"), || "a".into());
    for _ in 0..10 {
        let next = memory.ended(Fate::Interrupted, 0, at("01:01:00"), || "b".into());
        assert_eq!(next, Next::Retry(at("01:01:00")));
    }
    assert_eq!(memory.pending.unwrap().attempt, 1);
}

#[test]
fn what_nobody_has_begun_is_owed_since_it_was_due() {
    let hourly = timetable("0 * * * *", "UTC");
    let mut memory = Memory::default();
    let at = |time: &str| format!("2026-01-01T{time}Z").parse::<Timestamp>().unwrap();
    assert_eq!(memory.owed_since(&hourly, at("09:00:00"), false), None, "no agent has looked at it yet");
    memory.look(&hourly, at("00:30:00"), || unreachable!());
    assert_eq!(memory.owed_since(&hourly, at("00:59:59"), false), None);
    assert_eq!(memory.owed_since(&hourly, at("05:00:00"), false), Some(at("01:00:00")), "nobody looks");
    let daily = timetable("0 3 * * *", "UTC");
    assert_eq!(memory.owed_since(&daily, at("05:00:00"), false), None, "a new schedule owes nothing");

    memory.look(&hourly, at("01:00:00"), || "a".into());
    assert_eq!(memory.owed_since(&hourly, at("01:40:00"), false), Some(at("01:00:00")), "it waits");
    assert_eq!(memory.owed_since(&hourly, at("01:40:00"), true), None, "it is at work");
    assert_eq!(memory.owed_since(&hourly, at("02:10:00"), true), Some(at("02:00:00")), "no agent is there");
    memory.pending.as_mut().unwrap().not_before = at("01:50:00");
    assert_eq!(memory.owed_since(&hourly, at("01:40:00"), false), None, "it may not begin yet");
    assert_eq!(memory.owed_since(&hourly, at("01:55:00"), false), Some(at("01:50:00")));
    memory.ended(Fate::Again, 2, at("01:50:00"), || "b".into());
    assert_eq!(memory.owed_since(&hourly, at("01:52:00"), false), Some(at("01:00:00")), "it failed");
    memory.ended(Fate::Over, 2, at("01:58:00"), || unreachable!());
    assert_eq!(memory.owed_since(&hourly, at("01:59:00"), false), None);
}

#[test]
fn waiting_grows_to_a_limit() {
    let minutes = |attempt| {
        back_off(attempt, std::time::Duration::from_mins(5), std::time::Duration::from_hours(1)).as_mins()
    };
    assert_eq!([1, 2, 3, 4, 5, 60].map(minutes), [5, 10, 20, 40, 60, 60]);
}
