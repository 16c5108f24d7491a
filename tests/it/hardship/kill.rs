//! `kill -9` at random moments: the repository stays sound, and the next backup succeeds without help.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::{Rng, RngCore, SeedableRng};

use crate::world::World;

const KILLS: u32 = 20;

#[test]
fn a_backup_killed_at_random_moments_harms_nothing() {
    let world = World::new("databases: []");
    let mut random = rand::rngs::StdRng::seed_from_u64(42);
    let mut content = vec![0; 400_000];
    for number in 0..150 {
        random.fill_bytes(&mut content);
        world.write(&format!("dir{}/file{number}", number % 7), &content);
    }
    world.init();
    let begun = Instant::now();
    world.backup();
    let whole = begun.elapsed();

    let mut died = 0;
    for round in 0..KILLS {
        for number in 0..40 {
            random.fill_bytes(&mut content);
            world.write(&format!("dir{}/file{number}", number % 7), &content);
        }
        let mut child =
            world.command(&["backup"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(
            random.random_range(0..=u64::try_from(whole.as_millis()).unwrap()),
        ));
        child.kill().unwrap();
        died += u32::from(!child.wait().unwrap().success());
        // Restic judges the lock of the dead as we do: stale, because its process is gone.
        world.restic(&["unlock"]).expect(0);
        let checked = world.restic(&["check"]);
        assert_eq!(checked.code, 0, "round {round}\n{}\n{}", checked.out, checked.err);
    }
    assert!(died > KILLS / 4, "only {died} of {KILLS} were killed in time: the test proves nothing");
    world.backup();
    world.restic_is_content();
}

#[test]
fn the_lock_of_a_killed_backup_is_removed_by_the_next_one() {
    let world = World::new("databases: []");
    world.write("big", vec![7; 200 << 20]);
    world.init();
    let mut child = world.command(&["backup"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let locks = world.repository().join("locks");
    let begun = Instant::now();
    while std::fs::read_dir(&locks).unwrap().next().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no lock was written");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(std::fs::read_dir(&locks).unwrap().count(), 1, "the lock went although its owner was killed");
    let ran = world.run(&["backup"]).expect(0);
    assert!(ran.err.contains("removed the stale lock"), "{}", ran.err);
    assert_eq!(std::fs::read_dir(&locks).unwrap().count(), 0);
}
