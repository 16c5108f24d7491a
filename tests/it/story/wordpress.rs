//! A real `WordPress` (Debian's files, its own installer, a real `MariaDB`), backed up and brought back.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::mariadb::MariaDb;
use crate::world::{Ran, World, assert_same, fingerprint};

/// A site whose database is found in its own wp-config.php.
pub(crate) struct Site {
    pub(crate) server: MariaDb,
    pub(crate) world: World,
}

impl Site {
    pub(crate) fn install(storage: Option<&str>) -> Self {
        let server = MariaDb::start();
        let world = World::with_storage("", storage);
        let copied =
            Command::new("cp").args(["-rL", "/usr/share/wordpress/.", world.root.to_str().unwrap()]).status();
        assert!(copied.unwrap().success());
        server.sql("", "CREATE DATABASE shop; CREATE USER wp@localhost IDENTIFIED BY 'p''w\"$x'; GRANT ALL ON *.* TO wp@localhost");
        let config = format!(
            "<?php\n// define('DB_NAME', 'wrong');\ndefine( 'DB_NAME', 'shop' );\ndefine(\"DB_USER\", 'w' . 'p');\ndefine('DB_PASSWORD', 'p\\'w\"$x');\n\
             define('DB_HOST', 'localhost:{}');\ndefine('DB_CHARSET', 'utf8mb4');\n$table_prefix = 'wp_';\n\
             if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');\nrequire_once ABSPATH . 'wp-settings.php';\n",
            server.socket().display()
        );
        fs::write(world.root.join("wp-config.php"), config).unwrap();
        let site = Self { server, world };
        site.run_installer();
        site.fill();
        site
    }

    /// `WordPress`' own installer makes its tables and first content.
    fn run_installer(&self) {
        let script = format!(
            "define('WP_INSTALLING', true); $_SERVER['HTTP_HOST']='example.test'; $_SERVER['REQUEST_URI']='/';
             require '{root}/wp-load.php'; require_once ABSPATH.'wp-admin/includes/upgrade.php';
             add_filter('pre_wp_mail', '__return_true');
             wp_install('Shop & \"Blog\"', 'admin', 'admin@example.test', true, '', 'adminpass'); echo 'INSTALLED';",
            root = self.world.root.display()
        );
        let ran = Ran::of(&Command::new("php").arg("-r").arg(script).output().unwrap()).expect(0);
        assert!(ran.out.contains("INSTALLED"), "{}\n{}", ran.out, ran.err);
    }

    /// Leaves some 250 of 2800 files: enough to prove a storage, and ten times as fast in a guest with slow system calls.
    pub(crate) fn slim(&self) {
        for bulk in ["wp-admin", "wp-content/themes", "wp-content/plugins", "wp-content/languages"] {
            drop(fs::remove_dir_all(self.world.root.join(bulk)));
        }
        for entry in fs::read_dir(self.world.root.join("wp-includes")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap();
            }
        }
    }

    fn fill(&self) {
        self.server.sql(
            "shop",
            "INSERT INTO wp_posts (post_title, post_content, post_excerpt, to_ping, pinged, post_content_filtered)
               SELECT CONCAT('Post ', seq, ' – ünïcödé 😀'), REPEAT(MD5(seq), 40), '', '', '', '' FROM seq_1_to_3000;
             CREATE TABLE wp_shop_orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, total DECIMAL(20,6), note LONGBLOB) ENGINE=InnoDB;
             INSERT INTO wp_shop_orders (total, note) SELECT seq / 7, UNHEX(SHA2(seq, 512)) FROM seq_1_to_500;
             CREATE VIEW wp_titles AS SELECT ID, post_title FROM wp_posts;
             CREATE TRIGGER wp_note BEFORE INSERT ON wp_shop_orders FOR EACH ROW SET NEW.total = NEW.total + 0.01;
             CREATE FUNCTION wp_double(x INT) RETURNS INT DETERMINISTIC RETURN x * 2;
             CREATE EVENT wp_clean ON SCHEDULE EVERY 1 DAY DO DELETE FROM wp_shop_orders WHERE id < 0;",
        );
    }

    /// Every row and every definition, by the stock client.
    pub(crate) fn rows(&self) -> String {
        rows(&self.server, "shop")
    }

    pub(crate) fn damage(&self) {
        let root = &self.world.root;
        fs::write(root.join("index.php"), "<?php eval($_POST['x']);").unwrap();
        fs::remove_dir_all(root.join("wp-includes")).unwrap();
        fs::write(root.join("wp-content/uploads.php"), "new").unwrap();
        self.server.sql(
            "shop",
            "UPDATE wp_options SET option_value='http://evil.test' WHERE option_name IN ('siteurl','home');
             DELETE FROM wp_posts WHERE ID % 3 = 0; INSERT INTO wp_shop_orders (total) VALUES (1), (2);
             DROP TABLE wp_comments; CREATE TABLE wp_malware (x INT, y INT); DROP VIEW wp_titles; DROP TRIGGER wp_note;
             DROP FUNCTION wp_double; DROP EVENT wp_clean; ALTER TABLE wp_users ADD COLUMN backdoor INT;",
        );
    }
}

pub(crate) fn rows(server: &MariaDb, schema: &str) -> String {
    let tables = server.sql(
        schema,
        "SELECT table_name FROM information_schema.tables WHERE table_schema=DATABASE() AND table_name NOT LIKE 'lifeboat\\_\\_%' ORDER BY 1",
    );
    let mut all = String::new();
    for table in tables.lines() {
        let create = server.sql(schema, &format!("SHOW CREATE TABLE `{table}`"));
        let content = server.sql(schema, &format!("SELECT * FROM `{table}` ORDER BY 1, 2"));
        all.extend([table, "\n", &create, &content]);
    }
    for what in [
        "SELECT trigger_name, event_object_table, action_timing, event_manipulation, action_statement, definer FROM information_schema.triggers WHERE trigger_schema=DATABASE() ORDER BY 1",
        "SELECT routine_name, routine_type, routine_definition, definer FROM information_schema.routines WHERE routine_schema=DATABASE() ORDER BY 1",
        "SELECT event_name, event_definition, interval_value, interval_field, definer FROM information_schema.events WHERE event_schema=DATABASE() ORDER BY 1",
    ] {
        all += &server.sql(schema, what);
    }
    all
}

/// Back up, damage files and rows, restore by timestamp, prove equality. `storage` is YAML, or the world's local directory.
pub(crate) fn there_and_back(storage: Option<&str>) {
    let site = Site::install(storage);
    if storage.is_some() {
        site.slim();
    }
    site.world.init();
    let (files, rows) = (fingerprint(&site.world.root), site.rows());
    let first = site.world.backup();
    let time: jiff::Timestamp = site.world.snapshots()[0]["time"].as_str().unwrap().parse().unwrap();
    let said = time.in_tz("Europe/Berlin").unwrap().strftime("%Y-%m-%d %H:%M:%S").to_string();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    site.damage();
    site.world.backup();
    assert_ne!(rows, site.rows());

    let done = site.world.json(0, &["restore", "--at", &said, "--yes"]);
    assert_eq!(done["result"]["restored"]["preview"]["snapshot"]["id"].as_str().unwrap(), first);
    assert_same(&files, &fingerprint(&site.world.root));
    similar(&rows, &site.rows());
    // The former content stays under its own name until it is discarded.
    assert_eq!(site.server.schemas().iter().filter(|name| name.starts_with("shop__former")).count(), 1);
    site.world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    assert_eq!(site.server.schemas(), ["shop"]);
}

#[track_caller]
pub(crate) fn similar(before: &str, after: &str) {
    for (was, is) in before.lines().zip(after.lines()) {
        assert_eq!(was, is);
    }
    assert_eq!(before.lines().count(), after.lines().count());
}

#[test]
fn there_and_back_on_a_local_directory() {
    there_and_back(None);
}

#[test]
fn stock_tools_alone_bring_it_back() {
    let site = Site::install(None);
    site.world.init();
    site.world.backup();
    site.world.restic_is_content();
    let target = site.world.path("by-restic");
    site.world.restic(&["restore", "latest", "--target", target.to_str().unwrap()]).expect(0);
    let restored = target.join(site.world.root.strip_prefix("/").unwrap());
    assert_same(&fingerprint(&site.world.root), &fingerprint(&restored));

    let dump = only_child(&target.join("@lifeboat/db/mysql"));
    load_by_hand(&site.server, &dump, "by_hand");
    similar(&tables_only(&site.server, "shop"), &tables_only(&site.server, "by_hand"));
}

fn only_child(directory: &Path) -> std::path::PathBuf {
    let mut children = fs::read_dir(directory).unwrap();
    let child = children.next().unwrap().unwrap().path();
    assert!(children.next().is_none());
    child
}

/// Runs the very lines that the dump's README gives, with the stock client pointed at the test's server.
fn load_by_hand(server: &MariaDb, dump: &Path, schema: &str) {
    let readme = fs::read_to_string(dump.join("README.txt")).unwrap();
    let (_, script) = readme.split_once("  target=").unwrap();
    let (script, _) = script.rsplit_once("  done").unwrap();
    let script = format!("set -e -o pipefail\n  target={script}  done\n")
        .replace("target=shop_copy", &format!("target={schema}"))
        .replace(
            "client=\"mariadb ",
            &format!("client=\"mariadb --no-defaults --socket={} --user=root ", server.socket().display()),
        );
    Ran::of(&Command::new("bash").arg("-c").arg(script).current_dir(dump).output().unwrap()).expect(0);
}

fn tables_only(server: &MariaDb, schema: &str) -> String {
    let tables = server.sql(schema, "SELECT table_name FROM information_schema.tables WHERE table_schema=DATABASE() AND table_type='BASE TABLE' ORDER BY 1");
    tables
        .lines()
        .map(|table| server.sql(schema, &format!("SELECT '{table}', t.* FROM `{table}` t ORDER BY 2, 3")))
        .collect()
}

#[test]
fn database_and_files_can_be_restored_alone() {
    let site = Site::install(None);
    site.world.init();
    let (files, rows) = (fingerprint(&site.world.root), site.rows());
    site.world.backup();
    site.damage();
    let damaged = fingerprint(&site.world.root);
    site.world.run(&["restore", "--at", "latest", "--database", "--yes"]).expect(0);
    similar(&rows, &site.rows());
    assert_same(&damaged, &fingerprint(&site.world.root));
    site.server.sql("shop", "DELETE FROM wp_posts");
    let emptied = site.rows();
    site.world.run(&["restore", "--at", "latest", "--files", "--yes"]).expect(0);
    assert_same(&files, &fingerprint(&site.world.root));
    similar(&emptied, &site.rows());
}
