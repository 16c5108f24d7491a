//! `lifeboat notify`, as people and programs call it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use lifeboat::config;
use lifeboat::event::{Outcome, RunKind};
use lifeboat::notify::{NotifySpec, Outbox, run_ended};

use super::servers::{Answer, Web, status};
use super::{at, run};
use crate::world::World;

fn world(web: &Web, other: &Web) -> World {
    let world = World::new("databases: []");
    let secret = |name: &str, text: String| {
        fs::write(world.path(name), text).unwrap();
        fs::set_permissions(world.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        format!("{{file: {}}}", world.path(name).display())
    };
    let chat = secret("chat", web.url("/CANARY-chat") + "\n");
    let ping = secret("ping", other.url("/CANARY-uuid"));
    let more = format!(
        "notify:\n  webhooks:\n    - name: chat\n      url: {chat}\n      body: |\n        {{\"text\": {{{{ title | tojson }}}}}}\n  ping: {{url: {ping}}}\n"
    );
    world.configure("databases: []", None, &more);
    world
}

fn tell(world: &World, name: &str) -> NotifySpec {
    let file = world.path("lifeboat.yaml");
    let spec = config::load(&file).unwrap().notify_spec(&file).unwrap();
    let run = run(name, RunKind::Check, Outcome::Failed, 0);
    run_ended(&spec, &world.path("state/demo"), "demo", &run, at(0)).unwrap();
    spec
}

#[test]
fn test_says_what_each_server_answered() {
    let refusing = Answer::Give(403, "", "who are you, CANARY-uuid?".to_owned());
    let (web, other) = (Web::start([Answer::Give(200, "", "ok".to_owned())]), Web::start([refusing]));
    let world = world(&web, &other);
    let ran = world.run(&["notify", "test"]).expect(1);
    assert_eq!(
        ran.out,
        "chat: sent, the server said 200: ok\nping: FAILED: http://127.0.0.1 answered 403: who are you, (secret)?\n"
    );
    assert_eq!(web.requests()[0].json()["text"], "demo: this is a test");
    assert_eq!(other.requests()[0].path(), "/CANARY-uuid/log", "neither good nor bad");
    let done = world.json(0, &["notify", "test", "ping"]);
    assert_eq!(
        (&done["result"][0]["channel"], &done["result"][0]["answer"]),
        (&"ping".into(), &"200".into())
    );
    let ran = world.run(&["notify", "test", "nobody"]).expect(2);
    assert!(ran.err.contains("there is no channel nobody") && ran.err.contains("chat, ping"), "{}", ran.err);
    fs::remove_file(world.path("ping")).unwrap();
    let done = world.json(1, &["notify", "test"]);
    assert_eq!(done["result"][0]["answer"], "200", "a secret that is gone keeps no other channel silent");
    assert!(done["result"][1]["error"].as_str().unwrap().contains("fetch notify.ping.url"), "{done}");
}

#[test]
fn list_and_retry() {
    let (web, other) = (Web::start([status(404), status(500)]), Web::start([]));
    let world = world(&web, &other);
    let ran = world.run(&["notify", "list"]).expect(0);
    assert!(ran.out.starts_with("nothing is waiting, nothing was given up\n"), "{}", ran.out);
    tell(&world, "r1");
    let done = world.json(1, &["notify", "retry", "--all"]);
    assert_eq!((&done["result"]["given_up"], &done["result"]["waiting"]), (&1.into(), &0.into()), "{done}");
    let listed = world.json(0, &["notify", "list"]);
    let id = listed["result"]["dead"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(listed["result"]["dead"][0]["letter"]["run"], "r1");
    let ran = world.run(&["notify", "list"]).expect(0);
    assert!(ran.out.contains("demo: check failed") && ran.out.contains("answered 404"), "{}", ran.out);
    assert!(!ran.out.contains("CANARY") && !listed.to_string().contains("CANARY"));
    world.run(&["notify", "retry", &id[..8]]).expect(1);
    let listed = world.json(0, &["notify", "list"]);
    assert_eq!(listed["result"]["waiting"][0]["attempts"], 1, "{listed}");
    let ran = world.run(&["notify", "retry", &id]).expect(0);
    assert_eq!(ran.out, "1 message sent, 0 waiting\n");
    assert_eq!(web.requests().len(), 3);
    world.run(&["notify", "retry", &id]).expect(2);
    world.run(&["notify", "retry"]).expect(2);
    assert!(other.requests().is_empty(), "a ping is for backups alone");
}

#[test]
fn killed_before_it_could_remove_the_message_it_is_sent_again_as_the_same() {
    let (web, other) = (Web::start([Answer::Hang]), Web::start([]));
    let world = world(&web, &other);
    tell(&world, "r1");
    let mut sender = world
        .command(&["notify", "retry", "--all"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    web.wait_for(1);
    sender.kill().unwrap();
    sender.wait().unwrap();
    world.run(&["notify", "retry", "--all"]).expect(0);
    let keys: Vec<_> =
        web.requests().iter().map(|request| request.header("idempotency-key").unwrap().to_owned()).collect();
    assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
    let listed = world.json(0, &["notify", "list"]);
    assert_eq!(
        (&listed["result"]["waiting"], &listed["result"]["counts"]["sent_ever"]),
        (&serde_json::json!([]), &1.into())
    );
    tell(&world, "r1");
    world.run(&["notify", "retry", "--all"]).expect(0);
    assert_eq!(web.requests().len(), 2, "and then it is known to be sent");
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_the_order_is_kept() {
    const RUNS: u64 = 30;
    let (web, other) = (Web::start([]), Web::start([]));
    let world = world(&web, &other);
    for number in 0..RUNS {
        tell(&world, &format!("r{number:02}"));
    }
    let mut rounds = 0;
    while Outbox::open(&world.path("state/demo")).unwrap().list().unwrap().waiting.len() > 2 {
        let (mut command, before) = (world.command(&["notify", "retry", "--all"]), web.requests().len());
        let mut sender = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while web.requests().len() < before + 2 {
            std::thread::sleep(Duration::from_micros(50));
        }
        // Not always at the same point between two messages.
        std::thread::sleep(Duration::from_micros(300 * (rounds % 7)));
        sender.kill().unwrap();
        sender.wait().unwrap();
        rounds += 1;
    }
    assert!(rounds > 2, "{rounds}");
    world.run(&["notify", "retry", "--all"]).expect(0);
    let mut seen: Vec<String> = Vec::new();
    for request in web.requests() {
        let key = request.header("idempotency-key").unwrap().to_owned();
        // What is repeated is what was sent last.
        assert!(!seen.contains(&key) || seen.last() == Some(&key), "out of order");
        if seen.last() != Some(&key) {
            seen.push(key);
        }
    }
    assert_eq!(seen.len() as u64, RUNS);
    let listed = world.json(0, &["notify", "list"]);
    assert_eq!(listed["result"]["waiting"], serde_json::json!([]));
    assert_eq!(listed["result"]["counts"]["sent_ever"], RUNS);
}
