//! Restores for who may make no schemas: tables under other names inside the live schema, exchanged and brought back.

use lifeboat::database::{Database, Means, Rewrite, SideCopy};
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

/// A shop of somebody who has all rights on it, and none besides.
struct Tenant {
    server: MariaDb,
    database: Box<dyn Database>,
    before: String,
}

impl Tenant {
    fn new() -> Self {
        let server = MariaDb::start();
        server.sql(
            "",
            "CREATE DATABASE shop CHARACTER SET latin1; CREATE USER app@localhost IDENTIFIED BY 'pw'; \
             GRANT ALL ON shop.* TO app@localhost; USE shop;
             CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(20), price INT CHECK (price >= 0));
             CREATE TABLE sale (id INT PRIMARY KEY, item INT, FOREIGN KEY (item) REFERENCES item(id));
             CREATE TABLE note (id INT PRIMARY KEY, sale INT, CONSTRAINT of_sale FOREIGN KEY (sale) REFERENCES sale(id) ON DELETE CASCADE);
             INSERT INTO item VALUES (1,'rope',5),(2,'oar',9); INSERT INTO sale VALUES (1,2); INSERT INTO note VALUES (1,1);
             CREATE DEFINER=app@localhost VIEW cheap AS SELECT * FROM item WHERE price < 6;
             CREATE DEFINER=app@localhost TRIGGER priced BEFORE INSERT ON item FOR EACH ROW SET NEW.price = IFNULL(NEW.price, 1);
             CREATE DEFINER=app@localhost FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN 2*x;
             CREATE DEFINER=app@localhost EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 03:00:00' DO DELETE FROM sale WHERE id < 0;",
        );
        let database = engine(server.spec_of("shop", "app", "pw"));
        let before = fingerprint::of(&server, "shop");
        Self { server, database, before }
    }

    fn is(&self, expected: &str) {
        same(expected, &fingerprint::of_site(&self.server, "shop"));
    }

    /// Nothing of ours is there.
    fn is_clean(&self) {
        let ours = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'lifeboat%'";
        assert_eq!(self.server.sql("", ours), "");
        assert_eq!(self.server.schemas(), ["shop"]);
    }
}

#[test]
fn a_user_with_all_rights_on_one_schema_restores_inside_it() {
    let tenant = Tenant::new();
    let (server, database, cx) = (&tenant.server, &*tenant.database, Cx::silent());
    let (shelf, summary) = collect(database, &cx).expect("dump");
    assert!(summary.unsaved.is_empty(), "{:?}", summary.unsaved);
    server.sql(
        "shop",
        "SET foreign_key_checks=0; DROP TABLE note; CREATE TABLE rope (id INT PRIMARY KEY, sale INT, \
         CONSTRAINT of_sale FOREIGN KEY (sale) REFERENCES sale(id)); ALTER TABLE item ADD COLUMN more INT; DROP VIEW cheap; \
         CREATE DEFINER=ghost@nowhere VIEW dear AS SELECT 1 AS a; DROP FUNCTION twice; ALTER DATABASE shop CHARACTER SET utf8mb4",
    );
    let live = fingerprint::of(server, "shop");
    assert_eq!(database.preflight(&shelf, &cx).expect("preflight"), Means::SideTables);
    tenant.is_clean();
    same(&live, &fingerprint::of(server, "shop"));
    let copy = load(database, &shelf);
    tenant.is(&live);
    database.swap_in(&copy, &cx).expect("swap in");
    tenant.is(&tenant.before);
    assert_eq!(
        database.tables().expect("tables").expect("there").into_iter().collect::<Vec<_>>(),
        ["item", "note", "sale"]
    );
    // Keys hold: they refer to what is live now.
    let refused = server
        .client(Some("shop"))
        .args(["-e", "DELETE FROM item WHERE id=2"])
        .output()
        .expect("run mariadb");
    assert!(!refused.status.success());
    server.sql("shop", "START TRANSACTION; DELETE FROM sale WHERE id=1; ROLLBACK");
    database.swap_back(&copy, &cx).expect("swap back");
    tenant.is(&live);
    database.discard(&copy, &cx).expect("discard");
    tenant.is_clean();
    same(&live, &fingerprint::of(server, "shop"));
}

/// What cannot be brought back as it was is named, and nothing is tried.
#[test]
fn what_would_come_back_wrong_is_refused_by_name() {
    let tenant = Tenant::new();
    let (server, database, cx) = (&tenant.server, &*tenant.database, Cx::silent());
    let (shelf, _) = collect(database, &cx).expect("dump");
    let refused = |sql: &str, back: &str, name: &str| {
        server.sql("shop", sql);
        let error = database.preflight(&shelf, &cx).expect_err(name);
        assert!(error.to_string().contains(name) && error.remedy().is_some(), "{error}");
        server.sql("shop", back);
        tenant.is_clean();
        database.preflight(&shelf, &cx).expect("preflight");
    };
    refused(
        "CREATE TRIGGER theirs BEFORE DELETE ON item FOR EACH ROW SET @a=1",
        "DROP TRIGGER theirs",
        "trigger theirs",
    );
    refused("CREATE EVENT other ON SCHEDULE EVERY 1 DAY DO SELECT 1", "DROP EVENT other", "event other");
    refused(
        "REVOKE TRIGGER ON shop.* FROM app@localhost",
        "GRANT TRIGGER ON shop.* TO app@localhost",
        "create a trigger",
    );
    refused(
        "REVOKE ALTER ON shop.* FROM app@localhost",
        "GRANT ALTER ON shop.* TO app@localhost",
        "rename a table",
    );
    server.sql("", "DROP DATABASE shop");
    let error = database.preflight(&shelf, &cx).expect_err("no schema");
    assert!(error.to_string().contains("does not exist"), "{error}");
    // What a preflight left that was killed.
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE lifeboat__0123abcd__probe_moved (a INT); \
         CREATE PROCEDURE lifeboat__0123abcd__probe_procedure() SELECT 1; CREATE VIEW lifeboat__0123abcd__probe_view AS SELECT 1; \
         CREATE TABLE lifeboat__0123abcd__probe_of_mine (a INT)",
    );
    database.sweep().expect("sweep");
    assert_eq!(server.sql("shop", "SHOW TABLES").trim(), "lifeboat__0123abcd__probe_of_mine");
    assert_eq!(
        server.sql("", "SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema='shop'").trim(),
        "0"
    );
}

/// A table that was dropped leaves such keys behind; whatever it is exchanged with, they mean the same name.
#[test]
fn a_foreign_key_to_a_table_that_is_gone_goes_there_and_back() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b (id INT PRIMARY KEY);
         CREATE TABLE c (id INT PRIMARY KEY, a INT, b INT, CONSTRAINT to_a FOREIGN KEY (a) REFERENCES a(id),
         CONSTRAINT to_b FOREIGN KEY (b) REFERENCES b(id)); SET foreign_key_checks=0; DROP TABLE b",
    );
    let (database, cx) = (engine(server.spec("shop")), Cx::silent());
    let dumped = fingerprint::of(&server, "shop");
    let (shelf, _) = collect(&*database, &cx).expect("dump");
    server.sql("shop", "SET foreign_key_checks=0; DROP TABLE a; CREATE TABLE b (id INT PRIMARY KEY)");
    let live = fingerprint::of(&server, "shop");
    for means in [Means::Beside, Means::SideTables] {
        let names = database.side_names(TOKEN, means).expect("names");
        let copy = database.load(&shelf, &names, &cx).expect("load");
        database.swap_in(&copy, &cx).expect("swap in");
        same(&dumped, &fingerprint::of_site(&server, "shop"));
        database.swap_back(&copy, &cx).expect("swap back");
        same(&live, &fingerprint::of_site(&server, "shop"));
        database.swap_in(&copy, &cx).expect("swap in");
        database.swap_in(&copy, &cx).expect("swap in again");
        same(&dumped, &fingerprint::of_site(&server, "shop"));
        let back = database.revive(&copy, "zzzzzzzz").expect("revive").expect("it is kept");
        database.swap_in(&back, &cx).expect("undo");
        same(&live, &fingerprint::of_site(&server, "shop"));
        database.discard(&copy, &cx).expect("discard");
        database.discard(&back, &cx).expect("discard");
        same(&live, &fingerprint::of(&server, "shop"));
    }
}

/// A site that moves into another one is rewritten before it is live, here as in a schema of its own.
#[test]
fn values_are_changed_in_restored_tables_alone() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE wp_posts (id INT PRIMARY KEY, body TEXT, guid TEXT);
         INSERT INTO wp_posts VALUES (1,'see old.test','old.test/1'), (2,'nothing','x')",
    );
    let (database, cx) = (engine(server.spec("shop")), Cx::silent());
    let (shelf, _) = collect(&*database, &cx).expect("dump");
    let live = fingerprint::of(&server, "shop");
    let copy = load(&*database, &shelf);
    let change = |old: &[u8]| Some(String::from_utf8_lossy(old).replace("old.test", "new.test").into_bytes());
    let rule = Rewrite { words: vec!["old.test".to_owned()], change: &change, except: &[("posts", "guid")] };
    assert_eq!(database.rewrite(&copy, &rule, &cx).expect("rewrite"), 1);
    same(&live, &fingerprint::of_site(&server, "shop"));
    database.swap_in(&copy, &cx).expect("swap in");
    assert_eq!(server.sql("shop", "SELECT * FROM wp_posts"), "1\tsee new.test\told.test/1\n2\tnothing\tx\n");
}

/// Both dumps lie on this machine by then, so that either can be loaded.
#[test]
fn everything_nasty_comes_back_in_place() {
    let server = MariaDb::start();
    nasty(&server);
    // Its rows are in another table, so that a dump of it is not all of it.
    server.sql("nasty", "DROP TABLE t16_merge");
    let (database, cx) = (engine(server.spec("nasty")), Cx::silent());
    let before = fingerprint::of(&server, "nasty");
    let (shelf, _) = collect(&*database, &cx).expect("dump");
    server.sql(
        "nasty",
        "SET foreign_key_checks=0; DROP TABLE t15_b; DELETE FROM t06_text; ALTER TABLE t15_a ADD COLUMN more INT; DROP VIEW v_fwd; \
         CREATE TABLE other (a INT); ALTER DATABASE nasty CHARACTER SET utf8mb4",
    );
    let other = fingerprint::of(&server, "nasty");
    let names = database.side_names(TOKEN, Means::InPlace).expect("names");
    let copy = database.load(&shelf, &names, &cx).expect("load");
    database.swap_back(&copy, &cx).expect("nothing happened yet");
    same(&other, &fingerprint::of(&server, "nasty"));
    database.swap_in(&copy, &cx).expect("swap in");
    same(&before, &fingerprint::of(&server, "nasty"));
    let back = database.revive(&copy, "zzzzzzzz").expect("revive").expect("it is kept");
    database.swap_in(&back, &cx).expect("undo");
    same(&other, &fingerprint::of(&server, "nasty"));
    database.swap_back(&back, &cx).expect("swap back");
    same(&before, &fingerprint::of(&server, "nasty"));
    // A dump that was damaged meanwhile is found when it is read: what was live comes back.
    let manifest = std::path::Path::new(&copy.side).join("schema/objects.jsonl");
    std::fs::write(manifest, "").expect("damage");
    database.swap_in(&copy, &cx).expect_err("damaged");
    same(&before, &fingerprint::of(&server, "nasty"));
    database.discard(&back, &cx).expect("discard");
    database.discard(&copy, &cx).expect("discard");
    let left = std::fs::read_dir(&server.spec("nasty").scratch).expect("look").count();
    assert_eq!((left, server.schemas()), (0, vec!["nasty".to_owned()]));
    server.sql("nasty", "CREATE TABLE t16_merge (grp VARCHAR(10) NOT NULL, id INT NOT NULL AUTO_INCREMENT, KEY(grp,id)) ENGINE=MRG_MyISAM UNION=(t16_myisam) DEFAULT CHARSET=utf8mb4");
    let copy = database.load(&shelf, &names, &cx).expect("load");
    // Nothing is dropped that could not be loaded again.
    for (sql, named) in [("DO 0", "t16_merge"), ("DROP TABLE t16_merge; DROP SEQUENCE seq_a", "t13_useseq")] {
        server.sql("nasty", sql);
        let live = fingerprint::of(&server, "nasty");
        let error = database.swap_in(&copy, &cx).expect_err(named);
        assert!(error.to_string().contains(named), "{error}");
        same(&live, &fingerprint::of(&server, "nasty"));
    }
}
