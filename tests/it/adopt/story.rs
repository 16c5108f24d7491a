//! Thirty snapshots taken over: listed, restored by their names, gone on with, and still read by stock restic.

use std::fs;

use serde_json::Value;

use super::fixture::{Addon, ENV};
use crate::world::{World, assert_same, fingerprint};

const SNAPSHOTS: usize = 30;

/// The name of a snapshot, and the time that restic has of it.
fn moment(number: usize) -> (String, String) {
    let (day, hour) = (number / 24 + 1, number % 24);
    (format!("2024-01-{day:02}_{hour:02}0000"), format!("2024-01-{day:02} {hour:02}:00:07"))
}

/// What the site and its database were in each of them.
struct Before {
    files: std::collections::BTreeMap<std::path::PathBuf, String>,
    database: String,
}

fn save_all(addon: &Addon) -> Vec<Before> {
    let mut all = Vec::new();
    for number in 0..SNAPSHOTS {
        addon.world.write("stamp.txt", format!("snapshot {number}"));
        addon.server.sql(
            "shop",
            &format!("INSERT INTO posts (title, price) VALUES ('number {number}', {number}.25)"),
        );
        let (stamp, time) = moment(number);
        addon.save(&stamp, &time, if number % 5 == 0 { "manual" } else { "auto" }, &addon.dump());
        all.push(Before { files: fingerprint(&addon.world.root), database: addon.content() });
    }
    all
}

fn stamps() -> Vec<String> {
    (0..SNAPSHOTS).rev().map(|number| format!("{}_UTC", moment(number).0)).collect()
}

fn ruin(addon: &Addon) {
    addon.world.write("index.php", "HACKED");
    addon.world.write("malware.php", "malware");
    fs::remove_dir_all(addon.world.root.join("wp-includes")).unwrap();
    addon.server.sql(
        "shop",
        "DROP TABLE meta; DROP VIEW first_of_all; UPDATE posts SET title='HACKED'; CREATE TABLE evil (a INT)",
    );
}

fn story(version: &str) {
    let addon = Addon::new(version);
    let before = save_all(&addon);
    let world = &addon.world;

    // Seen from the storage, where nobody has a key.
    let storage = world.path("storage").display().to_string();
    let list: Value = serde_json::from_str(&world.run(&["adopt", "--list", &storage]).expect(0).out).unwrap();
    assert_eq!((list["result"].as_i64(), &list["envs"]), (Some(0), &serde_json::json!([ENV])));
    assert_eq!(list["backups"][ENV], serde_json::json!(stamps()));

    let repository = addon.repository().display().to_string();
    let done = world.json(0, &["adopt", &repository]);
    assert_eq!(done["result"]["adopted"]["snapshots"], SNAPSHOTS);
    assert!(done["result"]["adopted"]["key_added"].is_string());
    let again = world.json(0, &["adopt", &repository]);
    assert!(again["result"]["adopted"]["key_added"].is_null(), "the second time there is nothing to add");

    let listed = world.snapshots();
    assert_eq!(listed.len(), SNAPSHOTS);
    assert_eq!(listed[7]["time"], "2024-01-01T07:00:00Z");
    assert_eq!(
        listed[7]["adopted"],
        serde_json::json!({ "stamp": "2024-01-01_070000_UTC", "cause": "auto" })
    );
    assert!(world.run(&["snapshots"]).expect(0).out.contains("adopted"));
    let list: Value =
        serde_json::from_str(&world.run(&["snapshots", "--get-backups"]).expect(0).out).unwrap();
    assert_eq!(list["backups"]["shop"], serde_json::json!(stamps()));

    assert!(world.run(&["ls", "2024-01-01_070000_UTC"]).expect(0).out.contains("wp_db_backup.sql"));
    assert!(
        world.run(&["dump", "latest", "/root/wp_db_backup.sql"]).expect(0).out.contains("-- Dump completed")
    );
    assert!(world.run(&["find", "stamp.txt"]).expect(0).out.contains("stamp.txt"));
    let first = listed[0]["id"].as_str().unwrap();
    assert!(world.run(&["diff", first, "latest"]).expect(0).out.contains("stamp.txt"));
    world.run(&["check", "--read-data"]).expect(0);

    // By its name, by a time, and the newest.
    for (at, number) in
        [("2024-01-01_070000_UTC", 7), ("2024-01-02 03:30 UTC", 27), ("latest", SNAPSHOTS - 1)]
    {
        ruin(&addon);
        world.run(&["restore", "--at", at, "--yes", "--no-safety"]).expect(0);
        assert_same(&before[number].files, &fingerprint(&world.root));
        assert!(before[number].database == addon.content(), "{at}: the database is another one");
        world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    }

    // What comes next is ours, and adds next to nothing.
    let size = addon.bytes();
    world.backup();
    let grown = addon.bytes() - size;
    assert!(grown < 300_000, "{grown} bytes for a site of which nothing changed");

    for _ in 0..4 {
        world.backup();
    }
    let forgotten = world.json(0, &["forget", "--dry-run"]);
    let kept = forgotten["result"]["verdicts"].as_array().unwrap();
    let adopted = kept.iter().filter(|verdict| verdict[1]["rule"] == "adopted");
    assert_eq!(adopted.count(), SNAPSHOTS);
    assert_eq!(world.snapshots().len(), SNAPSHOTS + 3, "rotation leaves theirs, and three of ours");
    addon.restic(ENV, &["check", "--read-data"]).expect(0);
    let list: Value =
        serde_json::from_str(&world.run(&["snapshots", "--get-backups"]).expect(0).out).unwrap();
    // Two of one second have one name.
    let named = list["backups"]["shop"].as_array().unwrap().len();
    assert!((SNAPSHOTS + 1..=SNAPSHOTS + 3).contains(&named), "{named}");

    // Given to the rules, they go as ours do.
    addon.configure("root", "adopted: rotate");
    world.json(0, &["forget", "--force", "--prune"]);
    assert_eq!(world.snapshots().len(), 3);
    addon.restic(ENV, &["check", "--read-data"]).expect(0);
}

#[test]
fn thirty_snapshots_of_version_2() {
    story("2");
}

#[test]
fn thirty_snapshots_of_version_1() {
    story("1");
}

/// Where the site is where it was, what did not change is not even read again.
#[test]
fn the_next_backup_begins_where_theirs_ended() {
    let addon = Addon::new("2");
    addon.save_paths("2024-01-01_000000_UTC  auto", "2024-01-01 00:00:07", "\"$SITE\"");
    addon.world.json(0, &["adopt", &addon.repository().display().to_string()]);
    let saved = addon.world.json(0, &["backup"]);
    let stats = &saved["result"]["snapshot"]["stats"];
    // The index page, a large file, and forty others.
    assert_eq!(
        (stats["files_unmodified"].as_i64(), stats["files_changed"].as_i64()),
        (Some(42), Some(0)),
        "{stats}"
    );
    addon.restic(ENV, &["check", "--read-data"]).expect(0);
}

/// Who may make no schemas gets the tables inside the live one.
#[test]
fn a_user_of_one_schema_restores_too() {
    let addon = Addon::new("2");
    let (stamp, time) = moment(0);
    addon.save(&stamp, &time, "auto", &addon.dump());
    let before = addon.content();
    addon.server.sql(
        "",
        "CREATE USER shop@localhost IDENTIFIED BY ''; GRANT ALL ON shop.* TO shop@localhost; SET GLOBAL log_bin_trust_function_creators=1",
    );
    addon.configure("shop", "adopted: true");
    addon.world.json(0, &["adopt", &addon.repository().display().to_string()]);
    // Another's triggers could not be brought back by this user.
    addon.server.sql("shop", "DROP TRIGGER posts_bi; DELETE FROM meta; UPDATE posts SET title='HACKED'");
    let done = addon.world.json(0, &["restore", "--at", "2024-01-01_000000_UTC", "--yes", "--no-safety"]);
    assert_eq!(done["result"]["restored"]["databases"][0]["means"], "side-tables");
    addon.world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    let plain = |text: &str| {
        text.lines().filter(|line| !line.contains("DEFINER")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(plain(&before), plain(&addon.content()));
}

/// The add-on for databases packs all schemas into one dump.
#[test]
fn of_all_databases_the_sites_own_is_taken() {
    let addon = Addon::new("2");
    addon
        .server
        .sql("", "CREATE DATABASE other; CREATE TABLE other.t (a INT); INSERT INTO other.t VALUES (1)");
    let call = "mysqldump --socket=\"$SOCKET\" -u root --all-databases --force --single-transaction --quote-names --opt | gzip > \"$TO\"";
    let made = std::process::Command::new("sh")
        .args(["-c", call])
        .env("SOCKET", addon.server.socket())
        .env("TO", addon.home().join("db_backup.sql.gz"))
        .status()
        .unwrap();
    assert!(made.success());
    addon.save_paths(
        "2024-03-01_120000_UTC-auto(mariadb-10.11)",
        "2024-03-01 12:00:03",
        "~/db_backup.sql.gz",
    );
    let before = addon.content();
    addon.world.json(0, &["adopt", &addon.repository().display().to_string()]);
    assert_eq!(addon.world.snapshots()[0]["adopted"]["server"], "mariadb-10.11");
    addon.server.sql("", "INSERT INTO other.t VALUES (2); DELETE FROM shop.log");
    let refused = addon.world.run(&["restore", "--at", "latest", "--yes"]).expect(2);
    assert!(refused.err.contains("has no files of a site"), "{}", refused.err);
    addon
        .world
        .run(&["restore", "--at", "2024-03-01_120000_UTC", "--database", "--yes", "--no-safety"])
        .expect(0);
    assert_eq!(before, addon.content());
    assert_eq!(addon.server.sql("other", "SELECT COUNT(*) FROM t").trim(), "2");
}

/// Into a site with a database of its own, which takes another name.
#[test]
fn it_moves_into_another_site() {
    let addon = Addon::new("2");
    addon.server.sql("shop", "INSERT INTO posts (title, price) VALUES ('http://shop.test/page', 1.5)");
    let (stamp, time) = moment(0);
    addon.save(&stamp, &time, "auto", &addon.dump());
    addon.world.json(0, &["adopt", &addon.repository().display().to_string()]);
    let (files, database) = (fingerprint(&addon.world.root), addon.content());

    addon.server.sql("", "CREATE DATABASE staging; CREATE TABLE staging.former (a INT)");
    let socket = addon.server.socket();
    let databases = format!(
        "databases: [{{type: mysql, name: staging, host: 'localhost:{}', user: root}}]",
        socket.display()
    );
    let target = World::new(&databases);
    target.write("page", "of the target");
    target.init();
    let into = target.path("lifeboat.yaml").display().to_string();
    let remap = "shop.test=staging.test";
    addon
        .world
        .run(&[
            "restore",
            "--at",
            "2024-01-01_000000_UTC",
            "--into",
            &into,
            "--remap",
            remap,
            "--yes",
            "--no-safety",
        ])
        .expect(0);
    assert_same(&files, &fingerprint(&target.root));
    assert_eq!(
        addon.server.sql("staging", "SELECT title FROM posts WHERE title LIKE 'http%'").trim(),
        "http://staging.test/page"
    );
    assert_eq!(database, addon.content(), "the first site's database is its own");
    let tables =
        "SELECT GROUP_CONCAT(table_name ORDER BY 1) FROM information_schema.tables WHERE table_schema=";
    assert_eq!(
        addon.server.sql("", &format!("{tables}'shop'")),
        addon.server.sql("", &format!("{tables}'staging'"))
    );
}
