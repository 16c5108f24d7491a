//! What can be asked of a dump beyond the default: several connections, accounts with their rights.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat::database::MysqlSpec;
use lifeboat::event::Cx;

use super::{Heard, Memory, TOKEN, collect, engine, fingerprint, same};
use crate::mariadb::MariaDb;

fn manifest(shelf: &Memory) -> serde_json::Value {
    serde_json::from_slice(&shelf.0[std::path::Path::new("zz-manifest.json")]).expect("JSON")
}

#[test]
fn several_connections_see_one_moment_and_make_the_same_files() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, n INT);
         CREATE TABLE z (id INT PRIMARY KEY AUTO_INCREMENT, n INT); INSERT INTO a(n) VALUES (1000); INSERT INTO z(n) VALUES (0);
         CREATE TABLE filler (id INT PRIMARY KEY, t TEXT); INSERT INTO filler SELECT seq, REPEAT('x', 500) FROM seq_1_to_5000;
         CREATE TABLE unkeyed (t TEXT); INSERT INTO unkeyed SELECT REPEAT(seq, 50) FROM seq_1_to_5000; CREATE TABLE m (a INT) ENGINE=MyISAM; INSERT INTO m VALUES (1)",
    );
    let single = engine(server.spec("shop"));
    let several = engine(MysqlSpec { connections: 3, ..server.spec("shop") });
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let (one, _) = collect(&*single, &Cx::silent()).expect("dump");
    let (other, _) = collect(&*several, &Cx::silent()).expect("dump");
    let data = |shelf: &Memory| -> Vec<_> {
        shelf
            .0
            .iter()
            .filter(|(path, _)| path.starts_with("data"))
            .map(|(path, data)| (path.clone(), data.clone()))
            .collect()
    };
    assert!(data(&one) == data(&other), "the number of connections shows in the files");
    assert!(manifest(&one).get("locked_ms").is_none());
    assert!(manifest(&other)["locked_ms"].as_f64().expect("was locked") < 5000.0);

    // As root, commits are held back; a plain user has to lock the tables, where a writer may meet a deadlock.
    server.sql("", "CREATE USER clerk@localhost IDENTIFIED BY 'pw'; GRANT ALL ON shop.* TO clerk@localhost");
    let plain = engine(MysqlSpec { connections: 2, ..server.spec_of("shop", "clerk", "pw") });
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| write_pairs(&server, &stop));
        let _stopped = Stop(&stop);
        for database in [&several, &plain] {
            for _ in 0..20 {
                let (shelf, _) = collect(&**database, &Cx::silent()).expect("dump");
                assert!(manifest(&shelf).get("locked_ms").is_some());
                assert_eq!(sum(&shelf, "a") + sum(&shelf, "z"), 1000);
            }
        }
        let (shelf, _) = collect(&*single, &Cx::silent()).expect("dump");
        assert!(sum(&shelf, "z") > 20, "the writer wrote");
    });
}

/// Ends the writer, also where an assertion fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Whatever is added to one table is taken from the other, by a client that goes on after a deadlock.
fn write_pairs(server: &MariaDb, stop: &AtomicBool) {
    let mut client = server.client(Some("shop"));
    let client = client.arg("--force").stdin(Stdio::piped()).stderr(Stdio::null());
    let mut client = client.spawn().expect("start a writer");
    let mut input = client.stdin.take().expect("has an input");
    // One statement, so that a deadlock undoes both halves.
    let both = b"BEGIN NOT ATOMIC START TRANSACTION; INSERT INTO a(n) VALUES (-1); INSERT INTO z(n) VALUES (1); COMMIT; DO SLEEP(0.002); END //\n";
    std::io::Write::write_all(&mut input, b"DELIMITER //\n").expect("write");
    while !stop.load(Ordering::SeqCst) {
        std::io::Write::write_all(&mut input, both).expect("write");
    }
    drop(input);
    client.wait().expect("client");
}

fn sum(shelf: &Memory, table: &str) -> i64 {
    let files = shelf.0.iter().filter(|(path, _)| path.starts_with(format!("data/{table}")));
    let lines = files.flat_map(|(_, data)| std::str::from_utf8(data).expect("text").lines());
    lines.map(|line| line.split('\t').nth(1).expect("two").parse::<i64>().expect("a number")).sum()
}

#[test]
fn one_connection_does_it_where_tables_cannot_be_locked() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); INSERT INTO shop.t VALUES (1);
         CREATE USER clerk@localhost IDENTIFIED BY 'pw'; GRANT SELECT, TRIGGER, EVENT, SHOW VIEW ON shop.* TO clerk@localhost",
    );
    let (cx, heard) = Heard::context();
    let spec = MysqlSpec { connections: 2, ..server.spec_of("shop", "clerk", "pw") };
    let (_, summary) = collect(&*engine(spec), &cx).expect("dump");
    assert_eq!(summary.rows, 1);
    assert!(heard.all().iter().any(|event| event.contains("over one connection")), "{:?}", heard.all());
}

#[test]
fn a_reader_that_fails_fails_the_dump() {
    let mut server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY, t LONGTEXT); INSERT INTO a SELECT seq, REPEAT(MD5(seq), 3000) FROM seq_1_to_600;
         CREATE TABLE b LIKE a; INSERT INTO b SELECT * FROM a",
    );
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let database = engine(MysqlSpec { connections: 2, ..server.spec("shop") });
    let mut feed = database.begin(&lifeboat::dump::no_previous, &Cx::silent()).expect("begin");
    for _ in 0..3 {
        feed.next(&Cx::silent()).expect("a file");
    }
    server.kill();
    let mut files = 0;
    while let Ok(file) = feed.next(&Cx::silent()) {
        assert!(file.is_some() && files < 1000, "no end without a server");
        files += 1;
    }
    // Dropped with readers at work: they must end.
    server.restart();
    let mut feed = database.begin(&lifeboat::dump::no_previous, &Cx::silent()).expect("begin");
    feed.next(&Cx::silent()).expect("a file");
    feed.next(&Cx::silent()).expect("a file");
    drop(feed);
}

#[test]
fn accounts_and_rights_come_back_if_asked_for() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, secret INT); CREATE PROCEDURE shop.p() SELECT 1;
         CREATE USER clerk@localhost IDENTIFIED BY 'p''w', `o'dd`@`10.%` IDENTIFIED BY 'x', stranger@localhost IDENTIFIED BY 'y';
         GRANT SELECT, INSERT ON shop.* TO clerk@localhost; GRANT SELECT (id) ON shop.t TO `o'dd`@`10.%`; GRANT PROCESS ON *.* TO stranger@localhost",
    );
    let spec = MysqlSpec { grants: true, ..server.spec("shop") };
    let (shelf, _) = collect(&*engine(spec.clone()), &Cx::silent()).expect("dump");
    let saved = String::from_utf8_lossy(&shelf.0[std::path::Path::new("schema/grants.jsonl")]).into_owned();
    assert!(saved.contains("clerk") && saved.contains("o'dd") && !saved.contains("stranger"), "{saved}");
    let (without, _) = collect(&*engine(server.spec("shop")), &Cx::silent()).expect("dump");
    assert!(!without.0.contains_key(std::path::Path::new("schema/grants.jsonl")));

    let target = MariaDb::start();
    let rights =
        |server: &MariaDb| server.sql("", "SHOW GRANTS FOR clerk@localhost; SHOW GRANTS FOR `o'dd`@`10.%`");
    let before = fingerprint::of(&server, "shop");
    for (grants, expected) in [(false, 0), (true, 2)] {
        let database = engine(MysqlSpec { grants, ..target.spec("shop") });
        let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
        database.swap_in(&copy, &Cx::silent()).expect("swap in");
        database.discard(&copy, &Cx::silent()).expect("discard");
        same(&before, &fingerprint::of(&target, "shop"));
        let accounts = target
            .sql("", "SELECT COUNT(*) FROM mysql.global_priv WHERE user IN ('clerk','o''dd','stranger')");
        assert_eq!(accounts.trim(), expected.to_string());
    }
    assert_eq!(rights(&server), rights(&target));
}

#[test]
fn accounts_that_cannot_be_seen_make_the_dump_incomplete() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY); CREATE PROCEDURE shop.p() SELECT 1;
         CREATE USER clerk@localhost IDENTIFIED BY 'pw', caller@localhost IDENTIFIED BY 'pw', other@localhost IDENTIFIED BY 'pw';
         GRANT ALL ON shop.* TO clerk@localhost; GRANT SELECT ON shop.* TO other@localhost; GRANT EXECUTE ON PROCEDURE shop.p TO caller@localhost",
    );
    let saved = |spec: MysqlSpec| {
        let (shelf, summary) = collect(&*engine(spec), &Cx::silent()).expect("dump");
        let accounts = shelf.0[std::path::Path::new("schema/grants.jsonl")].clone();
        (String::from_utf8(accounts).expect("text"), summary.unsaved)
    };
    let (accounts, unsaved) = saved(MysqlSpec { grants: true, ..server.spec("shop") });
    assert!(["clerk", "other", "caller"].iter().all(|name| accounts.contains(name)), "{accounts}");
    assert!(unsaved.is_empty(), "{unsaved:?}");
    server.sql("", "CREATE ROLE staff; GRANT SELECT ON shop.* TO staff");
    let (_, unsaved) = saved(MysqlSpec { grants: true, ..server.spec("shop") });
    assert!(
        unsaved.iter().any(|lost| lost.what.contains("staff")),
        "a role is not saved, and said so: {unsaved:?}"
    );
    let (accounts, unsaved) = saved(MysqlSpec { grants: true, ..server.spec_of("shop", "clerk", "pw") });
    assert!(!accounts.contains("other"), "{accounts}");
    assert!(unsaved.iter().any(|lost| lost.what.contains("accounts")), "{unsaved:?}");
}

#[test]
fn a_zero_in_a_counting_column_comes_back_beside_converted_columns() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; SET sql_mode='NO_AUTO_VALUE_ON_ZERO';
         CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, u UUID, b BIT(3)); INSERT INTO t VALUES (0, UUID(), b'101'), (7, NULL, NULL);
         CREATE TABLE d (id DOUBLE AUTO_INCREMENT, u INET6, KEY (id)); INSERT INTO d VALUES (0, '::1'), (3, NULL)",
    );
    let before = fingerprint::of(&server, "shop");
    let database = engine(server.spec("shop"));
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    same(&before, &fingerprint::of(&server, "shop"));
}
