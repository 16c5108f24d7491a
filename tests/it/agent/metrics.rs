//! What is said in numbers, judged by Prometheus' own tool.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{Agent, runs, scheduled, text, wait_until};
use crate::world::World;

pub(super) fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut tool = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The value of one line of the page.
fn value(page: &str, line: &str) -> Option<f64> {
    page.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
}

#[test]
fn runs_are_counted_once_and_the_page_is_what_prometheus_wants() {
    let world = scheduled("databases: []", "schedule: {backup: \"*/2 * * * * *\", drill: monthly}\n");
    world.backup();
    let agent = Agent::start(&world, &[]);
    wait_until(
        || runs(&world).iter().filter(|run| text(run, "outcome") == "success").count() >= 3,
        || agent.log(),
    );
    agent.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(agent.wait(), Some(0));
    world.run(&["drill"]).expect(0);
    std::fs::rename(world.path("storage"), world.path("elsewhere")).unwrap();
    world.run(&["backup"]).expect(1);
    // The next agent takes in what happened while there was none.
    world.configure("databases: []", None, "schedule: {backup: daily, drill: monthly}\n");
    let agent = Agent::start(&world, &[]);
    let page = || world.run(&["metrics"]).expect(0).out;
    let failed = "lifeboat_runs_total{site=\"demo\",kind=\"backup\",outcome=\"failed\"}";
    wait_until(|| value(&page(), failed) == Some(1.0), || format!("{}\n{}", page(), agent.log()));
    let page = page();

    let (accepted, said) = promtool(&["check", "metrics"], &page);
    assert!(accepted && said.is_empty(), "{said}\n{page}");
    let successes = runs(&world)
        .iter()
        .filter(|run| (text(run, "kind"), text(run, "outcome")) == ("backup", "success"))
        .count();
    let counted = value(&page, "lifeboat_runs_total{site=\"demo\",kind=\"backup\",outcome=\"success\"}");
    assert_eq!(counted.map(|count| count.to_string()), Some(successes.to_string()), "{page}");
    assert_eq!(value(&page, "lifeboat_last_run_success{site=\"demo\",kind=\"backup\"}"), Some(0.0));
    assert_eq!(value(&page, "lifeboat_last_run_success{site=\"demo\",kind=\"drill\"}"), Some(1.0));
    let now = jiff::Timestamp::now().as_second().to_string().parse::<f64>().unwrap();
    for moment in ["lifeboat_last_success_timestamp_seconds", "lifeboat_last_proven_timestamp_seconds"] {
        let then = value(&page, &format!("{moment}{{site=\"demo\"}}")).unwrap();
        assert!((now - 120.0..=now).contains(&then), "{moment} {then}");
    }
    assert!(value(&page, "lifeboat_storage_free_bytes{site=\"demo\"}").unwrap() > 0.0);
    assert!(value(&page, "lifeboat_bytes_read_total{site=\"demo\"}").unwrap() > 0.0);
    assert!(
        value(&page, "lifeboat_schedule_next_timestamp_seconds{site=\"demo\",kind=\"drill\"}").unwrap() > now
    );

    let file = world.path("lifeboat.prom");
    world.run(&["metrics", "--output", file.to_str().unwrap()]).expect(0);
    assert!(promtool(&["check", "metrics"], &std::fs::read_to_string(file).unwrap()).0);
}

#[test]
fn rotations_and_the_size_of_the_repository_are_told() {
    let world = scheduled("databases: []", "");
    for file in 0..5 {
        world.write(&format!("page-{file}"), "hello");
    }
    for content in 0..4 {
        world.write("page", format!("hello {content}"));
        world.backup();
    }
    // No agent has ever been there: the history alone tells.
    let page = || world.run(&["metrics"]).expect(0).out;
    let numbers = |page: &str, expected: &[(&str, u32)]| {
        for (name, number) in expected {
            let found = value(page, &format!("lifeboat_{name}{{site=\"demo\"}}"));
            assert_eq!(found, Some(f64::from(*number)), "{name}\n{page}");
        }
    };
    let first = page();
    numbers(
        &first,
        &[
            ("snapshots", 3),
            ("snapshots_complete", 3),
            ("snapshots_held", 0),
            ("snapshots_refused", 0),
            ("snapshots_removed_total", 1),
            ("rotations_total", 4),
            ("rotations_refused_total", 0),
        ],
    );
    assert!(value(&first, "lifeboat_storage_probe_seconds{site=\"demo\"}").unwrap() > 0.0);
    // What a prune marked is there until a later one.
    let packs: Vec<_> = crate::world::fingerprint(&world.repository().join("data"))
        .into_keys()
        .map(|path| std::fs::metadata(world.repository().join("data").join(path)).unwrap())
        .filter(std::fs::Metadata::is_file)
        .map(|meta| u32::try_from(meta.len()).unwrap())
        .collect();
    numbers(
        &first,
        &[
            ("repository_packs", u32::try_from(packs.len()).unwrap()),
            ("repository_bytes", packs.iter().sum()),
        ],
    );

    for file in 0..5 {
        std::fs::remove_file(world.root.join(format!("page-{file}"))).unwrap();
    }
    world.backup();
    numbers(&page(), &[("snapshots", 4), ("snapshots_refused", 1), ("rotations_refused_total", 1)]);

    let text = std::fs::read_to_string(world.path("lifeboat.yaml")).unwrap();
    let graceful = text.replace("retention: {last: 3}", "retention: {last: 1, grace: 1d}");
    std::fs::write(world.path("lifeboat.yaml"), graceful).unwrap();
    world.backup();
    numbers(&page(), &[("snapshots", 5), ("snapshots_held", 4), ("snapshots_refused", 0)]);
    world.run(&["forget", "--force"]).expect(0);
    numbers(&page(), &[("snapshots", 1), ("snapshots_held", 0), ("snapshots_removed_total", 5)]);
}

/// A site whose agent has gone, with what it remembers changed by `change`.
fn abandoned(change: impl Fn(&mut serde_json::Value)) -> World {
    let world = scheduled("databases: []", "schedule: {backup: \"0 3 * * *\", drill: monthly}\n");
    let agent = Agent::start(&world, &[]);
    agent.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(agent.wait(), Some(0));
    let file = world.path("state/demo/agent.json");
    let mut memory = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    change(&mut memory);
    std::fs::write(&file, serde_json::to_vec(&memory).unwrap()).unwrap();
    world
}

#[test]
fn work_that_nobody_begins_is_overdue_and_runs_are_counted_without_an_agent() {
    let ago = |hours| jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
    let world = abandoned(|memory| memory["tasks"]["backup"]["settled"] = ago(49).to_string().into());
    world.backup();
    let page = world.run(&["metrics"]).expect(0).out;
    let late = value(&page, "lifeboat_schedule_late_seconds{site=\"demo\",kind=\"backup\"}").unwrap();
    // The first of the two or three times since then.
    assert!((24.0 * 3600.0..50.0 * 3600.0).contains(&late), "{late}");
    assert_eq!(value(&page, "lifeboat_schedule_overdue{site=\"demo\",kind=\"backup\"}"), Some(1.0));
    assert_eq!(value(&page, "lifeboat_schedule_overdue{site=\"demo\",kind=\"drill\"}"), Some(0.0));
    let success = "lifeboat_runs_total{site=\"demo\",kind=\"backup\",outcome=\"success\"}";
    assert_eq!(value(&page, success), Some(1.0), "{page}");

    let pending = |run: &str, not_before: jiff::Timestamp| {
        serde_json::json!({
            "nominal": ago(2).to_string(), "run": run, "attempt": 2, "not_before": not_before.to_string(),
        })
    };
    let world = abandoned(|memory| {
        let tasks = &mut memory["tasks"];
        tasks["backup"]["pending"] = pending("20260101T000000Z-backup-0001", ago(1));
        tasks["drill"]["pending"] = pending("20260101T000000Z-drill-0001", ago(-1));
        memory["requested"] = "20260101T000000Z-backup-0002".into();
    });
    let page = world.run(&["metrics"]).expect(0).out;
    for (name, count) in [("waiting", 2.0), ("postponed", 1.0), ("running", 0.0)] {
        let found = value(&page, &format!("lifeboat_queue_{name}{{site=\"demo\"}}"));
        assert_eq!(found, Some(count), "{name}\n{page}");
    }
    assert_eq!(value(&page, "lifeboat_schedule_overdue{site=\"demo\",kind=\"backup\"}"), Some(1.0));
    assert_eq!(value(&page, "lifeboat_schedule_overdue{site=\"demo\",kind=\"drill\"}"), Some(1.0));

    // That run has begun, and holds its place in the history for as long as it lives.
    let runs = lifeboat::history::directory(&world.path("state/demo"));
    let recorder = lifeboat::history::Recorder::begin(&runs, "20260101T000000Z-backup-0001").unwrap();
    let page = world.run(&["metrics"]).expect(0).out;
    assert_eq!(value(&page, "lifeboat_queue_waiting{site=\"demo\"}"), Some(1.0), "{page}");
    assert_eq!(value(&page, "lifeboat_queue_running{site=\"demo\"}"), Some(1.0), "{page}");
    assert_eq!(value(&page, "lifeboat_schedule_late_seconds{site=\"demo\",kind=\"backup\"}"), Some(0.0));
    drop(recorder);
}
