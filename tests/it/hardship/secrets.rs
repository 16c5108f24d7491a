//! A secret shows nowhere: not in output, not in files others can read, not in what other processes see.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::mariadb::MariaDb;
use crate::world::World;

const PASSWORD: &str = "canary-of-the-repository";
const LOGIN: &str = "canary-of-the-database";

#[test]
fn canaries_stay_in_their_cages() {
    let server = MariaDb::start();
    server.sql("", &format!("CREATE DATABASE shop; CREATE USER wp@localhost IDENTIFIED BY '{LOGIN}'; GRANT ALL ON shop.* TO wp@localhost"));
    server.sql("shop", "CREATE TABLE t (id INT PRIMARY KEY)");
    let world = World::new("databases: []");
    fs::write(world.path("password"), PASSWORD).unwrap();
    fs::write(world.path("login"), LOGIN).unwrap();
    fs::set_permissions(world.path("login"), fs::Permissions::from_mode(0o600)).unwrap();
    let databases = format!(
        "databases: [{{type: mysql, name: shop, host: \"localhost:{}\", user: wp, password: {{file: {}}}}}]",
        server.socket().display(),
        world.path("login").display()
    );
    world.configure(&databases, None, "");
    world.write("file", "x");
    world.init();
    let mut said = String::new();
    for arguments in [
        &["backup"][..],
        &["--json", "backup"],
        &["snapshots"],
        &["doctor"],
        &["--json", "doctor"],
        &["config", "check"],
        &["restore", "--at", "latest", "--dry-run"],
        &["key", "list"],
        &["check"],
    ] {
        let ran = world.run(arguments);
        said.push_str(&ran.out);
        said.push_str(&ran.err);
    }
    // And where it goes wrong.
    server.sql("", "ALTER USER wp@localhost IDENTIFIED BY 'other'");
    for arguments in [&["backup"][..], &["--json", "backup"], &["doctor"]] {
        let ran = world.run(arguments);
        assert_ne!(ran.code, 0);
        said.push_str(&ran.out);
        said.push_str(&ran.err);
    }
    assert!(!said.contains("canary"), "{said}");

    fs::remove_file(world.path("password")).unwrap();
    fs::remove_file(world.path("login")).unwrap();
    no_canary_below(&world.path("state"));
    no_canary_below(&world.path("storage"));
    private_below(&world.path("state"));
    private_below(&world.repository());
}

fn no_canary_below(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_canary_below(&path);
        } else {
            let data = fs::read(&path).unwrap();
            assert!(!data.windows(6).any(|window| window == b"canary"), "{}", path.display());
        }
    }
}

/// Nobody else reads keys, memory or packs.
fn private_below(directory: &Path) {
    assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o077, 0, "{}", directory.display());
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            private_below(&path);
        } else {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
        }
    }
}
