//! What goes wrong between us and a server: it is said clearly, nothing half is kept, and no secret is told.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use lifeboat::database::{MysqlAddress, MysqlSpec};
use lifeboat::dump::{Shelf, no_previous};
use lifeboat::error::{Error, Kind, Result};
use lifeboat::event::{Cancel, Cx};
use lifeboat::sys::secret::Secret;

use super::{Heard, Memory, TOKEN, collect, engine};
use crate::mariadb::MariaDb;

const SECRET: &str = "h0rse-battery";

fn shop() -> MariaDb {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY, t TEXT); CREATE TABLE b (id INT PRIMARY KEY, t TEXT);
         INSERT INTO a SELECT seq, REPEAT(MD5(seq), 20) FROM seq_1_to_2000; INSERT INTO b SELECT * FROM a",
    );
    server
}

fn said(error: &Error) -> String {
    format!("{error} {error:?} {}", error.remedy().unwrap_or_default())
}

#[test]
fn who_cannot_log_in_is_told_so_without_the_password() {
    let server = shop();
    server
        .sql("", "CREATE USER clerk@localhost IDENTIFIED BY 'other'; GRANT ALL ON shop.* TO clerk@localhost");
    let wrong = engine(server.spec_of("shop", "clerk", SECRET));
    let error = wrong.begin(&no_previous, &Cx::silent()).err().expect("a wrong password");
    assert!(error.to_string().contains("clerk") && error.to_string().contains("1045"), "{error}");
    assert!(error.remedy().is_some() && !said(&error).contains(SECRET), "{error:?}");

    let nowhere = engine(server.spec_of("nothing", "clerk", "other"));
    let error = nowhere.begin(&no_previous, &Cx::silent()).err().expect("no such schema");
    assert!(error.remedy().is_some(), "{error:?}");

    let dead = MysqlSpec {
        schema: "shop".to_owned(),
        address: MysqlAddress::Tcp { host: "127.0.0.1".to_owned(), port: 1 },
        user: "clerk".to_owned(),
        password: Some(Secret::new(SECRET)),
        tls: None,
        connections: 1,
        grants: false,
        scratch: std::env::temp_dir(),
    };
    let error = engine(dead.clone()).begin(&no_previous, &Cx::silent()).err().expect("no server");
    assert!(error.to_string().contains("127.0.0.1:1") && error.remedy().is_some(), "{error:?}");
    assert!(!said(&error).contains(SECRET) && !format!("{dead:?}").contains(SECRET));
}

#[test]
fn a_damaged_dump_is_refused_and_leaves_nothing_behind() {
    let server = shop();
    let database = engine(server.spec("shop"));
    let (good, _) = collect(&*database, &Cx::silent()).expect("dump");
    let file = good.0.keys().find(|path| path.starts_with("data/b")).expect("has rows").clone();
    let damaged = |change: &dyn Fn(&mut Memory)| {
        let mut shelf = good.clone();
        change(&mut shelf);
        shelf
    };
    let cases = [
        ("a missing file", damaged(&|shelf| drop(shelf.0.remove(&file)))),
        ("a short file", damaged(&|shelf| shelf.0.get_mut(&file).expect("file").truncate(9))),
        ("a flipped bit", damaged(&|shelf| shelf.0.get_mut(&file).expect("file")[9] ^= 1)),
        (
            "a flipped bit in a definition",
            damaged(&|shelf| {
                shelf.0.get_mut(Path::new("schema/tables/a.sql")).expect("file")[9] ^= 1;
            }),
        ),
        ("a file too many", damaged(&|shelf| drop(shelf.0.insert("data/b/x.tsv".into(), Vec::new())))),
        ("no manifest", damaged(&|shelf| drop(shelf.0.remove(Path::new("zz-manifest.json"))))),
    ];
    for (what, shelf) in cases {
        let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err(what);
        assert!(error.remedy().is_some(), "{what}: {error}");
        assert_eq!(server.schemas(), ["shop"], "{what}");
    }
}

/// A shelf that lets something happen when a file is opened.
pub(super) struct Failing<'a> {
    pub(super) inner: Memory,
    pub(super) at: PathBuf,
    pub(super) then: &'a (dyn Fn() -> Result<()> + Sync),
}

impl Shelf for Failing<'_> {
    fn list(&self) -> Result<Vec<(PathBuf, u64)>> {
        self.inner.list()
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>> {
        if path == self.at {
            (self.then)()?;
        }
        self.inner.open(path)
    }
}

#[test]
fn whatever_fails_in_the_middle_leaves_nothing_behind() {
    let server = shop();
    let database = engine(server.spec("shop"));
    let (inner, _) = collect(&*database, &Cx::silent()).expect("dump");
    let files: Vec<_> = inner.0.keys().filter(|path| path.starts_with("data/b")).cloned().collect();
    let at = files[files.len() / 2].clone();
    let fail = || Err(io::Error::other("the repository went away").into());
    let shelf = Failing { inner: inner.clone(), at: at.clone(), then: &fail };
    let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err("fails");
    assert!(error.to_string().contains("the repository went away"), "{error}");
    assert_eq!(server.schemas(), ["shop"]);

    let cancel = Cancel::default();
    let stop = || {
        cancel.cancel();
        Ok(())
    };
    let shelf = Failing { inner: inner.clone(), at, then: &stop };
    let cx = Cx::new("test", cancel.clone(), Vec::new());
    let error = database.load_aside(&shelf, TOKEN, &cx).expect_err("cancelled");
    assert_eq!(error.kind(), Kind::Cancelled);
    assert_eq!(server.schemas(), ["shop"]);

    // The server refuses the next table before it asks for any data: whoever provides them must not wait for it.
    let first = inner.0.keys().find(|path| path.starts_with("data/a")).expect("has rows").clone();
    let side = format!("shop__restore_{TOKEN}");
    let vanish = || {
        server.sql("", &format!("DROP TABLE {side}.b"));
        Ok(())
    };
    let shelf = Failing { inner, at: first, then: &vanish };
    let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err("refused");
    assert!(error.to_string().contains("table \"b\""), "{error}");
    assert_eq!(server.schemas(), ["shop"]);
}

#[test]
fn a_schema_that_changes_during_the_dump_makes_no_dump() {
    let server = shop();
    let database = engine(server.spec("shop"));
    let changes = [
        "ALTER TABLE b ADD COLUMN c INT FIRST, ALGORITHM=COPY",
        "TRUNCATE b",
        "RENAME TABLE b TO c",
        "RENAME TABLE c TO b",
        "CREATE VIEW v AS SELECT 1",
        "ALTER TABLE b COMMENT='new'",
    ];
    for change in changes {
        let mut feed = database.begin(&no_previous, &Cx::silent()).expect("begin");
        feed.next(&Cx::silent()).expect("readme");
        server.sql("shop", change);
        let error = loop {
            match feed.next(&Cx::silent()) {
                Ok(Some(file)) => assert_ne!(file.path, Path::new("zz-manifest.json"), "{change}"),
                Ok(None) => panic!("{change} went unnoticed"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("changed while it was being dumped"), "{change}: {error}");
        assert!(error.remedy().is_some());
    }
}

#[test]
fn a_server_that_dies_during_the_dump_is_an_error() {
    let mut server = shop();
    server.sql("shop", "INSERT INTO b SELECT seq, REPEAT(MD5(seq), 2000) FROM seq_5000_to_5500");
    let database = engine(server.spec("shop"));
    let mut feed = database.begin(&no_previous, &Cx::silent()).expect("begin");
    feed.next(&Cx::silent()).expect("readme");
    server.kill();
    let mut files = 0;
    while let Ok(file) = feed.next(&Cx::silent()) {
        assert!(file.is_some(), "no end without a server");
        files += 1;
    }
    assert!(files < 100);
}

#[test]
fn what_a_plain_user_cannot_see_is_listed() {
    let server = shop();
    server.sql("shop", "CREATE PROCEDURE hidden() SELECT 1");
    server.sql("", "CREATE USER clerk@localhost IDENTIFIED BY 'pw'; GRANT SELECT, EXECUTE, LOCK TABLES, SHOW VIEW, EVENT ON shop.* TO clerk@localhost");
    let database = engine(server.spec_of("shop", "clerk", "pw"));
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    let lost: Vec<_> = summary.unsaved.iter().map(|unsaved| unsaved.what.as_str()).collect();
    assert_eq!(lost, ["triggers", "procedure hidden"]);
    let manifest = String::from_utf8_lossy(&shelf.0[Path::new("zz-manifest.json")]).into_owned();
    assert!(manifest.contains("procedure hidden"));

    let error = database.preflight(&shelf, &Cx::silent()).expect_err("may not create schemas");
    assert!(error.remedy().is_some(), "{error}");
}

#[test]
fn tables_without_snapshots_are_locked_or_marked() {
    let server = shop();
    server.sql("shop", "CREATE TABLE m (a INT) ENGINE=MyISAM; INSERT INTO m VALUES (1),(1)");
    server.sql("", "CREATE USER clerk@localhost IDENTIFIED BY 'pw'; GRANT SELECT, TRIGGER, EVENT, SHOW VIEW ON shop.* TO clerk@localhost");
    let marked = |shelf: &Memory| {
        String::from_utf8_lossy(&shelf.0[Path::new("zz-manifest.json")]).contains("\"unlocked\": true")
    };

    let (cx, heard) = Heard::context();
    let (shelf, _) = collect(&*engine(server.spec("shop")), &cx).expect("dump");
    // A note may say that the tables are so young that the dump began twice.
    assert!(
        !marked(&shelf) && heard.all().iter().all(|event| event.starts_with("Note")),
        "{:?}",
        heard.all()
    );

    let (shelf, _) = collect(&*engine(server.spec_of("shop", "clerk", "pw")), &cx).expect("dump");
    assert!(marked(&shelf) && heard.all().iter().any(|event| event.contains("Warning")), "{:?}", heard.all());
}

/// A writer that waits for a lock lets no reader of such a table pass, and waits for us: who reads would wait for himself.
#[test]
fn who_waits_to_write_to_a_locked_table_does_not_hold_up_its_dump() {
    let server = shop();
    server.sql("shop", "CREATE TABLE m (a INT) ENGINE=MyISAM; INSERT INTO m VALUES (1),(1)");
    let database = engine(server.spec("shop"));
    let feed = database.begin(&no_previous, &Cx::silent()).expect("begin");
    let begun = std::time::Instant::now();
    let rows = std::thread::scope(|scope| {
        // Its lock goes with it, so that the writer does not wait for ever if this fails.
        let mut feed = feed;
        let writer = scope.spawn(|| server.sql("shop", "UPDATE m SET a=2"));
        while !server.sql("", "SHOW FULL PROCESSLIST").contains("Waiting for table") {
            assert!(begun.elapsed().as_secs() < 20, "the writer does not wait");
        }
        let mut rows = Vec::new();
        while let Some(file) = feed.next(&Cx::silent()).expect("next") {
            if file.path.starts_with("data/m") {
                rows.extend(file.data);
            }
        }
        writer.join().expect("join");
        rows
    });
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    assert_eq!(String::from_utf8_lossy(&rows), "1\n1\n");
    assert_eq!(server.sql("shop", "SELECT DISTINCT a FROM m"), "2\n");
}

#[test]
fn nothing_is_locked_that_has_snapshots() {
    let server = shop();
    let database = engine(server.spec("shop"));
    let mut feed = database.begin(&no_previous, &Cx::silent()).expect("begin");
    feed.next(&Cx::silent()).expect("readme");
    server.sql(
        "shop",
        "SET lock_wait_timeout=2, innodb_lock_wait_timeout=2; UPDATE a SET t='x'; DELETE FROM b",
    );
    let (mut rows, mut newest) = (0, 0);
    while let Some(file) = feed.next(&Cx::silent()).expect("next") {
        if file.path.starts_with("data") {
            rows += file.data.split(|byte| *byte == b'\n').count() - 1;
            newest += file.data.windows(3).filter(|bytes| *bytes == b"\tx\n").count();
        }
    }
    assert_eq!((rows, newest), (4000, 0));
}

#[test]
fn a_user_without_the_right_to_name_definers_restores_with_a_warning() {
    let server = shop();
    server.sql(
        "shop",
        "CREATE VIEW v AS SELECT id FROM a; CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1;
         CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.id = NEW.id;
         CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01' DO DELETE FROM a WHERE id < 0",
    );
    let (shelf, _) = collect(&*engine(server.spec("shop")), &Cx::silent()).expect("dump");
    server
        .sql("", "CREATE USER clerk@localhost IDENTIFIED BY 'pw'; GRANT ALL ON `shop%`.* TO clerk@localhost");
    let database = engine(server.spec_of("shop", "clerk", "pw"));
    // The function of somebody else is one that this user could not bring back.
    let error = database.preflight(&shelf, &Cx::silent()).expect_err("hidden");
    assert!(error.to_string().contains("function f"), "{error}");
    server.sql("shop", "DROP FUNCTION f");
    database.preflight(&shelf, &Cx::silent()).expect("preflight");
    let (cx, heard) = Heard::context();
    let copy = database.load_aside(&shelf, TOKEN, &cx).expect("load");
    database.swap_in(&copy, &cx).expect("swap in");
    assert!(
        heard.all().iter().any(|event| event.contains("trigger t") && event.contains("definer")),
        "{:?}",
        heard.all()
    );
    assert_eq!(
        server.sql("", "SELECT definer FROM information_schema.triggers WHERE trigger_name='t'").trim(),
        "clerk@localhost"
    );
    database.swap_back(&copy, &cx).expect("swap back");
    database.discard(&copy, &cx).expect("discard");
    assert_eq!(server.schemas(), ["shop"]);
}

#[test]
fn a_huge_row_passes_and_a_small_server_packet_is_an_error_in_words() {
    let server = MariaDb::start_with(&["--local-infile=0"]);
    server.sql("", "CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB); INSERT INTO t VALUES (1, REPEAT(0xFF, 20000000))");
    let database = engine(server.spec("shop"));
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    server.sql("", "SET GLOBAL max_allowed_packet=1048576");
    let error = database.load_aside(&shelf, "zzzzzzzz", &Cx::silent()).expect_err("too large");
    assert!(error.to_string().contains("table \"t\""), "{error}");
    assert!(!server.schemas().iter().any(|schema| schema.contains("zzzz")), "{:?}", server.schemas());
}
