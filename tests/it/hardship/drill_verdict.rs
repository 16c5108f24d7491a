//! A drill judges the snapshot and nothing else: what keeps the drill itself from its work is no fault of the snapshot.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat::event::{Cancel, Cx, Event, RunKind, Sink, Step, What};
use lifeboat::run::{self, DrillRequest, Drilled};
use lifeboat::schedule::Wanted;
use serde_json::Value;

use super::drill::Site;
use crate::world::{World, assert_same, fingerprint};

/// Does something when a step of a drill begins, the first time.
struct At<F> {
    step: Step,
    act: F,
}

impl<F: Fn() + Send + Sync> Sink for At<F> {
    fn take(&self, event: &Event) {
        if matches!(event.what, What::StepStarted { step } if step == self.step) {
            (self.act)();
        }
    }
}

/// A drill of everything, in this process, in the midst of which something happens.
fn drill_with(
    site: &Site,
    step: Step,
    act: impl Fn() + Send + Sync + 'static,
) -> lifeboat::error::Result<Drilled> {
    let job = site.world.job();
    let cx = Cx::new("test", Cancel::default(), vec![Arc::new(At { step, act })]);
    let request = DrillRequest { wanted: Wanted::Latest, parts: 1, max_bytes: None, max_seconds: None };
    let story = || run::drill(&job, &request, &cx).map(|done| (done, None));
    run::execute(RunKind::Drill, &job, "test", &cx, story).0
}

#[test]
fn a_storage_that_goes_away_is_no_fault_of_the_snapshot() {
    let site = Site::new("");
    site.world.run(&["drill"]).expect(0);
    assert_eq!(site.verdict(), "proven");
    let (storage, away) = (site.world.path("storage"), site.world.path("away"));
    let (from, to) = (storage.clone(), away.clone());
    let error = drill_with(&site, Step::Preflight, move || drop(fs::rename(&from, &to))).unwrap_err();
    fs::rename(&away, &storage).unwrap();
    assert!(error.to_string().contains("says nothing about snapshot"), "{error}");
    assert_eq!(site.verdict(), "proven", "what was proven before is proven still");
}

#[test]
fn a_server_that_goes_away_is_no_fault_of_the_snapshot() {
    let mut site = Site::new("");
    let pid = site.server.pid();
    let kill = move || assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    let error = drill_with(&site, Step::Load, kill).unwrap_err();
    assert!(error.to_string().contains("says nothing about snapshot"), "{error}");
    assert_eq!(site.verdict(), Value::Null);
    site.server.restart();
    site.world.run(&["drill"]).expect(0);
    assert_eq!(site.verdict(), "proven");
}

/// Room is asked for before the first byte, and a lack of it ends the drill there.
#[test]
fn a_drill_without_room_does_nothing_and_judges_nothing() {
    let mut site = Site::new("");
    let small = site.world.path("small");
    fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(&small).status();
    assert!(mounted.unwrap().success());
    let _unmount = Unmount(small.clone());
    site.world.root = small.join("site");
    fs::create_dir(&site.world.root).unwrap();
    site.world.write("index", "here");
    site.world.configure("databases: []", None, "");
    site.world.backup();
    let told = site.world.run(&["drill"]).expect(1).err;
    assert!(told.contains("bytes free"), "{told}");
    assert_eq!(fs::read_dir(&small).unwrap().count(), 1, "nothing was made there");
    assert_eq!(site.verdict(), Value::Null);
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

#[test]
fn who_may_make_no_schemas_has_nothing_loaded_into_the_live_one() {
    let site = Site::new("");
    site.server.sql("", "CREATE USER app@localhost; GRANT ALL ON shop.* TO app@localhost");
    let socket = site.server.socket().display().to_string();
    let databases =
        format!("databases: [{{type: mysql, name: shop, host: \"localhost:{socket}\", user: app}}]");
    site.world.configure(&databases, None, "");
    let before = (fingerprint(&site.world.root), site.names());
    site.server.sql("", "SET GLOBAL log_output='TABLE', general_log=1");
    // The server of the drill has another user, who must get to its directory.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(site.world.path(""), open).unwrap();
    let drilled = site.world.json(0, &["drill"])["result"]["drilled"].clone();
    assert!(drilled["server"].as_str().is_some_and(|server| server.starts_with("MariaDB 1")), "{drilled:#}");
    assert_eq!(drilled["rows"], 550);
    assert_eq!(site.verdict(), "proven");
    site.server.sql("", "SET GLOBAL general_log=0");
    let loads = site.server.sql(
        "mysql",
        "SELECT argument FROM general_log WHERE user_host LIKE 'app%' AND argument LIKE 'LOAD DATA%'",
    );
    assert_eq!(loads, "", "rows were loaded into the live schema");
    assert_same(&before.0, &fingerprint(&site.world.root));
    assert_eq!(before.1, site.names(), "nothing is left behind");
}

/// The server that a drill started ends with it, however that ends.
#[test]
fn a_killed_drill_takes_its_server_along() {
    let site = Site::new("");
    site.server.sql("", "CREATE USER app@localhost; GRANT ALL ON shop.* TO app@localhost");
    let (socket, seen) = (site.server.socket().display().to_string(), site.world.path("seen"));
    let databases =
        format!("databases: [{{type: mysql, name: shop, host: \"localhost:{socket}\", user: app}}]");
    let script = format!("touch {}; sleep 60", seen.display());
    let hook = format!("hooks: {{drill: [{{command: [/bin/sh, -c, \"{script}\"]}}]}}\n");
    site.world.configure(&databases, None, &hook);
    fs::set_permissions(site.world.path(""), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let before = site.names();
    let mut child = site.world.command(&["--quiet", "drill"]).spawn().unwrap();
    let patience = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !seen.exists() {
        assert!(std::time::Instant::now() < patience, "the hook never ran");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let servers = || {
        let pattern = format!("datadir={}", site.world.path("").display());
        let found = std::process::Command::new("pgrep").args(["-f", "--", &pattern]).output().unwrap();
        String::from_utf8_lossy(&found.stdout).lines().count()
    };
    assert_eq!(servers(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(servers(), 0, "it runs on");
    site.world.run(&["recover"]).expect(0);
    fs::remove_file(&seen).unwrap();
    let left: Vec<_> = site.names().into_iter().filter(|name| name != "state").collect();
    assert_eq!(left, before.into_iter().filter(|name| name != "state").collect::<Vec<_>>());
}

/// As little as looks like a `WordPress`, on `SQLite`.
fn small_wordpress(more: &str) -> World {
    let world = World::new("");
    let database = world.root.join("wp-content/database/.ht.sqlite");
    world.configure(&format!("databases: [{{type: sqlite, path: {}}}]", database.display()), None, more);
    let core = ["index", "wp-blog-header", "wp-load", "wp-settings", "wp-login"];
    for name in core.into_iter().chain(["wp-includes/functions", "wp-includes/plugin"]) {
        world.write(&format!("{name}.php"), "<?php\n");
    }
    world.write("wp-includes/version.php", "<?php $wp_version = '6.8';\n");
    world.write("wp-config.php", "<?php $table_prefix = 'wp_';\n");
    fs::create_dir_all(database.parent().unwrap()).unwrap();
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch("CREATE TABLE wp_options (a); INSERT INTO wp_options VALUES (1)").unwrap();
    drop(connection);
    world.init();
    world
}

/// Its dumps are pages, which tell no tables; its side copy is a file, which has no place in the live root.
#[test]
fn a_site_on_sqlite_is_proven_without_a_trace_in_its_root() {
    let world = small_wordpress("");
    world.backup();
    let before = fingerprint(&world.root);
    world.run(&["drill"]).expect(0);
    assert_same(&before, &fingerprint(&world.root));
    assert_eq!(world.snapshots()[0]["drill"]["verdict"], "proven");
}

/// Killed at its fullest: all is restored, and a hook looks at it.
#[test]
fn what_a_killed_drill_had_restored_is_cleared_away() {
    let site = Site::new("");
    let socket = site.server.socket().display().to_string();
    let databases =
        format!("databases: [{{type: mysql, name: shop, host: \"localhost:{socket}\", user: root}}]");
    let looked = site.world.path("looked");
    let hook = format!(
        "hooks: {{drill: [{{command: [/bin/sh, -c, \"touch {}; exec sleep 5\"]}}]}}\n",
        looked.display()
    );
    site.world.configure(&databases, None, &hook);
    let (before, names) = (fingerprint(&site.world.root), site.names());
    let mut child = site.world.command(&["--quiet", "drill"]).spawn().unwrap();
    let begun = Instant::now();
    while !looked.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the hook was not asked");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(&looked).unwrap();
    let left = site.names();
    assert_eq!(left.len(), names.len() + 2, "a directory and a schema: {left:?}");
    assert_eq!(site.verdict(), Value::Null, "a kill is no verdict");
    site.world.configure(&databases, None, "");
    site.world.run(&["recover"]).expect(0);
    assert_eq!(names, site.names());
    assert_same(&before, &fingerprint(&site.world.root));
    site.world.run(&["drill"]).expect(0);
    assert_eq!(site.verdict(), "proven");
}

/// What drills proved is worth less than what backups hold: a broken record stops no listing, and lets rotation remove nothing.
#[test]
fn a_broken_record_of_drills_hides_no_snapshot() {
    let world = World::new("databases: []");
    world.write("index", "here");
    world.init();
    world.backup();
    world.run(&["drill"]).expect(0);
    let record = world.job().state.join("drills.json");
    fs::write(&record, "[{").unwrap();
    let listed = world.run(&["snapshots"]).expect(0);
    assert!(
        listed.out.contains("demo") && listed.err.contains("drills.json"),
        "{}{}",
        listed.out,
        listed.err
    );
    for _ in 0..4 {
        world.run(&["backup"]).expect(3);
    }
    assert_eq!(world.json(0, &["snapshots"])["result"].as_array().unwrap().len(), 5, "nothing was rotated");
    let told = world.run(&["drill"]).expect(1).err;
    assert!(told.contains("remove that file"), "{told}");
    fs::remove_file(&record).unwrap();
    world.run(&["drill"]).expect(0);
    world.run(&["backup"]).expect(0);
}

/// When a whole snapshot last came back is asked most when the latest drill was not one that says it.
#[test]
fn doctor_tells_the_last_proof_whatever_came_after() {
    let world = World::new("databases: []");
    for number in 0..20_u8 {
        world.write(&format!("files/{number}"), [number]);
    }
    world.init();
    world.backup();
    let told = || {
        let findings = world.json(0, &["doctor"])["result"].clone();
        let all = findings.as_array().unwrap().iter();
        let proof: Vec<_> = all.filter(|one| one["what"] == "last proven restore").collect();
        proof[0]["text"].as_str().unwrap().to_owned()
    };
    world.run(&["drill", "--sample", "50%"]).expect(0);
    assert!(told().contains("no snapshot is proven whole"), "{}", told());
    world.run(&["drill"]).expect(0);
    let proven = told();
    world.write("more", "more");
    world.backup();
    world.run(&["drill", "--sample", "50%"]).expect(0);
    assert!(told().contains(&format!("the last whole one {proven}")), "{}", told());
}

/// Whoever is called at night is told all of it at once.
#[test]
fn everything_that_is_wrong_is_named_to_people_and_to_hooks() {
    let told = tempfile::NamedTempFile::new().unwrap();
    let script = format!("cat > {}", told.path().display());
    let world =
        small_wordpress(&format!("hooks: {{on-failure: [{{command: [/bin/sh, -c, \"{script}\"]}}]}}\n"));
    fs::remove_file(world.root.join("wp-load.php")).unwrap();
    fs::remove_file(world.root.join("wp-includes/plugin.php")).unwrap();
    world.write("wp-includes/functions.php", "");
    world.backup();
    let said = world.run(&["drill"]).expect(1).err;
    let hook = fs::read_to_string(told.path()).unwrap();
    for name in ["wp-load.php", "wp-includes/plugin.php", "wp-includes/functions.php"] {
        assert!(said.contains(name), "{name}: {said}");
        assert!(hook.contains(name), "{name}: {hook}");
    }
}
