//! `SQLite` files: consistent copies under a writer, restores that can be undone, damage that stays outside.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lifeboat::database::{Database, DatabaseSpec, SqliteSpec, open};
use lifeboat::dump::no_previous;
use lifeboat::event::Cx;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{Memory, TOKEN, collect};

struct World {
    directory: TempDir,
    scratch: TempDir,
    database: Box<dyn Database>,
}

impl World {
    fn new() -> Self {
        let directory = TempDir::new().expect("make a directory");
        let scratch = TempDir::new().expect("make a directory");
        let path = directory.path().join(".ht 100%?.sqlite");
        let connection = Connection::open(&path).expect("create");
        connection
            .execute_batch(
                "PRAGMA journal_mode=WAL; CREATE TABLE account (id INTEGER PRIMARY KEY, amount INTEGER);
                 CREATE TABLE note (body TEXT); INSERT INTO account VALUES (1, 500), (2, 500);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000)
                 INSERT INTO note SELECT printf('note %d %s', i, hex(randomblob(20))) FROM n;",
            )
            .expect("fill");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("chmod");
        let database = open(&DatabaseSpec::Sqlite(SqliteSpec {
            path: path.clone(),
            scratch: scratch.path().to_owned(),
        }));
        Self { directory, scratch, database }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(".ht 100%?.sqlite")
    }

    fn names(&self) -> Vec<String> {
        let all = std::fs::read_dir(self.directory.path()).expect("list");
        let mut names: Vec<_> =
            all.map(|entry| entry.expect("entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }
}

fn dump(world: &World) -> Memory {
    collect(&*world.database, &Cx::silent()).expect("dump").0
}

fn notes(path: &Path) -> i64 {
    let connection = Connection::open(path).expect("open");
    connection.query_row("SELECT COUNT(*) FROM note", [], |row| row.get(0)).expect("count")
}

fn execute(path: &Path, sql: &str) {
    Connection::open(path).expect("open").execute_batch(sql).expect("execute");
}

#[test]
fn a_copy_under_a_writer_is_one_moment() {
    let world = World::new();
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (path, stop) = (world.path(), stop.clone());
        move || {
            let connection = Connection::open(path).expect("open");
            connection.busy_timeout(std::time::Duration::from_secs(10)).expect("patience");
            while !stop.load(Ordering::SeqCst) {
                connection
                    .execute_batch(
                        "BEGIN IMMEDIATE; UPDATE account SET amount=amount-1 WHERE id=1; INSERT INTO note VALUES ('x');
                         UPDATE account SET amount=amount+1 WHERE id=2; COMMIT;",
                    )
                    .expect("write");
            }
        }
    });
    for round in 0..10 {
        let shelf = dump(&world);
        let whole: Vec<u8> = shelf
            .0
            .iter()
            .filter(|(path, _)| path.starts_with("data"))
            .flat_map(|(_, data)| data.clone())
            .collect();
        let copy = world.directory.path().join(format!("copy{round}"));
        std::fs::write(&copy, whole).expect("write");
        let connection = Connection::open(&copy).expect("open");
        let sum: i64 =
            connection.query_row("SELECT SUM(amount) FROM account", [], |row| row.get(0)).expect("sum");
        assert_eq!(sum, 1000);
        let written: i64 = connection
            .query_row(
                "SELECT (SELECT COUNT(*) FROM note) - 20000 - (SELECT amount FROM account WHERE id=2) + 500",
                [],
                |row| row.get(0),
            )
            .expect("compare");
        assert_eq!(written, 0);
    }
    stop.store(true, Ordering::SeqCst);
    writer.join().expect("writer");
}

#[test]
fn a_restore_can_be_undone_and_keeps_owner_and_mode() {
    let world = World::new();
    let cx = Cx::silent();
    let shelf = dump(&world);
    let holder = Connection::open(world.path()).expect("open");
    holder.execute_batch("DELETE FROM note WHERE rowid > 100").expect("change");
    world.database.preflight(&shelf, &cx).expect("preflight");
    let copy = world.database.load_aside(&shelf, TOKEN, &cx).expect("load");
    assert_eq!(
        std::fs::metadata(&copy.side).expect("side").permissions().mode() & 0o777,
        0o600,
        "nobody reads it yet"
    );
    drop(holder);

    world.database.swap_in(&copy, &cx).expect("swap in");
    world.database.swap_in(&copy, &cx).expect("swap in again");
    assert_eq!(notes(&world.path()), 20_000);
    assert_eq!(world.path().metadata().expect("live").mode() & 0o7777, 0o640);

    execute(&world.path(), "INSERT INTO note VALUES ('written after the swap')");
    world.database.swap_back(&copy, &cx).expect("swap back");
    assert_eq!(notes(&world.path()), 100);
    world.database.swap_back(&copy, &cx).expect("swap back again");
    assert_eq!(notes(&world.path()), 100);

    world.database.swap_in(&copy, &cx).expect("swap in");
    world.database.discard(&copy, &cx).expect("discard");
    world.database.discard(&copy, &cx).expect("discard again");
    assert_eq!(notes(&world.path()), 20_001);
    assert_eq!(world.names(), [".ht 100%?.sqlite"]);
}

#[test]
fn a_swap_that_stopped_after_any_step_can_be_undone() {
    let world = World::new();
    let cx = Cx::silent();
    let shelf = dump(&world);
    execute(&world.path(), "DELETE FROM note WHERE rowid > 100");
    let copy = world.database.load_aside(&shelf, TOKEN, &cx).expect("load");
    // The former name is there and nothing else happened.
    std::fs::hard_link(&copy.live, &copy.former).expect("link");
    assert!(world.database.discard(&copy, &cx).is_err(), "half done");
    world.database.swap_back(&copy, &cx).expect("swap back");
    assert_eq!(notes(&world.path()), 100);
    // A journal was moved, the rename did not happen.
    std::fs::hard_link(&copy.live, &copy.former).expect("link");
    std::fs::write(format!("{}-wal", copy.former), "").expect("journal");
    world.database.swap_back(&copy, &cx).expect("swap back");
    assert_eq!(notes(&world.path()), 100);
    world.database.swap_in(&copy, &cx).expect("swap in");
    assert_eq!(notes(&world.path()), 20_000);
}

#[test]
fn a_lost_file_comes_back_and_can_be_taken_away_again() {
    let world = World::new();
    let cx = Cx::silent();
    let shelf = dump(&world);
    for name in world.names() {
        std::fs::remove_file(world.directory.path().join(name)).expect("remove");
    }
    let copy = world.database.load_aside(&shelf, TOKEN, &cx).expect("load");
    world.database.swap_in(&copy, &cx).expect("swap in");
    assert_eq!(notes(&world.path()), 20_000);
    assert_eq!(world.path().metadata().expect("live").mode() & 0o7777, 0o640, "as it was saved");
    world.database.swap_back(&copy, &cx).expect("swap back");
    assert!(!world.path().exists());
    world.database.discard(&copy, &cx).expect("discard");
    assert!(world.names().is_empty(), "{:?}", world.names());
}

#[test]
fn damage_is_refused_and_leaves_nothing_behind() {
    let world = World::new();
    let good = dump(&world);
    let piece = PathBuf::from("data/000000/000001.part");
    let mut missing = good.clone();
    missing.0.remove(&piece);
    let mut short = good.clone();
    short.0.get_mut(&piece).expect("piece").pop();
    let mut flipped = good.clone();
    flipped.0.get_mut(&piece).expect("piece")[1000] ^= 1;
    let mut headless = good.clone();
    headless.0.remove(Path::new("zz-manifest.json"));
    for (what, shelf) in
        [("missing", missing), ("short", short), ("flipped", flipped), ("headless", headless)]
    {
        let error = world.database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err(what);
        assert!(error.remedy().is_some(), "{what}: {error}");
        assert!(world.names().iter().all(|name| !name.contains("restore")), "{what}: {:?}", world.names());
    }
}

#[test]
fn a_damaged_database_is_not_saved_as_a_good_one() {
    let world = World::new();
    execute(&world.path(), "PRAGMA journal_mode=DELETE");
    let mut data = std::fs::read(world.path()).expect("read");
    data[40_000..60_000].fill(0xAA);
    std::fs::write(world.path(), data).expect("write");
    let error = collect(&*world.database, &Cx::silent()).expect_err("damaged");
    assert!(error.to_string().contains("damaged") || error.to_string().contains("malformed"), "{error}");
}

#[test]
fn no_copy_stays_on_disk_not_even_that_of_a_killed_run() {
    let scene = World::new();
    let scratch = scene.scratch.path().to_owned();
    let killed = scratch.join("sqlite-999999999-abcdef");
    std::fs::create_dir_all(&killed).expect("mkdir");
    std::fs::write(killed.join("copy"), "rows").expect("write");
    let feed = scene.database.begin(&no_previous, &Cx::silent()).expect("begin");
    assert_eq!(std::fs::read_dir(&scratch).expect("list").count(), 0);
    drop(feed);
}
