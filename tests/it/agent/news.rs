//! Others are told: by the agent, whoever began a run.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Agent, scheduled, wait_until};
use crate::notify::servers::{Request, Web, status};
use crate::world::World;

/// A site whose runs are told to a server, and nothing that runs by itself.
fn told_to(web: &Web, more: &str) -> World {
    let hook = "webhooks: [{name: chat, url: {file: URL}, on: [success, incomplete, failed, crashed, alert, recovered]}]";
    world(&web.url("/hook"), hook, more)
}

fn world(url: &str, notify: &str, more: &str) -> World {
    let world = scheduled("databases: []", "");
    let file = world.path("url");
    std::fs::write(&file, url).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let notify = notify.replace("URL", file.to_str().unwrap());
    world.configure("databases: []", None, &format!("notify:\n  {notify}\n{more}"));
    world
}

fn events(web: &Web) -> Vec<(String, String)> {
    let text = |request: &Request, key: &str| request.json()[key].as_str().unwrap_or_default().to_owned();
    web.requests().iter().map(|request| (text(request, "event"), text(request, "kind"))).collect()
}

#[track_caller]
fn wait_for(web: &Web, event: &str, agent: &Agent) {
    let came = || events(web).iter().any(|(what, _)| what == event);
    wait_until(came, || format!("{event} was not told: {:?}\n{}", events(web), agent.log()));
}

#[test]
fn failures_are_told_and_their_end_once_whoever_began_the_run() {
    let web = Web::start([]);
    let world = told_to(&web, "schedule: daily\n");
    // What was before the agent is not told.
    world.backup();
    let agent = Agent::start(&world, &[]);
    std::fs::rename(world.path("storage"), world.path("elsewhere")).unwrap();
    world.run(&["backup"]).expect(1);
    agent.wake();
    wait_for(&web, "failed", &agent);
    std::fs::rename(world.path("elsewhere"), world.path("storage")).unwrap();
    world.backup();
    agent.wake();
    wait_for(&web, "recovered", &agent);
    world.backup();
    agent.wake();
    wait_until(|| events(&web).len() >= 4, || format!("{:?}", events(&web)));
    let words: Vec<_> = events(&web).into_iter().map(|(event, _)| event).collect();
    assert_eq!(words, ["failed", "success", "recovered", "success"]);
}

#[test]
fn a_crash_is_told_and_nothing_is_lost_while_the_server_is_away() {
    // Twice it is out of order: the agent tries again, and nothing comes twice.
    let web = Web::start([status(500)]);
    let world = told_to(&web, "hooks: {before-save: [{command: [/bin/sleep, \"20\"]}]}\n");
    let mut run = world.command(&["backup"]).spawn().unwrap();
    let history = world.path("state/demo/runs");
    wait_until(|| std::fs::read_dir(&history).is_ok_and(|runs| runs.count() > 0), || "no run".to_owned());
    let agent = Agent::start(&world, &[]);
    kill(Pid::from_raw(run.id().cast_signed()), Signal::SIGKILL).unwrap();
    run.wait().unwrap();
    agent.wake();
    wait_until(|| web.requests().len() == 1, || agent.log());
    drop(agent);
    // The next agent finds it in the outbox.
    let listed = world.json(0, &["notify", "list"]);
    assert_eq!(listed["result"]["waiting"].as_array().unwrap().len(), 1, "{listed:#}");
    world.run(&["notify", "retry", "--all"]).expect(0);
    let agent = Agent::start(&world, &[]);
    wait_until(|| web.requests().len() >= 2, || agent.log());
    assert!(
        events(&web).iter().all(|(event, kind)| (event.as_str(), kind.as_str()) == ("crashed", "backup"))
    );
    let listed = world.json(0, &["notify", "list"]);
    assert_eq!(listed["result"]["waiting"].as_array().unwrap().len(), 0, "{listed:#}");
}

#[test]
fn that_nothing_succeeds_is_told_by_the_agent_itself() {
    let web = Web::start([]);
    let world = told_to(&web, "  alerts: {no_success_for: 26h, drill_overdue: 35d}\n");
    // The agent has looked after this site for years.
    let news = r#"{"first_seen": "2020-01-01T00:00:00Z", "last_success": null, "told": [], "begun": []}"#;
    std::fs::create_dir_all(world.path("state/demo")).unwrap();
    std::fs::write(world.path("state/demo/news.json"), news).unwrap();
    let agent = Agent::start(&world, &[]);
    wait_until(|| events(&web).len() >= 2, || format!("{:?}\n{}", web.requests(), agent.log()));
    let names: Vec<_> =
        web.requests().iter().map(|request| request.json()["title"].as_str().unwrap().to_owned()).collect();
    assert!(names.iter().any(|name| name.contains("backup")), "{names:?}");
    assert!(names.iter().any(|name| name.contains("drill")), "{names:?}");
}

#[test]
fn pings_say_start_success_and_failure() {
    let web = Web::start([]);
    let more = "schedule: \"*/10 * * * * *\"\nhooks: {before-save: [{command: [/bin/sleep, \"3\"]}]}\n";
    let world = world(&web.url("/uuid"), "ping: {url: {file: URL}}", more);
    let agent = Agent::start(&world, &[]);
    let paths = || {
        web.requests()
            .iter()
            .map(|request| request.path().split('?').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    wait_until(|| paths().len() >= 2, || agent.log());
    assert_eq!(paths()[..2], ["/uuid/start", "/uuid"]);
}
