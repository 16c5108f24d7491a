//! The exit codes are a contract with scripts and monitors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use crate::world::{Ran, World};

fn world() -> World {
    let world = World::new("databases: []");
    world.write("file", "content");
    world.init();
    world
}

#[test]
fn success_is_0() {
    let world = world();
    for command in ["backup", "snapshots", "check", "doctor", "ls"] {
        world.run(&[command]).expect(0);
    }
    world.run(&["forget", "--dry-run"]).expect(0);
    world.run(&["completions", "bash"]).expect(0);
    world.run(&["man"]).expect(0);
    world.run(&["config", "check"]).expect(0);
    world.run(&["--help"]).expect(0);
}

#[test]
fn failed_is_1() {
    let world = world();
    let ran = world.run(&["restore", "--at", "2001-01-01", "--yes"]).expect(1);
    assert!(ran.err.contains("no complete snapshot at or before"), "{}", ran.err);
}

#[test]
fn usage_and_configuration_are_2() {
    let world = world();
    world.run(&["no-such-command"]).expect(2);
    world.run(&["restore", "--at", "the day before", "--yes"]).expect(2);
    fs::write(world.path("lifeboat.yaml"), "site: {nmae: x}").unwrap();
    let ran = world.run(&["backup"]).expect(2);
    assert!(ran.err.contains("nmae") && ran.err.contains("line 1"), "{}", ran.err);
    fs::remove_file(world.path("lifeboat.yaml")).unwrap();
    world.run(&["backup"]).expect(2);
}

/// Saved, and something was unreadable: root reads everything, so an ordinary user runs this one.
#[test]
fn incomplete_is_3_and_never_counts_as_good() {
    let world = world();
    world.write("secret", "unreadable");
    world.write("open", "readable");
    let nobody = 65534;
    let as_nobody = |arguments: &[&str]| {
        let mut command = world.command(arguments);
        Ran::of(&command.uid(nobody).gid(nobody).output().unwrap())
    };
    let owned = std::process::Command::new("chown").args(["-R", "65534:65534"]).arg(world.path("")).status();
    assert!(owned.unwrap().success());
    assert!(
        std::process::Command::new("chown")
            .args(["root"])
            .arg(world.root.join("secret"))
            .status()
            .unwrap()
            .success()
    );
    fs::set_permissions(world.root.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();

    let ran = as_nobody(&["backup"]).expect(3);
    assert!(ran.err.contains("secret") && ran.out.contains("INCOMPLETE"), "{}\n{}", ran.out, ran.err);
    let snapshots = world.snapshots();
    assert_eq!(snapshots[0]["complete"].as_bool(), Some(false));
    assert!(snapshots[0]["tags"].as_array().unwrap().iter().any(|tag| tag == "incomplete"));
    // `latest` is the latest good one, and there is none.
    world.run(&["restore", "--at", "latest", "--yes"]).expect(1);
}

#[test]
fn no_repository_is_10_and_none_is_made() {
    let world = World::new("databases: []");
    world.run(&["backup"]).expect(10);
    world.run(&["snapshots"]).expect(10);
    assert_eq!(fs::read_dir(world.path("storage")).unwrap().count(), 0);
}

#[test]
fn busy_is_11() {
    let world = world();
    let _claim = lifeboat::sys::claim::claim(&world.job().state.join("lock"), "a test").unwrap();
    let ran = world.run(&["backup"]).expect(11);
    assert!(ran.err.contains("a test") && ran.err.contains(&std::process::id().to_string()), "{}", ran.err);
}

#[test]
fn wrong_password_is_12() {
    let world = world();
    fs::remove_file(world.job().repo.key_file).unwrap();
    fs::write(world.path("password"), "wrong\n").unwrap();
    let ran = world.run(&["snapshots"]).expect(12);
    assert!(!ran.err.contains("wrong\n"), "{}", ran.err);
    fs::write(world.path("password"), "correct horse battery staple\n").unwrap();
    world.run(&["snapshots"]).expect(0);
}

#[test]
fn another_repositorys_key_is_12_too() {
    let (world, other) = (world(), world());
    fs::copy(other.job().repo.key_file, world.job().repo.key_file).unwrap();
    world.run(&["snapshots"]).expect(12);
}

#[test]
fn cancelled_is_130_and_leaves_no_snapshot() {
    let world = world();
    world.write("big", vec![3; 300 << 20]);
    let child =
        world.command(&["--json", "backup"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(600));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap()).expect(130);
    assert!(ran.out.contains("cancelled"), "{}", ran.out);
    assert_eq!(world.snapshots().len(), 0);
    assert_eq!(fs::read_dir(world.repository().join("locks")).unwrap().count(), 0);
    world.backup();
    world.restic_is_content();
}

/// An emptied site is saved, but must not push the good snapshots out.
#[test]
fn a_site_that_lost_most_of_its_files_rotates_nothing() {
    let world = world();
    for number in 0..10 {
        world.write(&format!("page{number}"), "page");
    }
    for _ in 0..3 {
        world.backup();
    }
    for number in 0..10 {
        fs::remove_file(world.root.join(format!("page{number}"))).unwrap();
    }
    let ran = world.run(&["backup"]).expect(0);
    assert!(ran.err.contains("nothing is rotated"), "{}", ran.err);
    assert_eq!(world.snapshots().len(), 4);
    // Two small ones in a row are what the site is now: the rule (the last 3) goes on.
    world.backup();
    assert_eq!(world.snapshots().len(), 3);
}
