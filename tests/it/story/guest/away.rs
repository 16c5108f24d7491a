//! A server that goes away in the middle: every run ends soon, with a result that is true, and the next one succeeds.

use std::fs;
use std::thread::{sleep, spawn};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Running, SIZE, Share, backup_without_server, recovers, says, server, up_again};
use crate::world::{assert_same, fingerprint};

/// Seconds; more than the short outage takes. Some waits of a soft mount have no end either.
const PATIENCE: &str = "10";

/// More than any run may take with a server that does not answer.
const LIMIT: Duration = Duration::from_mins(1);

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn backup_ends_without_a_snapshot() {
    let share = Share::new("lost");
    let world = share.world("on-demand", SIZE);
    world.init();
    let ran = backup_without_server(&share, &world, PATIENCE).end_within(LIMIT).expect(1);
    says(&ran, "Input/output error");
    says(&ran, "   try: look at the storage");
    assert_eq!(share.snapshots(), 0);
    share.is_left_alone();
    up_again();
    recovers(&share, &world, 1);
    share.is_left_alone();
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn short_outage_is_survived() {
    let share = Share::new("short");
    let world = share.world("on-demand", SIZE);
    world.init();
    let running = backup_without_server(&share, &world, PATIENCE);
    let back = spawn(|| {
        sleep(Duration::from_millis(2500));
        server("nfs-up", &[]);
    });
    running.end_within(LIMIT).expect(0);
    back.join().unwrap();
    assert_eq!(share.snapshots(), 1);
    assert_eq!(fs::read_dir(share.repository().join("locks")).unwrap().count(), 0, "a lock is left");
    share.restic_is_content(&world);
    share.is_left_alone();
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn restore_leaves_the_site_as_it_is() {
    let share = Share::new("restore");
    let world = share.world("on-demand", SIZE);
    world.init();
    let saved = fingerprint(&world.root);
    world.backup();
    fs::remove_dir_all(world.root.join("first")).unwrap();
    world.write("index.html", "<?php evil");
    let damaged = fingerprint(&world.root);

    let mut running =
        Running::start(&world, &["--storage-patience", PATIENCE, "restore", "--at", "latest", "--yes"]);
    // Files come into a directory beside the site first.
    let site = super::size_of(&world.root);
    let beside = world.root.parent().unwrap().to_owned();
    running.held_when(|| super::size_of(&beside) > site + (4 << 20), || server("nfs-down", &[]));
    running.end_within(LIMIT).expect(1);
    assert_same(&damaged, &fingerprint(&world.root));
    share.is_left_alone();
    let left: Vec<_> = fs::read_dir(&beside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".lifeboat-")), "{left:?}");

    up_again();
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_same(&saved, &fingerprint(&world.root));
    share.is_left_alone();
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn ctrl_c_in_an_outage_ends_the_run() {
    let share = Share::new("cancel");
    let world = share.world("on-demand", SIZE);
    world.init();
    let running = backup_without_server(&share, &world, PATIENCE);
    sleep(Duration::from_secs(1));
    running.signal(Signal::SIGINT);
    running.end_within(Duration::from_secs(30)).expect(130);
    assert_eq!(share.snapshots(), 0);
    share.is_left_alone();
    up_again();
    recovers(&share, &world, 1);
}
