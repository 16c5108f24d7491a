//! Connections that are cut, disks that fill up, packets that are small, schemas that change: the right outcome each.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lifeboat::database::{Means, MysqlAddress, MysqlSpec, SideCopy};
use lifeboat::event::Cx;

use super::{TOKEN, collect, engine, fingerprint, same};
use crate::mariadb::MariaDb;
use crate::world::World;

/// Stands between us and a server, and cuts a connection in the middle of what it passes on.
struct Proxy {
    directory: tempfile::TempDir,
    /// Bytes from the server, and to it, before the cut; those who connect afterwards are left alone.
    down: Arc<AtomicU64>,
    up: Arc<AtomicU64>,
}

impl Proxy {
    fn before(server: &MariaDb) -> Self {
        let directory = tempfile::tempdir().expect("make a directory");
        let listener = UnixListener::bind(directory.path().join("sock")).expect("listen");
        let (down, up) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(AtomicU64::new(u64::MAX)));
        let (target, limits) = (server.socket(), (Arc::clone(&down), Arc::clone(&up)));
        // It ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("accept");
                let Ok(server) = UnixStream::connect(&target) else { continue };
                pass(&server, &client, &limits.0);
                pass(&client, &server, &limits.1);
            }
        });
        Self { directory, down, up }
    }

    fn address(&self) -> MysqlAddress {
        MysqlAddress::Socket(self.directory.path().join("sock"))
    }
}

fn pass(from: &UnixStream, to: &UnixStream, limit: &Arc<AtomicU64>) {
    let (mut from, mut to) = (from.try_clone().expect("clone"), to.try_clone().expect("clone"));
    let limit = Arc::clone(limit);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(size @ 1..) = from.read(&mut buffer) {
            let left = limit.load(Ordering::SeqCst);
            let passed = size.min(usize::try_from(left).unwrap_or(usize::MAX));
            if left != u64::MAX {
                limit.fetch_sub(passed as u64, Ordering::SeqCst);
            }
            if to.write_all(&buffer[..passed]).is_err() {
                break;
            }
            if passed < size {
                // Whoever tries again may.
                limit.store(u64::MAX, Ordering::SeqCst);
                break;
            }
        }
        for end in [from, to] {
            drop(end.shutdown(std::net::Shutdown::Both));
        }
    });
}

fn shop(options: &[&str]) -> MariaDb {
    filled(MariaDb::start_with(options))
}

fn filled(server: MariaDb) -> MariaDb {
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY, t LONGTEXT); INSERT INTO a SELECT seq, REPEAT(MD5(seq), 3000) FROM seq_1_to_100;
         CREATE TABLE b LIKE a; INSERT INTO b SELECT * FROM a",
    );
    server
}

#[test]
fn a_connection_that_is_cut_inside_a_row_is_an_error_and_leaves_nothing() {
    for infile in ["--local-infile=1", "--local-infile=0"] {
        let server = shop(&[infile]);
        let before = fingerprint::of(&server, "shop");
        let proxy = Proxy::before(&server);
        let database = engine(MysqlSpec { address: proxy.address(), ..server.spec("shop") });

        // Rows are 96 kB, so that these are places inside of one.
        proxy.down.store(5_050_000, Ordering::SeqCst);
        let error = collect(&*database, &Cx::silent()).expect_err("cut");
        assert!(error.to_string().contains("table"), "{error}");
        let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
        assert_eq!(summary.rows, 200);

        proxy.up.store(5_050_000, Ordering::SeqCst);
        let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err("cut");
        assert!(error.to_string().contains("table"), "{error}");
        assert_eq!(server.schemas(), ["shop"]);
        same(&before, &fingerprint::of(&server, "shop"));

        let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
        database.discard(&copy, &Cx::silent()).expect("discard");
    }
}

/// A server without any room left may refuse a row or end itself: whichever it does, the live schema is as it was, and
/// nothing is left of the copy.
#[test]
fn a_disk_that_fills_up_during_the_load_leaves_the_live_schema_alone() {
    for infile in ["--local-infile=1", "--local-infile=0"] {
        let mut server = filled(MariaDb::start_on_disk_of(130, &[infile, "--innodb-log-file-size=8M"]));
        let before = fingerprint::of(&server, "shop");
        let database = engine(server.spec("shop"));
        let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
        let tokens = ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd", "eeeeeeee", "ffffffff"];
        // Those that still find room stay, and take it from the next.
        let refused = tokens.iter().find_map(|token| {
            let error = database.load_aside(&shelf, token, &Cx::silent()).err()?;
            Some((*token, error))
        });
        let (token, error) = refused.expect("the disk was never full");
        let told = format!("{error} {}", error.remedy().unwrap_or_default());
        assert!(told.contains("is full") || told.contains("error log"), "{told}");

        server.give_room(400);
        same(&before, &fingerprint::of(&server, "shop"));
        let [live, side, former] =
            ["shop".to_owned(), format!("shop__restore_{token}"), format!("shop__former_{token}")];
        database
            .discard(
                &SideCopy { live, side, former, means: Means::Beside, only: Vec::new(), tables: 0, rows: 0 },
                &Cx::silent(),
            )
            .expect("discard");
        assert!(!server.schemas().iter().any(|schema| schema.contains(token)), "{:?}", server.schemas());
        database.load_aside(&shelf, token, &Cx::silent()).expect("there is room now");
    }
}

#[test]
fn packets_of_a_megabyte_carry_larger_values() {
    let server = shop(&["--max-allowed-packet=1M"]);
    let before = fingerprint::of(&server, "shop");
    let database = engine(server.spec("shop"));
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    same(&before, &fingerprint::of(&server, "shop"));
    database.discard(&copy, &Cx::silent()).expect("discard");

    server.sql("", "SET GLOBAL max_allowed_packet=64*1024*1024");
    server.sql("shop", "CREATE TABLE wide (id INT PRIMARY KEY, t LONGTEXT); INSERT INTO wide VALUES (1, REPEAT('y', 5000000))");
    let before = fingerprint::of(&server, "shop");
    server.sql("", "SET GLOBAL max_allowed_packet=1024*1024");
    // A row may be larger than a packet: it travels in several.
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    server.sql("", "SET GLOBAL max_allowed_packet=64*1024*1024");
    same(&before, &fingerprint::of(&server, "shop"));
}

/// A schema that a hook changes once, in the middle of the dump: the backup begins again and is whole.
#[test]
fn a_backup_begins_again_when_a_schema_is_changed_under_it() {
    let server = shop(&[]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let databases = format!(
        "databases: [{{type: mysql, name: shop, host: \"localhost:{}\", user: root}}]",
        server.socket().display()
    );
    let world = World::new(&databases);
    world.write("index", "page");
    let hook: PathBuf = world.path("hook");
    let alter = "ALTER TABLE b ADD COLUMN late INT FIRST, ALGORITHM=COPY";
    let client = format!("mariadb --no-defaults --socket={} --user=root shop", server.socket().display());
    std::fs::write(&hook, format!("#!/bin/sh\ncat >/dev/null\necho '{alter}' | {client}\n")).expect("write");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o700)).expect("chmod");
    world.configure(
        &databases,
        None,
        &format!("hooks: {{before-save: [{{command: [{}]}}]}}\n", hook.display()),
    );
    world.init();
    let ran = world.run(&["backup"]).expect(0);
    assert!(ran.err.contains("beginning again"), "{}", ran.err);
    assert_eq!(world.snapshots().len(), 1);
    let sql = world.run(&["dump", "--sql", "latest"]).expect(0);
    assert!(sql.out.contains("`late` int"), "the snapshot is of the changed schema");
    world.restic_is_content();
}
