//! `MariaDB`: what is dumped comes back, whatever it is and however it travels.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat::event::Cx;

use super::{TOKEN, collect, engine, fingerprint, same};
use crate::mariadb::MariaDb;

/// Everything that databases are known to lose.
pub(crate) fn nasty(server: &MariaDb) {
    let script = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/database/nasty.sql"));
    let status = server.client(None).stdin(script.expect("open nasty.sql")).status().expect("run mariadb");
    assert!(status.success());
    // A foreign key of another schema is refused by the preflight; a test of its own sees to that.
    server.sql("", "DROP DATABASE `nasty``2 é-%.x`; DROP VIEW nasty.v_broken");
}

#[test]
fn everything_nasty_comes_back_as_it_was() {
    let server = MariaDb::start();
    nasty(&server);
    let before = fingerprint::of(&server, "nasty");
    let database = engine(server.spec("nasty"));
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    assert_eq!(summary.unsaved.len(), 1, "{:?}", summary.unsaved);

    server.sql("", "DROP DATABASE nasty; CREATE DATABASE nasty");
    server.sql("nasty", "CREATE TABLE other (a INT); CREATE VIEW v AS SELECT 1; CREATE TRIGGER x BEFORE INSERT ON other FOR EACH ROW SET NEW.a=1");
    let other = fingerprint::of(&server, "nasty");
    database.preflight(&shelf, &Cx::silent()).expect("preflight");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    let after = fingerprint::of(&server, "nasty");
    same(&before, &after);

    database.swap_back(&copy, &Cx::silent()).expect("swap back");
    same(&other, &fingerprint::of(&server, "nasty"));
    database.swap_back(&copy, &Cx::silent()).expect("swap back again");
    database.swap_in(&copy, &Cx::silent()).expect("swap in again");
    database.swap_in(&copy, &Cx::silent()).expect("swap in once more");
    same(&before, &fingerprint::of(&server, "nasty"));
    database.discard(&copy, &Cx::silent()).expect("discard");
    database.discard(&copy, &Cx::silent()).expect("discard again");
    assert_eq!(server.schemas(), ["nasty"]);
    same(&before, &fingerprint::of(&server, "nasty"));
}

#[test]
fn everything_nasty_comes_back_where_the_server_forbids_load_data() {
    let server = MariaDb::start_with(&["--local-infile=0"]);
    nasty(&server);
    let before = fingerprint::of(&server, "nasty");
    let database = engine(server.spec("nasty"));
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    server.sql("", "DROP DATABASE nasty");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    same(&before, &fingerprint::of(&server, "nasty"));
    database.swap_back(&copy, &Cx::silent()).expect("swap back");
    assert_eq!(server.schemas(), [copy.side.as_str()], "there was no schema before");
}

#[test]
fn the_readme_restores_everything_with_stock_tools() {
    let server = MariaDb::start();
    nasty(&server);
    let (shelf, _) = collect(&*engine(server.spec("nasty")), &Cx::silent()).expect("dump");
    let directory = tempfile::TempDir::new().expect("make a directory");
    for (path, data) in &shelf.0 {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("make a directory");
        std::fs::write(path, data).expect("write");
    }
    let readme = String::from_utf8(shelf.0[std::path::Path::new("README.txt")].clone()).expect("text");
    let script = readme.split_once("  target=shop_copy").expect("has a script").1;
    let script = script.split_once("\nWhat objects.jsonl calls").expect("has an end").0;
    let other = MariaDb::start();
    let socket = format!("mariadb --no-defaults --user=root --socket={}", other.socket().display());
    let script =
        format!("set -euo pipefail\ntarget=nasty{}", script.replacen("mariadb ", &format!("{socket} "), 1));
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("run bash");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    same(&fingerprint::of(&server, "nasty"), &fingerprint::of(&other, "nasty"));
}

#[test]
fn a_dump_is_one_moment_while_a_writer_commits() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY AUTO_INCREMENT, n INT);
         CREATE TABLE z (id INT PRIMARY KEY AUTO_INCREMENT, n INT); INSERT INTO a(n) VALUES (1000); INSERT INTO z(n) VALUES (0);
         CREATE TABLE filler (id INT PRIMARY KEY, t TEXT); INSERT INTO filler SELECT seq, REPEAT('x', 500) FROM seq_1_to_500",
    );
    let stop = Arc::new(AtomicBool::new(false));
    let mut client = server.client(Some("shop")).stdin(Stdio::piped()).spawn().expect("start a writer");
    let mut input = client.stdin.take().expect("has an input");
    let writer = std::thread::spawn({
        let stop = stop.clone();
        move || {
            while !stop.load(Ordering::SeqCst) {
                std::io::Write::write_all(
                    &mut input,
                    b"BEGIN; INSERT INTO a(n) VALUES (-1); INSERT INTO z(n) VALUES (1); COMMIT; DO SLEEP(0.002);\n",
                )
                .expect("write");
            }
        }
    });
    let database = engine(server.spec("shop"));
    let mut last = 0;
    for _ in 0..100 {
        let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
        let sum = |table: &str| -> i64 {
            let files = shelf.0.iter().filter(|(path, _)| path.starts_with(format!("data/{table}")));
            let lines = files.flat_map(|(_, data)| std::str::from_utf8(data).expect("text").lines());
            lines
                .map(|line| line.split('\t').nth(1).expect("two columns").parse::<i64>().expect("a number"))
                .sum()
        };
        assert_eq!(sum("a") + sum("z"), 1000);
        last = sum("z");
    }
    assert!(last > 0, "the writer wrote");
    stop.store(true, Ordering::SeqCst);
    writer.join().expect("writer");
    client.wait().expect("client");
}

#[test]
fn a_second_dump_of_the_same_rows_has_the_same_files() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE n (id INT PRIMARY KEY, t TEXT); CREATE TABLE k (k VARCHAR(64) PRIMARY KEY, t TEXT);
         INSERT INTO n SELECT seq, REPEAT(MD5(seq), 8) FROM seq_1_to_8000; INSERT INTO k SELECT SHA1(seq), REPEAT(MD5(seq), 8) FROM seq_1_to_8000",
    );
    let database = engine(server.spec("shop"));
    let (one, summary) = collect(&*database, &Cx::silent()).expect("dump");
    server.sql("shop", "UPDATE n SET t='changed' WHERE id=4000; DELETE FROM k ORDER BY k LIMIT 1");
    let (two, _) = collect(&*database, &Cx::silent()).expect("dump");
    assert_eq!(summary.rows, 16_000);
    let data = |shelf: &super::Memory, table: &str| -> Vec<Vec<u8>> {
        shelf
            .0
            .iter()
            .filter(|(path, _)| path.starts_with(format!("data/{table}")))
            .map(|(_, data)| data.clone())
            .collect()
    };
    for table in ["n", "k"] {
        let (before, after) = (data(&one, table), data(&two, table));
        assert!((8..60).contains(&before.len()), "{table}: {}", before.len());
        let sizes = |files: &[Vec<u8>]| files.iter().map(Vec::len).collect::<Vec<_>>();
        let new = after.iter().filter(|file| !before.contains(file)).count();
        assert!((1..=2).contains(&new), "{table}: {new} of {:?} {:?}", sizes(&before), sizes(&after));
    }
}
