//! A site and its database, saved as the former add-on for sites saved them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mariadb::MariaDb;
use crate::world::{Ran, World};

/// The environment: its name is the password.
pub(crate) const ENV: &str = "env-1234567";

/// The node on which the add-on ran.
const NODE: &str = "node42-env-1234567.example.com";

/// Their steps, in a view of the file system in which the site and root's home are where they were on the node.
const NODE_VIEW: &str = "mount -t tmpfs tmpfs /var && mkdir -p /var/www/webroot/ROOT \
    && mount --bind \"$SITE\" /var/www/webroot/ROOT && mount --bind \"$ROOT_HOME\" /root && cd /root && ";

/// Their call, word for word, but for the node's name and the time, which are told.
const SAVE: &str = "restic --host \"$NODE\" backup -q --tag \"$TAG\" --time \"$TIME\" -r /opt-backup ";

pub(crate) struct Addon {
    pub(crate) world: World,
    pub(crate) server: MariaDb,
}

impl Addon {
    /// An empty repository of this version, as a current or an old restic made it, and a site with a database `shop`.
    pub(crate) fn new(version: &str) -> Self {
        let server = MariaDb::start();
        let world = World::new("databases: []");
        let addon = Self { world, server };
        fs::create_dir(addon.home()).unwrap();
        addon.configure("root", "adopted: true");
        addon.restic(ENV, &["init", "--repository-version", version]).expect(0);
        addon.server.sql("", SCHEMA);
        addon.world.write("index.php", "<?php echo 'shop';");
        addon.world.write("wp-content/uploads/large.bin", noise(3_000_000));
        for number in 0..40 {
            addon.world.write(&format!("wp-includes/file-{number}.php"), noise(4000 + number));
        }
        addon
    }

    pub(crate) fn configure(&self, user: &str, more: &str) {
        let text = format!(
            "site: {{name: shop, root: {}}}\ndatabases: [{{type: mysql, name: shop, host: 'localhost:{}', user: {user}}}]\n\
             storage: {{type: local, path: {}}}\nrepository:\n  path: {ENV}\n  password: {{file: {}}}\n  {more}\n\
             retention: {{last: 3}}\nzone: Europe/Berlin\nstate: {}\n",
            self.world.root.display(),
            self.server.socket().display(),
            self.world.path("storage").display(),
            self.world.path("password").display(),
            self.world.path("state").display(),
        );
        fs::write(self.world.path("lifeboat.yaml"), text).unwrap();
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.world.path("home")
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.world.path("storage").join(ENV)
    }

    /// Stock restic with this password.
    pub(crate) fn restic(&self, password: &str, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(password).args(arguments).output().unwrap())
    }

    pub(crate) fn command(&self, password: &str) -> Command {
        let mut restic = self.world.restic_command(&self.repository());
        restic.env_remove("RESTIC_PASSWORD_FILE").env("RESTIC_PASSWORD", password);
        restic
    }

    /// The database as the add-on dumped it.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let call = "mysqldump --socket=\"$SOCKET\" -u root shop --force --single-transaction --quote-names --opt --databases";
        let output =
            Command::new("sh").args(["-c", call]).env("SOCKET", self.server.socket()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// What the database has, in an order of its own: equal texts are equal databases.
    pub(crate) fn content(&self) -> String {
        let output = Command::new("mysqldump")
            .args([
                "--no-defaults",
                "-u",
                "root",
                "--skip-comments",
                "--order-by-primary",
                "--hex-blob",
                "--routines",
                "shop",
            ])
            .arg(format!("--socket={}", self.server.socket().display()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A snapshot of the site with this dump, as the add-on made it.
    pub(crate) fn save(&self, stamp: &str, time: &str, cause: &str, dump: &[u8]) {
        fs::write(self.home().join("wp_db_backup.sql"), dump).unwrap();
        self.save_paths(&format!("{stamp}_UTC  {cause}"), time, "/var/www/webroot/ROOT ~/wp_db_backup.sql");
    }

    pub(crate) fn save_paths(&self, tag: &str, time: &str, paths: &str) {
        let call = format!("{NODE_VIEW}{SAVE}{paths}");
        let call = call.replace("/opt-backup", "\"$REPOSITORY\"");
        let output = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", &call])
            .env("SITE", &self.world.root)
            .env("ROOT_HOME", self.home())
            .env("HOME", "/root")
            .env("REPOSITORY", self.repository())
            .env("NODE", NODE)
            .env("TAG", tag)
            .env("TIME", time)
            .env("TZ", "UTC")
            .env("GOGC", "20")
            .env("RESTIC_COMPRESSION", "off")
            .env("RESTIC_PACK_SIZE", "8")
            .env("RESTIC_READ_CONCURRENCY", "8")
            .env("RESTIC_PASSWORD", ENV)
            .env("RESTIC_CACHE_DIR", self.world.path("restic-cache"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The files of the repository and their sizes.
    pub(crate) fn bytes(&self) -> u64 {
        fn below(directory: &Path) -> u64 {
            fs::read_dir(directory)
                .unwrap()
                .map(|entry| entry.unwrap())
                .map(|entry| {
                    if entry.path().is_dir() { below(&entry.path()) } else { entry.metadata().unwrap().len() }
                })
                .sum()
        }
        below(&self.repository())
    }
}

/// Bytes without any order, the same each time.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut state = count as u64 | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count).map(next).collect()
}

/// What a dump must bring back to the letter.
const SCHEMA: &str = r#"
CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
USE shop;
CREATE TABLE posts (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, title VARCHAR(200) NOT NULL DEFAULT '',
  body LONGTEXT, raw LONGBLOB, price DECIMAL(20,6), rate DOUBLE, seen DATETIME(3), made TIMESTAMP NULL, kind ENUM('a','b;''c'),
  flags SET('x','y'), bits BIT(5), twice DECIMAL(30,6) AS (price * 2) STORED, KEY title (title(20)), FULLTEXT KEY words (body)) ENGINE=InnoDB;
CREATE TABLE `odd ``name;` (`a b` INT PRIMARY KEY, `c'd` TEXT COMMENT 'it''s; \\ "odd"') ENGINE=MyISAM CHARACTER SET latin1;
CREATE TABLE meta (id INT PRIMARY KEY AUTO_INCREMENT, post BIGINT UNSIGNED, v JSON, CONSTRAINT own FOREIGN KEY (post)
  REFERENCES posts (id) ON DELETE CASCADE) ENGINE=InnoDB;
CREATE TABLE empty (a INT) ENGINE=Aria;
CREATE TABLE log (day DATE NOT NULL, n INT) ENGINE=InnoDB PARTITION BY RANGE (YEAR(day))
  (PARTITION p0 VALUES LESS THAN (2024), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO posts (title, body, raw, price, rate, seen, made, kind, flags, bits) VALUES
  ('plain', 'text', 0x00, 1.5, 0.1, '2024-01-01 00:00:00.123', '2024-01-01 12:00:00', 'a', 'x,y', b'10101'),
  ('it''s; -- "q" /* c */ `b` \\', 'line\nbreak\r\ttab\Zend\0nul', 0x27225C000A0D1A60, NULL, -1e300, NULL, NULL, 'b;''c', '', NULL),
  ('Ünïcödé 漢字 😀', REPEAT('long; ', 5000), UNHEX(REPEAT('00FF275C', 20000)), -0.000001, 3.141592653589793, '1000-01-01', NULL, NULL, NULL, b'0');
INSERT INTO `odd ``name;` VALUES (1, 'grün'), (2, NULL), (-3, '');
INSERT INTO meta (post, v) VALUES (1, '{"a": "x''y\\"z"}'), (2, NULL), (3, '[]');
INSERT INTO log VALUES ('2023-05-05', 1), ('2024-05-05', 2);
CREATE VIEW second AS SELECT p.id, m.v FROM posts p JOIN meta m ON m.post = p.id;
CREATE VIEW first_of_all AS SELECT id FROM second WHERE id < 3;
DELIMITER ;;
CREATE TRIGGER posts_bi BEFORE INSERT ON posts FOR EACH ROW BEGIN
  -- a comment; with a semicolon
  IF NEW.title = '' THEN SET NEW.title = 'it''s; none'; END IF;
END;;
DELIMITER ;
"#;
