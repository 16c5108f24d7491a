//! What is said in numbers, judged by Prometheus' own tool.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{Agent, runs, scheduled, text, wait_until};

fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
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
fn the_alert_rules_are_accepted_and_name_what_there_is() {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/monitoring/lifeboat.rules.yml");
    let (accepted, said) = promtool(&["check", "rules", rules], "");
    assert!(accepted, "{said}");
    let world = scheduled("databases: []", "schedule: daily\n");
    let page = world.run(&["metrics"]).expect(0).out;
    let rules = std::fs::read_to_string(rules).unwrap();
    let words = rules.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
    let named: Vec<_> = words.filter(|word| word.starts_with("lifeboat_")).collect();
    assert!(named.len() >= 7);
    for name in named {
        assert!(page.contains(&format!("# TYPE {name} ")), "{name} is no metric");
    }
}
