//! Mounting in each mode, and giving back.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lifeboat::event::Cx;
use lifeboat::storage::identity::{Standing, mark, verify};
use lifeboat::storage::{Attached, Identity, MountMode, StorageSpec, open};
use lifeboat::sys::mount::{table, top};

use super::super::Warnings;
use super::{EXPORTED, Scene, attach, server};

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn on_demand_is_mounted_verified_and_given_back() {
    let scene = Scene::new("on-demand");
    let storage = scene.storage(MountMode::OnDemand);
    let attached = attach(&*storage).unwrap();
    assert_eq!(attached, Attached { root: scene.point.clone(), unmount: Some(scene.point.clone()) });

    let table = table().unwrap();
    let entry = top(&table, &scene.point).unwrap();
    assert_eq!((entry.fstype.as_str(), entry.source.as_str()), ("nfs4", "127.0.0.1:/data"));
    assert!(entry.options.contains("nosuid,nodev,noexec"), "{entry:?}");
    assert!(entry.super_options.contains("vers=4.2,") && entry.super_options.contains("soft,"), "{entry:?}");

    fs::write(scene.point.join("witness"), "there").unwrap();
    assert_eq!(fs::read_to_string(Path::new(EXPORTED).join("witness")).unwrap(), "there");
    storage.detach(&attached).unwrap();
    assert_eq!(scene.mounts(), 0);
    storage.detach(&attached).unwrap();
    assert_eq!(fs::metadata(&scene.point).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn identity_of_a_share_follows_the_share() {
    let scene = Scene::new("identity");
    let storage = scene.storage(MountMode::OnDemand);
    let attached = attach(&*storage).unwrap();
    let ours = Identity { storage: mark(&attached.root).unwrap(), repository: "r".into() };
    storage.detach(&attached).unwrap();
    let error = verify(&scene.point, Some(&ours), None).unwrap_err();
    assert!(error.to_string().contains("not marked any more"), "{error}");
    let attached = attach(&*storage).unwrap();
    assert_eq!(verify(&attached.root, Some(&ours), None).unwrap(), Standing::Known);
    storage.detach(&attached).unwrap();
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn permanent_stays_mounted_and_is_mounted_once() {
    let scene = Scene::new("permanent");
    for _ in 0..2 {
        let storage = scene.storage(MountMode::Permanent);
        let attached = attach(&*storage).unwrap();
        assert_eq!(attached.unmount, None);
        storage.detach(&attached).unwrap();
        assert_eq!(scene.mounts(), 1);
    }
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn present_is_verified_and_left_alone() {
    let scene = Scene::new("present");
    // Mounted by name and configured by address: the same server.
    scene.mount_by_hand("localhost:/data", "");
    let storage = scene.storage(MountMode::Present);
    let attached = attach(&*storage).unwrap();
    assert_eq!(attached.unmount, None);
    storage.detach(&attached).unwrap();
    assert_eq!(scene.mounts(), 1);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn leftover_of_a_killed_run_is_adopted() {
    let scene = Scene::new("leftover");
    let killed = attach(&*scene.storage(MountMode::OnDemand)).unwrap();
    // The killed run's storage is gone without a detach; a recovery knows only the plain data.
    let storage = scene.storage(MountMode::OnDemand);
    assert_eq!(attach(&*storage).unwrap(), killed);
    assert_eq!(scene.mounts(), 1);
    drop(storage);
    scene.storage(MountMode::OnDemand).detach(&killed).unwrap();
    assert_eq!(scene.mounts(), 0);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn last_of_two_runs_unmounts() {
    let scene = Scene::new("shared");
    let (one, other) = (scene.storage(MountMode::OnDemand), scene.storage(MountMode::OnDemand));
    let (first, second) = (attach(&*one).unwrap(), attach(&*other).unwrap());
    assert_eq!(scene.mounts(), 1);
    one.detach(&first).unwrap();
    assert_eq!(scene.mounts(), 1, "unmounted under the feet of the other run");
    other.detach(&second).unwrap();
    assert_eq!(scene.mounts(), 0);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn busy_mount_is_taken_away_all_the_same() {
    let scene = Scene::new("busy");
    let storage = scene.storage(MountMode::OnDemand);
    let attached = attach(&*storage).unwrap();
    let open = File::create(attached.root.join("held-open")).unwrap();
    storage.detach(&attached).unwrap();
    assert_eq!(scene.mounts(), 0);
    drop(open);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn older_version_is_spoken_only_if_the_server_wants_it() {
    let scene = Scene::new("version");
    server("nfs-down", &[]);
    server("rpc.nfsd", &["-N", "3", "-N", "4.2", "4"]);
    let storage = scene.storage(MountMode::OnDemand);
    let attached = attach(&*storage).unwrap();
    let table = table().unwrap();
    assert_eq!(top(&table, &scene.point).unwrap().super_option("vers"), Some("4.1"));
    storage.detach(&attached).unwrap();
    server("nfs-down", &[]);
    server("rpc.nfsd", &["-N", "3", "-V", "4.2", "4"]);
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn full_storage_is_attached_with_a_warning() {
    let scene = Scene::new("full");
    let hog = Path::new(EXPORTED).join("hog");
    let free = nix::sys::statvfs::statvfs(EXPORTED).unwrap();
    let all = i64::try_from(free.blocks_free() * free.fragment_size()).unwrap();
    let file = File::create(&hog).unwrap();
    let mut size = all;
    while size > 4096 && nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, size).is_err() {
        size -= size / 50;
    }
    let (warnings, cx) = Warnings::listen();
    let storage = scene.storage(MountMode::OnDemand);
    // Whole blocks may still be free after the large one: fill them, too.
    let mut filler = File::options().append(true).open(&hog).unwrap();
    while std::io::Write::write_all(&mut filler, &[7; 4096]).is_ok() {}
    let attached = storage.attach(&cx).unwrap();
    fs::remove_file(&hog).unwrap();
    storage.detach(&attached).unwrap();
    assert!(warnings.all().iter().any(|text| text.contains("it is full")), "{:?}", warnings.all());
}

#[test]
#[ignore = "runs in tests/nfs-lab"]
fn mountpoint_behind_a_symbolic_link_is_found_again() {
    let scene = Scene::new("linked");
    let link = Path::new("/mnt/link");
    std::os::unix::fs::symlink("/mnt/points", link).unwrap();
    let mut spec = scene.spec(MountMode::OnDemand);
    spec.mountpoint = link.join("linked");
    let storage = open(&StorageSpec::Nfs(spec));
    let attached = storage.attach(&Cx::silent()).unwrap();
    assert_eq!(attached.root, scene.point);
    storage.detach(&attached).unwrap();
    assert_eq!(scene.mounts(), 0);
}
