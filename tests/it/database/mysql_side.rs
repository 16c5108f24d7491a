//! Restores for who may make no schemas: tables under other names inside the live schema, exchanged and brought back.

use lifeboat::database::{Database, Means, SideCopy};
use lifeboat::dump::Shelf;
use lifeboat::event::Cx;

use super::mysql::nasty;
use super::{TOKEN, collect, engine, fingerprint, same};
use crate::mariadb::MariaDb;

fn load(database: &dyn Database, shelf: &dyn Shelf) -> SideCopy {
    let names = database.side_names(TOKEN, Means::SideTables).expect("names");
    database.load(shelf, &names, &Cx::silent()).expect("load")
}

#[test]
fn everything_nasty_comes_back_inside_its_schema() {
    let server = MariaDb::start();
    nasty(&server);
    let before = fingerprint::of(&server, "nasty");
    let database = engine(server.spec("nasty"));
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    // The same names with other content, and some that the dump has not.
    server.sql(
        "nasty",
        "DELETE FROM t01_ints WHERE id>0; ALTER TABLE t15_b ADD COLUMN more INT; DROP TABLE t06_text; DROP VIEW v_fwd; \
         CREATE TABLE other (a INT); CREATE VIEW t06_text AS SELECT a AS id, a AS v FROM other; DROP FUNCTION f_latin1; \
         ALTER DATABASE nasty CHARACTER SET utf8mb4; DROP SEQUENCE seq_a; CREATE SEQUENCE seq_a START WITH 7; \
         CREATE TRIGGER x BEFORE INSERT ON other FOR EACH ROW SET NEW.a=1",
    );
    let other = fingerprint::of(&server, "nasty");
    let cx = Cx::silent();
    let copy = load(&*database, &shelf);
    let (again, summary) = collect(&*database, &cx).expect("dump");
    assert!(
        !again.0.keys().any(|path| path.to_string_lossy().contains("lifeboat")),
        "our own tables are dumped"
    );
    assert_eq!(summary.unsaved.len(), 1);
    database.swap_in(&copy, &cx).expect("swap in");
    same(&before, &fingerprint::of_site(&server, "nasty"));
    database.swap_back(&copy, &cx).expect("swap back");
    same(&other, &fingerprint::of_site(&server, "nasty"));
    database.swap_back(&copy, &cx).expect("swap back again");
    database.swap_in(&copy, &cx).expect("swap in again");
    database.swap_in(&copy, &cx).expect("swap in once more");
    same(&before, &fingerprint::of_site(&server, "nasty"));

    let back = database.revive(&copy, "zzzzzzzz").expect("revive").expect("it is kept");
    database.swap_in(&back, &cx).expect("undo");
    same(&other, &fingerprint::of_site(&server, "nasty"));
    let forth = database.revive(&back, "yyyyyyyy").expect("revive").expect("it is kept");
    database.swap_in(&forth, &cx).expect("undo the undo");
    same(&before, &fingerprint::of_site(&server, "nasty"));
    for copy in [&copy, &back, &forth] {
        database.discard(copy, &cx).expect("discard");
        database.discard(copy, &cx).expect("discard again");
    }
    same(&before, &fingerprint::of(&server, "nasty"));
    assert_eq!(server.schemas(), ["nasty"]);
}
