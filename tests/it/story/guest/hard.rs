//! A server that goes away under a mount which waits for it for ever: the watch over the storage ends what hangs.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Running, SIZE, Share, backup_without_server, recovers, says, server, up_again};
use crate::world::{assert_same, fingerprint};

/// Seconds that a mount is given which never gives up by itself.
const PATIENCE: &str = "5";

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn backup_on_a_hard_mount_does_not_hang() {
    let share = Share::new("hard");
    share.mount_by_hand("hard");
    let world = share.world("present", SIZE);
    world.init();
    let running = backup_without_server(&share, &world, PATIENCE);
    let ran = running.end_within(Duration::from_secs(30)).expect(1);
    says(&ran, "has not answered for 5s");
    assert_eq!(share.snapshots(), 0);
    share.is_left_alone();
    up_again();
    share.mount_by_hand("hard");
    recovers(&share, &world, 1);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn restore_from_a_hard_mount_does_not_hang() {
    let share = Share::new("hard-restore");
    share.mount_by_hand("hard");
    let world = share.world("present", SIZE);
    world.init();
    world.backup();
    fs::remove_dir_all(world.root.join("first")).unwrap();
    let damaged = fingerprint(&world.root);
    // What this node has just written it would read from its own memory.
    lifeboat::sys::mount::unmount(&share.point).unwrap();
    share.mount_by_hand("hard");

    let arguments = ["--storage-patience", PATIENCE, "restore", "--at", "latest", "--yes"];
    let mut running = Running::start(&world, &arguments);
    let (site, beside) = (super::size_of(&world.root), world.root.parent().unwrap().to_owned());
    running.held_when(|| super::size_of(&beside) > site + (4 << 20), || server("nfs-down", &[]));
    let ran = running.end_within(Duration::from_secs(30)).expect(1);
    says(&ran, "has not answered for 5s");
    assert_same(&damaged, &fingerprint(&world.root));
    share.is_left_alone();
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn ctrl_c_on_a_hard_mount_ends_the_run() {
    let share = Share::new("hard-cancel");
    let world = share.world("on-demand", SIZE);
    let hard = share.yaml("on-demand").replace(super::IMPATIENT, "hard,timeo=10,retrans=1");
    world.configure("databases: []", Some(&hard), "");
    world.init();
    let running = backup_without_server(&share, &world, "20");
    sleep(Duration::from_secs(1));
    running.signal(Signal::SIGINT);
    // Nobody who asked for an end waits for all of the patience.
    running.end_within(Duration::from_secs(18)).expect(130);
    assert_eq!(share.snapshots(), 0);
    share.is_left_alone();
    up_again();
    recovers(&share, &world, 1);
}
