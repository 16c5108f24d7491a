//! What rotation must never take: the newest good one, another site's, what was just saved.

use std::process::Command;

use crate::world::World;

const NONE: &str = "databases: []";

fn world() -> World {
    let world = World::new(NONE);
    world.write("index", "old");
    world.init();
    world
}

/// A snapshot whose clock was wrong, made by retagging one of ours with stock restic's help: restic sets the time.
fn by_restic(world: &World, time: &str, host: &str) {
    let root = world.root.display().to_string();
    world.restic(&["backup", "--host", host, "--time", time, &root]).expect(0);
}

fn times(world: &World) -> Vec<String> {
    world.snapshots().iter().map(|one| one["time"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn snapshots_from_the_future_push_out_nothing_that_is_new() {
    let world = world();
    for day in 1..=4 {
        by_restic(&world, &format!("2099-01-0{day} 00:00:00"), "demo");
    }
    let mine = world.backup();
    let kept: Vec<_> = world.snapshots().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert!(kept.contains(&mine), "the backup removed what it had just saved");
    let shown = world.run(&["forget", "--dry-run"]).expect(0).out;
    assert_eq!(shown.matches("in the future").count(), 4, "{shown}");
    assert_eq!(shown.matches("keep").count(), 5, "{shown}");
}

#[test]
fn forget_shows_each_with_its_reason_and_spares_other_sites() {
    let world = world();
    for day in 1..=5 {
        by_restic(&world, &format!("2020-01-0{day} 00:00:00"), "demo");
        by_restic(&world, &format!("2020-02-0{day} 00:00:00"), "other");
    }
    let shown = world.run(&["forget", "--dry-run"]).expect(0).out;
    assert_eq!(shown.matches("remove ").count(), 2, "{shown}");
    assert!(shown.contains("older than the last 3") && shown.contains("belongs to other"), "{shown}");
    assert!(shown.contains("the newest complete snapshot"), "{shown}");
    assert_eq!(times(&world).len(), 5, "a dry run removed something");
    let document = world.json(0, &["forget", "--dry-run"]);
    assert_eq!(document["result"]["verdicts"].as_array().unwrap().len(), 10);
    world.run(&["forget"]).expect(0);
    assert_eq!(times(&world).len(), 3);
    assert_eq!(world.json(0, &["snapshots", "--all"])["result"].as_array().unwrap().len(), 8);
}

/// Two nodes with their sites at the same path share a repository: each restores its own.
#[test]
fn another_site_at_the_same_path_is_never_the_latest() {
    let world = world();
    let mine = world.backup();
    let text = std::fs::read_to_string(world.path("lifeboat.yaml")).unwrap();
    let other =
        text.replace("name: demo", "name: other").replace("repository: {", "repository: {path: demo, ");
    std::fs::write(world.path("other.yaml"), other).unwrap();
    world.write("index", "theirs");
    let ran = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .arg("-c")
        .arg(world.path("other.yaml"))
        .arg("backup")
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(world.json(0, &["snapshots", "--all"])["result"].as_array().unwrap().len(), 2);
    let done = world.json(0, &["restore", "--at", "latest", "--yes"]);
    assert_eq!(done["result"]["restored"]["preview"]["snapshot"]["id"].as_str().unwrap(), mine);
    assert_eq!(std::fs::read_to_string(world.root.join("index")).unwrap(), "old");
}

/// A share that is not mounted leaves an empty directory: that is no good backup, and it pushes out none.
#[test]
fn an_empty_site_is_not_believed() {
    let world = world();
    world.backup();
    std::fs::remove_file(world.root.join("index")).unwrap();
    for _ in 0..4 {
        let ran = world.run(&["backup"]).expect(3);
        assert!(ran.err.contains("not mounted"), "{}", ran.err);
    }
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_eq!(std::fs::read_to_string(world.root.join("index")).unwrap(), "old");
}
