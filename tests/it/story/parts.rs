//! One table or one database of a site goes back in time, and everything else stays as it is.

use serde_json::Value;

use crate::database::fingerprint::{of, of_site};
use crate::database::same;
use crate::mariadb::MariaDb;
use crate::story::wordpress::{rows, similar};
use crate::world::{World, assert_same, fingerprint};

struct Shop {
    server: MariaDb,
    world: World,
}

impl Shop {
    /// Two schemas and files, saved and changed since then.
    fn new() -> Self {
        let server = MariaDb::start();
        server.sql(
            "",
            "CREATE DATABASE shop; USE shop; CREATE TABLE item (id INT PRIMARY KEY, name VARCHAR(20));
             CREATE TABLE sale (id INT PRIMARY KEY, item INT, CONSTRAINT of_item FOREIGN KEY (item) REFERENCES item(id));
             CREATE TABLE log (id INT PRIMARY KEY, t TEXT); CREATE VIEW names AS SELECT id, name FROM item;
             CREATE TRIGGER logged BEFORE INSERT ON log FOR EACH ROW SET NEW.t = UPPER(NEW.t);
             CREATE TRIGGER sold BEFORE INSERT ON sale FOR EACH ROW SET @a = 1;
             INSERT INTO item VALUES (1,'rope'),(2,'oar'); INSERT INTO sale VALUES (1,2); INSERT INTO log VALUES (1,'a'),(2,'b');
             CREATE DATABASE blog; USE blog; CREATE TABLE post (id INT PRIMARY KEY, t TEXT); INSERT INTO post VALUES (1,'a');
             CREATE TABLE log (id INT PRIMARY KEY, t TEXT); INSERT INTO log VALUES (1,'x')",
        );
        let socket = server.socket().display().to_string();
        let one =
            |name: &str| format!("{{type: mysql, name: {name}, host: \"localhost:{socket}\", user: root}}");
        let world = World::new(&format!("databases: [{}, {}]", one("shop"), one("blog")));
        world.write("index", "old");
        world.init();
        world.backup();
        world.write("index", "new");
        server.sql(
            "shop",
            "DROP TRIGGER logged; ALTER TABLE log ADD COLUMN more INT; DELETE FROM log; INSERT INTO item VALUES (3,'sail');
             INSERT INTO sale VALUES (2,3); DROP VIEW names; CREATE TRIGGER other BEFORE DELETE ON log FOR EACH ROW SET @b = 1;
             INSERT INTO blog.post VALUES (2,'b'); DROP TABLE blog.log; CREATE TABLE extra (a INT)",
        );
        Self { server, world }
    }

    fn restore(&self, arguments: &[&str]) -> Value {
        let all = [&["restore", "--at", "latest", "--yes"], arguments].concat();
        self.world.json(0, &all)["result"]["restored"].clone()
    }

    fn state(&self) -> (String, String) {
        (of_site(&self.server, "shop"), of_site(&self.server, "blog"))
    }
}

#[test]
fn one_table_comes_back_with_its_triggers_and_nothing_else_moves() {
    let shop = Shop::new();
    let (before, files) = (shop.state(), fingerprint(&shop.world.root));
    let others = |text: &str| {
        let mut table = "";
        let mut kept = Vec::new();
        for part in text.split("== ") {
            table = if part.starts_with("rows") { table } else { part };
            if !table.contains("log") {
                kept.push(part.to_owned());
            }
        }
        kept
    };
    let dry = shop.restore(&["--table", "shop.log", "--dry-run"]);
    let plan = &dry["preview"]["databases"];
    assert_eq!((plan[0]["means"].as_str(), plan[0]["rows"].as_u64()), (Some("side-tables"), Some(2)));
    assert_eq!(plan[0]["tables"], serde_json::json!([{"kind": "changed", "name": "log", "rows": 2}]));
    assert_eq!(plan.as_array().unwrap().len(), 1);

    let id = dry["preview"]["plan"].as_str().unwrap().to_owned();
    shop.world.json(0, &["restore", "--plan-id", &id]);
    assert_eq!(shop.server.sql("shop", "SELECT * FROM log"), "1\ta\n2\tb\n".to_uppercase());
    let triggers = "SELECT trigger_name FROM information_schema.triggers ORDER BY 1";
    assert_eq!(shop.server.sql("shop", triggers), "logged\nsold\n");
    let after = shop.state();
    assert_eq!(others(&before.0), others(&after.0));
    same(&before.1, &after.1);
    assert_same(&files, &fingerprint(&shop.world.root));

    shop.world.json(0, &["restore", "--undo", "--yes"]);
    same(&before.0, &shop.state().0);
    shop.world.json(0, &["restore", "--undo", "--yes"]);
    same(&after.0, &shop.state().0);
    shop.world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    same(&after.0, &of(&shop.server, "shop"));
    // What was set aside is gone; the safety snapshot has that table too.
    shop.server.sql("shop", "INSERT INTO item VALUES (4,'flag')");
    shop.restore(&["--table", "shop.log"]);
    shop.server.sql("shop", "INSERT INTO item VALUES (5,'mast')");
    shop.world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    shop.world.json(0, &["restore", "--undo", "--yes"]);
    assert_eq!(shop.server.sql("shop", "SELECT COUNT(*) FROM item").trim(), "5");
}

#[test]
fn a_dropped_table_comes_back_and_an_undo_drops_it() {
    let shop = Shop::new();
    let before = shop.state();
    shop.restore(&["--table", "blog.log"]);
    assert_eq!(shop.server.sql("blog", "SELECT * FROM log"), "1\tx\n");
    assert_eq!(shop.server.sql("blog", "SELECT COUNT(*) FROM post").trim(), "2");
    shop.world.json(0, &["restore", "--undo", "--yes"]);
    same(&before.1, &shop.state().1);
    shop.world.json(0, &["restore", "--undo", "--yes"]);
    assert_eq!(shop.server.sql("blog", "SELECT * FROM log"), "1\tx\n");
}

#[test]
fn tables_that_refer_to_each_other_come_back_together_or_not_at_all() {
    let shop = Shop::new();
    let before = shop.state();
    let refused = |arguments: &[&str], code: i32, words: &[&str]| {
        let all = [&["restore", "--at", "latest", "--yes", "--no-safety"], arguments].concat();
        let ran = shop.world.run(&all).expect(code);
        assert!(words.iter().all(|word| ran.err.contains(word)), "{}", ran.err);
    };
    refused(&["--table", "item"], 1, &["\"sale\" refers to `item`", "--table sale"]);
    refused(&["--table", "log"], 2, &["several databases", "shop.log, blog.log"]);
    refused(&["--table", "nothing"], 2, &["no table \"nothing\""]);
    refused(&["--database=nothing"], 2, &["no database \"nothing\"", "shop, blog"]);
    // Alone it would refer to what is gone.
    shop.server.sql("shop", "SET foreign_key_checks=0; DELETE FROM item WHERE id=2");
    refused(&["--table", "sale"], 1, &["\"sale\" refers to `item`", "rows that are not there"]);
    shop.server.sql("shop", "INSERT INTO item VALUES (2,'oar')");
    shop.server.sql("shop", "CREATE TRIGGER logged BEFORE INSERT ON extra FOR EACH ROW SET @c = 1");
    refused(&["--table", "shop.log"], 1, &["trigger logged", "\"extra\""]);
    shop.server.sql("shop", "DROP TRIGGER logged");
    same(&before.0, &of(&shop.server, "shop"));

    shop.restore(&["--table", "sale", "--table", "item"]);
    assert_eq!(
        shop.server.sql("shop", "SELECT id FROM item UNION ALL SELECT id+10 FROM sale ORDER BY 1"),
        "1\n2\n11\n"
    );
    let create = shop.server.sql("shop", "SHOW CREATE TABLE sale");
    assert!(
        create.contains("CONSTRAINT `of_item` FOREIGN KEY (`item`) REFERENCES `item` (`id`)"),
        "{create}"
    );
    shop.world.json(0, &["restore", "--undo", "--yes"]);
    similar(&before.0, &shop.state().0);
    // A child alone keeps its key to the parent that stays.
    shop.restore(&["--table", "sale"]);
    assert_eq!(shop.server.sql("shop", "SELECT COUNT(*) FROM item").trim(), "3");
    let create = shop.server.sql("shop", "SHOW CREATE TABLE sale");
    assert!(
        create.contains("CONSTRAINT `of_item` FOREIGN KEY (`item`) REFERENCES `item` (`id`)"),
        "{create}"
    );
}

#[test]
fn one_database_comes_back_and_the_other_stays() {
    let shop = Shop::new();
    let (before, files) = (shop.state(), fingerprint(&shop.world.root));
    shop.restore(&["--database=blog"]);
    assert_eq!(shop.server.sql("blog", "SELECT COUNT(*) FROM post").trim(), "1");
    same(&before.0, &shop.state().0);
    shop.world.json(0, &["restore", "--undo", "--yes"]);
    same(&before.1, &shop.state().1);
    shop.restore(&["--database"]);
    assert_eq!(shop.server.sql("shop", "SELECT COUNT(*) FROM log").trim(), "2");
    assert_eq!(shop.server.sql("blog", "SELECT COUNT(*) FROM post").trim(), "1");
    assert_same(&files, &fingerprint(&shop.world.root));
    assert!(rows(&shop.server, "shop").contains("logged"));
}

#[test]
fn the_last_way_is_taken_on_a_persons_word_alone() {
    let shop = Shop::new();
    let before = shop.state();
    shop.server.sql(
        "",
        "CREATE USER poor@localhost; GRANT SELECT, INSERT, CREATE, DROP, TRIGGER, CREATE VIEW, SHOW VIEW, LOCK TABLES ON blog.* TO poor@localhost;
         GRANT INDEX ON blog.* TO poor@localhost; GRANT EVENT ON blog.* TO poor@localhost",
    );
    let socket = shop.server.socket().display().to_string();
    let databases = format!(
        "databases: [{{type: mysql, name: shop, host: \"localhost:{socket}\", user: root}}, {{type: mysql, name: blog, host: \"localhost:{socket}\", user: poor}}]"
    );
    shop.world.configure(&databases, None, "");
    let only = ["restore", "--at", "latest", "--database=blog", "--yes"];
    let ran = shop.world.run(&only).expect(1);
    assert!(
        ran.err.contains("may make no schemas") && ran.err.contains("--in-place-database"),
        "{}",
        ran.err
    );
    same(&before.1, &of(&shop.server, "blog"));
    let ran = shop.world.run(&[&only[..], &["--in-place-database", "--no-safety"]].concat()).expect(2);
    assert!(ran.err.contains("--no-safety"), "{}", ran.err);
    let ran = shop.world.run(&[&only[..], &["--in-place-database", "--dry-run"]].concat()).expect(0);
    assert!(ran.out.contains("DROPPED AND LOADED ANEW"), "{}", ran.out);
    same(&before.1, &of(&shop.server, "blog"));

    let done = shop.restore(&["--database=blog", "--in-place-database"]);
    assert!(done["safety"].is_string(), "{done:#}");
    assert_eq!(shop.server.sql("blog", "SELECT COUNT(*) FROM post").trim(), "1");
    shop.world.json(0, &["restore", "--undo", "--yes"]);
    same(&before.1, &of(&shop.server, "blog"));
    shop.world.json(0, &["restore", "--undo", "--yes"]);
    assert_eq!(shop.server.sql("blog", "SELECT * FROM log"), "1\tx\n");
    // Where there is a better way, it is taken.
    let plan = shop.restore(&["--database=shop", "--in-place-database", "--dry-run"]);
    assert_eq!(plan["preview"]["databases"][0]["means"], "beside");
}
