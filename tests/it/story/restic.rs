//! Repositories that stock restic made, and keys: both programs understand each other in both directions.

use std::fs;

use crate::world::{World, assert_same, fingerprint};

fn made_by_restic(version: &str) {
    let world = World::new("databases: []");
    world.write("index.php", "<?php");
    world.write("deep/er/file", vec![7; 2_000_000]);
    world.write("empty", "");
    let root = world.root.display().to_string();
    world.restic(&["init", "--repository-version", version]).expect(0);
    world.restic(&["backup", "--host", "demo", &root]).expect(0);
    let before = fingerprint(&world.root);

    let listed = world.snapshots();
    assert_eq!((listed.len(), listed[0]["site"].as_str()), (1, Some("demo")));
    assert!(world.run(&["ls"]).expect(0).out.contains("deep/er/file"));
    world.run(&["check", "--read-data"]).expect(0);

    world.write("index.php", "HACKED");
    world.write("deep/malware", "malware");
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_same(&before, &fingerprint(&world.root));
    let target = world.path("elsewhere");
    fs::create_dir(&target).unwrap(); // an empty one, such as a fresh disk, will do
    world.run(&["restore", "--at", "latest", "--to", target.to_str().unwrap()]).expect(0);
    assert_same(&before, &fingerprint(&target.join(root.trim_start_matches('/'))));

    world.write("new", "saved by us");
    world.backup();
    world.restic_is_content();
    let again = world.path("by-restic");
    world.restic(&["restore", "latest", "--target", again.to_str().unwrap()]).expect(0);
    assert_same(&fingerprint(&world.root), &fingerprint(&again.join(root.trim_start_matches('/'))));
}

#[test]
fn a_repository_of_version_1_is_a_home() {
    made_by_restic("1");
}

#[test]
fn a_repository_of_version_2_is_a_home() {
    made_by_restic("2");
}

/// `latest` must not mean some other machine's snapshot of the same path.
#[test]
fn snapshots_of_several_hosts_are_not_mixed_up() {
    let world = World::new("databases: []");
    world.write("index", "x");
    let root = world.root.display().to_string();
    world.restic(&["init"]).expect(0);
    world.restic(&["backup", "--host", "node1", &root]).expect(0);
    // The only host that has it: a site that was saved by restic before it had this name.
    world.run(&["restore", "--at", "latest", "--dry-run"]).expect(0);
    world.restic(&["backup", "--host", "node2", &root]).expect(0);
    let ran = world.run(&["restore", "--at", "latest", "--dry-run"]).expect(1);
    assert!(ran.err.contains("no complete snapshot"), "{}", ran.err);
}

#[test]
fn two_snapshots_of_one_second_are_told_apart() {
    let world = World::new("databases: []");
    let root = world.root.display().to_string();
    world.restic(&["init"]).expect(0);
    for content in ["one", "two"] {
        world.write("index", content);
        world.restic(&["backup", "--host", "demo", "--time", "2026-11-20 03:00:05", &root]).expect(0);
    }
    let ids: Vec<_> =
        world.snapshots().iter().map(|snapshot| snapshot["id"].as_str().unwrap().to_owned()).collect();
    let ran = world.run(&["restore", "--at", "2026-11-20 12:00", "--dry-run"]).expect(0);
    assert!(ids.iter().all(|id| ran.err.contains(&id[..8])), "{ids:?} {}", ran.err);
    assert!(ran.err.contains("name one by its id"), "{}", ran.err);
    let mut found = Vec::new();
    for id in &ids {
        world.run(&["restore", "--at", &id[..8], "--yes", "--no-safety"]).expect(0);
        found.push(fs::read_to_string(world.root.join("index")).unwrap());
    }
    found.sort();
    assert_eq!(found, ["one", "two"]);
}

#[test]
fn keys_open_for_both_programs_and_the_last_one_stays() {
    let world = World::new("databases: []");
    world.write("index", "x");
    world.init();
    world.backup();
    let opens = |password: &str| {
        fs::write(world.path("try"), password).unwrap();
        let ran = world.restic(&["-p", world.path("try").to_str().unwrap(), "snapshots"]);
        ran.code == 0
    };
    let first = world.json(0, &["key", "list"])["result"][0]["id"].as_str().unwrap().to_owned();
    let last = world.run(&["key", "remove", &first]).expect(2);
    assert!(last.err.contains("only password key"), "{}", last.err);

    fs::write(world.path("second"), "second password\n").unwrap();
    fs::write(world.path("third"), "third password\n").unwrap();
    let second = world.path("second").display().to_string();
    world.run(&["key", "add", "--new-password-file", &second]).expect(0);
    assert!(opens("second password") && opens("correct horse battery staple"));

    let third = world.path("third").display().to_string();
    world.run(&["key", "passwd", "--new-password-file", &third]).expect(0);
    assert!(opens("third password") && opens("second password"));
    assert!(!opens("correct horse battery staple"));
    // The configured password is the old one: nothing more can be changed by it, the master key still opens.
    world.run(&["key", "passwd", "--new-password-file", &third]).expect(12);
    world.backup();

    let keys = world.json(0, &["key", "list"]);
    assert_eq!(keys["result"].as_array().unwrap().len(), 2);
    world.run(&["key", "remove", keys["result"][0]["id"].as_str().unwrap()]).expect(0);
    assert!(!opens("second password") && opens("third password"));
    assert!(world.restic(&["-p", &third, "check"]).code == 0);
}
