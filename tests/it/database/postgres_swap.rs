//! The exchange of `PostgreSQL` databases: there, back, again, from any state, and whoever is connected.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat::database::{Database, SideCopy};
use lifeboat::event::Cx;

use super::postgres::engine;
use super::{Memory, TOKEN, collect, same, witness};
use crate::postgres::Postgres;

struct World {
    server: Postgres,
    database: Box<dyn Database>,
    copy: SideCopy,
    shelf: Memory,
    /// What was dumped, and what is live now.
    dumped: String,
    live: String,
}

/// A shop that was dumped, went on living, and has a restored copy beside it.
fn world() -> World {
    let server = Postgres::start();
    server.sql("postgres", "CREATE DATABASE shop; COMMENT ON DATABASE shop IS 'the shop'; ALTER DATABASE shop SET work_mem TO '9MB'");
    server.sql(
        "shop",
        "CREATE TABLE item (id SERIAL PRIMARY KEY, name TEXT); INSERT INTO item (name) VALUES ('rope'), ('oar'); CREATE VIEW v AS SELECT 1",
    );
    let database = engine(server.spec("shop"));
    let dumped = witness::of(&server, "shop");
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    server.sql("postgres", "COMMENT ON DATABASE shop IS 'later'; ALTER DATABASE shop RESET work_mem");
    server.sql("shop", "INSERT INTO item (name) VALUES ('sail'); DROP VIEW v; CREATE TABLE extra (a INT)");
    let live = witness::of(&server, "shop");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    same(&live, &witness::of(&server, "shop"));
    World { server, database, copy, shelf, dumped, live }
}

#[test]
fn a_swap_goes_there_and_back_and_there_again() {
    let world = world();
    let cx = Cx::silent();
    world.database.swap_back(&world.copy, &cx).expect("nothing to undo");
    same(&world.live, &witness::of(&world.server, "shop"));
    world.database.swap_in(&world.copy, &cx).expect("swap in");
    same(&world.dumped, &witness::of(&world.server, "shop"));
    world.database.swap_back(&world.copy, &cx).expect("swap back");
    same(&world.live, &witness::of(&world.server, "shop"));
    world.database.swap_in(&world.copy, &cx).expect("swap in");
    world.database.discard(&world.copy, &cx).expect("discard");
    same(&world.dumped, &witness::of(&world.server, "shop"));
    assert_eq!(world.server.databases(), ["shop"]);
    world.database.swap_back(&world.copy, &cx).expect("there is nothing left to go back to");
    same(&world.dumped, &witness::of(&world.server, "shop"));
    world.database.swap_in(&world.copy, &cx).expect_err("nor to bring in");
    same(&world.dumped, &witness::of(&world.server, "shop"));
}

#[test]
fn the_side_copy_is_discarded_and_the_live_database_untouched() {
    let world = world();
    world.database.discard(&world.copy, &Cx::silent()).expect("discard");
    world.database.discard(&world.copy, &Cx::silent()).expect("discard again");
    same(&world.live, &witness::of(&world.server, "shop"));
    assert_eq!(world.server.databases(), ["shop"]);
}

#[test]
fn a_database_that_is_gone_comes_back_and_goes_again() {
    let world = world();
    let cx = Cx::silent();
    let side = || [world.copy.side.clone()];
    world.server.sql("postgres", "DROP DATABASE shop");
    for _ in 0..2 {
        world.database.swap_in(&world.copy, &cx).expect("swap in");
        world.database.swap_in(&world.copy, &cx).expect("swap in again");
        same(&world.dumped, &witness::of(&world.server, "shop"));
        world.database.swap_back(&world.copy, &cx).expect("swap back");
        world.database.swap_back(&world.copy, &cx).expect("swap back again");
        assert_eq!(world.server.databases(), side());
    }
    world.database.swap_in(&world.copy, &cx).expect("swap in");
    world.database.discard(&world.copy, &cx).expect("discard");
    assert_eq!(world.server.databases(), ["shop"]);
    same(&world.dumped, &witness::of(&world.server, "shop"));
}

/// States that only somebody's hand, or a crash before the first step, can leave.
#[test]
fn a_swap_that_stopped_anywhere_is_undone_or_finished() {
    let world = world();
    let cx = Cx::silent();
    let World { server, database, copy, .. } = &world;
    let rename =
        |from: &str, to: &str| server.sql("postgres", &format!("ALTER DATABASE {from} RENAME TO {to}"));

    // The live one has left its name, the restored one has not come.
    rename("shop", &copy.former);
    database.discard(copy, &cx).expect_err("nobody knows which is wanted");
    database.swap_in(copy, &cx).expect("finish");
    same(&world.dumped, &witness::of(server, "shop"));
    database.swap_back(copy, &cx).expect("swap back");
    rename("shop", &copy.former);
    database.swap_back(copy, &cx).expect("undo");
    same(&world.live, &witness::of(server, "shop"));

    // Somebody made a database under the name of the former one.
    server.sql("postgres", &format!("CREATE DATABASE {}", copy.former));
    database.swap_in(copy, &cx).expect_err("in the way");
    database.swap_back(copy, &cx).expect_err("in the way");
    database.discard(copy, &cx).expect_err("in the way");
    same(&world.live, &witness::of(server, "shop"));
    server.sql("postgres", &format!("DROP DATABASE {}", copy.former));
    database.swap_in(copy, &cx).expect("swap in");
    same(&world.dumped, &witness::of(server, "shop"));
}

/// An application that comes back as often as it is sent away must neither stop the exchange nor see half of it.
#[test]
fn whoever_is_connected_is_sent_away_and_finds_the_other_one() {
    let world = world();
    let cx = Cx::silent();
    let mut sleeper = world.server.psql("shop");
    sleeper.args(["-c", "BEGIN; SELECT 1 FROM item; SELECT pg_sleep(100)"]);
    let mut sleeper = sleeper.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("start a sleeper");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    // Being sent away is an error here, and no other answer is right than one of these.
                    let output = world.server.psql("shop").args(["-c", "SELECT count(*) FROM item"]).output();
                    let output = output.expect("run psql");
                    let said = String::from_utf8_lossy(&output.stdout).into_owned();
                    assert!(matches!(said.trim(), "" | "2" | "3"), "{said}");
                }
            });
        }
        for _ in 0..5 {
            world.database.swap_in(&world.copy, &cx).expect("swap in");
            world.database.swap_back(&world.copy, &cx).expect("swap back");
        }
        world.database.swap_in(&world.copy, &cx).expect("swap in");
        stop.store(true, Ordering::SeqCst);
    });
    same(&world.dumped, &witness::of(&world.server, "shop"));
    assert!(!sleeper.wait().expect("wait").success());
}

#[test]
fn a_prepared_transaction_stops_the_exchange_and_nothing_is_changed() {
    let server = Postgres::start_with("local all all trust\n", &["max_prepared_transactions=3"]);
    server.sql("postgres", "CREATE DATABASE shop");
    server.sql("shop", "CREATE TABLE t (a INT PRIMARY KEY)");
    let database = engine(server.spec("shop"));
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    server.sql("shop", "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'held'");
    let error = database.swap_in(&copy, &Cx::silent()).expect_err("in use");
    assert!(error.to_string().contains("prepared") && error.remedy().is_some(), "{error}");
    database.swap_back(&copy, &Cx::silent()).expect("nothing to undo");
    server.sql("shop", "COMMIT PREPARED 'held'");
    assert_eq!(server.sql("shop", "SELECT count(*) FROM t").trim(), "1");
    assert_eq!(server.databases(), ["shop", copy.side.as_str()]);
}

#[test]
fn a_name_as_long_as_a_name_can_be_has_room_beside_it() {
    let world = world();
    let name = "ä".repeat(31);
    world.server.sql("postgres", &format!("ALTER DATABASE shop RENAME TO \"{name}\""));
    let database = engine(world.server.spec(&name));
    let copy = database.load_aside(&world.shelf, "zzzzzzzz", &Cx::silent()).expect("load");
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    assert_eq!(world.server.sql(&name, "SELECT count(*) FROM item").trim(), "2");
    database.swap_back(&copy, &Cx::silent()).expect("swap back");
    assert_eq!(world.server.sql(&name, "SELECT count(*) FROM item").trim(), "3");
}

#[test]
fn the_former_content_is_made_live_again_as_it_was() {
    let world = world();
    let cx = Cx::silent();
    world.database.swap_in(&world.copy, &cx).expect("swap in");
    assert_eq!(world.database.tables().expect("look").map(|tables| tables.len()), Some(1));
    let back = world.database.revive(&world.copy, "zzzzzzzz").expect("revive").expect("it is kept");
    world.database.swap_in(&back, &cx).expect("swap in");
    same(&world.live, &witness::of(&world.server, "shop"));
    assert_eq!(world.database.tables().expect("look").map(|tables| tables.len()), Some(2));
    assert_eq!(world.database.revive(&world.copy, "yyyyyyyy").expect("revive"), None, "it is live now");
}

#[test]
fn what_a_killed_preflight_left_is_swept_and_nothing_else() {
    let world = world();
    world.server.sql("postgres", "CREATE DATABASE shop__probe_0123abcd; CREATE DATABASE shop__probe_99999999; CREATE DATABASE shop__probe_other");
    world.server.sql("shop__probe_99999999", "CREATE TABLE somebodys (a INT)");
    world.database.sweep().expect("sweep");
    let left = world
        .server
        .sql("postgres", "SELECT datname FROM pg_database WHERE datname LIKE 'shop%probe%' ORDER BY 1");
    assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["shop__probe_99999999", "shop__probe_other"]);
}
