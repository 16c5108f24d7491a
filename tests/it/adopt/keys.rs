//! The weak key goes, and the way back in is proven first; whatever is interrupted is said again.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::fixture::{Addon, ENV};
use crate::world::{World, backup_that_waits};

fn one_snapshot() -> Addon {
    let addon = Addon::new("2");
    addon.save("2024-01-01_000000", "2024-01-01 00:00:07", "auto", &addon.dump());
    addon
}

fn own(addon: &Addon) -> String {
    fs::read_to_string(addon.world.path("password")).unwrap().trim().to_owned()
}

#[test]
fn the_weak_key_goes_once_the_new_one_is_proven() {
    let addon = one_snapshot();
    let repository = addon.repository().display().to_string();
    addon.world.json(0, &["adopt", &repository]);
    addon.restic(ENV, &["snapshots"]).expect(0);
    let weak = "one of them is opened by the site's name";
    let told = addon.world.run(&["doctor"]).expect(0).out;
    assert!(told.contains(weak) && told.contains("--remove-weak-key"), "{told}");
    let ends = "the former password still opens it";
    assert!(addon.world.run(&["adopt", &repository]).expect(0).out.contains(ends));
    let done = addon.world.json(0, &["adopt", &repository, "--remove-weak-key"]);
    assert!(!addon.world.run(&["adopt", &repository]).expect(0).out.contains(ends), "it opens nothing");
    assert!(!addon.world.run(&["doctor"]).expect(0).out.contains(weak));
    assert_eq!(done["result"]["adopted"]["keys_removed"].as_array().unwrap().len(), 1);
    assert_ne!(addon.restic(ENV, &["snapshots"]).code, 0, "the environment's name opens it still");
    addon.restic(&own(&addon), &["check", "--read-data"]).expect(0);
    // Whoever lists the storage is told, and nothing is hidden by it.
    let storage = addon.world.path("storage").display().to_string();
    let ran = addon.world.run(&["adopt", "--list", &storage]).expect(0);
    let list: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(list["unreadable"][ENV].is_string() && ran.err.contains(ENV), "{}\n{}", ran.out, ran.err);
    // Said once more, also by a node that has lost its key, it finds nothing to do.
    fs::remove_dir_all(addon.world.path("state")).unwrap();
    let again = addon.world.json(0, &["adopt", &repository, "--remove-weak-key"]);
    assert_eq!(again["result"]["adopted"]["keys_removed"], serde_json::json!([]));
    assert!(again["result"]["adopted"]["key_added"].is_null());
    addon.world.backup();
}

#[test]
fn the_environments_name_is_no_new_password() {
    let addon = one_snapshot();
    fs::write(addon.world.path("password"), format!("{ENV}\n")).unwrap();
    let repository = addon.repository().display().to_string();
    let ran = addon.world.run(&["adopt", &repository, "--remove-weak-key"]).expect(2);
    assert!(ran.err.contains("former add-on used"), "{}", ran.err);
    addon.restic(ENV, &["snapshots"]).expect(0);
}

#[test]
fn without_a_configuration_one_is_written() {
    let addon = one_snapshot();
    let (world, repository) = (&addon.world, addon.repository().display().to_string());
    fs::remove_file(world.path("lifeboat.yaml")).unwrap();
    let (root, state) = (world.root.display().to_string(), world.path("state").display().to_string());
    let wrong = world.path("storage/not-there").display().to_string();
    world.run(&["adopt", &wrong, "--root", &root, "--state", &state]).expect(2);
    fs::create_dir(world.path("storage/empty")).unwrap();
    let empty = world.path("storage/empty").display().to_string();
    world.run(&["adopt", &empty, "--root", &root, "--state", &state]).expect(10);
    assert!(!world.path("lifeboat.yaml").exists(), "what does not open leaves no configuration behind");

    let done = world.json(0, &["adopt", &repository, "--root", &root, "--state", &state]);
    assert_eq!(done["result"]["site"], ENV);
    assert!(done["result"]["password"].is_null());
    for file in [world.path("lifeboat.yaml"), world.path("state").join(ENV).join("password")] {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    assert_eq!(world.snapshots().len(), 1);
    let password = fs::read_to_string(world.path("state").join(ENV).join("password")).unwrap();
    addon.restic(password.trim(), &["snapshots"]).expect(0);
    // The configuration is lost, the rest is there.
    fs::remove_file(world.path("lifeboat.yaml")).unwrap();
    let again =
        world.json(0, &["adopt", &repository, "--root", &root, "--state", &state, "--remove-weak-key"]);
    assert!(again["result"]["adopted"]["key_added"].is_null());
    fs::remove_file(world.path("lifeboat.yaml")).unwrap();
    world.json(0, &["adopt", &repository, "--root", &root, "--state", &state]);
    addon.restic(password.trim(), &["snapshots"]).expect(0);
}

/// A lock is somebody's until it is stale; that the directory is not empty says nothing.
#[test]
fn a_running_backup_of_the_add_on_is_respected() {
    let addon = one_snapshot();
    let mut restic = backup_that_waits(&mut addon.command(ENV), &addon.repository());
    let repository = addon.repository().display().to_string();
    addon.world.run(&["adopt", &repository, "--remove-weak-key"]).expect(11);
    addon.restic(ENV, &["snapshots", "--no-lock"]).expect(0);
    addon.world.json(0, &["adopt", &repository]);
    restic.kill().unwrap();
    restic.wait().unwrap();
    // Its process is gone, and its lock with it.
    addon.world.json(0, &["adopt", &repository, "--remove-weak-key"]);
    assert_eq!(fs::read_dir(addon.repository().join("locks")).unwrap().count(), 0);
}

#[test]
fn what_does_not_open_hides_no_other() {
    let addon = one_snapshot();
    let storage = addon.world.path("storage");
    fs::create_dir_all(storage.join("broken/keys")).unwrap();
    fs::write(storage.join("broken/config"), "nonsense").unwrap();
    fs::create_dir(storage.join("lost+found")).unwrap();
    let other = World::new("databases: []");
    other.restic_on(&storage.join("foreign"), &["init"]).expect(0);
    // Whoever may write to the storage must not make the listing wait for ever, or end it.
    fs::create_dir_all(storage.join("waits/keys")).unwrap();
    nix::unistd::mkfifo(&storage.join("waits/config"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    other.restic_on(&storage.join("greedy"), &["init"]).expect(0);
    let key = fs::read_dir(storage.join("greedy/keys")).unwrap().next().unwrap().unwrap().path();
    let mut greedy: serde_json::Value = serde_json::from_slice(&fs::read(&key).unwrap()).unwrap();
    greedy["N"] = serde_json::json!(1_u32 << 31);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, greedy.to_string()).unwrap();
    let ran = addon.world.run(&["adopt", "--list", &storage.display().to_string()]).expect(0);
    let list: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(list["envs"], serde_json::json!([ENV]));
    let unreadable: Vec<_> = list["unreadable"].as_object().unwrap().keys().collect();
    assert_eq!(unreadable, ["broken", "foreign", "greedy", "waits"]);
}
