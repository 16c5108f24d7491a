//! Loads: what comes after the rows makes no difference to what is there in the end.

use lifeboat::event::Cx;

use super::{Heard, TOKEN, collect, engine, fingerprint, same};
use crate::mariadb::MariaDb;

/// Tables large enough for their indexes to be made after the rows, with every kind of index.
const KEYS: &str = "CREATE DATABASE shop; USE shop; SET foreign_key_checks=0, system_versioning_alter_history=KEEP;
    CREATE TABLE kinds (id INT PRIMARY KEY AUTO_INCREMENT, a VARCHAR(300), b TEXT, c INT, d INT NOT NULL, g INT AS (c*2) VIRTUAL,
      j LONGTEXT AS (CONCAT(a,'x')) STORED, p POINT NOT NULL, KEY z (a(20) DESC, c), FULLTEXT KEY `ft ``x` (b), KEY g (g), UNIQUE KEY un (c),
      UNIQUE KEY u (d), SPATIAL KEY sp (p), FULLTEXT KEY ft2 (a), KEY `weird \"key\", (` (c,id) COMMENT 'key '' comment, KEY `x` (', KEY ign (a(5)) IGNORED,
      KEY uses USING BTREE (d), CONSTRAINT `KEY` CHECK (c > 0)) AUTO_INCREMENT=90000 COMMENT='a,\\n  KEY `k` (`id`)\\n)';
    INSERT INTO kinds (a,b,c,d,p) SELECT MD5(seq), REPEAT(CONCAT('word', seq, ' '), 30), seq, -seq, POINT(seq, 1) FROM seq_1_to_4000;
    CREATE TABLE counted (a INT NOT NULL PRIMARY KEY, id INT NOT NULL AUTO_INCREMENT, t TEXT, KEY first (a), KEY ai (id), KEY last (a,id)) AUTO_INCREMENT=70000;
    INSERT INTO counted SELECT seq, seq, REPEAT('x', 1000) FROM seq_1_to_2000;
    CREATE TABLE unkeyed (a INT NOT NULL, t VARCHAR(2000), s VARCHAR(10), KEY s (s), UNIQUE KEY a (a), UNIQUE KEY s2 (s));
    INSERT INTO unkeyed SELECT seq, REPEAT('y', 1000), NULL FROM seq_1_to_2000;
    CREATE TABLE parted (a INT NOT NULL, t VARCHAR(2000), s VARCHAR(10), PRIMARY KEY (a), KEY s (s), UNIQUE KEY sa (s,a)) PARTITION BY HASH (a) PARTITIONS 3;
    INSERT INTO parted SELECT * FROM unkeyed;
    CREATE TABLE long_unique (a INT PRIMARY KEY, t TEXT, u TEXT, KEY b (t(10)), UNIQUE KEY u (u)); INSERT INTO long_unique SELECT seq, REPEAT('z', 1000), seq FROM seq_1_to_2000;
    CREATE TABLE periods (id INT, s DATE, e DATE, t TEXT, PERIOD FOR app(s,e), UNIQUE(id, app WITHOUT OVERLAPS), KEY t (t(9)));
    INSERT INTO periods SELECT seq, '2020-01-01', '2020-06-01', REPEAT('w', 1000) FROM seq_1_to_2000;
    CREATE TABLE history (id INT PRIMARY KEY, t TEXT, KEY t (t(9))) WITH SYSTEM VERSIONING; INSERT INTO history SELECT seq, REPEAT('v', 1000) FROM seq_1_to_2000; UPDATE history SET t='' WHERE id < 9;
    CREATE TABLE plain (id INT AUTO_INCREMENT, g INT, t TEXT, PRIMARY KEY (g,id), KEY t (t(9)), FULLTEXT KEY f (t)) ENGINE=MyISAM; INSERT INTO plain (g,t) SELECT seq % 9, REPEAT('u', 1000) FROM seq_1_to_2000;
    CREATE TABLE packed (id INT PRIMARY KEY, t TEXT, c INT, KEY c (c), FULLTEXT KEY f (t)) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4; INSERT INTO packed SELECT seq, REPEAT(MD5(seq), 40), seq FROM seq_1_to_2000;
    CREATE TABLE z_child (id INT PRIMARY KEY, up INT, a INT, gone INT, t TEXT, KEY up (up), CONSTRAINT zz FOREIGN KEY (up) REFERENCES z_child (id) ON DELETE CASCADE,
      CONSTRAINT `a ``fk` FOREIGN KEY (a) REFERENCES a_parent (id) ON UPDATE CASCADE ON DELETE SET NULL);
    CREATE TABLE a_parent (id INT PRIMARY KEY, c INT, KEY c (c), CONSTRAINT back FOREIGN KEY (c) REFERENCES z_child (id));
    INSERT INTO z_child SELECT seq, seq + 1, seq, 7, REPEAT('t', 1000) FROM seq_1_to_2000; INSERT INTO a_parent SELECT seq, 99999 FROM seq_1_to_10;";

#[test]
fn keys_made_after_the_rows_are_the_keys_there_were() {
    for options in [&[][..], &["--local-infile=0", "--max-allowed-packet=1M"]] {
        let server = MariaDb::start_with(options);
        server.sql("", KEYS);
        let before = fingerprint::of(&server, "shop");
        let database = engine(server.spec("shop"));
        let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
        let (cx, heard) = Heard::context();
        let copy = database.load_aside(&shelf, TOKEN, &cx).expect("load");
        assert_eq!(heard.all(), [""; 0]);
        database.swap_in(&copy, &cx).expect("swap in");
        same(&before, &fingerprint::of(&server, "shop"));
    }
}
