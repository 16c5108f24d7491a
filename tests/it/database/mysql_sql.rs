//! A dump as plain SQL: the stock client loads it, and everything is there.

use std::io::Write;
use std::process::Stdio;

use lifeboat::database::render_sql;
use lifeboat::event::Cx;

use super::{Memory, collect, engine, fingerprint, same};
use crate::mariadb::MariaDb;
use crate::story::wordpress::{Site, rows, similar};

fn render(shelf: &Memory, table: Option<&str>) -> (Vec<u8>, bool) {
    let mut sql = Vec::new();
    let whole = render_sql("mysql", shelf, table, &mut sql, &Cx::silent()).expect("render");
    (sql, whole)
}

/// As the head of each script says.
fn load(server: &MariaDb, schema: &str, sql: &[u8]) {
    server.sql("", &format!("CREATE DATABASE {schema}"));
    let mut client = server.client(Some(schema));
    client.args(["--binary-mode", "--comments"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = client.spawn().expect("start mariadb");
    let mut input = child.stdin.take().expect("has an input");
    let sql = sql.to_owned();
    let writer = std::thread::spawn(move || input.write_all(&sql));
    let output = child.wait_with_output().expect("run mariadb");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    writer.join().expect("join").expect("write");
}

#[test]
fn everything_nasty_is_in_the_sql() {
    let server = MariaDb::start();
    super::mysql::nasty(&server);
    let before = fingerprint::of(&server, "nasty");
    let (shelf, _) = collect(&*engine(server.spec("nasty")), &Cx::silent()).expect("dump");
    let (sql, whole) = render(&shelf, None);
    assert!(!whole && sql.windows(9).any(|text| text == b"NOT SAVED"), "a table's rows are elsewhere");
    server.sql("", "DROP DATABASE nasty");
    load(&server, "nasty", &sql);
    same(&before, &fingerprint::of(&server, "nasty"));

    let (one, whole) = render(&shelf, Some("t06_text"));
    assert!(whole && one.len() < sql.len() / 10);
    load(&server, "other", &one);
    assert_eq!(
        server.sql("", "CHECKSUM TABLE nasty.t06_text").split('\t').next_back(),
        server.sql("", "CHECKSUM TABLE other.t06_text").split('\t').next_back()
    );
}

#[test]
fn what_is_broken_or_damaged_is_said() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (x INT PRIMARY KEY); INSERT INTO a VALUES (1); CREATE TABLE gone (x INT);
         CREATE VIEW v AS SELECT x FROM gone; CREATE VIEW w AS SELECT x FROM a; DROP TABLE gone",
    );
    let (mut shelf, _) = collect(&*engine(server.spec("shop")), &Cx::silent()).expect("dump");
    let (sql, whole) = render(&shelf, None);
    assert!(!whole);
    load(&server, "other", &sql);
    assert_eq!(server.sql("other", "SHOW TABLES").lines().collect::<Vec<_>>(), ["a", "w"]);
    assert!(String::from_utf8_lossy(&sql).ends_with("-- This is the end: 1 tables, 1 rows\n"));

    let error =
        render_sql("mysql", &shelf, Some("nothing"), &mut Vec::new(), &Cx::silent()).expect_err("no table");
    assert!(error.to_string().contains("nothing"), "{error}");
    let rows = shelf.0.iter_mut().find(|(path, _)| path.starts_with("data/a")).expect("has rows").1;
    rows[0] ^= 1;
    let mut sql = Vec::new();
    let error = render_sql("mysql", &shelf, None, &mut sql, &Cx::silent()).expect_err("damaged");
    assert!(error.to_string().contains("not what was written"), "{error}");
    assert!(!String::from_utf8_lossy(&sql).contains("the end"));
}

#[test]
fn a_snapshot_becomes_sql_on_the_command_line() {
    let site = Site::install(None);
    site.world.init();
    site.world.backup();
    let ran = site.world.run(&["dump", "--sql", "latest"]).expect(0);
    load(&site.server, "by_hand", ran.out.as_bytes());
    similar(
        &site.rows().replace("`shop`", "`x`"),
        &rows(&site.server, "by_hand").replace("`by_hand`", "`x`"),
    );
    let one = site.world.run(&["dump", "--sql", "latest", "wp_posts"]).expect(0);
    assert!(one.out.contains("CREATE TABLE `wp_posts`") && !one.out.contains("CREATE TABLE `wp_users`"));
    site.world.run(&["dump", "--sql", "latest", "--database", "other"]).expect(2);
    site.world.run(&["dump", "latest"]).expect(2);
}
