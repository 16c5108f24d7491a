//! A server that goes away in the middle: every wait ends, with the right words.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use lifeboat::storage::{MountMode, NfsSpec, StorageSpec, Watch, open};
use lifeboat::sys::mount::force_away;
use nix::errno::Errno;

use super::super::Warnings;
use super::{EXPORTED, IMPATIENT, Scene, attach, says, server};

/// Creates, writes and syncs a file: what a repository does all day.
fn write_synced(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&vec![7; 65536])?;
    file.sync_all()
}

fn error_of(result: io::Result<()>) -> Errno {
    Errno::from_raw(result.unwrap_err().raw_os_error().unwrap())
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn server_lost_during_writes_is_an_error_soon() {
    let scene = Scene::new("lost");
    let storage = scene.storage(MountMode::OnDemand);
    let attached = attach(&*storage).unwrap();
    write_synced(&attached.root.join("before")).unwrap();
    server("nfs-down", &[]);
    let started = Instant::now();
    let error = error_of(write_synced(&attached.root.join("during")));
    assert!(matches!(error, Errno::EIO | Errno::ETIMEDOUT), "{error}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    // Also an adopted mount whose server is away is told from a bare directory.
    says(&scene.refused(&*scene.storage(MountMode::Present)), "the server cannot be reached");
    storage.detach(&attached).unwrap();
    assert_eq!(scene.mounts(), 0);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn short_restart_of_the_server_is_survived() {
    let scene = Scene::new("restart");
    let mut spec = scene.spec(MountMode::OnDemand);
    spec.options = None;
    let storage = open(&StorageSpec::Nfs(spec));
    let attached = attach(&*storage).unwrap();
    server("nfs-down", &[]);
    let back = thread::spawn(|| {
        thread::sleep(Duration::from_secs(4));
        server("nfs-up", &[]);
    });
    write_synced(&attached.root.join("through")).unwrap();
    back.join().unwrap();
    storage.detach(&attached).unwrap();
    assert_eq!(scene.mounts(), 0);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn stale_handle_is_cured_by_mounting_again() {
    let scene = Scene::new("stale");
    let storage = scene.storage(MountMode::Permanent);
    attach(&*storage).unwrap();
    fs::rename(EXPORTED, "/mnt/export/old").unwrap();
    fs::remove_dir_all("/mnt/export/old").unwrap();
    fs::create_dir(EXPORTED).unwrap();
    let (warnings, cx) = Warnings::listen();
    let present = scene.refused(&*scene.storage(MountMode::Present));
    says(&present, "the mount is stale");
    let attached = scene.storage(MountMode::OnDemand).attach(&cx).unwrap();
    assert!(warnings.all()[0].contains("stale"), "{:?}", warnings.all());
    write_synced(&attached.root.join("again")).unwrap();
    assert!(Path::new(EXPORTED).join("again").exists());
    assert_eq!(scene.mounts(), 1);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn operation_hanging_on_a_hard_mount_is_ended_by_the_watch() {
    let scene = Scene::new("hanging");
    let spec = NfsSpec { options: Some(format!("hard,{IMPATIENT}")), ..scene.spec(MountMode::OnDemand) };
    let storage = open(&StorageSpec::Nfs(spec));
    let attached = attach(&*storage).unwrap();
    let (warnings, cx) = Warnings::listen();
    let watch = Watch::start(&attached.root, Duration::from_secs(3), &cx).unwrap();
    watch.run(|| write_synced(&attached.root.join("before"))).unwrap();
    server("nfs-down", &[]);
    let started = Instant::now();
    let error = error_of(watch.run(|| write_synced(&attached.root.join("during"))));
    assert_eq!(error, Errno::EIO);
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
    assert!(warnings.all()[0].contains("has not answered for 3s"), "{:?}", warnings.all());
    // Nothing more is written there: the path may lead to the bare directory now.
    assert_eq!(error_of(watch.run(|| Ok(()))), Errno::EIO);
    storage.detach(&attached).unwrap();
    assert_eq!((scene.mounts(), fs::read_dir(&scene.point).unwrap().count()), (0, 0));
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn nothing_is_written_once_somebody_unmounted_it() {
    let scene = Scene::new("taken-away");
    let attached = attach(&*scene.storage(MountMode::Permanent)).unwrap();
    let (warnings, cx) = Warnings::listen();
    let watch = Watch::start(&attached.root, Duration::from_secs(6), &cx).unwrap();
    watch.run(|| write_synced(&attached.root.join("before"))).unwrap();
    force_away(&scene.point).unwrap();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(error_of(watch.run(|| write_synced(&attached.root.join("after")))), Errno::EIO);
    assert!(warnings.all()[0].contains("was unmounted by somebody"), "{:?}", warnings.all());
    assert_eq!(fs::read_dir(&scene.point).unwrap().count(), 0);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn dead_server_does_not_keep_us_from_unmounting() {
    let scene = Scene::new("dead");
    let spec = NfsSpec { options: Some("hard".into()), ..scene.spec(MountMode::OnDemand) };
    let storage = open(&StorageSpec::Nfs(spec));
    let attached = attach(&*storage).unwrap();
    let held = File::create(attached.root.join("held-open")).unwrap();
    server("nfs-down", &[]);
    let started = Instant::now();
    storage.detach(&attached).unwrap();
    assert_eq!(scene.mounts(), 0);
    assert!(started.elapsed() < Duration::from_secs(90), "{:?}", started.elapsed());
    // Closing waits for the server, and there is no path left to abort that by.
    server("nfs-up", &[]);
    drop(held);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn quiet_watch_costs_next_to_nothing_and_a_local_one_nothing() {
    let scene = Scene::new("cheap");
    let local = Watch::start(Path::new("/mnt"), Watch::LIMIT, &Warnings::listen().1).unwrap();
    assert_eq!(local.run(|| Ok(1)).unwrap(), 1);
    let attached = attach(&*scene.storage(MountMode::Permanent)).unwrap();
    let (warnings, cx) = Warnings::listen();
    let watch = Watch::start(&attached.root, Duration::from_secs(1), &cx).unwrap();
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..100_000).for_each(|_| watch.run(|| Ok(())).unwrap()));
        }
    });
    let each = started.elapsed() / 400_000;
    assert!(each < Duration::from_micros(20), "{each:?}");
    thread::sleep(Duration::from_secs(2));
    assert!(warnings.all().is_empty(), "{:?}", warnings.all());
}
