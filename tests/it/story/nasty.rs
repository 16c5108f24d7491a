//! Everything that databases are known to lose, through a whole restore in place and back, by either way of the exchange.

use serde_json::Value;

use crate::database::fingerprint::of_site;
use crate::database::mysql::nasty;
use crate::database::same;
use crate::mariadb::MariaDb;
use crate::world::World;

/// Whoever restores, and by which means that is done.
fn there_and_back(user: &str, means: &str) {
    let server = MariaDb::start();
    nasty(&server);
    // Nothing beside the schema, but what it takes to bring back what acts as somebody else.
    server.sql(
        "",
        "CREATE USER app@localhost; GRANT ALL ON nasty.* TO app@localhost; GRANT SET USER ON *.* TO app@localhost; \
         GRANT SELECT ON mysql.proc TO app@localhost",
    );
    let socket = server.socket().display().to_string();
    let world = World::new(&format!(
        "databases: [{{type: mysql, name: nasty, host: \"localhost:{socket}\", user: {user}}}]"
    ));
    world.write("index", "1");
    world.init();
    let dumped = of_site(&server, "nasty");
    // A MERGE table has its rows elsewhere, and the snapshot says so.
    world.json(3, &["backup"]);
    let id = world.snapshots()[0]["id"].as_str().unwrap().to_owned();
    server.sql(
        "nasty",
        "SET foreign_key_checks=0; DROP TABLE t15_b, t06_text; ALTER TABLE t15_a ADD COLUMN more INT; DELETE FROM t05_time; \
         DROP VIEW v_fwd; CREATE VIEW t06_text AS SELECT 1 AS id, 2 AS v; DROP TRIGGER trg_ai; CREATE TABLE other (a INT); \
         DROP FUNCTION f_latin1; ALTER DATABASE nasty CHARACTER SET utf8mb4; DROP SEQUENCE seq_a; DROP EVENT ev_rec",
    );
    let live = of_site(&server, "nasty");
    let restore = |arguments: &[&str]| -> Value {
        world.json(0, &[&["restore"], arguments].concat())["result"].clone()
    };
    let dry = restore(&["--at", &id, "--dry-run"]);
    assert_eq!(dry["restored"]["preview"]["databases"][0]["means"], means);
    restore(&["--at", &id, "--yes", "--no-safety"]);
    same(&dumped, &of_site(&server, "nasty"));
    restore(&["--undo", "--yes"]);
    same(&live, &of_site(&server, "nasty"));
    restore(&["--undo", "--yes"]);
    same(&dumped, &of_site(&server, "nasty"));
    restore(&["--discard-former", "--yes"]);
    same(&dumped, &crate::database::fingerprint::of(&server, "nasty"));
    assert_eq!(server.schemas(), ["nasty"]);
}

#[test]
fn everything_nasty_comes_back_by_schemas() {
    there_and_back("root", "beside");
}

#[test]
fn everything_nasty_comes_back_by_tables_inside_its_schema() {
    there_and_back("app", "side-tables");
}
