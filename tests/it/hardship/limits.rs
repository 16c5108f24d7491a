//! What a run may take from the machine, looked at from outside of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use lifeboat::event::{Cx, Outcome, RunKind, Step};
use lifeboat::run::{self, BackupRequest};
use rand::{RngCore, SeedableRng};

use crate::world::World;

fn world(limits: &str) -> World {
    let world = World::new("databases: []");
    world.configure("databases: []", None, &format!("limits: {limits}\n"));
    world.write("index", "content");
    world.init();
    world
}

fn noise(world: &World, name: &str, size: usize) {
    let mut content = vec![0; size];
    rand::rngs::StdRng::seed_from_u64(size as u64).fill_bytes(&mut content);
    world.write(name, content);
}

fn bytes_in(directory: &Path) -> u64 {
    let mut sum = 0;
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        for entry in fs::read_dir(path).unwrap().map(Result::unwrap) {
            let meta = entry.metadata().unwrap();
            if meta.is_dir() { pending.push(entry.path()) } else { sum += meta.len() }
        }
    }
    sum
}

#[test]
fn a_bound_on_the_bandwidth_holds_both_ways() {
    let world = world("{bandwidth: 4MiB}");
    noise(&world, "noise", 12 << 20);
    let begun = Instant::now();
    world.backup();
    let (took, stored) = (begun.elapsed(), bytes_in(&world.repository()));
    assert!(stored > 12 << 20);
    assert!(took > Duration::from_millis(2500), "{stored} bytes in {took:?}");
    assert!(took < Duration::from_secs(30), "{stored} bytes in {took:?}");

    let target = world.path("elsewhere");
    let begun = Instant::now();
    world.run(&["restore", "--at", "latest", "--to", target.to_str().unwrap(), "--yes"]).expect(0);
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(2500), "{took:?}");

    // And without it, the same is not slow: the bound is what held it.
    world.configure("databases: []", None, "");
    noise(&world, "noise", (12 << 20) + 1);
    let begun = Instant::now();
    world.backup();
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
}

/// While the site is held still, nothing makes that longer.
#[test]
fn a_site_that_is_held_still_waits_for_no_limit() {
    let world = World::new("databases: []");
    let hook = world.path("hook");
    let text = format!(
        "#!/bin/sh\ncat > /dev/null; [ \"$LIFEBOAT_POINT\" = after-online ] && head -c 12000000 /dev/urandom > {}/late; exit 0\n",
        world.root.display()
    );
    fs::write(&hook, text).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).unwrap();
    let command = format!("[{{command: [{}]}}]", hook.display());
    let yaml = format!(
        "limits: {{bandwidth: 1MiB}}\nquiesce: {{mode: full}}\nhooks: {{quiesce: {command}, resume: {command}, after-online: {command}}}\n"
    );
    world.configure("databases: []", None, &yaml);
    world.write("index", "content");
    world.init();
    let done = world.json(0, &["backup"]);
    assert!(done["result"]["snapshot"]["stats"]["bytes"].as_u64().unwrap() > 12_000_000);
    let downtime = done["result"]["downtime_seconds"].as_f64().unwrap();
    assert!(downtime < 6.0, "at 1 MiB a second it would be 12 s: {downtime}");
}

/// A storage of its own size, which goes with the test.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    fn mount(path: &'a Path, megabytes: u32) -> Self {
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path).status();
        assert!(mounted.unwrap().success());
        Self(path)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0).status());
    }
}

#[test]
fn a_backup_that_would_fill_the_storage_stops_and_leaves_room() {
    let world = World::new("databases: []");
    let storage = world.path("storage");
    let _disk = Disk::mount(&storage, 64);
    world.configure("databases: []", None, "limits: {free_space: {storage: 25%}}\n");
    world.write("index", "content");
    world.init();
    world.backup();

    let before = bytes_in(&storage);
    noise(&world, "noise", 80 << 20);
    let ran = world.run(&["backup"]).expect(1);
    assert!(ran.err.contains("25% are to stay free") && ran.err.contains("forget --prune"), "{}", ran.err);
    assert_eq!(world.snapshots().len(), 1);
    let after = bytes_in(&storage);
    assert!(after - before < 1 << 20, "{before} {after}: what was written for nothing is left");
    world.restic_is_content();

    // Less fits, and what is to stay free is free afterwards.
    fs::remove_file(world.root.join("noise")).unwrap();
    noise(&world, "less", 30 << 20);
    world.backup();
    let used = bytes_in(&storage);
    assert!(used < 48 << 20, "{used}");

    // By now there is too little from the beginning: said before anything is read. To make room is not refused.
    fs::write(storage.join("somebody's"), vec![1; 20 << 20]).unwrap();
    let begun = Instant::now();
    let ran = world.run(&["backup"]).expect(1);
    assert!(ran.err.contains("limits.free_space") && ran.err.contains("25% are to stay free"), "{}", ran.err);
    assert!(begun.elapsed() < Duration::from_secs(10));
    world.run(&["forget", "--prune"]).expect(0);
    fs::remove_file(storage.join("somebody's")).unwrap();
    world.backup();
}

#[test]
fn a_node_without_room_is_no_place_for_a_backup_or_a_restore() {
    let world = world("{free_space: {node: 900TiB}}");
    let ran = world.run(&["backup"]).expect(1);
    assert!(ran.err.contains("limits.free_space.node"), "{}", ran.err);
    world.configure("databases: []", None, "");
    world.backup();
    world.configure("databases: []", None, "limits: {free_space: {node: 900TiB}}\n");
    let ran = world.run(&["restore", "--at", "latest", "--yes"]).expect(1);
    assert!(ran.err.contains("are to stay free there"), "{}", ran.err);
    world.run(&["snapshots"]).expect(0);
    world.run(&["recover"]).expect(0);
}

#[test]
fn a_run_stands_back_as_far_as_it_is_asked_to() {
    let world = World::new("databases: []");
    let hook = world.path("hook");
    let seen = world.path("seen");
    // The nineteenth number in `stat` is the nice value of the thread that started the hook.
    let text = format!("#!/bin/sh\ncat > /dev/null\ncut -d' ' -f19 /proc/$PPID/stat > {}\n", seen.display());
    fs::write(&hook, text).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).unwrap();
    let yaml = format!("limits: {{nice: 13}}\nhooks: {{before-save: [{{command: [{}]}}]}}\n", hook.display());
    world.configure("databases: []", None, &yaml);
    world.write("index", "content");
    world.init();
    world.run(&["backup"]).expect(0);
    assert_eq!(fs::read_to_string(&seen).unwrap().trim(), "13");
}

#[test]
fn an_index_that_needs_more_memory_than_there_is_is_not_read() {
    let world = world("{memory: 64MiB}");
    let ran = world.run(&["backup"]).expect(1);
    assert!(ran.err.contains("limits.memory is 64 MiB"), "{}", ran.err);
    assert_eq!(world.snapshots().len(), 0);
    world.configure("databases: []", None, "limits: {memory: 512MiB}\n");
    world.backup();
}

#[test]
fn a_run_waits_for_a_busy_machine_between_two_files() {
    let world = world("{pause_under_load: {cpu: 50, longest: 3s}}");
    for number in 0..40 {
        world.write(&format!("file{number}"), "content");
    }
    let pressure = world.path("pressure");
    fs::create_dir(&pressure).unwrap();
    fs::write(pressure.join("cpu"), "some avg10=80.00 avg60=0.00 avg300=0.00 total=0\n").unwrap();
    let mut job = world.job();
    job.limits.pause.as_mut().unwrap().directory = pressure;
    let cx = Cx::silent();
    let (result, state) = run::execute(RunKind::Backup, &job, "test", &cx, || {
        run::backup(&job, &BackupRequest::default(), &cx).map(|snapshot| (snapshot, None))
    });
    result.unwrap();
    assert_eq!(state.outcome, Some(Outcome::Success));
    let took = state.took(Step::Save).unwrap();
    assert!(took.as_secs() >= 3 && took.as_secs() < 20, "{took:?}");
    let told: Vec<_> = state.notes.iter().filter(|note| note.contains("wait")).collect();
    assert!(told[0].contains("others wait for cpu during 80%"), "{told:?}");
    assert!(told[1].contains("goes on after 3 s, and waits no more"), "{told:?}");
}
