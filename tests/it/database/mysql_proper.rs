//! `MySQL` itself, of the newest kind: the nasty schema goes there and back as on `MariaDB`.

use std::process::Stdio;

use lifeboat::database::Means;
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

/// Tables inside the live schema, for a user who may make no other; a CHECK, whose name could not be had twice, is refused.
#[test]
fn a_user_with_all_rights_on_one_schema_restores_inside_it_on_mysql() {
    let server = MariaDb::start_mysql(&["--local-infile=1", "--log-bin-trust-function-creators=1"]);
    server.sql(
        "",
        "CREATE DATABASE shop; CREATE USER app@localhost IDENTIFIED BY 'pw'; GRANT ALL ON shop.* TO app@localhost; USE shop;
         CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20)); INSERT INTO item VALUES (1,'rope'),(2,'oar');
         CREATE TABLE sale (id INT PRIMARY KEY, item INT, FOREIGN KEY (item) REFERENCES item(id)); INSERT INTO sale VALUES (1,2);
         CREATE TABLE note (id INT PRIMARY KEY, sale INT, CONSTRAINT of_sale FOREIGN KEY (sale) REFERENCES sale(id));
         CREATE DEFINER=app@localhost VIEW names AS SELECT name FROM item;
         CREATE DEFINER=app@localhost TRIGGER named BEFORE INSERT ON item FOR EACH ROW SET NEW.name = UPPER(NEW.name)",
    );
    let (database, cx) = (engine(server.spec_of("shop", "app", "pw")), Cx::silent());
    let dumped = fingerprint::of(&server, "shop");
    let (shelf, _) = collect(&*database, &cx).expect("dump");
    server.sql("shop", "DROP VIEW names; DROP TABLE note; ALTER TABLE item ADD COLUMN more INT; CREATE TABLE other (id INT PRIMARY KEY, item INT, FOREIGN KEY (item) REFERENCES item(id))");
    let live = fingerprint::of(&server, "shop");
    assert_eq!(database.preflight(&shelf, &cx).expect("preflight"), Means::SideTables);
    let names = database.side_names(TOKEN, Means::SideTables).expect("names");
    let copy = database.load(&shelf, &names, &cx).expect("load");
    database.swap_in(&copy, &cx).expect("swap in");
    same(&dumped, &fingerprint::of_site(&server, "shop"));
    database.swap_back(&copy, &cx).expect("swap back");
    same(&live, &fingerprint::of_site(&server, "shop"));
    database.swap_in(&copy, &cx).expect("swap in");
    let back = database.revive(&copy, "zzzzzzzz").expect("revive").expect("it is kept");
    database.swap_in(&back, &cx).expect("undo");
    same(&live, &fingerprint::of_site(&server, "shop"));
    database.discard(&copy, &cx).expect("discard");
    database.discard(&back, &cx).expect("discard");
    same(&live, &fingerprint::of(&server, "shop"));
    server.sql("shop", "ALTER TABLE sale ADD CONSTRAINT some CHECK (id > 0)");
    let error = database.preflight(&shelf, &cx).expect_err("a check");
    assert!(error.to_string().contains("\"sale\" has a CHECK") && error.remedy().is_some(), "{error}");
}
