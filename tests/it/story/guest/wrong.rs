//! A share that is not there, not the one meant, or full: said in clear words, and nothing is written anywhere else.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use lifeboat::event::Cx;
use nix::fcntl::{FallocateFlags, fallocate};

use super::{EXPORTED, Running, Share, grow, says, server};
use crate::world::{World, assert_same, fingerprint};

/// A refusal needs no patience.
const SOON: Duration = Duration::from_secs(15);

#[track_caller]
fn refused(world: &World, words: &str) {
    let ran = Running::start(world, &["backup"]).end_within(SOON).expect(1);
    says(&ran, words);
    says(&ran, "   try: ");
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn export_that_does_not_exist() {
    let share = Share::new("gone");
    let world = share.world("on-demand", 1);
    fs::remove_dir(share.served()).unwrap();
    refused(&world, "the server has no such export");
    share.is_left_alone();
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn server_that_is_down_from_the_start() {
    let share = Share::new("down");
    let world = share.world("on-demand", 1);
    world.init();
    server("nfs-down", &[]);
    refused(&world, "the server cannot be reached");
    share.is_left_alone();
    server("nfs-up", &[]);
    world.backup();
    share.is_left_alone();
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn bare_directory_is_never_taken_for_the_share() {
    let share = Share::new("bare");
    let world = share.world("present", 1);
    refused(&world, "the directory does not exist");
    fs::create_dir_all(&share.point).unwrap();
    refused(&world, "nothing is mounted there, only a bare directory");
    let error = lifeboat::run::init(&world.job(), &Cx::silent()).err().unwrap();
    assert!(error.to_string().contains("nothing is mounted there"), "{error}");
    share.is_left_alone();

    share.mount_by_hand("soft");
    world.init();
    world.backup();
    lifeboat::sys::mount::unmount(&share.point).unwrap();
    refused(&world, "nothing is mounted there, only a bare directory");
    world.run(&["restore", "--at", "latest", "--yes"]).expect(1);
    share.is_left_alone();
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn emptied_share_is_no_new_one() {
    let share = Share::new("emptied");
    let world = share.world("on-demand", 1);
    world.init();
    world.backup();
    let aside = Path::new(EXPORTED).join("emptied-aside");
    fs::rename(share.served(), &aside).unwrap();
    fs::create_dir(share.served()).unwrap();
    refused(&world, "is not marked any more, though backups were kept there");
    assert_eq!(fs::read_dir(share.served()).unwrap().count(), 0);
    share.is_left_alone();
    fs::remove_dir(share.served()).unwrap();
    fs::rename(&aside, share.served()).unwrap();
    world.backup();
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn another_export_or_repository_is_not_ours() {
    let (share, other) = (Share::new("ours"), Share::new("theirs"));
    let (world, stranger) = (share.world("on-demand", 1), other.world("on-demand", 1));
    world.init();
    stranger.init();
    world.backup();
    world.configure("databases: []", Some(&other.yaml("on-demand")), "");
    refused(&world, "is another storage: its marker is");
    assert_eq!(other.snapshots(), 0);
    other.is_left_alone();

    // The right share, but somebody made the repository anew.
    world.configure("databases: []", Some(&share.yaml("on-demand")), "");
    fs::rename(share.repository(), share.served().join("former")).unwrap();
    world.restic_on(&share.repository(), &["init"]).expect(0);
    fs::remove_file(world.job().repo.key_file).unwrap();
    refused(&world, "is another one than before: its id is");
    assert_eq!(share.snapshots(), 0);
    share.is_left_alone();
}

/// Takes all room on the server but this many MiB; what is reserved for root is no obstacle to the server.
fn fill(keep: i64) -> File {
    let hog = Path::new(EXPORTED).join("hog");
    let mut file = File::options().create(true).append(true).open(hog).unwrap();
    let free = nix::sys::statvfs::statvfs(EXPORTED).unwrap();
    let free = i64::try_from(free.blocks_free() * free.fragment_size()).unwrap();
    fallocate(&file, FallocateFlags::empty(), 0, free - (keep << 20)).unwrap();
    file.flush().unwrap();
    file
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn full_share_fails_and_keeps_what_it_has() {
    let share = Share::new("full");
    let world = share.world("on-demand", 8);
    world.init();
    let first = world.backup();
    let before = fingerprint(&world.root);
    grow(&world, "second", 60);
    drop(fill(20));

    let ran = Running::start(&world, &["backup"]).end_within(Duration::from_mins(1)).expect(1);
    says(&ran, "No space left on device");
    says(&ran, "   try: make the storage larger");
    assert_eq!(share.snapshots(), 1);
    share.is_left_alone();
    world.restic_on(&share.repository(), &["check"]).expect(0);

    // What is live cannot be saved first, so nothing is touched.
    let grown = fingerprint(&world.root);
    let ran = world.run(&["restore", "--at", &first[..8], "--yes"]).expect(1);
    says(&ran, "save the present state first");
    says(&ran, "--no-safety");
    assert_same(&grown, &fingerprint(&world.root));
    // Restoring itself needs no room there: old snapshots are as good as ever.
    world.run(&["restore", "--at", &first[..8], "--no-safety", "--yes"]).expect(0);
    assert_same(&before, &fingerprint(&world.root));
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    assert_ne!(grown, before);

    fs::remove_file(Path::new(EXPORTED).join("hog")).unwrap();
    grow(&world, "third", 30);
    world.backup();
    assert_eq!(share.snapshots(), 2);
    share.restic_is_content(&world);
    share.is_left_alone();
}
