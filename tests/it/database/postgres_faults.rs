//! What goes wrong between us and a `PostgreSQL` server: it is said clearly, and nothing half is kept.

use std::io;
use std::path::Path;
use std::time::Duration;

use lifeboat::dump::{Feed, no_previous};
use lifeboat::error::{Error, Kind};
use lifeboat::event::{Cancel, Cx};

use super::mysql_faults::Failing;
use super::postgres::engine;
use super::{Heard, Memory, TOKEN, collect};
use crate::postgres::Postgres;

fn shop() -> Postgres {
    let server = Postgres::start();
    server.sql("postgres", "CREATE DATABASE shop");
    server.sql(
        "shop",
        "CREATE TYPE mood AS ENUM ('good'); CREATE FUNCTION f() RETURNS INT LANGUAGE sql AS 'SELECT 1';
         CREATE TABLE a (id INT PRIMARY KEY, t TEXT, m mood DEFAULT 'good'); CREATE TABLE b (LIKE a INCLUDING ALL);
         INSERT INTO a SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 2000) i; INSERT INTO b SELECT * FROM a",
    );
    server
}

/// The error that a dump ends with; it must not end in any other way.
fn failure_of(feed: &mut dyn Feed, what: &str) -> Error {
    loop {
        match feed.next(&Cx::silent()) {
            Ok(Some(file)) => assert_ne!(file.path, Path::new("zz-manifest.json"), "{what}"),
            Ok(None) => panic!("{what} went unnoticed"),
            Err(error) => return error,
        }
    }
}

#[test]
fn a_damaged_dump_is_refused_and_leaves_nothing_behind() {
    let server = shop();
    let database = engine(server.spec("shop"));
    let (good, _) = collect(&*database, &Cx::silent()).expect("dump");
    let file = good.0.keys().find(|path| path.starts_with("data/public/b")).expect("has rows").clone();
    let damaged = |change: &dyn Fn(&mut Memory)| {
        let mut shelf = good.clone();
        change(&mut shelf);
        shelf
    };
    let flip = |path: &str| damaged(&|shelf| shelf.0.get_mut(Path::new(path)).expect("file")[9] ^= 1);
    let cases = [
        ("a missing file", damaged(&|shelf| drop(shelf.0.remove(&file)))),
        ("a short file", damaged(&|shelf| shelf.0.get_mut(&file).expect("file").truncate(9))),
        ("a flipped bit", damaged(&|shelf| shelf.0.get_mut(&file).expect("file")[9] ^= 1)),
        ("a flipped bit in a definition", flip("schema/before-rows.sql")),
        ("a flipped bit in another", flip("schema/after-rows.sql")),
        ("a file too many", damaged(&|shelf| drop(shelf.0.insert("data/public/b/x.tsv".into(), Vec::new())))),
        ("no manifest", damaged(&|shelf| drop(shelf.0.remove(Path::new("zz-manifest.json"))))),
    ];
    for (what, shelf) in cases {
        let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err(what);
        assert!(error.remedy().is_some(), "{what}: {error}");
        assert_eq!(server.databases(), ["shop"], "{what}");
    }
}

#[test]
fn whatever_fails_in_the_middle_leaves_nothing_behind() {
    let mut server = shop();
    let database = engine(server.spec("shop"));
    let (inner, _) = collect(&*database, &Cx::silent()).expect("dump");
    let files: Vec<_> = inner.0.keys().filter(|path| path.starts_with("data/public/b")).cloned().collect();
    let at = files[files.len() / 2].clone();
    let fail = || Err(io::Error::other("the repository went away").into());
    let shelf = Failing { inner: inner.clone(), at: at.clone(), then: &fail };
    let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err("fails");
    assert!(error.to_string().contains("the repository went away"), "{error}");
    assert_eq!(server.databases(), ["shop"]);

    let cancel = Cancel::default();
    let stop = || {
        cancel.cancel();
        Ok(())
    };
    let shelf = Failing { inner: inner.clone(), at: at.clone(), then: &stop };
    let cx = Cx::new("test", cancel.clone(), Vec::new());
    let error = database.load_aside(&shelf, TOKEN, &cx).expect_err("cancelled");
    assert_eq!(error.kind(), Kind::Cancelled);
    assert_eq!(server.databases(), ["shop"]);

    let side = format!("shop__restore_{TOKEN}");
    let vanish = || {
        server.sql(&side, "DROP TABLE b");
        Ok(())
    };
    let first = inner.0.keys().find(|path| path.starts_with("data/public/a")).expect("has rows").clone();
    let shelf = Failing { inner: inner.clone(), at: first.clone(), then: &vanish };
    let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err("refused");
    assert!(error.to_string().contains("load public.b"), "{error}");
    assert_eq!(server.databases(), ["shop"]);

    // A row too many, as from a trigger of somebody else: the rows of the copy are read again.
    let meddle = || {
        server.sql(&side, "INSERT INTO b VALUES (-5, 'meddled')");
        Ok(())
    };
    let shelf = Failing { inner: inner.clone(), at: first, then: &meddle };
    let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err("not equal");
    assert!(error.to_string().contains("verify the restored copy"), "{error}");
    assert_eq!(server.databases(), ["shop"]);

    let crash = || {
        server.crash();
        Ok(())
    };
    let shelf = Failing { inner, at, then: &crash };
    let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err("crashed");
    assert_eq!(error.kind(), Kind::Failed, "{error}");
    server.restart();
    assert_eq!(server.sql("shop", "SELECT count(*) FROM b").trim(), "2000");
}

/// A migration that holds one table and comes for the next, while `pg_dump` holds that one and waits for the first: the server
/// ends one of the two, and if that is us, the dump begins again.
#[test]
fn a_deadlock_with_a_migration_makes_the_dump_begin_again() {
    let server = shop();
    let crossing = "BEGIN; LOCK TABLE b IN ACCESS EXCLUSIVE MODE;
        DO $$ BEGIN LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted); PERFORM pg_sleep(0.01); END LOOP; END $$;
        LOCK TABLE a IN ACCESS EXCLUSIVE MODE; COMMIT";
    let mut client = server.psql("shop");
    let mut migration = client.args(["-c", crossing]).spawn().expect("run psql");
    while server.sql("shop", "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'").trim() == "0"
    {
        std::thread::sleep(Duration::from_millis(10));
    }
    let database = engine(server.spec("shop"));
    let (cx, heard) = Heard::context();
    database.begin(&no_previous, &cx).expect("begins again");
    assert!(migration.wait().expect("wait").success(), "the migration was not the one that was ended");
    assert!(heard.all().iter().any(|event| event.contains("attempt 2")), "{:?}", heard.all());
}

/// What only a snapshot could notice is blocked, and what is not blocked is noticed.
#[test]
fn a_database_that_changes_during_the_dump_makes_no_dump() {
    let server = shop();
    let database = engine(server.spec("shop"));
    let mut feed = database.begin(&no_previous, &Cx::silent()).expect("begin");
    for blocked in [
        "ALTER TABLE b ADD c INT",
        "TRUNCATE b",
        "ALTER TABLE b RENAME TO c",
        "DROP TABLE b",
        "CLUSTER b USING b_pkey",
    ] {
        let mut client = server.psql("shop");
        let output =
            client.args(["-c", "SET lock_timeout='100ms'", "-c", blocked]).output().expect("run psql");
        assert!(String::from_utf8_lossy(&output.stderr).contains("lock timeout"), "{blocked}: {output:?}");
    }
    server.sql("shop", "UPDATE b SET t = 'x'; DELETE FROM a");
    let mut rows = 0;
    while let Some(file) = feed.next(&Cx::silent()).expect("next") {
        if file.path.starts_with("data") {
            assert!(!file.data.windows(3).any(|bytes| bytes == b"\tx\t"));
            rows += file.data.split(|byte| *byte == b'\n').count() - 1;
        }
    }
    assert_eq!(rows, 4000);

    let changes = [
        "ALTER TYPE mood RENAME VALUE 'good' TO 'fine'",
        "ALTER TYPE mood ADD VALUE 'new'",
        "CREATE OR REPLACE FUNCTION f() RETURNS INT LANGUAGE sql AS 'SELECT 2'",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX ON a (t)",
        "COMMENT ON TABLE b IS 'new'",
        "CREATE TABLE c (a INT)",
        "GRANT SELECT ON a TO PUBLIC",
    ];
    for change in changes {
        let mut feed = database.begin(&no_previous, &Cx::silent()).expect("begin");
        feed.next(&Cx::silent()).expect("readme");
        server.sql("shop", change);
        let error = failure_of(&mut *feed, change);
        assert_eq!(error.kind(), Kind::Changed, "{change}: {error}");
        assert!(error.remedy().is_some() && error.to_string().contains("changed while"), "{change}: {error}");
    }
}

#[test]
fn a_server_that_dies_during_the_dump_is_an_error() {
    let mut server = shop();
    server
        .sql("shop", "INSERT INTO b SELECT i, repeat(md5(i::text), 2000) FROM generate_series(5000, 5500) i");
    let database = engine(server.spec("shop"));
    let mut feed = database.begin(&no_previous, &Cx::silent()).expect("begin");
    feed.next(&Cx::silent()).expect("readme");
    server.crash();
    let error = failure_of(&mut *feed, "a crash");
    assert_eq!(error.kind(), Kind::Failed, "{error}");
    server.restart();
    collect(&*database, &Cx::silent()).expect("dump");

    let mut feed = database.begin(&no_previous, &Cx::silent()).expect("begin");
    feed.next(&Cx::silent()).expect("readme");
    server.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname='shop'");
    let error = failure_of(&mut *feed, "an ended session");
    assert!(
        error.to_string().contains("read public.") || error.to_string().contains("read table"),
        "{error}"
    );
}

#[test]
fn a_cancelled_dump_ends_at_once() {
    let server = shop();
    let cancel = Cancel::default();
    let cx = Cx::new("test", cancel.clone(), Vec::new());
    let mut feed = engine(server.spec("shop")).begin(&no_previous, &cx).expect("begin");
    feed.next(&cx).expect("readme");
    cancel.cancel();
    assert_eq!(feed.next(&cx).expect_err("cancelled").kind(), Kind::Cancelled);
    drop(feed);
    assert_eq!(
        engine(server.spec("shop")).begin(&no_previous, &cx).err().expect("cancelled").kind(),
        Kind::Cancelled
    );
}

#[test]
fn what_cannot_be_saved_is_listed() {
    let server = shop();
    server.sql(
        "shop",
        "CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere');
         CREATE FOREIGN TABLE far (a INT) SERVER away; CREATE SUBSCRIPTION feed CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)",
    );
    let database = engine(server.spec("shop"));
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    let lost: Vec<_> = summary.unsaved.iter().map(|unsaved| unsaved.what.as_str()).collect();
    assert_eq!(lost, ["rows of foreign table public.far", "subscription feed"]);
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    assert_eq!(server.sql(&copy.side, "SELECT count(*) FROM pg_foreign_table").trim(), "1");
}
