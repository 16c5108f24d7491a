//! `restic` and `lifeboat` on one repository exclude each other exactly as two restics do.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use lifeboat::error::Kind;
use lifeboat::event::Cx;
use lifeboat::repo::{Mode, Place, Repo};

use crate::world::{World, backup_that_waits};

fn world() -> World {
    let world = World::new("databases: []");
    world.write("file", "content");
    world.init();
    world.backup();
    world
}

fn open(world: &World) -> Repo {
    Repo::open(&Place::local(&world.path("storage")), &world.job().repo, &Cx::silent()).unwrap()
}

#[test]
fn restic_respects_our_locks() {
    let world = world();
    let repo = open(&world);
    let shared = repo.lock(Mode::Shared).unwrap();
    world.restic(&["snapshots"]).expect(0);
    world.restic(&["backup", world.root.to_str().unwrap()]).expect(0);
    let refused = world.restic(&["forget", "--keep-last", "1", "--prune"]);
    assert_ne!(refused.code, 0, "restic pruned beside a writer");
    assert!(refused.err.contains("locked"), "{}", refused.err);
    shared.release().unwrap();
    shared.release().unwrap();

    let alone = repo.lock(Mode::Exclusive).unwrap();
    assert_ne!(
        world.restic(&["backup", world.root.to_str().unwrap()]).code,
        0,
        "restic wrote beside a pruner"
    );
    alone.release().unwrap();
    world.restic(&["forget", "--keep-last", "1", "--prune"]).expect(0);
}

#[test]
fn we_respect_the_locks_of_a_running_restic() {
    let world = world();
    // A restic that reads from a pipe holds its shared lock until the pipe is closed.
    let mut restic = backup_that_waits(&mut world.restic_command(&world.repository()), &world.repository());
    world.backup();
    let refused = world.run(&["forget"]).expect(11);
    assert!(refused.err.contains(&format!("process {}", restic.id())), "{}", refused.err);
    // Rotation beside another writer waits for the next run and says so; the snapshot itself is good.
    for _ in 0..2 {
        world.json(0, &["backup", "--no-rotation"]);
    }
    world.json(3, &["backup"]);
    let mut input = restic.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"something").unwrap();
    drop(input);
    assert!(restic.wait().unwrap().success());
    world.json(0, &["backup"]);
}

#[test]
fn stale_is_judged_by_owner_and_age() {
    let world = world();
    let repo = open(&world);
    let lock = repo.lock(Mode::Exclusive).unwrap();
    // Our own process lives: nobody may break it.
    let busy = open(&world).lock(Mode::Shared).err().unwrap();
    assert_eq!(busy.kind(), Kind::Locked);
    assert!(busy.to_string().contains(&std::process::id().to_string()), "{busy}");
    lock.release().unwrap();

    // A file that is no lock, young: it may be somebody's. Old: it is what a power loss left.
    let path = world.repository().join("locks").join("0".repeat(64));
    fs::write(&path, "").unwrap();
    assert_eq!(repo.lock(Mode::Shared).err().unwrap().kind(), Kind::Locked);
    let old = std::time::SystemTime::now() - Duration::from_mins(31);
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    repo.lock(Mode::Shared).unwrap().release().unwrap();
    assert!(!path.exists());
}

#[test]
fn looking_is_possible_while_a_backup_runs() {
    let world = world();
    world.write("big", vec![9; 300 << 20]);
    let mut child = world.command(&["backup"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let locks = world.repository().join("locks");
    let begun = Instant::now();
    while fs::read_dir(&locks).unwrap().next().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(2));
    }
    for arguments in [
        &["snapshots"][..],
        &["ls"],
        &["restore", "--at", "latest", "--to", world.path("look").to_str().unwrap()],
    ] {
        world.run(arguments).expect(0);
    }
    // Who changes something waits.
    let second = world.run(&["backup"]).expect(11);
    assert!(second.err.contains(&format!("process {} (backup)", child.id())), "{}", second.err);
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_interrupted_init_is_not_mixed_with_a_new_one() {
    let world = World::new("databases: []");
    fs::create_dir_all(world.repository().join("keys")).unwrap();
    let refused = lifeboat::run::init(&world.job(), &Cx::silent()).err().unwrap();
    assert!(refused.to_string().contains("not empty"), "{refused}");
}
