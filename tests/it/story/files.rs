//! A site of files alone, with everything a file system can hold.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use nix::sys::stat::Mode;

use crate::world::{World, assert_same, fingerprint};

const NONE: &str = "databases: []";

/// One of each kind.
fn zoo(world: &World) {
    let root = &world.root;
    world.write("plain.txt", "plain");
    world.write("deep/er/and/deeper.txt", "deep");
    world.write("empty", "");
    world.write(
        "big.bin",
        (0..3_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<_>>(),
    );
    world.write(".hidden", "hidden");
    world.write("a b & 'c' \"d\" \\ \t\n.txt", "name");
    fs::write(root.join(OsStr::from_bytes(b"not-utf8-\xff\xfe")), "bytes").unwrap();
    symlink("plain.txt", root.join("link")).unwrap();
    symlink("/nowhere/at/all", root.join("dangling")).unwrap();
    symlink(OsStr::from_bytes(b"bytes-\xff"), root.join("link-to-bytes")).unwrap();
    fs::hard_link(root.join("plain.txt"), root.join("deep/hard")).unwrap();
    nix::unistd::mkfifo(&root.join("fifo"), Mode::S_IRWXU).unwrap();
    fs::File::create(root.join("sparse")).unwrap().set_len(64 << 20).unwrap();
    fs::create_dir(root.join("empty-directory")).unwrap();
    for (name, mode) in [("setuid", 0o4755), ("setgid", 0o2755), ("locked", 0o000), ("open", 0o666)] {
        world.write(name, name);
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(root.join("empty-directory"), fs::Permissions::from_mode(0o1777)).unwrap();
    std::os::unix::fs::lchown(root.join("open"), Some(12345), Some(54321)).unwrap();
    std::os::unix::fs::lchown(root.join("link"), Some(33), Some(33)).unwrap();
    xattr::set(root.join("plain.txt"), "user.note", b"\x00\xffbinary").unwrap();
    xattr::set(root.join("deep"), "user.dir", b"on a directory").unwrap();
    let acl = Command::new("setfacl").args(["-m", "u:33:rw"]).arg(root.join("open")).status().unwrap();
    assert!(acl.success());
    let old = std::fs::FileTimes::new()
        .set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789));
    fs::File::open(root.join("empty")).unwrap().set_times(old).unwrap();
}

fn damage(root: &Path) {
    fs::write(root.join("plain.txt"), "HACKED").unwrap();
    fs::remove_dir_all(root.join("deep")).unwrap();
    fs::remove_file(root.join("link")).unwrap();
    fs::create_dir(root.join("link")).unwrap();
    fs::write(root.join("link/malware.php"), "<?php").unwrap();
    fs::set_permissions(root.join("open"), fs::Permissions::from_mode(0o600)).unwrap();
    xattr::remove(root.join("open"), "system.posix_acl_access").unwrap_or_default();
    fs::remove_file(root.join(OsStr::from_bytes(b"not-utf8-\xff\xfe"))).unwrap();
}

#[test]
fn every_kind_of_file_comes_back_by_its_time() {
    let world = World::new(NONE);
    zoo(&world);
    world.init();
    let before = fingerprint(&world.root);
    let first = world.backup();
    let time: jiff::Timestamp = world.snapshots()[0]["time"].as_str().unwrap().parse().unwrap();
    let said = time.in_tz("Europe/Berlin").unwrap().strftime("%Y-%m-%d %H:%M:%S").to_string();

    std::thread::sleep(std::time::Duration::from_millis(1100));
    damage(&world.root);
    world.backup();
    let done = world.json(0, &["restore", "--at", &said, "--yes"]);
    assert_eq!(done["result"]["restored"]["preview"]["snapshot"]["id"].as_str().unwrap(), first);
    assert_same(&before, &fingerprint(&world.root));
    world.restic_is_content();

    // What was there before the restore is kept in a place nobody else can look into, until it is discarded.
    let kept = done["result"]["restored"]["kept"].as_str().unwrap().to_owned();
    assert_eq!(fs::read_to_string(Path::new(&kept).join("tree/link/malware.php")).unwrap(), "<?php");
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o700);
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    assert!(!Path::new(&kept).exists());
}

#[test]
fn stock_restic_restores_what_we_saved() {
    let world = World::new(NONE);
    zoo(&world);
    // Restic before 0.17 cannot read the field that keeps the bytes of such a target.
    fs::remove_file(world.root.join("link-to-bytes")).unwrap();
    world.init();
    world.backup();
    let target = world.path("by-restic");
    world.restic(&["restore", "latest", "--target", target.to_str().unwrap()]).expect(0);
    let restored = target.join(world.root.strip_prefix("/").unwrap());
    assert_same(&fingerprint(&world.root), &fingerprint(&restored));
}

#[test]
fn restore_elsewhere_and_in_part() {
    let world = World::new(NONE);
    zoo(&world);
    world.init();
    world.backup();
    let before = fingerprint(&world.root);
    let target = world.path("elsewhere");
    world.run(&["restore", "--at", "latest", "--to", target.to_str().unwrap()]).expect(0);
    let inside = world.root.strip_prefix("/").unwrap();
    assert_same(&before, &fingerprint(&target.join(inside)));
    assert!(target.join("@lifeboat/manifest.json").exists());
    // Nothing of anybody's is overwritten.
    world.run(&["restore", "--at", "latest", "--to", target.to_str().unwrap()]).expect(2);

    let part = world.path("part");
    world
        .run(&["restore", "--at", "latest", "--to", part.to_str().unwrap(), "--include", "deep/er"])
        .expect(0);
    assert_eq!(fs::read_to_string(part.join(inside).join("deep/er/and/deeper.txt")).unwrap(), "deep");
    assert!(!part.join(inside).join("plain.txt").exists());

    world.write("plain.txt", "HACKED");
    fs::remove_dir_all(world.root.join("deep")).unwrap();
    world.write("unrelated", "stays");
    world
        .run(&["restore", "--at", "latest", "--include", "/deep/er", "--include", "plain.txt", "--yes"])
        .expect(0);
    let read = |name: &str| fs::read_to_string(world.root.join(name)).unwrap();
    assert_eq!(
        (read("plain.txt"), read("deep/er/and/deeper.txt"), read("unrelated")),
        ("plain".into(), "deep".into(), "stays".into())
    );
    world.run(&["restore", "--at", "latest", "--include", "no/such/thing", "--yes"]).expect(2);
}

#[test]
fn what_is_excluded_is_not_saved_and_survives_a_restore() {
    let world = World::new(NONE);
    let root = world.root.display();
    let text = fs::read_to_string(world.path("lifeboat.yaml")).unwrap();
    let text = text.replace(
        &format!("root: {root}}}"),
        &format!("root: {root}, exclude: [\"*.log\", /cache/, \"!keep.log\"]}}"),
    );
    fs::write(world.path("lifeboat.yaml"), text).unwrap();
    world.write("index", "old");
    world.write("cache/page", "warm");
    world.write("sub/error.log", "log");
    world.write("sub/keep.log", "kept");
    world.write("tagged/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
    world.write("tagged/content", "cached");
    world.init();
    world.backup();
    let listed = world.run(&["ls"]).expect(0).out;
    let has = |name: &str| listed.contains(&format!("{root}/{name}\n"));
    assert!(has("index") && has("sub/keep.log") && has("tagged/CACHEDIR.TAG"));
    assert!(
        !has("cache") && !has("cache/page") && !has("sub/error.log") && !has("tagged/content"),
        "{listed}"
    );

    world.write("index", "new");
    world.write("cache/page", "warmer");
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    let read = |name: &str| fs::read_to_string(world.root.join(name)).unwrap();
    assert_eq!(
        (read("index"), read("cache/page"), read("sub/error.log")),
        ("old".into(), "warmer".into(), "log".into())
    );
}

#[test]
fn an_unchanged_site_adds_almost_nothing_and_every_change_is_seen() {
    let world = World::new(NONE);
    for number in 0..50 {
        world.write(&format!("file{number}"), vec![number; 10_000]);
    }
    world.init();
    world.backup();
    let again = world.json(0, &["backup"]);
    let stats = &again["result"]["snapshot"]["stats"];
    assert_eq!((stats["files_new"].as_u64(), stats["files_unmodified"].as_u64()), (Some(0), Some(50)));

    // Same size, same modification time: only ctime and inode betray it.
    let path = world.root.join("file7");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, vec![99; 10_000]).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let changed = world.json(0, &["backup"]);
    assert_eq!(changed["result"]["snapshot"]["stats"]["files_unmodified"].as_u64(), Some(49));
    world.write("file7", "broken");
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_eq!(fs::read(&path).unwrap(), vec![99; 10_000]);
    let diff =
        world.run(&["diff", &world.snapshots()[1]["id"].as_str().unwrap()[..12], "latest"]).expect(0).out;
    assert!(diff.contains("M ") && diff.contains("file7"), "{diff}");
}
