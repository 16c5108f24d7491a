//! Bad weather: definitions that change all the time, servers that crash, sizes that nobody has. Never a wrong result.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lifeboat::dump::no_previous;
use lifeboat::event::Cx;

use super::mysql_faults::Failing;
use super::{Heard, TOKEN, collect, engine, fingerprint, same};
use crate::mariadb::MariaDb;

/// A schema whose tables are altered, emptied and exchanged: each statement leaves 1,000 rows in each of them.
const STORM: [&str; 6] = [
    "ALTER TABLE a ADD COLUMN c INT DEFAULT 7 FIRST",
    "ALTER TABLE a DROP COLUMN c",
    "CREATE TABLE n LIKE b; INSERT INTO n SELECT * FROM b; RENAME TABLE b TO o, n TO b; DROP TABLE o",
    "CREATE OR REPLACE VIEW v AS SELECT id FROM b; CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.t=''",
    "DROP TRIGGER t; ALTER TABLE z ADD KEY k (t(9)), ALGORITHM=COPY",
    "ALTER TABLE z DROP KEY k, ALGORITHM=COPY; OPTIMIZE TABLE b",
];

/// Ends the storm, also where an assertion fails.
struct Calm<'a>(&'a AtomicBool);

impl Drop for Calm<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// As tools do that change big tables online: a copy is filled beside and takes the name. Whether the server says so or
/// the births of the tables do, such a dump must not pass.
#[test]
fn a_table_that_takes_the_name_of_another_during_the_dump_is_noticed() {
    let server = shop(&[]);
    server.sql("shop", "CREATE TABLE n LIKE b");
    std::thread::sleep(Duration::from_millis(1200));
    let database = engine(server.spec("shop"));
    let mut feed = database.begin(&no_previous, &Cx::silent()).expect("begin");
    server.sql(
        "shop",
        "INSERT INTO n SELECT * FROM b; RENAME TABLE b TO o, n TO b; DROP TABLE o; CREATE TABLE n LIKE b",
    );
    let error = loop {
        match feed.next(&Cx::silent()) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("an emptied table passed for a dump of {} rows", feed.summary().rows),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("was changed"), "{error}");
}

#[test]
fn a_storm_of_definitions_makes_no_wrong_dump() {
    let server = MariaDb::start();
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY, t TEXT); INSERT INTO a SELECT seq, REPEAT(MD5(seq), 20) FROM seq_1_to_1000;
         CREATE TABLE b AS SELECT * FROM a; ALTER TABLE b ADD PRIMARY KEY (id); CREATE TABLE z LIKE a; INSERT INTO z SELECT * FROM a",
    );
    let database = engine(server.spec("shop"));
    let stop = AtomicBool::new(false);
    let (mut good, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                for change in STORM {
                    server.sql("shop", change);
                    std::thread::sleep(Duration::from_millis(40));
                }
                // Births are told to the second: without a lull no dump could begin.
                std::thread::sleep(Duration::from_millis(2500));
            }
        });
        let _calm = Calm(&stop);
        for round in 0..10 {
            match collect(&*database, &Cx::silent()) {
                Ok((shelf, summary)) => {
                    good += 1;
                    // A moment in the middle of an exchange has the new table too.
                    assert!([3000, 4000].contains(&summary.rows), "{} rows", summary.rows);
                    let token = format!("{round:08}");
                    let copy = database
                        .load_aside(&shelf, &token, &Cx::silent())
                        .expect("what was dumped fits together");
                    database.discard(&copy, &Cx::silent()).expect("discard");
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains("was changed"), "{error}");
                    assert!(error.remedy().is_some(), "{error}");
                }
            }
        }
    });
    assert!(good > 0, "{refused} refused: nothing was proven");
    collect(&*database, &Cx::silent()).expect("after the storm");
}

fn shop(options: &[&str]) -> MariaDb {
    let server = MariaDb::start_with(options);
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY, t TEXT, KEY t (t(9))); CREATE TABLE b LIKE a;
         INSERT INTO a SELECT seq, REPEAT(MD5(seq), 40) FROM seq_1_to_2000; INSERT INTO b SELECT * FROM a;
         CREATE VIEW v AS SELECT id FROM a; CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.t='';
         CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1; CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01' DO DELETE FROM a WHERE id < 0",
    );
    server
}

#[test]
fn a_server_that_crashes_during_the_load_has_its_live_data_and_can_be_cleaned() {
    let mut server = shop(&["--innodb-flush-log-at-trx-commit=1"]);
    let before = fingerprint::of(&server, "shop");
    let database = engine(server.spec("shop"));
    let (inner, _) = collect(&*database, &Cx::silent()).expect("dump");
    let files: Vec<_> = inner.0.keys().filter(|path| path.starts_with("data/b")).cloned().collect();
    let at = files[files.len() / 2].clone();
    let crash = || {
        server.crash();
        Ok(())
    };
    let (cx, heard) = Heard::context();
    let shelf = Failing { inner: inner.clone(), at, then: &crash };
    database.load_aside(&shelf, TOKEN, &cx).expect_err("no server");
    assert!(heard.all().iter().any(|event| event.contains("left behind")), "{:?}", heard.all());
    server.restart();
    same(&before, &fingerprint::of(&server, "shop"));
    let error = database.load_aside(&inner, TOKEN, &cx).expect_err("the name is taken");
    assert!(error.to_string().contains("exists"), "{error}");
    let copy = database.load_aside(&inner, "zzzzzzzz", &cx).expect("load");
    database.discard(&copy, &cx).expect("discard");
    same(&before, &fingerprint::of(&server, "shop"));
}

#[test]
fn a_server_that_crashes_during_the_swap_goes_on_or_back() {
    let mut server = shop(&["--innodb-flush-log-at-trx-commit=1"]);
    let database = engine(server.spec("shop"));
    let dumped = fingerprint::of(&server, "shop");
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    server.sql(
        "shop",
        "DELETE FROM b; CREATE TABLE extra (x INT); INSERT INTO extra VALUES (1); DROP FUNCTION f",
    );
    let live = fingerprint::of(&server, "shop");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    let mut broken_off = 0;
    for delay in [3, 15, 40] {
        let swapped = std::thread::scope(|scope| {
            let swap = scope.spawn(|| database.swap_in(&copy, &Cx::silent()));
            std::thread::sleep(Duration::from_millis(delay));
            server.crash();
            swap.join().expect("swap")
        });
        broken_off += u32::from(swapped.is_err());
        server.restart();
        database.swap_back(&copy, &Cx::silent()).expect("swap back");
        same(&live, &fingerprint::of(&server, "shop"));
    }
    assert!(broken_off > 0, "no crash was early enough");
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    same(&dumped, &fingerprint::of(&server, "shop"));
    database.discard(&copy, &Cx::silent()).expect("discard");
    assert_eq!(server.schemas(), ["shop"]);
}

#[test]
fn a_row_of_64_megabytes_passes() {
    let server = MariaDb::start();
    server.sql("", "CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, b LONGBLOB); INSERT INTO t VALUES (1, REPEAT(0xFF00, 33554432)), (2, 'small')");
    let database = engine(server.spec("shop"));
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    assert!(summary.bytes > 64 << 20);
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    let sum = |schema: &str| server.sql(schema, "SELECT id, LENGTH(b), SHA2(b, 256) FROM t");
    assert_eq!(sum("shop"), sum(&copy.side));
}

fn of_tables(count: u64) -> MariaDb {
    let server = MariaDb::start_with(&[
        "--innodb-file-per-table=0",
        "--table-open-cache=20000",
        "--table-definition-cache=20000",
    ]);
    let tables = (0..count).map(|n| format!("CREATE TABLE t{n} (id INT PRIMARY KEY, v TEXT, KEY v (v(9))); INSERT INTO t{n} VALUES ({n}, 'x');"));
    server.sql("", &format!("CREATE DATABASE shop; USE shop; {}", tables.collect::<String>()));
    // A dump of tables that were made in this second begins twice.
    std::thread::sleep(Duration::from_millis(1100));
    server
}

#[test]
fn ten_thousand_tables_are_dumped_and_loaded() {
    let server = of_tables(10_000);
    let database = engine(server.spec("shop"));
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    assert_eq!((summary.tables, summary.rows), (10_000, 10_000));
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    assert_eq!((copy.tables, copy.rows), (10_000, 10_000));
}

/// To exchange as many as above takes the server minutes.
#[test]
fn hundreds_of_tables_go_there_and_back() {
    let server = of_tables(500);
    let database = engine(server.spec("shop"));
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    server.sql("shop", "DROP TABLE t7; DELETE FROM t8");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    let count = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='shop'";
    assert_eq!(server.sql("", count).trim(), "500");
    assert_eq!(server.sql("shop", "SELECT id FROM t7 UNION SELECT id FROM t8 ORDER BY 1"), "7\n8\n");
}

#[test]
fn an_application_user_dumps_all_and_is_told_what_a_restore_needs() {
    let server = shop(&[]);
    server.sql("", "CREATE USER app@localhost IDENTIFIED BY 'pw'; GRANT ALL ON shop.* TO app@localhost");
    server.sql("shop", "DROP FUNCTION f");
    let database = engine(server.spec_of("shop", "app", "pw"));
    let before = fingerprint::of(&server, "shop");
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    assert_eq!((summary.unsaved.len(), summary.rows), (0, 4000));
    let error = database.preflight(&shelf, &Cx::silent()).expect_err("may not create schemas");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("root")), "{error:?}");
    let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err("may not create schemas");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("CREATE")), "{error:?}");
    same(&before, &fingerprint::of(&server, "shop"));
    assert_eq!(server.schemas(), ["shop"]);
}
