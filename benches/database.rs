//! Dump and load against `mariadb-dump` and `mariadb`, in alternation on generated data: `cargo bench --bench database`.
//! Prints the medians and their ratios; read the ratios.
#![allow(clippy::print_stdout)]

#[allow(dead_code)]
#[path = "../tests/it/mariadb.rs"]
mod mariadb;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lifeboat::database::{Database, DatabaseSpec, open};
use lifeboat::dump::{Shelf, no_previous};
use lifeboat::error::{Error, Result};
use lifeboat::event::Cx;

use crate::mariadb::MariaDb;

const ROUNDS: usize = 3;

/// A dump held in memory, so that no repository is measured.
#[derive(Default)]
struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Shelf for Memory {
    fn list(&self) -> Result<Vec<(PathBuf, u64)>> {
        Ok(self.0.iter().map(|(path, data)| (path.clone(), data.len() as u64)).collect())
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>> {
        let data = self.0.get(path).ok_or_else(|| Error::failed(format!("no {}", path.display())))?;
        Ok(Box::new(std::io::Cursor::new(data.clone())))
    }
}

fn main() {
    let megabytes = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(200);
    let server = MariaDb::start_with(&["--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M"]);
    generate(&server, megabytes);
    let database = open(&DatabaseSpec::Mysql(server.spec("shop")));
    let script = tempfile::NamedTempFile::new().expect("make a file");

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut shelf = Memory::default();
    for _ in 0..ROUNDS {
        ours.push(timed(|| shelf = dump(&*database)));
        theirs.push(timed(|| stock_dump(&server, script.path())));
    }
    report("dump", &mut ours, &mut theirs);

    let (mut ours, mut theirs, mut inserted) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(load(&*database, &shelf));
        theirs.push(timed(|| stock_load(&server, script.path())));
        server.sql("", "SET GLOBAL local_infile=0");
        inserted.push(load(&*database, &shelf));
        server.sql("", "SET GLOBAL local_infile=1");
    }
    report("load and verify", &mut ours, &mut theirs);
    report("load and verify without LOAD DATA", &mut inserted, &mut theirs);
}

/// Rows as shops have them: texts under several keys, small rows under many, and a table of words to be searched.
fn generate(server: &MariaDb, megabytes: u32) {
    let (posts, meta) = (megabytes * 500, megabytes * 4000);
    server.sql(
        "",
        &format!(
            "CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop;
             CREATE TABLE posts (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, author INT, at DATETIME, title VARCHAR(200), body LONGTEXT,
               status VARCHAR(20), KEY status (status, at, id), KEY author (author), KEY title (title(191)));
             CREATE TABLE meta (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, post BIGINT UNSIGNED, k VARCHAR(255), v LONGTEXT, KEY post (post), KEY k (k(191)), KEY v (v(32)));
             INSERT INTO posts SELECT seq, seq % 97, '2024-01-01' + INTERVAL seq MINUTE, CONCAT('Post ', MD5(seq)), REPEAT(CONCAT(MD5(seq), ' it''s\\n'), 25), ELT(1 + seq % 3, 'publish', 'draft', 'trash')
               FROM seq_1_to_{posts};
             INSERT INTO meta SELECT seq, RAND(seq) * {posts}, CONCAT('_key_', seq % 50), CONCAT(SHA1(seq), REPEAT('x', seq % 80)) FROM seq_1_to_{meta};"
        ),
    );
}

fn dump(database: &dyn Database) -> Memory {
    let cx = Cx::silent();
    let mut feed = database.begin(&no_previous, &cx).expect("begin");
    let mut shelf = Memory::default();
    while let Some(file) = feed.next(&cx).expect("dump") {
        shelf.0.insert(file.path, file.data);
    }
    shelf
}

fn load(database: &dyn Database, shelf: &Memory) -> Duration {
    let mut copy = None;
    let time = timed(|| copy = Some(database.load_aside(shelf, "benchone", &Cx::silent()).expect("load")));
    database.discard(&copy.expect("loaded"), &Cx::silent()).expect("discard");
    time
}

fn stock_dump(server: &MariaDb, script: &Path) {
    let status = Command::new("mariadb-dump")
        .args(["--no-defaults", "--user=root", "--single-transaction", "--quick", "--hex-blob", "shop"])
        .arg(format!("--socket={}", server.socket().display()))
        .stdout(File::create(script).expect("create the script"))
        .status();
    assert!(status.expect("run mariadb-dump").success());
}

fn stock_load(server: &MariaDb, script: &Path) {
    server.sql("", "DROP DATABASE IF EXISTS stock; CREATE DATABASE stock CHARACTER SET utf8mb4");
    let script = File::open(script).expect("open the script");
    let status = server.client(Some("stock")).stdin(script).stdout(Stdio::null()).status();
    assert!(status.expect("run mariadb").success());
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn report(what: &str, ours: &mut [Duration], theirs: &mut [Duration]) {
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "{what}: {ours:.2?} against {theirs:.2?}, ratio {:.2}",
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
