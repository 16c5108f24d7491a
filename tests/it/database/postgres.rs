//! `PostgreSQL`: what is dumped comes back, whatever it is and however it travels.

use std::path::Path;
use std::process::Stdio;

use lifeboat::database::{Database, DatabaseSpec, PostgresSpec, open};
use lifeboat::event::Cx;

use super::{Heard, Memory, TOKEN, collect, same, witness};
use crate::postgres::Postgres;

pub(super) fn engine(spec: PostgresSpec) -> Box<dyn Database> {
    open(&DatabaseSpec::Postgres(spec))
}

/// Everything that databases are known to lose.
pub(super) fn nasty(server: &Postgres) {
    let script = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/database/nasty_postgres.sql"));
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
    server.sql("nasty", "CREATE TABLE other (a INT); CREATE VIEW v AS SELECT 1; INSERT INTO other VALUES (1)");
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
