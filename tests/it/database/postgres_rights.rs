//! Who may do what with a `PostgreSQL` server, and what is said to those who may not; no secret is told.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use lifeboat::database::{PostgresAddress, PostgresSpec, Tls};
use lifeboat::dump::no_previous;
use lifeboat::error::Error;
use lifeboat::event::Cx;

use super::mysql_tls::Authority;
use super::postgres::engine;
use super::{TOKEN, collect, same, witness};
use crate::postgres::Postgres;

const SECRET: &str = "h0rse:batt\\ery";

const BY_PASSWORD: &str = "local all postgres trust\nlocal all all scram-sha-256\n";

fn said(error: &Error) -> String {
    format!("{error} {error:?} {}", error.remedy().unwrap_or_default())
}

fn shop(server: &Postgres) {
    server.sql(
        "postgres",
        &format!("CREATE ROLE clerk LOGIN PASSWORD '{SECRET}'; CREATE DATABASE shop OWNER clerk"),
    );
    server.sql("shop", "SET ROLE clerk; CREATE SCHEMA s; CREATE TABLE s.a (id INT PRIMARY KEY, t TEXT); INSERT INTO s.a SELECT i, 'x' FROM generate_series(1, 100) i");
}

#[test]
fn who_cannot_log_in_is_told_so_without_the_password() {
    let server = Postgres::start_with(BY_PASSWORD, &[]);
    shop(&server);
    let wrong = engine(server.spec_of("shop", "clerk", "wrong-horse"));
    let error = wrong.begin(&no_previous, &Cx::silent()).err().expect("a wrong password");
    assert!(error.to_string().contains("clerk") && error.to_string().contains("28P01"), "{error}");
    assert!(error.remedy().is_some() && !said(&error).contains("wrong-horse"), "{error:?}");
    let nowhere = engine(server.spec_of("nothing", "clerk", SECRET));
    let error = nowhere.begin(&no_previous, &Cx::silent()).err().expect("no such database");
    assert!(error.to_string().contains("nothing") && error.remedy().is_some(), "{error:?}");
    let dead = PostgresSpec {
        address: PostgresAddress::Tcp { host: "127.0.0.1".to_owned(), port: 1 },
        ..server.spec_of("shop", "clerk", SECRET)
    };
    let error = engine(dead.clone()).begin(&no_previous, &Cx::silent()).err().expect("no server");
    assert!(error.to_string().contains("127.0.0.1:1") && error.remedy().is_some(), "{error:?}");
    assert!(!said(&error).contains(SECRET) && !format!("{dead:?}").contains(SECRET));

    let server = Postgres::start_with("local all postgres trust\nlocal all all peer\n", &[]);
    server.sql("postgres", "CREATE ROLE clerk LOGIN; CREATE DATABASE shop OWNER clerk");
    let peer = PostgresSpec { user: "clerk".to_owned(), ..server.spec("shop") };
    let error = engine(peer).begin(&no_previous, &Cx::silent()).err().expect("another user");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("peer")), "{error:?}");
}

#[test]
fn an_owner_with_a_password_dumps_and_restores_and_leaves_no_trace_of_it() {
    let server = Postgres::start_with(BY_PASSWORD, &[]);
    shop(&server);
    let before = witness::of(&server, "shop");
    let database = engine(server.spec_of("shop", "clerk", SECRET));
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    assert_eq!((summary.rows, summary.unsaved.len()), (100, 0));
    assert!(shelf.0.values().all(|data| !data.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes())));
    assert_eq!(std::fs::read_dir(server.scratch()).expect("list").count(), 0, "no password is left behind");

    let error = database.preflight(&shelf, &Cx::silent()).expect_err("may not create databases");
    assert!(said(&error).contains("CREATEDB"), "{error:?}");
    server.sql("postgres", "ALTER ROLE clerk CREATEDB");
    server.sql("shop", "UPDATE s.a SET t = 'changed'");
    database.preflight(&shelf, &Cx::silent()).expect("preflight");
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    same(&before, &witness::of(&server, "shop"));
    database.discard(&copy, &Cx::silent()).expect("discard");
    assert_eq!(server.databases(), ["shop"]);
    assert_eq!(std::fs::read_dir(server.scratch()).expect("list").count(), 0, "no password is left behind");
}

#[test]
fn what_is_hidden_from_the_user_is_an_error() {
    let server = Postgres::start_with(BY_PASSWORD, &[]);
    shop(&server);
    let database = engine(server.spec_of("shop", "clerk", SECRET));
    server.sql("shop", "CREATE TABLE s.others (a INT)");
    let error = database.begin(&no_previous, &Cx::silent()).err().expect("may not read it");
    assert!(error.to_string().contains("others") && error.remedy().is_some(), "{error:?}");
    server.sql("shop", "DROP TABLE s.others; ALTER TABLE s.a ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON s.a USING (id < 50)");
    let error = collect(&*database, &Cx::silent()).expect_err("rows are hidden");
    assert!(error.to_string().contains("row-level security"), "{error:?}");
}

#[test]
fn what_the_server_lacks_is_named_beforehand() {
    let server = Postgres::start();
    shop(&server);
    server.sql("postgres", "CREATE ROLE \"some one\"; CREATE ROLE other");
    server.sql("shop", "GRANT SELECT ON s.a TO \"some one\"; CREATE TABLE t (a INT); ALTER TABLE t OWNER TO other; CREATE EXTENSION hstore");
    let database = engine(server.spec("shop"));
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    database.preflight(&shelf, &Cx::silent()).expect("preflight");
    server.sql("postgres", "DROP DATABASE shop; DROP ROLE \"some one\"; DROP ROLE other");
    let error = database.preflight(&shelf, &Cx::silent()).expect_err("roles are missing");
    assert!(error.to_string().contains("other, some one") && error.remedy().is_some(), "{error:?}");
    assert_eq!(server.databases(), Vec::<String>::new());

    let altered = |from: &str, to: &str| {
        let mut shelf = shelf.clone();
        let manifest = shelf.0.get_mut(std::path::Path::new("zz-manifest.json")).expect("has a manifest");
        let text = String::from_utf8(manifest.clone()).expect("text");
        assert!(text.contains(from));
        *manifest = text.replace(from, to).into_bytes();
        database.preflight(&shelf, &Cx::silent()).expect_err(to).to_string()
    };
    assert!(altered("\"hstore\"", "\"no_such\"").contains("no_such"));
    assert!(altered("\"version_number\": 15", "\"version_number\": 99").contains("older"));
    server.sql("postgres", "CREATE ROLE \"some one\"; CREATE ROLE other");
    assert!(altered("\"collate\": \"C.UTF-8\"", "\"collate\": \"xx_XX\"").contains("xx_XX"));
    assert_eq!(server.databases(), Vec::<String>::new(), "no probe is left");
}

#[test]
fn an_encrypted_connection_proves_who_the_server_is() {
    let authority = Authority::new();
    authority.sign("server", "subjectAltName=IP:127.0.0.1");
    authority.sign("client", "extendedKeyUsage=clientAuth");
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("find a port");
    let port = free.local_addr().expect("has an address").port();
    drop(free);
    // The server's user must be able to read its key; nobody else may.
    let home = tempfile::TempDir::new().expect("make a directory");
    for file in ["ca.pem", "server.pem", "server-key.pem"] {
        std::fs::copy(authority.file(file), home.path().join(file)).expect("copy");
        crate::postgres::give_away(&home.path().join(file));
    }
    crate::postgres::give_away(home.path());
    let file = |name: &str| home.path().join(name).display().to_string();
    let options = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "ssl=on".to_owned(),
        format!("ssl_ca_file={}", file("ca.pem")),
        format!("ssl_cert_file={}", file("server.pem")),
        format!("ssl_key_file={}", file("server-key.pem")),
    ];
    let admission = "local all postgres trust\nhostssl all clerk 127.0.0.1/32 scram-sha-256\nhostssl all client 127.0.0.1/32 cert\n";
    let server = Postgres::start_on(port, admission, &options.each_ref().map(String::as_str));
    shop(&server);
    server.sql("postgres", "CREATE ROLE client LOGIN SUPERUSER; ALTER ROLE clerk SUPERUSER");
    let tls = |ca: Option<PathBuf>, verify: bool| Tls { ca, cert: None, key: None, verify };
    let spec = |user: &str, tls: Option<Tls>| PostgresSpec {
        address: PostgresAddress::Tcp { host: "127.0.0.1".to_owned(), port },
        tls,
        ..server.spec_of("shop", user, SECRET)
    };
    let dump = |spec: PostgresSpec| collect(&*engine(spec), &Cx::silent()).map(|(shelf, _)| shelf);
    let ca = Some(authority.file("ca.pem"));
    let shelf = dump(spec("clerk", Some(tls(ca.clone(), true)))).expect("a known authority");
    dump(spec("clerk", Some(tls(None, false)))).expect("any certificate");
    engine(spec("clerk", Some(tls(ca.clone(), true))))
        .load_aside(&shelf, TOKEN, &Cx::silent())
        .expect("load");
    let both = Tls {
        cert: Some(authority.file("client.pem")),
        key: Some(authority.file("client-key.pem")),
        ..tls(ca, true)
    };
    dump(spec("client", Some(both))).expect("a known client");

    let error = dump(spec("clerk", Some(tls(None, true)))).expect_err("signed by nobody we know");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("tls.ca")), "{error:?}");
    let error = dump(spec("clerk", None)).expect_err("not encrypted");
    assert!(error.to_string().contains("28000"), "{error:?}");
    let error =
        dump(PostgresSpec { tls: Some(tls(None, true)), ..server.spec("shop") }).expect_err("a socket");
    assert!(error.to_string().contains("socket"), "{error:?}");
}

#[test]
fn what_a_database_forbids_its_sessions_comes_back_and_stops_nobody() {
    let server = Postgres::start_with(BY_PASSWORD, &[]);
    shop(&server);
    server.sql(
        "postgres",
        "ALTER ROLE clerk CREATEDB; ALTER DATABASE shop SET default_transaction_read_only TO on; ALTER DATABASE shop CONNECTION LIMIT 2",
    );
    let before = witness::of(&server, "shop");
    let database = engine(server.spec_of("shop", "clerk", SECRET));
    // A run that was killed long ago, and one that may still be there.
    let (forgotten, ours) =
        (server.scratch().join(".pgpass-4294967295-0"), server.scratch().join(".pgpass-1-0"));
    std::fs::write(&forgotten, "").expect("write");
    std::fs::write(&ours, "").expect("write");
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    assert!(!forgotten.exists() && ours.exists());
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    database.swap_in(&copy, &Cx::silent()).expect("swap in");
    same(&before, &witness::of(&server, "shop"));
}

#[test]
fn a_database_of_somebody_else_is_never_dropped_for_its_name() {
    let server = Postgres::start();
    shop(&server);
    let database = engine(server.spec("shop"));
    let (shelf, _) = collect(&*database, &Cx::silent()).expect("dump");
    let side = format!("shop__restore_{TOKEN}");
    server.sql("postgres", &format!("CREATE DATABASE {side}"));
    let error = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect_err("in the way");
    assert!(error.to_string().contains("already") && error.remedy().is_some(), "{error:?}");
    assert_eq!(server.databases(), ["shop", side.as_str()]);
}
