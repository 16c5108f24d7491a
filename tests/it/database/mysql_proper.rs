//! `MySQL` itself, of the newest kind: the nasty schema goes there and back as on `MariaDB`.

use std::process::Stdio;

use lifeboat::event::Cx;

use super::{TOKEN, collect, engine, fingerprint, same};
use crate::mariadb::MariaDb;

/// What it does not understand of the script is left out by the client.
fn nasty(server: &MariaDb) {
    let script = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/database/nasty.sql"));
    let status = server
        .client(None)
        .arg("--force")
        .stdin(script.expect("open nasty.sql"))
        .stderr(Stdio::null())
        .status()
        .expect("run mysql");
    assert!(status.code().is_some(), "{status}");
    let tables = server.sql("", "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='nasty'");
    assert!(tables.trim().parse::<u32>().expect("a number") > 50, "{tables}");
    // No logical dump can tell a DATE inside JSON from a text; the README says so.
    server.sql(
        "",
        "DROP DATABASE `nasty``2 é-%.x`; DROP VIEW nasty.v_broken; DROP TABLE nasty.my07_json_opaque",
    );
}

#[test]
fn everything_nasty_comes_back_on_mysql() {
    let server = MariaDb::start_mysql(&["--local-infile=1"]);
    nasty(&server);
    let before = fingerprint::of(&server, "nasty");
    let database = engine(server.spec("nasty"));
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    assert!(summary.version.starts_with("MySQL "), "{}", summary.version);
    for way in ["LOAD DATA", "INSERT"] {
        server.sql("", "DROP DATABASE nasty; CREATE DATABASE nasty; CREATE TABLE nasty.other (a INT)");
        let other = fingerprint::of(&server, "nasty");
        database.preflight(&shelf, &Cx::silent()).expect("preflight");
        let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect(way);
        database.swap_in(&copy, &Cx::silent()).expect("swap in");
        same(&before, &fingerprint::of(&server, "nasty"));
        database.swap_back(&copy, &Cx::silent()).expect("swap back");
        same(&other, &fingerprint::of(&server, "nasty"));
        database.discard(&copy, &Cx::silent()).expect("discard");
        assert_eq!(server.schemas(), ["nasty"]);
        server.sql("", "SET GLOBAL local_infile=0");
    }
}
