//! A restore that is looked at first, and then done just so.

use std::fs;

use crate::mariadb::MariaDb;
use crate::world::{World, assert_same, fingerprint};

#[test]
fn a_plan_says_what_would_change_and_is_done_just_so_or_not_at_all() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY); INSERT INTO a VALUES (1),(2),(3); CREATE TABLE gone (id INT)",
    );
    let world = World::new("");
    let socket = server.socket().display().to_string();
    world.configure(
        &format!("databases: [{{type: mysql, name: shop, host: \"localhost:{socket}\", user: root}}]"),
        None,
        "",
    );
    world.write("index", "old");
    world.write("same", "same");
    world.write("lost", "lost");
    world.init();
    let snapshot = world.backup();
    let saved = fingerprint(&world.root);
    world.write("index", "new!");
    world.write("malware.php", "<?php");
    fs::remove_file(world.root.join("lost")).unwrap();
    server.sql("shop", "DELETE FROM a; DROP TABLE gone; CREATE TABLE fresh (id INT)");
    let live = fingerprint(&world.root);

    let text = world.run(&["restore", "--at", "latest", "--plan"]).expect(0).out;
    for line in [
        "files: 1 to bring back, 1 to change, 1 to set aside",
        "tables: 1 to bring back, 1 to replace, 1 to set aside",
        "  M a, 3 rows",
        "  - fresh",
        "  + gone, 0 rows",
        "a guess: no restore was measured",
        "nothing was changed",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let plan =
        world.json(0, &["restore", "--at", "latest", "--plan"])["result"]["restored"]["preview"].clone();
    let id = plan["plan"].as_str().unwrap();
    assert!(text.contains(id), "the same site has the same plan: {text}");
    assert_eq!(plan["fetch"], 7, "{plan:#}");
    assert_eq!(plan["databases"][0]["tables"][0]["name"], "a");
    assert_same(&live, &fingerprint(&world.root));

    // Something happens between the look and the deed.
    world.write("upload", "of a visitor");
    let refused = world.run(&["restore", "--plan-id", id]).expect(1);
    assert!(refused.err.contains("would do something else"), "{}", refused.err);
    fs::remove_file(world.root.join("upload")).unwrap();
    server.sql("shop", "CREATE TABLE another (id INT)");
    world.run(&["restore", "--plan-id", id]).expect(1);
    server.sql("shop", "DROP TABLE another");
    world.run(&["restore", "--plan-id", "0123456789abcdef"]).expect(2);
    world.run(&["restore", "--plan-id", "../../etc/passwd"]).expect(2);
    assert_eq!(fs::read_to_string(world.root.join("index")).unwrap(), "new!");

    // What is to be replaced may be altered once more. Nobody has to be asked: the plan was looked at.
    world.write("index", "newer");
    let done = world.json(0, &["restore", "--plan-id", id])["result"]["restored"].clone();
    assert_eq!(done["preview"]["snapshot"]["id"], snapshot);
    assert_same(&saved, &fingerprint(&world.root));
    assert_eq!(server.sql("shop", "SELECT COUNT(*) FROM a").trim(), "3");
    // What was a plan for that site is none for this one.
    world.run(&["restore", "--plan-id", id]).expect(1);
}
