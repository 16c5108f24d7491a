//! On time, exactly once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Agent, runs, scheduled, text, wait_until};
use crate::mariadb::MariaDb;
use crate::world::World;

/// Each minute for ten minutes, on a real server, with an agent that is killed twice: alone, and with the run it had begun.
#[test]
#[ignore = "takes ten minutes: tests/run holds it beside all others"]
fn each_minute_for_ten_minutes_though_it_is_killed_twice() {
    let server = MariaDb::start();
    server.sql(
        "mysql",
        "CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, at DATETIME(6))",
    );
    let databases = format!(
        "databases: [{{type: mysql, name: shop, host: \"localhost:{}\", user: root}}]",
        server.socket().display()
    );
    let slow = "hooks: {before-save: [{command: [/bin/sleep, \"4\"]}]}\nschedule: {backup: \"* * * * *\", jitter: 2s}\n";
    let world = scheduled(&databases, slow);
    let begun = Timestamp::now();
    let end = Instant::now() + Duration::from_mins(10);
    let mut agent = Agent::start(&world, &[]);
    let (mut killed, mut idle) = (0, false);
    while Instant::now() < end {
        server.sql("shop", "INSERT INTO orders (at) VALUES (NOW(6))");
        let left = end - Instant::now();
        let at_work = agent.runs();
        // In the third minute the agent alone, in the sixth with its run: both in the middle of one.
        let due =
            (killed == 0 && left < Duration::from_mins(7)) || (killed == 1 && left < Duration::from_mins(4));
        let just_begun = idle && !at_work.is_empty();
        idle = at_work.is_empty();
        if due && just_begun {
            std::thread::sleep(Duration::from_secs(1));
            agent.signal(Signal::SIGKILL);
            if killed == 1 {
                for run in &at_work {
                    kill(Pid::from_raw(*run), Signal::SIGKILL).unwrap();
                }
            }
            killed += 1;
            drop(std::mem::replace(&mut agent, {
                std::thread::sleep(Duration::from_secs(3));
                Agent::start(&world, &[])
            }));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(killed, 2);
    wait_until(|| agent.runs().is_empty(), || "a run did not end".to_owned());

    let all = runs(&world);
    let mut minutes: BTreeMap<String, u32> = BTreeMap::new();
    let mut crashed = 0;
    for run in all.iter().filter(|run| text(run, "cause") == "scheduled") {
        match (text(run, "standing"), text(run, "outcome")) {
            ("ended", "success") => *minutes.entry(text(run, "started")[..16].to_owned()).or_default() += 1,
            ("crashed", _) => crashed += 1,
            other => panic!("{other:?}: {run:#}"),
        }
    }
    let mut minute = begun;
    for _ in 0..9 {
        minute += jiff::SignedDuration::from_mins(1);
        let name = minute.to_string()[..16].to_owned();
        assert_eq!(minutes.get(&name), Some(&1), "{name}: {minutes:#?}\n{}", agent.log());
    }
    assert!(minutes.values().all(|count| *count == 1), "{minutes:#?}");
    assert_eq!(crashed, 1, "the run that was killed is not told as a crash");
    world.restic(&["unlock"]).expect(0);
    world.restic_is_content();
}

#[test]
fn what_is_due_while_a_run_is_at_work_is_left_out_and_counted() {
    let slow = "hooks: {before-save: [{command: [/bin/sleep, \"5\"]}]}\nschedule: \"*/2 * * * * *\"\n";
    let world = scheduled("databases: []", slow);
    let agent = Agent::start(&world, &[]);
    agent.wait_for("while the former one was at work: left out");
    wait_until(|| runs(&world).iter().any(|run| text(run, "outcome") == "success"), || agent.log());
    let memory: serde_json::Value =
        serde_json::from_slice(&std::fs::read(world.path("state/demo/agent.json")).unwrap()).unwrap();
    assert!(memory["tasks"]["backup"]["skipped"].as_u64().unwrap() >= 1, "{memory:#}");
}

#[test]
fn backup_check_and_drill_have_schedules_of_their_own() {
    let more = "schedule:\n  backup: \"*/3 * * * * *\"\n  check: {when: \"*/4 * * * * *\", read_data: 50%}\n  drill: {when: \"*/5 * * * * *\", sample: 50%}\n";
    let world = scheduled("databases: []", more);
    world.backup();
    let agent = Agent::start(&world, &[]);
    for kind in ["backup", "check", "drill"] {
        let done = || {
            runs(&world).iter().any(|run| {
                (text(run, "kind"), text(run, "cause"), text(run, "outcome"))
                    == (kind, "scheduled", "success")
            })
        };
        wait_until(done, || format!("no {kind}:\n{}", agent.log()));
    }
}

#[test]
fn a_failed_backup_is_tried_again() {
    let more = "hooks: {before-save: [{command: [/bin/false]}]}\nschedule: {backup: \"*/5 * * * * *\", retries: 1}\n";
    let world = scheduled("databases: []", more);
    let agent = Agent::start(&world, &[]);
    agent.wait_for("ended: failed: ");
    agent.wait_for("backup is tried again at ");
}

/// A full disk, say: a backup that may happen twice is better than none.
#[test]
fn a_memory_that_cannot_be_written_does_not_stop_the_backups() {
    let world = scheduled("databases: []", "schedule: \"*/2 * * * * *\"\n");
    std::fs::create_dir_all(world.path("state/demo/agent.json/in-the-way")).unwrap();
    let agent = Agent::start(&world, &[]);
    let successes = || agent.log().matches("ended: success").count();
    wait_until(|| successes() >= 3, || agent.log());
    let told = agent.log().matches("a run may happen twice").count();
    assert!((1..successes()).contains(&told), "{}", agent.log());
    let mut nominal: Vec<_> = runs(&world).iter().map(|run| text(run, "started")[..19].to_owned()).collect();
    let all = nominal.len();
    nominal.dedup();
    assert_eq!(nominal.len(), all, "{}", agent.log());
}

#[test]
fn the_next_times_are_shown_with_zone_and_jitter() {
    let more = "schedule:\n  backup: daily\n  check: {when: {at: \"04:00\", days: [sat, sun]}}\n  not_during: [\"02:00-05:00\"]\n  to: \"2030-01-02\"\n";
    let world = scheduled("databases: []", more);
    let ran = world.run(&["schedule", "--from", "2027-03-27", "-n", "4"]).expect(0);
    let lines: Vec<_> =
        ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "Time Zone Work",
            "Sat 2027-03-27 05:00:00 CET Europe/Berlin check moved out of not_during",
            "Sat 2027-03-27 05:06:28 CET Europe/Berlin backup jitter 6m 28s, moved out of not_during",
            "Sun 2027-03-28 05:00:00 CEST Europe/Berlin check moved out of not_during",
            "Sun 2027-03-28 05:06:28 CEST Europe/Berlin backup jitter 6m 28s, moved out of not_during",
        ]
    );
    let next = &world.json(0, &["schedule", "--from", "2029-12-31"])["result"];
    assert_eq!(next.as_array().unwrap().len(), 3, "{next:#}");
    assert_eq!(next[0]["zone"], "Europe/Berlin");
}

#[test]
fn a_schedule_can_follow_from_the_retention() {
    let world = World::new("databases: []");
    let file = world.path("lifeboat.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let write = |retention: &str| {
        let text =
            text.replace("retention: {last: 3}", retention) + "schedule: {backup: retention, jitter: 0s}\n";
        std::fs::write(&file, text).unwrap();
    };
    write("retention: {daily: \"7@4\", monthly: 3}");
    let next = world.json(0, &["schedule", "--from", "2027-02-01", "-n", "1"]);
    assert_eq!(next["result"][0]["local"], "Mon 2027-02-01 04:59:59 CET");
    write("retention: {monthly: \"3@L\"}");
    let next = world.json(0, &["schedule", "--from", "2028-02-01", "-n", "1"]);
    assert_eq!(next["result"][0]["local"], "Tue 2028-02-29 23:59:59 CET");
    write("retention: {last: 3}");
    let refused = world.run(&["schedule"]).expect(2);
    assert!(refused.err.contains("no schedule follows from the retention"), "{}", refused.err);
    world.run(&["config", "check"]).expect(2);
}

#[test]
fn a_last_day_that_means_no_end_is_none() {
    let world = World::new("databases: []");
    world.configure("databases: []", None, "schedule: {backup: daily, to: \"9999-12-31\"}\n");
    assert_eq!(world.json(0, &["schedule", "-n", "2"])["result"].as_array().unwrap().len(), 2);
}
