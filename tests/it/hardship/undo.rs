//! Back from a restore: by what it set aside, by what it had saved, and never by accident.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::mariadb::MariaDb;
use crate::story::wordpress::{rows, similar};
use crate::world::{World, assert_same, fingerprint};

const NONE: &str = "databases: []";

/// Saved as `old`, and `new` since then, with an upload that came later.
fn world() -> World {
    let world = World::new(NONE);
    world.write("index", "old");
    world.write("uploads/first.jpg", "1");
    world.init();
    world.backup();
    world.write("index", "new");
    world.write("uploads/second.jpg", "2");
    world.write("uploads/2026/third.jpg", "3");
    world.write("malware.php", "<?php");
    world
}

fn read(world: &World, name: &str) -> String {
    fs::read_to_string(world.root.join(name)).unwrap_or_default()
}

fn restore(world: &World, more: &[&str]) -> Value {
    let done = world.json(0, &[&["restore", "--at", "latest", "--yes"], more].concat());
    done["result"]["restored"].clone()
}

fn undo(world: &World) -> Value {
    world.json(0, &["restore", "--undo", "--yes"])["result"]["undone"].clone()
}

fn safety(world: &World) -> Vec<Value> {
    let is_safety = |one: &Value| one["tags"].as_array().unwrap().iter().any(|tag| tag == "safety");
    world.snapshots().into_iter().filter(is_safety).collect()
}

#[test]
fn an_undo_goes_back_and_forth_without_the_storage() {
    let world = world();
    let before = fingerprint(&world.root);
    restore(&world, &[]);
    let after = fingerprint(&world.root);
    fs::rename(world.path("storage"), world.path("away")).unwrap();
    for round in 0..4 {
        let dry = world.json(0, &["restore", "--undo", "--dry-run"]);
        assert_eq!(dry["result"]["undone"]["preview"]["kept"], true);
        let done = undo(&world);
        assert!(done["restored"].is_null() && done["kept"].is_string(), "{done:#}");
        assert_same(if round % 2 == 0 { &before } else { &after }, &fingerprint(&world.root));
        let kept = world.run(&["restore", "--undo"]).expect(2);
        assert!(kept.err.contains("nobody can be asked"), "{}", kept.err);
    }
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    let left: Vec<_> =
        fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".site")), "{left:?}");
}

#[test]
fn what_was_discarded_comes_back_from_the_safety_snapshot() {
    let server = MariaDb::start();
    server.sql("", "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v TEXT); INSERT INTO shop.t VALUES (1,'a')");
    let host = server.socket().display().to_string();
    let world = World::new(&format!(
        "databases: [{{type: mysql, name: shop, host: \"localhost:{host}\", user: root}}]"
    ));
    world.write("index", "old");
    world.init();
    world.backup();
    world.write("index", "new");
    server.sql("shop", "INSERT INTO t VALUES (2,'b')");
    let (files, content) = (fingerprint(&world.root), rows(&server, "shop"));
    restore(&world, &[]);
    assert_eq!(read(&world, "index"), "old");
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    assert_eq!(server.schemas(), ["shop"]);

    let dry = world.json(0, &["restore", "--undo", "--dry-run"]);
    assert_eq!(dry["result"]["undone"]["preview"]["kept"], false);
    let done = undo(&world);
    assert_eq!(done["restored"]["preview"]["snapshot"]["id"], safety(&world)[0]["id"]);
    assert_same(&files, &fingerprint(&world.root));
    similar(&content, &rows(&server, "shop"));
    // And that can be undone as well.
    undo(&world);
    assert_eq!(read(&world, "index"), "old");
    assert_eq!(server.sql("shop", "SELECT COUNT(*) FROM t").trim(), "1");
}

#[test]
fn nothing_to_undo_is_said() {
    let world = world();
    let ran = world.run(&["restore", "--undo", "--yes"]).expect(1);
    assert!(ran.err.contains("there is no restore of demo to undo"), "{}", ran.err);
    restore(&world, &["--no-safety"]);
    assert_eq!(safety(&world).len(), 0);
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    let ran = world.run(&["restore", "--undo", "--yes"]).expect(1);
    assert!(ran.err.contains("no safety snapshot was made"), "{}", ran.err);
    assert_eq!(read(&world, "index"), "old");
}

#[test]
fn a_part_of_the_files_is_undone_as_a_part() {
    let world = world();
    fs::remove_file(world.root.join("uploads/first.jpg")).unwrap();
    let before = fingerprint(&world.root);
    restore(&world, &["--include", "index", "--include", "/uploads/first.jpg"]);
    assert_eq!((read(&world, "index"), read(&world, "uploads/first.jpg")), ("old".into(), "1".into()));
    let content = |world: &World| fingerprint(&world.root).into_keys().collect::<Vec<_>>();
    world.write("later", "later");
    undo(&world);
    assert_eq!((read(&world, "index"), read(&world, "later")), ("new".into(), "later".into()));
    fs::remove_file(world.root.join("later")).unwrap();
    assert_eq!(content(&world), before.keys().cloned().collect::<Vec<_>>());
    undo(&world);
    assert_eq!((read(&world, "index"), read(&world, "uploads/first.jpg")), ("old".into(), "1".into()));
}

#[test]
fn a_site_that_was_gone_is_gone_again_after_an_undo() {
    let world = world();
    fs::remove_dir_all(&world.root).unwrap();
    let done = restore(&world, &[]);
    assert!(done["safety"].is_null(), "there was nothing to save: {done:#}");
    assert_eq!(read(&world, "index"), "old");
    undo(&world);
    assert!(!world.root.exists());
    undo(&world);
    assert_eq!(read(&world, "index"), "old");
}

/// Half of what was kept must not pass for all of it.
#[test]
fn a_discard_that_was_killed_is_not_undone_from_its_rest() {
    let world = world();
    let before = fingerprint(&world.root);
    let kept = restore(&world, &[])["kept"].as_str().unwrap().to_owned();
    let doomed = format!("{kept}.discarded");
    fs::rename(&kept, &doomed).unwrap();
    fs::remove_file(Path::new(&doomed).join("tree/index")).unwrap();
    let done = undo(&world);
    assert!(done["restored"].is_object(), "{done:#}");
    assert_same(&before, &fingerprint(&world.root));
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    assert!(!Path::new(&doomed).exists());
}

/// The safety snapshot is the state that somebody wanted to leave: it is found by its id alone.
#[test]
fn a_safety_snapshot_is_chosen_by_its_id_alone_and_has_its_own_time() {
    let world = world();
    let first = world.snapshots()[0]["id"].clone();
    restore(&world, &[]);
    let saved = safety(&world);
    assert_eq!((saved.len(), saved[0]["complete"].as_bool()), (1, Some(true)));
    assert!(world.run(&["snapshots"]).out.contains("safety"));
    for at in ["latest", "now", "2099-01-01"] {
        let chosen = world.json(0, &["restore", "--at", at, "--dry-run"]);
        assert_eq!(chosen["result"]["restored"]["preview"]["snapshot"]["id"], first, "{at}");
    }
    // `last: 3` counts none of them, and removes none before its time.
    for _ in 0..4 {
        world.backup();
    }
    assert_eq!((world.snapshots().len(), safety(&world).len()), (4, 1));
    world.configure(NONE, None, "restore: {keep_safety: 0s}");
    assert_eq!(safety(&world).len(), 1);
    world.backup();
    assert_eq!((world.snapshots().len(), safety(&world).len()), (3, 0));

    world.configure(NONE, None, "");
    restore(&world, &["--no-safety"]);
    assert_eq!(safety(&world).len(), 0);
}

#[test]
fn a_safety_snapshot_brings_the_present_state_back() {
    let world = world();
    let before = fingerprint(&world.root);
    restore(&world, &[]);
    let id = safety(&world)[0]["id"].as_str().unwrap().to_owned();
    world.run(&["restore", "--at", &id, "--yes"]).expect(0);
    assert_same(&before, &fingerprint(&world.root));
}

#[test]
fn newer_files_move_along_or_are_set_aside_with_a_list() {
    let world = world();
    let dry = world.json(0, &["restore", "--at", "latest", "--dry-run", "--keep-newer", "/uploads/"]);
    let done = restore(&world, &["--keep-newer", "/uploads/"]);
    for told in [&dry["result"]["restored"]["preview"], &done] {
        assert_eq!(told["carried"]["count"], 2, "{told:#}");
        assert_eq!(told["carried"]["first"], serde_json::json!(["uploads/2026", "uploads/second.jpg"]));
        assert_eq!(told["aside"], serde_json::json!({"count": 1, "first": ["malware.php"]}));
    }
    assert_eq!((read(&world, "index"), read(&world, "malware.php")), ("old".into(), String::new()));
    assert_eq!(
        (read(&world, "uploads/second.jpg"), read(&world, "uploads/2026/third.jpg")),
        ("2".into(), "3".into())
    );
    let kept = Path::new(done["kept"].as_str().unwrap());
    assert_eq!(fs::read_to_string(kept.join("tree/malware.php")).unwrap(), "<?php");
    let list = kept.join("set-aside.txt");
    assert_eq!(fs::read_to_string(&list).unwrap(), "malware.php\n");
    assert_eq!(fs::metadata(&list).unwrap().permissions().mode() & 0o777, 0o600);

    // An undo takes them along again, and back once more.
    undo(&world);
    assert_eq!(
        (read(&world, "malware.php"), read(&world, "uploads/2026/third.jpg")),
        ("<?php".into(), "3".into())
    );
    undo(&world);
    assert_eq!((read(&world, "index"), read(&world, "uploads/2026/third.jpg")), ("old".into(), "3".into()));

    let text = world.run(&["restore", "--at", "latest", "--dry-run"]).expect(0).out;
    assert!(
        text.contains("newer files that are set aside") && text.contains("uploads/2026/third.jpg"),
        "{text}"
    );
}

/// How an operator lets a program look at the new site before it is declared valid.
#[test]
fn a_probe_hook_turns_a_restore_down() {
    for point in ["before-probe", "after-probe"] {
        let world = world();
        let script = world.path("hook");
        let text =
            format!("#!/bin/sh\ncat > /dev/null\ngrep -q new {}\n", world.root.join("index").display());
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let hook = format!("hooks:\n  {point}: [{{command: [{}]}}]\n", script.display());
        world.configure(NONE, None, &hook);
        let before = fingerprint(&world.root);
        let ran = world.run(&["restore", "--at", "latest", "--yes"]).expect(1);
        assert!(ran.err.contains(point), "{}", ran.err);
        assert_same(&before, &fingerprint(&world.root));
        assert_eq!(world.json(0, &["recover"])["result"]["recovered"]["recovery"], "nothing");
        // It sees the new site: with the old content expected, it agrees.
        fs::write(&script, fs::read_to_string(&script).unwrap().replace("-q new", "-q old")).unwrap();
        restore(&world, &[]);
        assert_eq!(read(&world, "index"), "old");
    }
}

/// The real program, killed whenever it happens.
#[test]
fn a_restore_killed_at_random_moments_is_before_or_after() {
    killed_at_random("root", 16);
}

/// Inside the live schema, for who may make no other.
#[test]
fn a_restore_inside_the_schema_killed_at_random_moments_is_before_or_after() {
    killed_at_random("app", 12);
}

fn killed_at_random(user: &str, kills: u32) {
    let server = MariaDb::start();
    server.sql(
        "",
        &"CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, v TEXT); INSERT INTO t SELECT seq, MD5(seq) FROM seq_1_to_2000;
         CREATE TABLE k (id INT PRIMARY KEY, t INT, CONSTRAINT of_t FOREIGN KEY (t) REFERENCES t(id)); INSERT INTO k VALUES (1, 600);
         CREATE USER app@localhost; GRANT ALL ON shop.* TO app@localhost; CREATE DEFINER=ME VIEW w AS SELECT id, v FROM t;
         CREATE DEFINER=ME TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET NEW.v = UPPER(NEW.v)"
            .replace("ME", &format!("{user}@localhost")),
    );
    let host = server.socket().display().to_string();
    let world = World::new(&format!(
        "databases: [{{type: mysql, name: shop, host: \"localhost:{host}\", user: {user}}}]"
    ));
    for number in 0..200 {
        world.write(&format!("dir{}/file{number}", number % 7), "old");
    }
    world.init();
    world.backup();
    let old = (fingerprint(&world.root), rows(&server, "shop"));
    for number in 0..100 {
        world.write(&format!("dir{}/file{number}", number % 7), "new");
    }
    server.sql("shop", "DELETE FROM t WHERE id < 500; CREATE TABLE u (a INT, b INT); DROP VIEW w");
    let new = (fingerprint(&world.root), rows(&server, "shop"));
    let arguments = ["restore", "--at", "latest", "--yes", "--no-safety"];
    let begun = Instant::now();
    world.run(&arguments).expect(0);
    let whole = u64::try_from(begun.elapsed().as_millis()).unwrap();
    world.run(&["restore", "--undo", "--yes"]).expect(0);
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);

    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let (mut died, mut table) = (0, String::new());
    for round in 0..kills {
        let mut child =
            world.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The last third is where the site changes.
        let wait = random.random_range(whole / 2..=whole);
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        died += u32::from(!child.wait().unwrap().success());
        let found = world.json(0, &["recover"]);
        let found = found["result"]["recovered"]["recovery"].as_str().unwrap();
        let is_new = fs::read_to_string(world.root.join("dir0/file0")).unwrap() == "new";
        table.extend([format!("round {round}: killed after {wait} ms: {found}, before: {is_new}\n")]);
        let expected = if is_new { &new } else { &old };
        assert_same(&expected.0, &fingerprint(&world.root));
        assert_eq!(expected.1, rows(&server, "shop"), "{table}");
        assert!(found != "put-back" || is_new, "{table}");
        if !is_new {
            world.run(&["restore", "--undo", "--yes"]).expect(0);
            assert_same(&new.0, &fingerprint(&world.root));
            world.run(&["restore", "--discard-former", "--yes"]).expect(0);
        }
        assert_eq!(server.schemas(), ["shop"], "{table}");
        let inside = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'lifeboat%'";
        assert_eq!(server.sql("", inside), "", "{table}");
    }
    assert!(died > kills / 5, "only {died} of {kills} were killed in time: the test proves nothing\n{table}");
}
