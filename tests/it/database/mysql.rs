//! `MariaDB`: round trips, swaps, damage, locks and rights.

use lifeboat::database::{DatabaseSpec, MysqlSpec, open};
use lifeboat::event::Cx;

use super::{Memory, collect, fingerprint};
use crate::mariadb::MariaDb;

const TOKEN: &str = "a1b2c3d4";

fn engine(spec: MysqlSpec) -> Box<dyn lifeboat::database::Database> {
    open(&DatabaseSpec::Mysql(spec))
}

/// Everything that databases are known to lose.
fn nasty(server: &MariaDb) {
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

fn same(before: &str, after: &str) {
    let differing = before.lines().zip(after.lines()).find(|(one, other)| one != other);
    assert!(before == after, "first difference: {differing:#?}");
}
