//! Starting, reloading, stopping; who else is there; and what a service manager is told.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Agent, runs, scheduled, text, wait_until};
use crate::world::World;

const SLOW: &str = "hooks: {before-save: [{command: [/bin/sleep, \"6\"]}]}\nschedule: \"*/2 * * * * *\"\n";

fn at_work(agent: &Agent) {
    wait_until(|| !agent.runs().is_empty(), || agent.log());
    // Into the hook.
    std::thread::sleep(Duration::from_secs(1));
}

#[test]
fn a_wrong_configuration_is_refused_and_the_old_one_stays() {
    let world = scheduled("databases: []", "schedule: \"*/2 * * * * *\"\n");
    let agent = Agent::start(&world, &[]);
    world.configure("databases: []", None, "schedule: often\n");
    agent.signal(Signal::SIGHUP);
    agent.wait_for("stays as it was");
    assert!(agent.log().contains("schedule cannot be used: \"often\""), "{}", agent.log());
    let before = agent.log().matches("ended: ").count();
    wait_until(|| agent.log().matches("ended: ").count() > before, || agent.log());

    world.configure("databases: []", None, "schedule: {check: \"*/2 * * * * *\"}\n");
    agent.signal(Signal::SIGHUP);
    agent.wait_for("check begins as");
    // One that was due before may still have waited for its turn.
    std::thread::sleep(Duration::from_secs(4));
    let backups = agent.log().matches("backup begins").count();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(agent.log().matches("backup begins").count(), backups, "{}", agent.log());
}

#[test]
fn asked_to_stop_it_lets_the_run_at_work_end() {
    let world = scheduled("databases: []", SLOW);
    let agent = Agent::start(&world, &[]);
    at_work(&agent);
    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.wait(), Some(0));
    let all = runs(&world);
    assert_eq!((all.len(), text(&all[0], "outcome")), (1, "success"));
}

#[test]
fn a_run_that_does_not_end_in_time_is_cancelled_and_begun_again_by_the_next_agent() {
    let world = scheduled(
        "databases: []",
        "hooks: {before-save: [{command: [/bin/sleep, \"30\"]}]}\nschedule: \"*/2 * * * * *\"\n",
    );
    let agent = Agent::start(&world, &["--drain", "1"]);
    at_work(&agent);
    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.wait(), Some(0));
    assert_eq!(text(&runs(&world)[0], "outcome"), "cancelled");

    world.configure("databases: []", None, "schedule: \"0 0 1 1 *\"\n");
    let next = Agent::start(&world, &[]);
    wait_until(|| runs(&world).len() == 2, || next.log());
    wait_until(|| text(&runs(&world)[0], "outcome") == "success", || next.log());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let world = scheduled("databases: []", SLOW);
    let agent = Agent::start(&world, &[]);
    at_work(&agent);
    agent.signal(Signal::SIGTERM);
    agent.wait_for("asked to stop");
    let begun = Instant::now();
    agent.signal(Signal::SIGINT);
    assert_eq!(agent.wait(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(4), "the hook of the run takes longer");
    // The run unwinds by itself.
    wait_until(|| text(&runs(&world)[0], "outcome") == "cancelled", || format!("{:#?}", runs(&world)));
    // And is not lost: the next agent begins it again.
    world.configure("databases: []", None, "schedule: \"*/2 * * 1 1 *\"\n");
    let memory = world.path("state/demo/agent.json");
    let text_of = std::fs::read_to_string(&memory).unwrap().replace("*/2 * * * * *", "*/2 * * 1 1 *");
    std::fs::write(&memory, text_of).unwrap();
    let next = Agent::start(&world, &[]);
    wait_until(|| runs(&world).len() == 2, || next.log());
}

#[test]
fn reading_anew_leaves_no_threads_behind() {
    let world = scheduled("databases: []", "schedule: daily\n");
    let agent = Agent::start(&world, &[]);
    let threads = || std::fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap().count();
    let before = threads();
    for _ in 0..20 {
        agent.wake();
        std::thread::sleep(Duration::from_millis(50));
    }
    wait_until(|| agent.log().matches("reloaded").count() > 5, || agent.log());
    std::thread::sleep(Duration::from_secs(1));
    assert!(threads() <= before + 1, "{} and then {}", before, threads());
}

/// The run of one site may take hours.
#[test]
fn a_site_that_stands_still_does_not_wait_for_another_ones_run() {
    let (busy, still) = (
        scheduled(
            "databases: []",
            "hooks: {before-save: [{command: [/bin/sleep, \"40\"]}]}\nschedule: \"*/2 * * * * *\"\n",
        ),
        scheduled("databases: []", ""),
    );
    let held = still.path("held");
    let hooks = format!(
        "hooks:\n  quiesce: [{{command: [/bin/touch, {0}]}}]\n  resume: [{{command: [/bin/rm, -f, {0}]}}]\n  before-dump: [{{command: [/bin/sleep, \"20\"]}}]\n",
        held.display()
    );
    still.configure("databases: []", None, &format!("quiesce: {{mode: full, limit: 60s}}\n{hooks}"));
    let sites = busy.path("conf.d");
    std::fs::create_dir(&sites).unwrap();
    std::fs::copy(still.path("lifeboat.yaml"), sites.join("still.yaml")).unwrap();
    let agent = Agent::start(&busy, &[]);
    at_work(&agent);
    let mut backup = still.command(&["backup"]).spawn().unwrap();
    wait_until(|| held.exists(), || agent.log());
    std::thread::sleep(Duration::from_millis(500));
    backup.kill().unwrap();
    backup.wait().unwrap();
    agent.wake();
    let begun = Instant::now();
    wait_until(|| !held.exists(), || agent.log());
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}\n{}", begun.elapsed(), agent.log());
    assert_eq!(runs(&busy).len(), 1, "the other run was at work all the time");
}

#[test]
fn who_is_there_already_is_named() {
    let world = scheduled("databases: []", SLOW);
    let agent = Agent::start(&world, &[]);
    let second = world.run(&["agent", "--no-api", "--sites", "/nonexistent"]).expect(11);
    assert!(second.err.contains(&format!("process {} (agent) since ", agent.pid())), "{}", second.err);
    at_work(&agent);
    let by_hand = world.run(&["backup"]).expect(11);
    let holder = format!("process {} (backup) since ", agent.runs()[0]);
    assert!(by_hand.err.contains(&holder), "{}", by_hand.err);
}

#[test]
fn one_broken_site_does_not_stop_the_others() {
    let (good, other) =
        (scheduled("databases: []", "schedule: \"*/2 * * * * *\"\n"), scheduled("databases: []", ""));
    let sites = good.path("conf.d");
    std::fs::create_dir(&sites).unwrap();
    std::fs::write(sites.join("broken.yaml"), "site: {name: broken}\n").unwrap();
    let text = std::fs::read_to_string(other.path("lifeboat.yaml")).unwrap();
    let text = text.replace("name: demo", "name: other") + "schedule: \"*/2 * * * * *\"\n";
    std::fs::write(other.path("lifeboat.yaml"), &text).unwrap();
    other.init();
    std::fs::write(sites.join("other.yaml"), &text).unwrap();
    let agent = Agent::start(&good, &[]);
    assert!(agent.log().contains("broken.yaml"), "{}", agent.log());
    for name in ["demo: ", "other: "] {
        let ended =
            || agent.log().lines().any(|line| line.starts_with(name) && line.ends_with("ended: success"));
        wait_until(ended, || agent.log());
    }
}

#[test]
fn a_run_that_is_killed_is_told_and_begun_again_at_once() {
    let world = scheduled(
        "databases: []",
        "hooks: {before-save: [{command: [/bin/sleep, \"3\"]}]}\nschedule: {backup: \"0 0 1 1 *\", on_request: {settle: 0s, at_most_every: 0s}}\n",
    );
    world.configure(
        "databases: []",
        None,
        "hooks: {before-save: [{command: [/bin/sleep, \"3\"]}]}\nschedule: \"*/30 * * * * *\"\n",
    );
    let agent = Agent::start(&world, &[]);
    at_work(&agent);
    kill(Pid::from_raw(agent.runs()[0]), Signal::SIGKILL).unwrap();
    agent.wait_for("was killed by signal 9");
    agent.wait_for("backup is begun again");
    wait_until(|| text(&runs(&world)[0], "outcome") == "success", || agent.log());
    let listed = world.run(&["runs"]).expect(0);
    assert_eq!(listed.out.matches("CRASHED").count(), 1, "{}", listed.out);
}

#[test]
fn the_service_manager_hears_all_it_wants_to() {
    let world = scheduled("databases: []", "schedule: daily\n");
    let socket = UnixDatagram::bind(world.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let path = world.path("notify");
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "2000000")];
    let agent = Agent::start_with(&world, &[], &environment);
    let heard = |wanted: &str| {
        let mut buffer = [0; 4096];
        for _ in 0..50 {
            let size = socket.recv(&mut buffer).unwrap();
            if String::from_utf8_lossy(&buffer[..size]).lines().any(|line| line.starts_with(wanted)) {
                return;
            }
        }
        panic!("{wanted} was not said");
    };
    heard("READY=1");
    let begun = Instant::now();
    (0..3).for_each(|_| heard("WATCHDOG=1"));
    // Each two seconds, on a machine that may be busy.
    assert!(begun.elapsed() < Duration::from_secs(10), "the watchdog would have bitten");
    agent.signal(Signal::SIGHUP);
    heard("MONOTONIC_USEC=");
    heard("READY=1");
    agent.signal(Signal::SIGTERM);
    heard("STOPPING=1");
    assert_eq!(agent.wait(), Some(0));
}

#[test]
fn without_any_good_configuration_it_does_not_start() {
    let world = World::new("databases: []");
    world.configure("databases: []", None, "schedule: often\n");
    let ran = world.run(&["agent", "--no-api", "--sites", "/nonexistent"]).expect(2);
    assert!(ran.err.contains("schedule cannot be used"), "{}", ran.err);
}

/// Spoiled while no agent was there to refuse it: the next one goes on as it was accepted.
#[test]
fn a_configuration_that_was_spoiled_before_the_start_is_told_and_the_accepted_one_followed() {
    let (good, other) = (scheduled("databases: []", "schedule: daily\n"), scheduled("databases: []", ""));
    let sites = good.path("conf.d");
    std::fs::create_dir(&sites).unwrap();
    let text = std::fs::read_to_string(other.path("lifeboat.yaml")).unwrap();
    // Both are remembered in one place, as usual.
    let state = |world: &World| world.path("state").display().to_string();
    let text = text.replace("name: demo", "name: other").replace(&state(&other), &state(&good));
    let text = text + "schedule: \"*/2 * * * * *\"\n";
    std::fs::write(other.path("lifeboat.yaml"), &text).unwrap();
    other.init();
    let file = sites.join("other.yaml");
    std::fs::write(&file, &text).unwrap();
    drop(Agent::start(&good, &[]));
    std::fs::write(&file, text.replace("*/2", "often")).unwrap();
    let agent = Agent::start(&good, &[]);
    assert!(agent.log().contains("going on as it was accepted before"), "{}", agent.log());
    let ended =
        || agent.log().lines().any(|line| line.starts_with("other: ") && line.ends_with("ended: success"));
    wait_until(ended, || agent.log());
}

/// Killed while it holds the site still: the agent gives it back in no time, though another run is next in the queue.
#[test]
fn a_site_that_a_killed_backup_held_still_is_given_back_by_the_agent() {
    let world = scheduled("databases: []", "");
    let held = world.path("held");
    let hooks = format!(
        "hooks:\n  quiesce: [{{command: [/bin/touch, {0}]}}]\n  resume: [{{command: [/bin/rm, -f, {0}]}}]\n  before-dump: [{{command: [/bin/sleep, \"20\"]}}]\n",
        held.display()
    );
    let more = format!("quiesce: {{mode: full, limit: 60s}}\nschedule: \"*/30 * * * * *\"\n{hooks}");
    world.configure("databases: []", None, &more);
    let agent = Agent::start(&world, &[]);
    wait_until(|| held.exists(), || agent.log());
    std::thread::sleep(Duration::from_millis(500));
    kill(Pid::from_raw(agent.runs()[0]), Signal::SIGKILL).unwrap();
    let begun = Instant::now();
    wait_until(|| !held.exists(), || agent.log());
    assert!(begun.elapsed() < Duration::from_secs(19), "{:?}\n{}", begun.elapsed(), agent.log());
    assert!(agent.log().contains("recover begins as"), "{}", agent.log());
    // The agent itself, with its run: the next one gives it back.
    wait_until(|| held.exists(), || agent.log());
    std::thread::sleep(Duration::from_millis(500));
    drop(agent);
    assert!(held.exists());
    let next = Agent::start(&world, &[]);
    wait_until(|| !held.exists(), || next.log());
}

#[test]
fn the_doctor_says_whether_anybody_follows_the_schedule() {
    let world = scheduled("databases: []", "schedule: daily\n");
    world.backup();
    let ran = world.run(&["doctor"]).expect(0);
    assert!(
        ran.out.contains("! the agent: `schedule` is set, and no agent looks after this site"),
        "{}",
        ran.out
    );
    let agent = Agent::start(&world, &[]);
    let ran = world.run(&["doctor"]).expect(0);
    assert!(
        ran.out.contains(&format!("✓ the agent: looks after this site: process {}", agent.pid())),
        "{}",
        ran.out
    );
}

#[test]
fn a_memory_that_was_removed_under_it_does_not_end_the_backups() {
    let world = scheduled("databases: []", "schedule: \"*/2 * * * * *\"\n");
    let agent = Agent::start(&world, &[]);
    agent.wait_for("ended: success");
    // A run at work may write there meanwhile.
    wait_until(|| std::fs::remove_dir_all(world.path("state/demo")).is_ok(), || agent.log());
    let before = agent.log().matches("ended: success").count();
    wait_until(|| agent.log().matches("ended: success").count() > before + 1, || agent.log());
    assert!(agent.log().contains("was removed and is written anew"), "{}", agent.log());
    // And it still is the only one.
    world.run(&["agent", "--no-api", "--sites", "/nonexistent"]).expect(11);
}
