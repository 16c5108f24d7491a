//! Several at once, and what programs rely on: one JSON document whatever happens.

use std::process::Stdio;

use serde_json::Value;

use crate::world::{Ran, World};

const NONE: &str = "databases: []";

fn world() -> World {
    let world = World::new(NONE);
    world.write("index", "x");
    world.init();
    world
}

fn start(world: &World, config: &str, arguments: &[&str]) -> std::process::Child {
    std::process::Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .arg("-c")
        .arg(world.path(config))
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn of_two_runs_on_one_site_the_second_is_told_to_wait() {
    let world = world();
    world.write("big", vec![9; 200 << 20]);
    let first = start(&world, "lifeboat.yaml", &["backup"]);
    let locks = world.repository().join("locks");
    while std::fs::read_dir(&locks).unwrap().next().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for arguments in [&["backup"][..], &["restore", "--at", "latest", "--yes"]] {
        let ran = world.run(arguments).expect(11);
        assert!(ran.err.contains("busy") && ran.err.contains("backup"), "{}", ran.err);
    }
    Ran::of(&first.wait_with_output().unwrap()).expect(0);
}

#[test]
fn two_sites_back_up_into_one_repository_at_once() {
    let world = world();
    world.write("big", vec![9; 50 << 20]);
    let text = std::fs::read_to_string(world.path("lifeboat.yaml")).unwrap();
    let other =
        text.replace("name: demo", "name: other").replace("repository: {", "repository: {path: demo, ");
    std::fs::write(world.path("other.yaml"), other).unwrap();
    let both = [start(&world, "lifeboat.yaml", &["backup"]), start(&world, "other.yaml", &["backup"])];
    for child in both {
        Ran::of(&child.wait_with_output().unwrap()).expect(0);
    }
    assert_eq!(world.json(0, &["snapshots", "--all"])["result"].as_array().unwrap().len(), 2);
    world.restic_is_content();
}

#[test]
fn json_is_one_document_on_stdout_and_lines_on_stderr() {
    let world = world();
    let elsewhere = world.path("elsewhere").display().to_string();
    for (code, arguments) in [
        (0, &["backup"][..]),
        (0, &["snapshots"]),
        (0, &["ls"]),
        (0, &["diff", "latest", "latest"]),
        (0, &["check", "--read-data"]),
        (0, &["forget", "--dry-run"]),
        (0, &["forget", "--prune"]),
        (0, &["doctor"]),
        (0, &["key", "list"]),
        (0, &["config", "check"]),
        (0, &["restore", "--at", "latest", "--dry-run"]),
        (0, &["restore", "--at", "latest", "--yes"]),
        (0, &["restore", "--at", "latest", "--to", &elsewhere]),
        (0, &["restore", "--discard-former", "--yes"]),
        (0, &["restore", "--discard-former", "--yes"]),
        (2, &["restore", "--at", "latest"]),
        (2, &["restore", "--at", "latest", "--to", &elsewhere]),
        (2, &["restore", "--at", "nonsense", "--yes"]),
        (2, &["restore"]),
        (2, &["no-such-command"]),
        (2, &["key", "remove", "ffffffff"]),
        (1, &["dump", "latest", "/nothing"]),
        (1, &["ls", "deadbeef"]),
        (2, &["key", "add", "--new-password-file", "/dev/null"]),
    ] {
        let ran = world.run(&[&["--json"], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}\n{}\n{}", ran.out, ran.err);
        let document: Value = serde_json::from_str(&ran.out)
            .unwrap_or_else(|error| panic!("{arguments:?} {error}: {}", ran.out));
        assert_eq!(document["exit_code"].as_i64(), Some(code.into()), "{arguments:?}");
        assert_ne!(document["result"].is_null(), document["error"].is_null(), "{arguments:?}");
        for line in ran.err.lines() {
            assert!(serde_json::from_str::<Value>(line).is_ok(), "{arguments:?}: {line}");
        }
    }
    std::fs::write(world.path("lifeboat.yaml"), "site: {nmae: x}").unwrap();
    for arguments in [&["config", "check"][..], &["backup"]] {
        world.json(2, arguments);
    }
}
