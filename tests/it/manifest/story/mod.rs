//! What becomes of the add-on, executed: on nodes with roots of their own, with a real `MariaDB` in them, on the real NFS server of
//! the lab. What people of the platform see of it is a golden text.

mod life;
mod nodes;
mod take_over;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::engine::{Addon, Platform, serve};
use super::place;
use crate::lab;
use crate::world::Ran;

const ROOT: &str = "/var/www/webroot/ROOT";

/// Where the guest leaves what was told.
fn told(story: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/manifest-{story}.txt"))
}

/// Has the guest live a story, and compares what was told with what was told before.
fn live(story: &str) {
    // Without what only a debugger reads: the platform sends it over a network.
    let program = told(story).with_extension("program");
    let stripped =
        Command::new("strip").arg("-o").arg(&program).arg(env!("CARGO_BIN_EXE_lifeboat")).output().unwrap();
    Ran::of(&stripped).expect(0);
    drop(fs::remove_file(told(story)));
    let room = [
        ("NFS_LAB_MEM", "2G"),
        ("NFS_LAB_DISK", "6G"),
        ("NFS_LAB_TIMEOUT", "1800"),
        ("LIFEBOAT", program.to_str().unwrap()),
    ];
    lab::run(&format!("manifest::story::{story}::guest::"), 1, &room);
    let told = fs::read_to_string(told(story)).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/manifest/story/{story}.txt"));
    if std::env::var_os("LIFEBOAT_WRITE_GOLDEN").is_some() {
        fs::write(&golden, &told).unwrap();
    }
    assert_eq!(told, fs::read_to_string(&golden).unwrap(), "{} is no longer what is told", golden.display());
}

/// In the guest: a platform, and the manifests as they are released on it.
fn in_guest(story: &str, lived: impl FnOnce(&Platform, &Release)) {
    assert!(
        std::env::var_os("LIFEBOAT_NFS_LAB").is_some(),
        "this test mounts and unmounts: it runs in tests/nfs-lab only"
    );
    let module = Command::new("modprobe").args(["-d", "/run", "overlay"]).output();
    Ran::of(&module.unwrap()).expect(0);
    let place = tempfile::tempdir().unwrap();
    let release = Release::make(place.path());
    let platform = Platform::new(&told(story).with_extension("log"));
    lived(&platform, &release);
    fs::write(told(story), platform.transcript()).unwrap();
    platform.end();
}

/// The manifests as they are released: pinned to where their files are served.
struct Release {
    /// For application servers.
    backup: Addon,
    /// For the storage of their backups.
    storage: Addon,
}

impl Release {
    fn make(into: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://127.0.0.1:{}/lifeboat", listener.local_addr().unwrap().port());
        let program = PathBuf::from(std::env::var_os("LIFEBOAT").unwrap());
        let backup = pinned("backup.jps", into, &base, &program);
        let storage = pinned("storage.jps", into, &base, &program);
        let version = backup.manifest["globals"]["version"].as_str().unwrap();
        let served = BTreeMap::from([
            ("lifeboat/scripts/node.sh".to_owned(), place().join("scripts/node.sh")),
            (format!("lifeboat/bin/lifeboat-{version}-linux-{}", std::env::consts::ARCH), program),
        ]);
        serve(listener, served);
        Self { backup, storage }
    }
}

fn pinned(name: &str, into: &Path, base: &str, program: &Path) -> Addon {
    let copy = into.join(name);
    fs::copy(place().join(name), &copy).unwrap();
    Ran::of(&Command::new(place().join("pin")).arg(base).arg(program).arg(&copy).output().unwrap()).expect(0);
    let manifest: Value = serde_yaml::from_str(&fs::read_to_string(&copy).unwrap()).unwrap();
    let scripts = fs::read_dir(place().join("scripts")).unwrap().map(|file| file.unwrap().path());
    let scripts = scripts.filter(|path| path.extension().is_some_and(|extension| extension == "js"));
    let files = scripts.map(|path| {
        let name = format!("scripts/{}", path.file_name().unwrap().to_str().unwrap());
        (name, fs::read_to_string(path).unwrap())
    });
    Addon { manifest: Arc::new(manifest), settings: Map::new(), files: Arc::new(files.collect()) }
}

/// A shop on one node: `WordPress`' configuration, some files, a database.
struct Shop<'a> {
    platform: &'a Platform,
    env: &'static str,
    node: u32,
}

impl Shop<'_> {
    /// As somebody who is logged in there.
    fn try_run(&self, command: &str) -> Ran {
        let path = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root\n";
        self.platform.node(self.env, self.node).run(&format!("{path}{command}"))
    }

    fn run(&self, command: &str) -> String {
        let ran = self.try_run(command);
        assert_eq!(ran.code, 0, "{command}\n{}\n{}", ran.out, ran.err);
        ran.out
    }

    fn start_database(&self) {
        self.run(
            "mkdir -p /run/mysqld; chown mysql /run/mysqld
             [ -d /var/lib/mysql/mysql ] || mariadb-install-db --no-defaults --user=mysql --skip-test-db --loose-innodb-buffer-pool-size-max=128M --datadir=/var/lib/mysql >/dev/null
             setsid mariadbd --no-defaults --user=mysql --datadir=/var/lib/mysql --socket=/run/mysqld/mysqld.sock --skip-networking \
               --innodb-buffer-pool-size=64M --loose-innodb-buffer-pool-size-max=128M --innodb-flush-method=nosync </dev/null >/dev/null 2>&1 &
             for wait in $(seq 300); do mariadb --socket=/run/mysqld/mysqld.sock -e 'SELECT 1' >/dev/null 2>&1 && exit 0; sleep 0.2; done; exit 1",
        );
    }

    fn sql(&self, statements: &str) -> String {
        self.run(&format!(
            "mariadb --no-defaults --socket=/run/mysqld/mysqld.sock -N -B shop -e \"{statements}\""
        ))
    }

    fn open(&self) {
        self.start_database();
        self.run(&format!(
            "mkdir -p {ROOT}/wp-content/uploads && cd {ROOT}
             cat >wp-config.php <<'PHP'
<?php
define('DB_NAME', 'shop');
define('DB_USER', 'wp');
define('DB_PASSWORD', 'secret of the shop');
define('DB_HOST', 'localhost:/run/mysqld/mysqld.sock');
\\$table_prefix = 'wp_';
PHP
             sed -i 's/^.[$]table/$table/' wp-config.php
             echo 'the first page' >index.php
             head -c 3000000 /dev/urandom >wp-content/uploads/film
             mariadb --no-defaults --socket=/run/mysqld/mysqld.sock -e \"CREATE DATABASE shop; CREATE USER wp@localhost IDENTIFIED BY 'secret of the shop'; GRANT ALL ON *.* TO wp@localhost;\"",
        ));
        self.sql("CREATE TABLE wp_options (option_name VARCHAR(90) PRIMARY KEY, option_value TEXT); INSERT INTO wp_options VALUES ('siteurl', 'http://shop.example.com'); CREATE TABLE wp_posts (ID INT PRIMARY KEY AUTO_INCREMENT, post_title TEXT); INSERT INTO wp_posts (post_title) VALUES ('first'), ('second')");
    }

    /// Page and rows, which a restore must bring back together.
    fn state(&self) -> String {
        self.run(&format!("cat {ROOT}/index.php")) + &self.sql("SELECT * FROM wp_posts ORDER BY ID")
    }

    fn change(&self) {
        self.run(&format!(
            "echo broken >{ROOT}/index.php; rm -r {ROOT}/wp-content; echo new >{ROOT}/stranger.php"
        ));
        self.sql("DELETE FROM wp_posts WHERE ID = 1; INSERT INTO wp_posts (post_title) VALUES ('spam')");
    }

    fn snapshots(&self) -> usize {
        let said: Value = serde_json::from_str(&self.run("lifeboat --json snapshots 2>/dev/null")).unwrap();
        said["result"].as_array().unwrap().iter().filter(|one| one["complete"] == true).count()
    }

    /// Runs that the history has, newest first.
    fn runs(&self) -> Vec<Value> {
        let said: Value = serde_json::from_str(&self.run("lifeboat --json runs -n 50 2>/dev/null")).unwrap();
        said["result"].as_array().unwrap().clone()
    }
}

/// Until it is so; what never comes ends the test.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_mins(4), "{what} did not come");
        std::thread::sleep(Duration::from_millis(300));
    }
}
