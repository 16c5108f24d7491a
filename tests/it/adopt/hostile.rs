//! Dumps that somebody else wrote into a repository to which everybody knew the password: refused, and nothing is changed.

use std::fs;

use super::fixture::Addon;
use crate::world::{assert_same, fingerprint};

/// Puts something before the dump's last line.
fn with(dump: &[u8], more: &str) -> Vec<u8> {
    let text = dump.to_vec();
    let at = text.windows(17).rposition(|window| window == b"-- Dump completed").unwrap();
    [&text[..at], more.as_bytes(), b"\n", &text[at..]].concat()
}

/// What is wrong with it, the dump, and what is said of it.
type Hostile = (&'static str, Vec<u8>, &'static str);

/// Statements that no dump has, and dumps that are none.
fn statements(good: &[u8]) -> Vec<Hostile> {
    vec![
        (
            "another schema",
            with(good, "USE `mysql`;\nINSERT INTO `global_priv` VALUES ('%','evil','{}');"),
            "goes on with",
        ),
        (
            "a qualified table",
            with(good, "INSERT INTO `mysql`.`global_priv` VALUES ('%','evil','{}');"),
            "nothing that mysqldump writes",
        ),
        (
            "a client command",
            with(good, "SYSTEM touch /tmp/lifeboat-pwned;"),
            "nothing that mysqldump writes",
        ),
        (
            "LOAD DATA",
            with(good, "LOAD DATA INFILE '/etc/passwd' INTO TABLE `empty`;"),
            "nothing that mysqldump writes",
        ),
        ("DROP DATABASE", with(good, "DROP DATABASE `victim`;"), "nothing that mysqldump writes"),
        ("a broken quote", with(good, "INSERT INTO `empty` VALUES ('1);"), "has no end"),
        ("a function", with(good, "INSERT INTO `empty` VALUES (SLEEP(1));"), "is no plain value"),
        ("a cut end", good[..good.len() * 2 / 3].to_vec(), "the dump"),
        (
            "a missing last line",
            with(good, "")
                .split(|byte| *byte == b'\n')
                .rev()
                .skip(2)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
                .join(&b'\n'),
            "does not say at its end",
        ),
    ]
}

/// Views, triggers and events that do more than they seem to.
fn objects(good: &[u8]) -> Vec<Hostile> {
    vec![
        (
            "two statements in one",
            with(
                good,
                "DELIMITER ;;\nCREATE VIEW `w` AS SELECT 1 AS `a`; DELETE FROM `victim`.`t`;;\nDELIMITER ;",
            ),
            "which is another schema",
        ),
        (
            "two statements without a name",
            with(good, "DELIMITER ;;\nCREATE VIEW `w` AS SELECT 1 AS `a`; DROP TABLE `empty`;;\nDELIMITER ;"),
            "is no single statement",
        ),
        (
            "a trigger that writes elsewhere",
            with(
                good,
                "DELIMITER ;;\nCREATE TRIGGER `x` AFTER INSERT ON `log` FOR EACH ROW DELETE FROM victim.t;;\nDELIMITER ;",
            ),
            "which is another schema",
        ),
        (
            "a view of another schema, with a comment before the dot",
            with(good, "/*!50001 CREATE VIEW `w` AS SELECT * FROM `victim`/**/.`t` */;"),
            "which is another schema",
        ),
        (
            "an event that makes a user, with a comment between the words",
            with(
                good,
                "DELIMITER ;;\nCREATE EVENT `e` ON SCHEDULE EVERY 1 SECOND DO CREATE /**/ USER evil@localhost ;;\nDELIMITER ;",
            ),
            "would leave its schema with",
        ),
        (
            "an event that executes a text",
            with(
                good,
                "DELIMITER ;;\nCREATE EVENT `e` ON SCHEDULE EVERY 1 SECOND DO BEGIN PREPARE p FROM 'GRANT ALL ON *.* TO evil@localhost'; EXECUTE p; END ;;\nDELIMITER ;",
            ),
            "would leave its schema with",
        ),
    ]
}

#[test]
fn a_hostile_dump_changes_nothing() {
    let addon = Addon::new("2");
    let good = addon.dump();
    let all = [statements(&good), objects(&good)].concat();
    for (number, (_, dump, _)) in all.iter().enumerate() {
        addon.save(
            &format!("2024-01-01_0000{number:02}"),
            &format!("2024-01-01 00:00:{number:02}"),
            "auto",
            dump,
        );
    }
    addon.world.json(0, &["adopt", &addon.repository().display().to_string()]);
    addon
        .server
        .sql("", "CREATE DATABASE victim; CREATE TABLE victim.t (a INT); INSERT INTO victim.t VALUES (1)");
    addon.world.write("index.php", "newer");
    addon.server.sql("shop", "INSERT INTO log VALUES ('2025-01-01', 3)");
    let (files, database) = (fingerprint(&addon.world.root), addon.content());
    let (schemas, users) =
        (addon.server.schemas(), addon.server.sql("mysql", "SELECT COUNT(*) FROM global_priv"));
    for (number, (what, _, why)) in all.iter().enumerate() {
        let at = format!("2024-01-01_0000{number:02}_UTC");
        let ran = addon.world.run(&["restore", "--at", &at, "--yes", "--no-safety"]).expect(1);
        assert!(ran.err.contains(why), "{what}: {}", ran.err);
        assert!(ran.err.contains("try:"), "{what}: {}", ran.err);
        assert_same(&files, &fingerprint(&addon.world.root));
        assert!(database == addon.content(), "{what}");
        assert_eq!(schemas, addon.server.schemas(), "{what}");
        assert_eq!(users, addon.server.sql("mysql", "SELECT COUNT(*) FROM global_priv"), "{what}");
        assert_eq!(addon.server.sql("victim", "SELECT a FROM t").trim(), "1", "{what}");
    }
    assert!(!fs::exists("/tmp/lifeboat-pwned").unwrap());
    // The files of such a snapshot are as good as ever.
    addon
        .world
        .run(&["restore", "--at", "2024-01-01_000000_UTC", "--files", "--yes", "--no-safety"])
        .expect(0);
    assert_eq!(fs::read_to_string(addon.world.root.join("index.php")).unwrap(), "<?php echo 'shop';");
}
