//! "Something changed, back up soon."

use std::os::unix::fs::symlink;
use std::time::Duration;

use super::{Agent, runs, scheduled, text, wait_until};

fn waiting(world: &crate::world::World) -> usize {
    world.json(0, &["request", "--list"])["result"].as_array().unwrap().len()
}

#[test]
fn requests_are_gathered_and_go_when_a_snapshot_holds_them() {
    let world = scheduled("databases: []", "schedule: {on_request: {settle: 2s, at_most_every: 3s}}\n");
    // Left before there is an agent: it is durable.
    world.run(&["request", "a post was published"]).expect(0);
    assert_eq!(waiting(&world), 1);
    let agent = Agent::start(&world, &[]);
    for _ in 0..4 {
        world.run(&["request"]).expect(0);
        std::thread::sleep(Duration::from_millis(300));
    }
    wait_until(|| waiting(&world) == 0, || agent.log());
    let all = runs(&world);
    assert!(all.len() <= 2, "{all:#?}");
    assert!(all.iter().all(|run| (text(run, "cause"), text(run, "outcome")) == ("requested", "success")));
    assert!(
        agent.log().contains("5 request(s) are satisfied") || agent.log().contains("are satisfied"),
        "{}",
        agent.log()
    );
}

#[test]
fn a_strangers_spool_is_obeyed_and_believed_nothing() {
    let world = scheduled("databases: []", "");
    let spool = world.path("spool");
    std::fs::create_dir(&spool).unwrap();
    let more =
        format!("schedule: {{on_request: {{spool: {}, settle: 1s, at_most_every: 0s}}}}\n", spool.display());
    world.configure("databases: []", None, &more);
    let victim = world.path("victim");
    std::fs::write(&victim, "stays").unwrap();
    symlink(&victim, spool.join("link")).unwrap();
    std::fs::create_dir(spool.join("dead")).unwrap();
    let agent = Agent::start(&world, &[]);
    std::fs::write(spool.join(".half"), "not yet").unwrap();
    std::fs::write(spool.join("name with \u{1b}[31m and\nmore"), vec![b'x'; 100_000]).unwrap();
    wait_until(|| runs(&world).iter().any(|run| text(run, "outcome") == "success"), || agent.log());
    wait_until(|| std::fs::read_dir(&spool).unwrap().count() == 3, || agent.log());
    assert!(!agent.log().contains('\u{1b}'));
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "stays");
}

#[test]
fn a_request_outlives_a_backup_that_failed() {
    let more = "hooks: {before-save: [{command: [/bin/false]}]}\nschedule: {on_request: {settle: 0s, at_most_every: 0s}}\n";
    let world = scheduled("databases: []", more);
    let agent = Agent::start(&world, &[]);
    world.run(&["request", "important"]).expect(0);
    agent.wait_for("the requests are tried again at ");
    assert_eq!(waiting(&world), 1);
    // Another backup satisfies it as well, if it begins after it was seen.
    drop(agent);
    world.configure("databases: []", None, "schedule: \"*/2 * * * * *\"\n");
    let agent = Agent::start(&world, &[]);
    wait_until(|| waiting(&world) == 0, || agent.log());
    let ran = world.run(&["request", "--discard", "nothing"]).expect(2);
    assert!(ran.err.contains("there is no request nothing"), "{}", ran.err);
}

/// Whoever owns the way to a spool could lead us to any directory, whose files would then be removed as requests.
#[test]
fn a_link_on_the_way_to_a_spool_is_not_followed() {
    let world = scheduled("databases: []", "");
    let (elsewhere, way) = (world.path("elsewhere"), world.path("way"));
    std::fs::create_dir_all(elsewhere.join("spool")).unwrap();
    std::fs::write(elsewhere.join("spool/precious"), "stays").unwrap();
    symlink(&elsewhere, &way).unwrap();
    let spool = way.join("spool");
    let more = format!(
        "schedule: {{backup: \"*/2 * * * * *\", on_request: {{spool: {}, settle: 0s, at_most_every: 0s}}}}\n",
        spool.display()
    );
    world.configure("databases: []", None, &more);
    let agent = Agent::start(&world, &[]);
    wait_until(|| agent.log().matches("ended: success").count() > 1, || agent.log());
    assert!(elsewhere.join("spool/precious").exists(), "{}", agent.log());
    assert!(agent.log().contains("is a link or no directory"), "{}", agent.log());
}

#[test]
fn a_spool_that_is_none_stops_no_backup() {
    let world = scheduled("databases: []", "");
    let spool = world.path("spool");
    let more =
        format!("schedule: {{backup: \"*/2 * * * * *\", on_request: {{spool: {}}}}}\n", spool.display());
    world.configure("databases: []", None, &more);
    let agent = Agent::start(&world, &[]);
    wait_until(|| agent.log().contains("ended: success"), || agent.log());
    std::fs::write(&spool, "").unwrap();
    let before = agent.log().matches("ended: success").count();
    wait_until(|| agent.log().matches("ended: success").count() > before + 1, || agent.log());
    assert!(agent.log().contains(&spool.display().to_string()), "{}", agent.log());
}

#[test]
fn nothing_begins_in_forbidden_hours_whoever_asks() {
    let more = "schedule: {not_during: [\"00:00-24:00\"], on_request: {settle: 0s, at_most_every: 0s}}\n";
    let world = scheduled("databases: []", more);
    world.run(&["request", "now"]).expect(0);
    let agent = Agent::start(&world, &[]);
    std::thread::sleep(Duration::from_secs(3));
    assert!(!agent.log().contains("backup begins"), "{}", agent.log());
    assert_eq!(waiting(&world), 1);
}
