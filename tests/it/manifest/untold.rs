//! The node's part, asked which runs have ended while one of them goes on.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::place;
use crate::world::{Ran, World};

/// The node's part where the platform has it, with the program beside it; the remembered state is that of this world.
const NODE_VIEW: &str = "mkdir -p \"$WORLD/bin\" \"$WORLD/lib/lifeboat\" && mount -t tmpfs tmpfs /usr/local/bin && mount --bind \"$WORLD/lib\" /var/lib \
    && printf '#!/bin/sh\\nexec %s -c %s \"$@\"\\n' \"$PROGRAM\" \"$WORLD/lifeboat.yaml\" >/usr/local/bin/lifeboat && chmod 755 /usr/local/bin/lifeboat \
    && eval \"$ASKED\"";

/// What the node's part answers to this, after what else is to be done there.
fn asked(world: &World, commands: &str) -> Value {
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", NODE_VIEW])
        .env("WORLD", world.path(""))
        .env("PROGRAM", env!("CARGO_BIN_EXE_lifeboat"))
        .env("NODE", place().join("scripts/node.sh"))
        .env("ASKED", commands)
        .output()
        .unwrap();
    let said = Ran::of(&output).expect(0).out;
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Whether the storage may go.
fn away(world: &World) -> bool {
    asked(world, "sh \"$NODE\" away")["away"] == true
}

/// The runs that are to be told now, with their ends.
fn untold(world: &World) -> Vec<(String, Option<String>)> {
    let said = asked(world, "sh \"$NODE\" untold");
    let runs = said["runs"].as_array().unwrap().iter();
    let words =
        |run: &Value| (run["id"].as_str().unwrap().to_owned(), run["outcome"].as_str().map(str::to_owned));
    runs.map(words).collect()
}

fn runs(world: &World) -> Vec<Value> {
    world.json(0, &["runs"])["result"].as_array().unwrap().clone()
}

#[test]
fn a_run_is_told_once_and_not_before_its_end() {
    let world = World::new("databases: []");
    world.init();
    world.write("index.php", "page");
    world.backup();
    let (here, go) = (world.path("here"), world.path("go"));
    let wait = format!(": >{}; while [ ! -e {} ]; do sleep 0.05; done", here.display(), go.display());
    let hook = format!("hooks: {{always: [{{command: [/bin/sh, -c, '{wait}'], timeout: 60s}}]}}\n");
    world.configure("databases: []", None, &hook);
    let mut second = world.command(&["--quiet", "backup"]).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !here.exists() {
        assert!(begun.elapsed() < Duration::from_mins(1), "the second run does not come to its hook");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Two of one second stand in the order of their random ends.
    let name = |standing: &str| {
        let all = runs(&world);
        let one = all.iter().find(|run| run["standing"] == standing);
        one.unwrap_or_else(|| panic!("no run is {standing}"))["id"].as_str().unwrap().to_owned()
    };
    let (ended, running) = (name("ended"), name("running"));
    let success = Some("success".to_owned());

    assert_eq!(untold(&world), [(ended, success.clone())], "one of them has no end yet");
    assert_eq!(untold(&world), []);
    assert!(!away(&world), "the storage goes while a run needs it");
    std::fs::write(&go, "").unwrap();
    assert!(second.wait().unwrap().success());
    assert_eq!(untold(&world), [(running, success)], "its end is told by nobody");
    assert_eq!(untold(&world), []);
    assert!(away(&world));
}

/// After a start of the node, the number of a job's process may be somebody else's.
#[test]
fn a_job_is_at_work_while_its_own_process_is_there() {
    let world = World::new("databases: []");
    world.init();
    let job = "job=/var/lib/lifeboat/jobs/20260101T000000Z-restore-1; mkdir -p \"$job\"";
    let busy = |pid: &str| {
        let said = asked(&world, &format!("{job}; {pid}; sh \"$NODE\" busy; kill $other 2>/dev/null || :"));
        said["restoring"] == true
    };
    assert!(!busy("echo $$ >$job/pid"), "another process has the number");
    assert!(busy("sh -c 'sleep 9; :' run-job $job word >/dev/null 2>&1 & other=$!; echo $other >$job/pid"));
    assert!(!busy("echo 0 >$job/code"), "it has ended");
}
