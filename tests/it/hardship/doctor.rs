//! Each finding of the doctor, by a real fault, and gone when that is put right.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::mariadb::MariaDb;
use crate::postgres::Postgres;
use crate::world::{Ran, World, backup_that_waits};

fn world() -> World {
    let world = World::new("databases: []");
    world.write("page", "page");
    world.init();
    world.backup();
    world
}

/// What is said under this name, by level.
fn findings(world: &World, code: i32, what: &str) -> Vec<(String, String)> {
    of(&world.json(code, &["doctor"]), what)
}

fn of(document: &Value, what: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = document["result"].as_array().unwrap().iter();
    let found = all.filter(|finding| text(&finding["what"]).starts_with(what)).inspect(|finding| {
        let level = text(&finding["level"]);
        assert!(level == "ok" || level == "note" || finding["remedy"].is_string(), "no remedy: {finding}");
    });
    found
        .map(|finding| {
            let said = [&finding["text"], &finding["remedy"], &finding["place"]].map(text).join(" | ");
            (text(&finding["level"]), said)
        })
        .collect()
}

#[track_caller]
fn only(world: &World, code: i32, what: &str, level: &str, says: &[&str]) {
    let found = findings(world, code, what);
    assert!(
        found.iter().any(|(seen, text)| seen == level && says.iter().all(|word| text.contains(word))),
        "{what}: no {level} with {says:?} in {found:#?}"
    );
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_healthy_site_has_no_error() {
    let world = world();
    world.run(&["drill"]).expect(0);
    let document = world.json(0, &["doctor"]);
    let level = |what: &str| of(&document, what)[0].0.clone();
    for what in [
        "key file",
        "password",
        "clock",
        "repository",
        "locks",
        "stock restic",
        "unmount",
        "last proven restore",
    ] {
        assert_eq!(level(what), "ok", "{what}: {document:#}");
    }
    assert_eq!(level("unit"), "note", "without a schedule nobody needs one");
}

#[test]
fn a_key_that_others_can_read_or_own_is_found() {
    let world = world();
    let key = world.path("state/demo/master.key");
    chmod(&key, 0o644);
    only(&world, 1, "key file", "error", &["0644", "chmod 600", key.to_str().unwrap()]);
    chmod(&key, 0o600);
    std::os::unix::fs::chown(&key, Some(33), None).unwrap();
    only(&world, 0, "key file", "warning", &["user 33", "chown 0"]);
    fs::remove_file(&key).unwrap();
    only(&world, 0, "key file", "note", &["makes it from the password"]);
    assert_eq!(findings(&world, 0, "key file")[0].0, "ok");
}

#[test]
fn a_password_that_can_be_guessed_or_opens_nothing_is_found() {
    let world = world();
    let change = |password: &str| {
        fs::write(world.path("new"), password).unwrap();
        world.run(&["key", "passwd", "--new-password-file", world.path("new").to_str().unwrap()]).expect(0);
        fs::write(world.path("password"), password).unwrap();
    };
    change("Demo");
    only(&world, 0, "password", "warning", &["name of the site", "key passwd"]);
    change("short");
    only(&world, 0, "password", "warning", &["fewer than 12"]);
    change("quite another horse");
    assert_eq!(findings(&world, 0, "password").len(), 1);
    fs::write(world.path("password"), "a password of nothing").unwrap();
    only(&world, 1, "password", "error", &["opens no key", "key add"]);
    // The exit door is closed, too, and that is another matter than a repository that is damaged.
    only(&world, 1, "stock restic", "warning", &["cannot read"]);
    let said = world.run(&["doctor"]);
    assert!(!said.out.contains("a password of nothing") && !said.err.contains("a password of nothing"));
}

/// This program with another idea of the time; the kernel, and so the storage, keeps to its own.
fn at(world: &World, offset: &str, arguments: &[&str]) -> Ran {
    let call = world.command(arguments);
    let mut command = Command::new("faketime");
    command.args(["-f", offset]).arg(call.get_program()).args(call.get_args()).env("NO_FAKE_STAT", "1");
    Ran::of(&command.output().unwrap())
}

#[test]
fn clocks_that_differ_are_found() {
    let world = world();
    for (offset, code, level) in [("+0s", 0, "ok"), ("+90s", 0, "warning"), ("-3h", 1, "error")] {
        let ran = at(&world, offset, &["--json", "doctor"]).expect(code);
        let found = of(&serde_json::from_str(&ran.out).unwrap(), "clock");
        assert_eq!(found[0].0, level, "{offset}: {found:?}");
    }
    at(&world, "+2d", &["backup", "--no-rotation"]);
    only(&world, 0, "time of snapshots", "warning", &["to come", "forget --force"]);
}

#[test]
fn a_lock_of_one_that_is_gone_is_told_with_its_holder() {
    let world = world();
    let mut restic = backup_that_waits(&mut world.restic_command(&world.repository()), &world.repository());
    let holder = format!("process {} of ", restic.id());
    only(&world, 1, "locks", "error", &[&holder, "wait"]);
    restic.kill().unwrap();
    restic.wait().unwrap();
    only(&world, 0, "locks", "warning", &[&holder, "is gone"]);
    assert_eq!(findings(&world, 0, "locks").len(), 1, "it was removed");
}

#[test]
fn a_hook_that_others_can_change_is_found() {
    let world = world();
    let hook = world.path("hook");
    fs::write(&hook, "#!/bin/sh\n").unwrap();
    chmod(&hook, 0o755);
    let more = format!("hooks: {{before-dump: [{{command: [{}]}}]}}\n", hook.display());
    world.configure("databases: []", None, &more);
    only(&world, 0, "hooks", "ok", &["1 "]);
    chmod(&hook, 0o777);
    only(&world, 1, "before-dump hook", "error", &["written by others", hook.to_str().unwrap()]);
    fs::remove_file(&hook).unwrap();
    only(&world, 1, "before-dump hook", "error", &[hook.to_str().unwrap()]);
}

/// A small file system of its own as the storage, which goes with the test.
struct Disk<'a>(&'a Path);

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

#[test]
fn backups_on_the_site_s_own_disk_and_a_full_one_are_found() {
    let world = world();
    only(&world, 0, "mount", "warning", &["same file system", "another machine"]);

    let place = world.path("disk");
    fs::create_dir(&place).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&place).status().unwrap();
    assert!(mounted.success());
    let disk = Disk(&place);
    let storage = format!("{{type: local, path: {}}}", place.display());
    world.configure("databases: []", Some(&storage), "");
    fs::remove_dir_all(world.path("state")).unwrap();
    world.init();
    only(&world, 0, "mount", "ok", &["tmpfs"]);
    let space = "space on";
    fs::write(place.join("filler"), vec![1; 15 << 20]).unwrap();
    only(&world, 0, space, "warning", &["% free", "fewer snapshots"]);
    drop(disk);
}

#[test]
fn rights_that_a_user_of_mariadb_lacks_come_with_their_statements() {
    let server = MariaDb::start();
    server.sql("", "CREATE DATABASE my_shop; CREATE TABLE my_shop.t (id INT PRIMARY KEY); CREATE USER clerk@localhost IDENTIFIED BY 'pw'; GRANT SELECT, SHOW VIEW, LOCK TABLES ON `my\\_shop`.* TO clerk@localhost");
    let world = World::new("databases: []");
    fs::write(world.path("login"), "pw").unwrap();
    chmod(&world.path("login"), 0o600);
    let database = format!(
        "databases: [{{type: mysql, name: my_shop, host: \"localhost:{}\", user: clerk, password: {{file: {}}}, connections: 2}}]",
        server.socket().display(),
        world.path("login").display()
    );
    world.configure(&database, None, "");
    world.init();
    let document = world.json(0, &["doctor"]);
    let rights = of(&document, "rights on");
    let statements: Vec<_> = rights
        .iter()
        .map(|(level, text)| {
            assert_eq!(level, "warning", "{text}");
            text.split("server: ").nth(1).unwrap().split(" | ").next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        statements,
        [
            "GRANT TRIGGER ON `my\\_shop`.* TO 'clerk'@'localhost'",
            "GRANT EVENT ON `my\\_shop`.* TO 'clerk'@'localhost'",
            "GRANT ALL PRIVILEGES ON `my\\_shop`.* TO 'clerk'@'localhost'",
            "GRANT RELOAD ON *.* TO 'clerk'@'localhost'",
        ]
    );
    // What is advised helps.
    for statement in statements {
        server.sql("", &statement);
    }
    assert!(findings(&world, 0, "rights on").is_empty());
}

#[test]
fn rights_that_a_user_of_postgresql_lacks_come_with_their_statements() {
    let server = Postgres::start_with("local all postgres trust\nlocal all all scram-sha-256\n", &[]);
    server.sql("postgres", "CREATE ROLE clerk LOGIN PASSWORD 'pw'; CREATE DATABASE shop");
    server.sql("shop", "CREATE SCHEMA s; CREATE TABLE s.t (id SERIAL PRIMARY KEY)");
    let world = World::new("databases: []");
    fs::write(world.path("login"), "pw").unwrap();
    chmod(&world.path("login"), 0o600);
    let lifeboat::database::PostgresAddress::Socket { directory, .. } = server.spec("shop").address else {
        panic!("not at a socket")
    };
    let database = format!(
        "databases: [{{type: postgresql, name: shop, host: \"{}\", user: clerk, password: {{file: {}}}}}]",
        directory.display(),
        world.path("login").display()
    );
    world.configure(&database, None, "");
    world.init();
    let ran = world.run(&["--json", "doctor"]);
    let rights = of(&serde_json::from_str(&ran.out).unwrap(), "rights on");
    assert_eq!(rights.len(), 2, "{rights:?}");
    for (_, text) in &rights {
        server.sql("shop", text.split("server: ").nth(1).unwrap().split(" | ").next().unwrap());
    }
    assert!(findings(&world, 0, "rights on").is_empty());
}
