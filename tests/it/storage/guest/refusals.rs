//! What must not be used as the storage, each told apart from the others.

use std::fs;
use std::io::{PipeReader, pipe};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

use lifeboat::event::Cx;
use lifeboat::storage::{MountMode, NfsSpec, StorageSpec, open};
use lifeboat::sys::mount::{Flags, mount, unmount};

use super::{EXPORTED, IMPATIENT, Scene, attach, says, server};

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn export_that_does_not_exist() {
    let scene = Scene::new("no-export");
    let spec = NfsSpec { export: "/nowhere".into(), ..scene.spec(MountMode::OnDemand) };
    says(&scene.refused(&*open(&StorageSpec::Nfs(spec))), "no such export");
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn export_that_is_not_for_this_node() {
    let scene = Scene::new("denied");
    server("exportfs", &["-u", "127.0.0.1:/mnt/export"]);
    server("exportfs", &["-o", "rw,fsid=0,no_subtree_check", "10.9.9.9:/mnt/export"]);
    let error = scene.refused(&*scene.storage(MountMode::OnDemand));
    server("exportfs", &["-u", "10.9.9.9:/mnt/export"]);
    says(&error, "the server refuses this node");
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn bare_directory_where_a_mount_should_be() {
    let scene = Scene::new("bare");
    let storage = scene.storage(MountMode::Present);
    says(&scene.refused(&*storage), "does not exist");
    fs::create_dir_all(&scene.point).unwrap();
    says(&scene.refused(&*storage), "nothing is mounted there");
    assert_eq!(fs::read_dir(&scene.point).unwrap().count(), 0);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn another_file_system_or_another_export() {
    let scene = Scene::new("foreign");
    scene.mount_tmpfs();
    for mode in [MountMode::OnDemand, MountMode::Permanent, MountMode::Present] {
        says(&scene.refused(&*scene.storage(mode)), "another file system is mounted there: tmp (tmpfs)");
    }
    fs::create_dir_all(Path::new(EXPORTED).join("inner")).unwrap();
    scene.mount_by_hand("127.0.0.1:/data/inner", "");
    says(&scene.refused(&*scene.storage(MountMode::Present)), "127.0.0.1:/data/inner (nfs4)");
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn directory_with_files_in_it_is_not_mounted_over() {
    let scene = Scene::new("not-empty");
    fs::create_dir_all(&scene.point).unwrap();
    fs::write(scene.point.join("backup-written-while-away"), "").unwrap();
    let error = scene.refused(&*scene.storage(MountMode::OnDemand));
    says(&error, "would hide");
    says(&error, "backup-written-while-away");
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn read_only_export_and_read_only_mount() {
    let scene = Scene::new("read-only");
    server("nfs-export", &["ro,no_root_squash"]);
    says(&scene.refused(&*scene.storage(MountMode::OnDemand)), "it is read-only");
    server("nfs-export", &["rw,no_root_squash"]);
    scene.mount_by_hand("127.0.0.1:/data", "ro");
    says(&scene.refused(&*scene.storage(MountMode::Present)), "it is read-only");
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn export_where_root_may_not_write() {
    let scene = Scene::new("squashed");
    server("nfs-export", &["rw,root_squash"]);
    says(&scene.refused(&*scene.storage(MountMode::OnDemand)), "not allowed to write");
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn server_that_is_down_or_does_not_exist() {
    let scene = Scene::new("down");
    server("nfs-down", &[]);
    let started = Instant::now();
    says(&scene.refused(&*scene.storage(MountMode::OnDemand)), "the server cannot be reached");
    let unknown = NfsSpec { server: "no-such-host.invalid".into(), ..scene.spec(MountMode::OnDemand) };
    says(&scene.refused(&*open(&StorageSpec::Nfs(unknown))), "the name of the server is not known");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn server_that_accepts_and_then_says_nothing() {
    let scene = Scene::new("silent");
    let _mute = TcpListener::bind("127.0.0.1:2050").unwrap();
    let options = Some(format!("{IMPATIENT},port=2050"));
    let spec = NfsSpec { options, ..scene.spec(MountMode::OnDemand) };
    let started = Instant::now();
    says(&scene.refused(&*open(&StorageSpec::Nfs(spec))), "the server gives no usable answer");
    assert!(started.elapsed() < Duration::from_secs(90), "{:?}", started.elapsed());
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn bad_options_are_named() {
    let scene = Scene::new("options");
    let spec = NfsSpec { options: Some("frobnicate".into()), ..scene.spec(MountMode::OnDemand) };
    says(&scene.refused(&*open(&StorageSpec::Nfs(spec))), "refuses the mount options");
}

/// An automount trigger whose daemon is this process: our own accesses do not trigger it.
fn trigger(point: &Path) -> PipeReader {
    fs::create_dir_all(point).unwrap();
    let (requests, kernel) = pipe().unwrap();
    let data =
        format!("fd={},pgrp={},minproto=5,maxproto=5,direct", kernel.as_raw_fd(), nix::unistd::getpgrp());
    mount("/etc/autofs.test", point, "autofs", Flags::empty(), &data).unwrap();
    requests
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn automount_that_did_not_mount_and_one_that_did() {
    let scene = Scene::new("autofs");
    let _requests = trigger(&scene.point);
    for mode in [MountMode::Present, MountMode::OnDemand] {
        says(&scene.refused(&*scene.storage(mode)), "the automount set up there did not mount it");
    }
    scene.mount_by_hand("127.0.0.1:/data", "");
    for mode in [MountMode::Present, MountMode::OnDemand] {
        let storage = scene.storage(mode);
        let attached = attach(&*storage).unwrap();
        assert_eq!(attached.unmount, None, "the automount unmounts what it mounted");
        storage.detach(&attached).unwrap();
        assert_eq!(scene.mounts(), 2);
    }
    unmount(&scene.point).unwrap();
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn failed_probe_leaves_no_file_behind() {
    let scene = Scene::new("traces");
    let storage = scene.storage(MountMode::OnDemand);
    let attached = storage.attach(&Cx::silent()).unwrap();
    storage.detach(&attached).unwrap();
    let left: Vec<_> = fs::read_dir(EXPORTED)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("probe"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
