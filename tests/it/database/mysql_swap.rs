//! Swaps that stop anywhere: the former database is always to be had again.

use std::path::Path;

use lifeboat::database::{Database, SideCopy};
use lifeboat::event::Cx;

use super::{Heard, TOKEN, collect, engine, fingerprint, same};
use crate::mariadb::MariaDb;

struct World {
    server: MariaDb,
    database: Box<dyn Database>,
    copy: SideCopy,
    /// What was dumped, and what is live now.
    dumped: String,
    live: String,
}

/// A shop that was dumped, went on living, and has a restored copy beside it.
fn world() -> World {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop CHARACTER SET latin1 COMMENT 'the shop'; USE shop;
         CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20), price INT CHECK (price >= 0));
         CREATE TABLE sale (id INT PRIMARY KEY, item INT, CONSTRAINT of_item FOREIGN KEY (item) REFERENCES item(id));
         INSERT INTO item VALUES (1,'rope',5),(2,'oar',9); INSERT INTO sale VALUES (1,2);
         CREATE VIEW cheap AS SELECT * FROM item WHERE price < 6;
         CREATE TRIGGER priced BEFORE INSERT ON item FOR EACH ROW SET NEW.price = IFNULL(NEW.price, 1);
         CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN 2*x;
         CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 03:00:00' DO DELETE FROM sale WHERE id < 0;",
    );
    let database = engine(server.spec("shop"));
    let dumped = fingerprint::of(&server, "shop");
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    server.sql(
        "shop",
        "INSERT INTO item VALUES (3,'sail',50); DROP VIEW cheap; CREATE VIEW dear AS SELECT * FROM item WHERE price > 6;
         CREATE TABLE extra (a INT); INSERT INTO extra VALUES (7); DROP FUNCTION twice; ALTER DATABASE shop CHARACTER SET utf8mb4 COMMENT '';
         CREATE TRIGGER more AFTER INSERT ON item FOR EACH ROW FOLLOWS priced_after SET @a = 1;"
            .replace("FOLLOWS priced_after ", "")
            .as_str(),
    );
    let live = fingerprint::of(&server, "shop");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    same(&live, &fingerprint::of(&server, "shop"));
    World { server, database, copy, dumped, live }
}

#[test]
fn a_swap_goes_there_and_back_and_there_again() {
    let world = world();
    let cx = Cx::silent();
    world.database.swap_back(&world.copy, &cx).expect("nothing to undo");
    world.database.swap_in(&world.copy, &cx).expect("swap in");
    same(&world.dumped, &fingerprint::of(&world.server, "shop"));
    world.database.swap_back(&world.copy, &cx).expect("swap back");
    same(&world.live, &fingerprint::of(&world.server, "shop"));
    world.database.swap_in(&world.copy, &cx).expect("swap in");
    world.database.discard(&world.copy, &cx).expect("discard");
    same(&world.dumped, &fingerprint::of(&world.server, "shop"));
    assert_eq!(world.server.schemas(), ["shop"]);
}

#[test]
fn the_side_copy_is_discarded_and_the_live_schema_untouched() {
    let world = world();
    world.database.discard(&world.copy, &Cx::silent()).expect("discard");
    same(&world.live, &fingerprint::of(&world.server, "shop"));
    assert_eq!(world.server.schemas(), ["shop"]);
}

/// States in which a crash may leave a swap, made by hand from a finished one.
const CRASHES: [&str; 4] = [
    // Before the objects were created again.
    "DROP VIEW shop.cheap; DROP TRIGGER shop.priced; DROP FUNCTION shop.twice; DROP EVENT shop.nightly",
    // One table has left the live schema, its restored one has not come.
    "DROP TRIGGER shop.priced; DROP VIEW shop.cheap; RENAME TABLE shop.sale TO SIDE.sale",
    // One table has not left the live schema.
    "DROP TRIGGER shop.priced; RENAME TABLE shop.sale TO SIDE.sale, FORMER.sale TO shop.sale, FORMER.extra TO shop.extra",
    // Nothing was renamed, but the live objects are gone.
    "DROP TRIGGER shop.priced; DROP VIEW shop.cheap; RENAME TABLE shop.sale TO SIDE.sale, shop.item TO SIDE.item, \
     FORMER.item TO shop.item, FORMER.sale TO shop.sale, FORMER.extra TO shop.extra",
];

#[test]
fn a_swap_that_stopped_anywhere_is_undone_or_finished() {
    let world = world();
    let cx = Cx::silent();
    for crash in CRASHES {
        let crash = crash.replace("SIDE", &world.copy.side).replace("FORMER", &world.copy.former);
        world.database.swap_in(&world.copy, &cx).expect("swap in");
        world.server.sql("", &crash);
        world.database.swap_back(&world.copy, &cx).expect("swap back");
        same(&world.live, &fingerprint::of(&world.server, "shop"));

        world.database.swap_in(&world.copy, &cx).expect("swap in");
        world.server.sql("", &crash);
        world.database.swap_in(&world.copy, &cx).expect("finish");
        same(&world.dumped, &fingerprint::of(&world.server, "shop"));
        world.database.swap_back(&world.copy, &cx).expect("swap back");
        same(&world.live, &fingerprint::of(&world.server, "shop"));
    }
}

#[test]
fn a_half_done_swap_is_not_discarded() {
    let world = world();
    let cx = Cx::silent();
    world.database.swap_in(&world.copy, &cx).expect("swap in");
    let crash = CRASHES[2].replace("SIDE", &world.copy.side).replace("FORMER", &world.copy.former);
    world.server.sql("", &crash);
    world.database.discard(&world.copy, &cx).expect_err("half done");
    world.database.swap_back(&world.copy, &cx).expect("swap back");
    same(&world.live, &fingerprint::of(&world.server, "shop"));
}

#[test]
fn a_swap_that_fails_can_be_undone() {
    let world = world();
    let cx = Cx::silent();
    world.server.sql("", &format!("SET foreign_key_checks=0; DROP TABLE {}.item", world.copy.side));
    let error = world.database.swap_in(&world.copy, &cx).expect_err("the view has no table");
    assert!(error.to_string().contains("cheap") || error.to_string().contains("priced"), "{error}");
    world.database.swap_back(&world.copy, &cx).expect("swap back");
    same(&world.live, &fingerprint::of(&world.server, "shop"));
}

#[test]
fn a_broken_view_is_kept_and_does_not_stop_a_restore() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE t (a INT PRIMARY KEY); CREATE TABLE gone (a INT);
         CREATE VIEW broken AS SELECT a FROM gone; CREATE VIEW upper AS SELECT a FROM t; DROP TABLE gone",
    );
    let database = engine(server.spec("shop"));
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    assert!(summary.unsaved.is_empty());
    let objects = String::from_utf8_lossy(&shelf.0[Path::new("schema/objects.jsonl")]).into_owned();
    assert!(objects.contains("gone") && objects.contains("\"broken\":true"), "{objects}");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    let (cx, heard) = Heard::context();
    database.swap_in(&copy, &cx).expect("swap in");
    assert!(
        heard.all().iter().any(|event| event.contains("Missed") && event.contains("view broken")),
        "{:?}",
        heard.all()
    );
    assert_eq!(server.sql("shop", "SHOW FULL TABLES").lines().count(), 2);
    // The former schema had it as well; going back must not stop at it either.
    database.swap_back(&copy, &cx).expect("swap back");
}

#[test]
fn a_foreign_key_of_another_schema_is_found_beforehand() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE t (a INT PRIMARY KEY); CREATE DATABASE other; USE other;
         CREATE TABLE o (a INT, CONSTRAINT across FOREIGN KEY (a) REFERENCES shop.t(a))",
    );
    let database = engine(server.spec("shop"));
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    let error = database.preflight(&shelf, &Cx::silent()).expect_err("a foreign key");
    assert!(error.to_string().contains("across") && error.remedy().is_some(), "{error}");
    assert_eq!(server.schemas(), ["other", "shop"]);
}
