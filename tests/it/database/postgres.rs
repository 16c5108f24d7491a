//! `PostgreSQL`: what is dumped comes back, whatever it is and however it travels.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat::database::{Database, DatabaseSpec, PostgresSpec, open, render_sql};
use lifeboat::event::Cx;

use super::{Heard, Memory, TOKEN, collect, same, witness};
use crate::postgres::Postgres;

pub(super) fn engine(spec: PostgresSpec) -> Box<dyn Database> {
    open(&DatabaseSpec::Postgres(spec))
}

/// Everything that databases are known to lose.
pub(super) fn nasty(server: &Postgres) {
    let script =
        std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/database/nasty_postgres.sql"));
    let output = server.psql("postgres").stdin(script.expect("open the script")).output().expect("run psql");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn everything_nasty_comes_back_as_it_was() {
    let server = Postgres::start();
    nasty(&server);
    let before = witness::of(&server, "nasty");
    let database = engine(server.spec("nasty"));
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    assert_eq!(summary.unsaved, []);

    server.sql("postgres", "DROP DATABASE nasty; CREATE DATABASE nasty");
    server
        .sql("nasty", "CREATE TABLE other (a INT); CREATE VIEW v AS SELECT 1; INSERT INTO other VALUES (1)");
    let other = witness::of(&server, "nasty");
    database.preflight(&shelf, &Cx::silent()).expect("preflight");
    let (cx, heard) = Heard::context();
    let copy = database.load_aside(&shelf, TOKEN, &cx).expect("load");
    let said = heard.all();
    assert!(said.iter().all(|event| !event.contains("Warning") && !event.contains("Missed")), "{said:?}");
    same(&other, &witness::of(&server, "nasty"));
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    same(&before, &witness::of(&server, "nasty"));

    database.swap_back(&copy, &Cx::silent()).expect("swap back");
    same(&other, &witness::of(&server, "nasty"));
    database.swap_back(&copy, &Cx::silent()).expect("swap back again");
    same(&other, &witness::of(&server, "nasty"));
    database.swap_in(&copy, &Cx::silent()).expect("swap in again");
    database.swap_in(&copy, &Cx::silent()).expect("swap in once more");
    same(&before, &witness::of(&server, "nasty"));
    database.discard(&copy, &Cx::silent()).expect("discard");
    database.discard(&copy, &Cx::silent()).expect("discard again");
    assert_eq!(server.databases(), ["nasty"]);
    same(&before, &witness::of(&server, "nasty"));
}

#[test]
fn the_readme_loads_everything_with_stock_tools() {
    let server = Postgres::start();
    nasty(&server);
    let (shelf, _) = collect(&*engine(server.spec("nasty")), &Cx::silent()).expect("dump");
    let directory = tempfile::TempDir::new().expect("make a directory");
    for (path, data) in &shelf.0 {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("make a directory");
        std::fs::write(path, data).expect("write");
    }
    let readme = String::from_utf8(shelf.0[Path::new("README.txt")].clone()).expect("text");
    let (_, script) = readme.split_once("  target=shop_copy").expect("has a script");
    let script: Vec<_> = script.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    let script = format!("set -euo pipefail\ntarget=shopcopy{}", script.join("\n"));
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(directory.path())
        .env("PGHOST", server.path(""))
        .stdin(Stdio::null())
        .output()
        .expect("run bash");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    same(&inside(&witness::of(&server, "nasty")), &inside(&witness::of(&server, "shopcopy")));
}

/// Without what belongs to the database itself, and of large objects only number and bytes.
fn inside(witness: &str) -> String {
    let lines = witness.lines().filter(|line| {
        let session = line.starts_with("SET ") || line.starts_with("SELECT pg_catalog.set_config");
        !session
            && !line.is_empty()
            && !line.starts_with("--")
            && !line.contains("DATABASE")
            && !line.contains("THIS")
    });
    let short = lines.map(|line| match line.split('|').collect::<Vec<_>>().as_slice() {
        [oid, _, _, bytes, _] if oid.parse::<u32>().is_ok() => format!("{oid} {bytes}\n"),
        _ => format!("{line}\n"),
    });
    short.collect()
}

#[test]
fn everything_nasty_is_in_the_sql() {
    let server = Postgres::start();
    nasty(&server);
    let before = witness::of(&server, "nasty");
    let (shelf, _) = collect(&*engine(server.spec("nasty")), &Cx::silent()).expect("dump");
    let render = |table: Option<&str>| {
        let mut sql = Vec::new();
        let whole = render_sql("postgresql", &shelf, table, &mut sql, &Cx::silent()).expect("render");
        assert!(whole);
        String::from_utf8(sql).expect("text")
    };
    server.sql("postgres", "CREATE DATABASE copy");
    server.sql("copy", &render(None));
    let sums = |text: &str| text.split_once("database dump complete").expect("rows come last").1.to_owned();
    same(&sums(&before), &sums(&witness::of(&server, "copy")));

    let one = render(Some("public.many"));
    server.sql("copy", "TRUNCATE many");
    server.sql("copy", &one);
    same(&sums(&before), &sums(&witness::of(&server, "copy")));
    let none = render_sql("postgresql", &shelf, Some("nothing"), &mut Vec::new(), &Cx::silent());
    assert!(none.expect_err("no such table").to_string().contains("no table"));
}

/// Runs statements again and again until it is dropped.
pub(super) struct Storm {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Storm {
    pub(super) fn start(server: &Postgres, database: &str, statements: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut client = server.psql(database).stdin(Stdio::piped()).spawn().expect("start a writer");
        let mut input = client.stdin.take().expect("has an input");
        let until = stop.clone();
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::SeqCst) {
                input.write_all(statements.as_bytes()).expect("write");
            }
            drop(input);
            assert!(client.wait().expect("client").success());
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.thread.take().map(std::thread::JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
    }
}

/// The second column of all rows of a table.
pub(super) fn numbers(shelf: &Memory, table: &str) -> Vec<i64> {
    let files = shelf.0.iter().filter(|(path, _)| path.starts_with(format!("data/public/{table}")));
    let lines = files.flat_map(|(_, data)| std::str::from_utf8(data).expect("text").lines());
    lines.map(|line| line.split('\t').nth(1).expect("two columns").parse().expect("a number")).collect()
}

#[test]
fn a_dump_is_one_moment_while_a_writer_commits() {
    let server = Postgres::start();
    server.sql("postgres", "CREATE DATABASE shop");
    server.sql(
        "shop",
        "CREATE TABLE a (id SERIAL PRIMARY KEY, n INT); CREATE TABLE z (id SERIAL PRIMARY KEY, n INT);
         INSERT INTO a(n) VALUES (1000); INSERT INTO z(n) VALUES (0);
         CREATE TABLE filler (id INT PRIMARY KEY, t TEXT); INSERT INTO filler SELECT i, repeat('x', 500) FROM generate_series(1, 500) i",
    );
    let storm = Storm::start(
        &server,
        "shop",
        "BEGIN; INSERT INTO a(n) VALUES (-1); INSERT INTO z(n) VALUES (1); COMMIT; SELECT pg_sleep(0.002) \\g /dev/null\n",
    );
    let database = engine(server.spec("shop"));
    let mut last = 0;
    for _ in 0..30 {
        let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
        let sum = |table: &str| numbers(&shelf, table).iter().sum::<i64>();
        assert_eq!(sum("a") + sum("z"), 1000);
        last = sum("z");
        // The sequence stands at or behind every number that was given.
        let sequences = String::from_utf8_lossy(&shelf.0[Path::new("schema/sequences.sql")]).into_owned();
        let line = sequences.lines().find(|line| line.contains("a_id_seq")).expect("has a sequence");
        let value: usize = line.split(", ").nth(1).expect("a value").parse().expect("a number");
        assert!(value >= numbers(&shelf, "a").len());
    }
    assert!(last > 0, "the writer wrote");
    drop(storm);
}

/// A table that is emptied, or exchanged by renaming, looks empty or like another one to a snapshot taken before: every dump
/// has all rows of the right table, or says that it was changed.
#[test]
fn a_table_that_is_emptied_or_exchanged_is_never_dumped_wrong() {
    let server = Postgres::start();
    server.sql("postgres", "CREATE DATABASE shop");
    server.sql(
        "shop",
        "CREATE TABLE a (id INT PRIMARY KEY, n INT); INSERT INTO a SELECT i, 1 FROM generate_series(1, 100) i;
         CREATE TABLE b (id INT PRIMARY KEY, n INT); INSERT INTO b SELECT i, 2 FROM generate_series(1, 100) i;
         CREATE TABLE c (id INT PRIMARY KEY, n INT); INSERT INTO c SELECT i, 3 FROM generate_series(1, 100) i",
    );
    let storm = Storm::start(
        &server,
        "shop",
        // In a deadlock it may be the one that is sent back, and goes on.
        "\\set ON_ERROR_STOP 0\nBEGIN; TRUNCATE a; INSERT INTO a SELECT i, 1 FROM generate_series(1, 100) i; COMMIT;
         BEGIN; ALTER TABLE b RENAME TO x; ALTER TABLE c RENAME TO b; ALTER TABLE x RENAME TO c; UPDATE b SET n = 2; UPDATE c SET n = 3; COMMIT; SELECT pg_sleep(0.1) \\g /dev/null\n",
    );
    let database = engine(server.spec("shop"));
    let (mut whole, mut changed) = (0, 0);
    for _ in 0..20 {
        match collect(&*database, &Cx::silent()) {
            Ok((shelf, _)) => {
                whole += 1;
                for (table, n) in [("a", 1), ("b", 2), ("c", 3)] {
                    assert_eq!(numbers(&shelf, table), vec![n; 100], "table {table}");
                }
            }
            Err(error) => {
                changed += 1;
                assert_eq!(error.kind(), lifeboat::error::Kind::Changed, "{error}");
            }
        }
    }
    assert!(whole > 0, "{whole} whole, {changed} changed");
    drop(storm);
}

#[test]
fn a_second_dump_of_the_same_rows_has_the_same_files() {
    let server = Postgres::start();
    server.sql("postgres", "CREATE DATABASE shop");
    server.sql(
        "shop",
        "CREATE TABLE n (id INT PRIMARY KEY, t TEXT); CREATE TABLE k (k VARCHAR(64) PRIMARY KEY, t TEXT); CREATE TABLE u (t TEXT);
         INSERT INTO n SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 8000) i; INSERT INTO k SELECT md5(id::text), t FROM n;
         INSERT INTO u SELECT t FROM n",
    );
    let database = engine(server.spec("shop"));
    let (one, summary) = collect(&*database, &Cx::silent()).expect("dump");
    assert_eq!(summary.rows, 24_000);
    let (same, _) = collect(&*database, &Cx::silent()).expect("dump");
    let differing = same.0.iter().filter(|(path, data)| one.0.get(*path) != Some(data)).map(|(path, _)| path);
    assert_eq!(differing.collect::<Vec<_>>(), [Path::new("zz-manifest.json")], "nothing was changed");

    server.sql("shop", "UPDATE n SET t='changed' WHERE id=4000; DELETE FROM k WHERE k=(SELECT min(k) FROM k); INSERT INTO u VALUES ('one more')");
    let (two, _) = collect(&*database, &Cx::silent()).expect("dump");
    let data = |shelf: &Memory, table: &str| -> Vec<Vec<u8>> {
        let files = shelf.0.iter().filter(|(path, _)| path.starts_with(format!("data/public/{table}")));
        files.map(|(_, data)| data.clone()).collect()
    };
    for table in ["n", "k", "u"] {
        let (before, after) = (data(&one, table), data(&two, table));
        assert!((8..60).contains(&before.len()), "{table}: {}", before.len());
        let new = after.iter().filter(|file| !before.contains(file)).count();
        assert!((1..=2).contains(&new), "{table}: {new} new files");
    }
}

/// Encodings are left as they are, and what a client of another encoding could not even show comes back.
#[test]
fn other_encodings_travel_untouched() {
    let server = Postgres::start();
    let database = engine(server.spec("old"));
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_JP"] {
        server.sql(
            "postgres",
            &format!("CREATE DATABASE old TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"),
        );
        let text = if encoding == "EUC_JP" { "\\xa4a2" } else { "\\xe9ff" };
        server.sql(
            "old",
            &format!("CREATE TABLE t (k TEXT PRIMARY KEY); INSERT INTO t VALUES (convert_from('{text}', '{encoding}'))"),
        );
        let bytes = |name: &str| server.sql(name, &format!("SELECT convert_to(k, '{encoding}') FROM t"));
        let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
        let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect(encoding);
        assert_eq!(
            (bytes("old"), bytes(&copy.side)),
            (format!("{}\n", text.replace("\\\\", "\\")), bytes("old")),
            "{encoding}"
        );
        database.discard(&copy, &Cx::silent()).expect("discard");
        server.sql("postgres", "DROP DATABASE old");
    }
}
