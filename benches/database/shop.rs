//! The database that is measured: tables as shops have them, and an hour in their life.

use crate::mariadb::MariaDb;

/// Texts under several keys, many small rows, and the sessions of visitors.
pub(crate) fn fill(server: &MariaDb, megabytes: usize) {
    let (posts, meta, sessions) = (megabytes * 400, megabytes * 3000, megabytes * 200);
    server.sql(
        "",
        "CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop;
             CREATE TABLE posts (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, author INT, at DATETIME, title VARCHAR(200), body LONGTEXT,
               status VARCHAR(20), KEY status (status, at, id), KEY author (author), KEY title (title(191)));
             CREATE TABLE meta (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, post BIGINT UNSIGNED, k VARCHAR(255), v LONGTEXT,
               KEY post (post), KEY k (k(191)));
             CREATE TABLE sessions (k CHAR(40) PRIMARY KEY, value LONGTEXT, expires BIGINT UNSIGNED, KEY expires (expires));",
    );
    // Many short transactions, so that the server's logs stay small.
    let chunk = 20_000;
    let mut script = vec!["USE shop;".to_owned()];
    for (table, count) in [("posts", posts), ("meta", meta), ("sessions", sessions)] {
        for from in (1..=count).step_by(chunk) {
            let to = (from + chunk - 1).min(count);
            let rows = match table {
                "posts" => "SELECT seq, seq % 97, '2024-01-01' + INTERVAL seq MINUTE, CONCAT('Post ', MD5(seq)), CONCAT(REPEAT(CONCAT(MD5(seq), ' it''s a word\\n'), 8), SHA2(seq, 512), SHA2(-seq, 512)), \
                     ELT(1 + seq % 3, 'publish', 'draft', 'trash')".to_owned(),
                "meta" => format!(
                    "SELECT seq, 1 + FLOOR(RAND(seq) * {posts}), CONCAT('_key_', seq % 50), CONCAT(SHA1(seq), REPEAT('x', seq % 80))"
                ),
                _ => "SELECT SHA1(seq), REPEAT(CONCAT('s:5:\"', MD5(seq), '\";'), 6), 1700000000 + seq"
                    .to_owned(),
            };
            script.push(format!("INSERT INTO {table} {rows} FROM seq_{from}_to_{to};"));
        }
    }
    server.sql("", &script.join("\n"));
}

/// A quiet hour: a few new posts, scattered small changes, visitors that came and went.
pub(crate) fn quiet_hour(server: &MariaDb, hour: usize) {
    server.sql(
        "shop",
        &format!(
            "INSERT INTO posts (author, at, title, body, status) SELECT 1, NOW(), CONCAT('New {hour} ', seq), REPEAT(SHA2(seq + {hour}, 512), 20), 'draft' FROM seq_1_to_20;
             SET @m = (SELECT MAX(id) FROM meta);
             UPDATE meta JOIN (SELECT 1 + FLOOR(RAND({hour} * 1000 + seq) * @m) AS id FROM seq_1_to_300) c USING (id) SET v = CONCAT({hour}, '-', v);
             DELETE FROM sessions ORDER BY expires LIMIT 60;
             INSERT INTO sessions SELECT SHA1(CONCAT('{hour}-', seq)), REPEAT(MD5(seq), 12), 1800000000 + seq FROM seq_1_to_60"
        ),
    );
}
