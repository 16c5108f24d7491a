//! A site with a `PostgreSQL` database, backed up and brought back by its time, through the binary.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::database::witness;
use crate::postgres::Postgres;
use crate::world::{World, assert_same, fingerprint};

#[test]
fn a_site_with_postgresql_comes_back_by_time() {
    let server = Postgres::start_with("local all postgres trust\nlocal all all scram-sha-256\n", &[]);
    server.sql(
        "postgres",
        "CREATE ROLE clerk LOGIN CREATEDB PASSWORD 'p''w\"$x:\\'; CREATE DATABASE shop OWNER clerk",
    );
    server.sql(
        "shop",
        "SET ROLE clerk; CREATE SCHEMA s; CREATE TABLE s.post (id SERIAL PRIMARY KEY, body TEXT, at TIMESTAMPTZ DEFAULT now());
         INSERT INTO s.post (body) SELECT repeat(md5(i::text), 20) FROM generate_series(1, 3000) i; CREATE VIEW s.titles AS SELECT id FROM s.post;
         SELECT lo_from_bytea(4711, 'large')",
    );
    let world = World::new("databases: []");
    fs::write(world.path("login"), "p'w\"$x:\\\n").unwrap();
    fs::set_permissions(world.path("login"), fs::Permissions::from_mode(0o600)).unwrap();
    let databases = format!(
        "databases: [{{type: postgresql, name: shop, user: clerk, host: {}, password: {{file: {}}}}}]",
        server.path("").display().to_string().trim_end_matches('/'),
        world.path("login").display()
    );
    world.configure(&databases, None, "");
    world.write("index.php", "<?php");
    world.init();
    let (files, rows) = (fingerprint(&world.root), witness::of(&server, "shop"));
    world.backup();
    let listed = world.snapshots();
    let time = listed[0]["time"].as_str().unwrap().to_owned();

    server.sql("shop", "SET ROLE clerk; DELETE FROM s.post WHERE id % 2 = 0; DROP VIEW s.titles; CREATE TABLE s.more (a INT); SELECT lo_unlink(4711)");
    world.write("index.php", "HACKED");
    let later = witness::of(&server, "shop");
    world.backup();
    let sql = world.run(&["dump", "--sql", "latest"]).expect(0).out;
    assert!(sql.contains("COPY \"s\".\"more\"") || sql.contains("CREATE TABLE s.more"), "{sql:.500}");

    world.run(&["restore", "--at", &time, "--yes"]).expect(0);
    assert_same(&files, &fingerprint(&world.root));
    crate::database::same(&rows, &witness::of(&server, "shop"));
    assert_eq!(server.databases().len(), 2, "the former one is kept");
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    assert_eq!(server.databases(), ["shop"]);

    world.run(&["restore", "--at", "latest", "--database", "--yes"]).expect(0);
    crate::database::same(&later, &witness::of(&server, "shop"));
    world.restic_is_content();
}
