//! Encrypted connections: who the server must be is checked, who we are is shown, and a refusal says which of the two.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use lifeboat::database::{MysqlAddress, MysqlSpec, Tls};
use lifeboat::dump::no_previous;
use lifeboat::error::{Error, Kind};
use lifeboat::event::Cx;
use tempfile::TempDir;

use super::{TOKEN, collect, engine};
use crate::mariadb::MariaDb;

/// An authority with the certificates it has signed.
pub(super) struct Authority(TempDir);

impl Authority {
    pub(super) fn new() -> Self {
        let authority = Self(TempDir::new().expect("make a directory"));
        authority.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem");
        authority
    }

    fn openssl(&self, arguments: &str) {
        let ran = Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.path()).output();
        let ran = ran.expect("run openssl");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    pub(super) fn sign(&self, name: &str, extension: &str) {
        std::fs::write(self.file("extension"), extension).expect("write");
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}-key.pem -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -days 2 -in {name}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -extfile extension -out {name}.pem"
        ));
    }

    pub(super) fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }
}

struct World {
    authority: Authority,
    server: MariaDb,
    port: u16,
}

fn world(certified_for: &str) -> World {
    let authority = Authority::new();
    authority.sign("server", &format!("subjectAltName={certified_for}"));
    authority.sign("client", "extendedKeyUsage=clientAuth");
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("find a port");
    let port = free.local_addr().expect("has an address").port();
    drop(free);
    let files = [("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server-key.pem")];
    let mut options: Vec<_> =
        files.map(|(what, file)| format!("--ssl-{what}={}", authority.file(file).display())).to_vec();
    options
        .extend(["--skip-networking=0", "--bind-address=127.0.0.1", "--skip-name-resolve"].map(String::from));
    options.push(format!("--port={port}"));
    let server = MariaDb::start_with(&options.iter().map(String::as_str).collect::<Vec<_>>());
    server.sql(
        "",
        "CREATE DATABASE shop; USE shop; CREATE TABLE a (id INT PRIMARY KEY, t TEXT); INSERT INTO a SELECT seq, REPEAT(MD5(seq), 20) FROM seq_1_to_3000;
         CREATE USER clerk@'127.0.0.1' IDENTIFIED BY 'pw' REQUIRE SSL; GRANT ALL ON *.* TO clerk@'127.0.0.1';
         CREATE USER known@'127.0.0.1' IDENTIFIED BY 'pw' REQUIRE ISSUER '/CN=authority' SUBJECT '/CN=client'; GRANT ALL ON *.* TO known@'127.0.0.1'",
    );
    World { authority, server, port }
}

impl World {
    fn spec(&self, user: &str, tls: Option<Tls>) -> MysqlSpec {
        let address = MysqlAddress::Tcp { host: "127.0.0.1".to_owned(), port: self.port };
        MysqlSpec { address, tls, ..self.server.spec_of("shop", user, "pw") }
    }

    fn tls(&self) -> Tls {
        Tls { ca: Some(self.authority.file("ca.pem")), cert: None, key: None, verify: true }
    }

    fn refused(&self, user: &str, tls: Option<Tls>) -> Error {
        let error = engine(self.spec(user, tls)).begin(&no_previous, &Cx::silent()).err().expect("refused");
        assert!(!format!("{error:?}").contains("pw\""), "{error:?}");
        error
    }
}

#[test]
fn a_database_goes_over_an_encrypted_connection_there_and_back() {
    let world = world("IP:127.0.0.1");
    let database = engine(world.spec("clerk", Some(world.tls())));
    let (shelf, summary) = collect(&*database, &Cx::silent()).expect("dump");
    assert_eq!(summary.rows, 3000);
    let copy = database.load_aside(&shelf, TOKEN, &Cx::silent()).expect("load");
    database.discard(&copy, &Cx::silent()).expect("discard");

    let (cert, key) =
        (Some(world.authority.file("client.pem")), Some(world.authority.file("client-key.pem")));
    let known = Tls { cert, key, ..world.tls() };
    collect(&*engine(world.spec("known", Some(known))), &Cx::silent()).expect("with a certificate");
    let error = world.refused("known", Some(world.tls()));
    assert!(error.to_string().contains("1045"), "without a certificate: {error}");
    assert!(world.refused("clerk", None).to_string().contains("1045"), "not encrypted");
}

#[test]
fn a_server_that_cannot_prove_itself_is_not_talked_to() {
    let world = world("DNS:db.example");
    let error = world.refused("clerk", Some(world.tls()));
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(error.remedy().expect("has a remedy").contains("tls.ca"), "{error:?}");
    let trusting = Tls { verify: false, ..world.tls() };
    collect(&*engine(world.spec("clerk", Some(trusting))), &Cx::silent()).expect("whoever it is");

    let other = Authority::new();
    let error = world.refused("clerk", Some(Tls { ca: Some(other.file("ca.pem")), ..world.tls() }));
    assert!(error.to_string().contains("certificate"), "{error}");
    let error = world.refused("clerk", Some(Tls { ca: None, ..world.tls() }));
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn files_that_are_missing_or_something_else_are_named() {
    let world = world("IP:127.0.0.1");
    let error = world.refused("clerk", Some(Tls { ca: Some("/nonexistent/ca.pem".into()), ..world.tls() }));
    assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
    let key = world.authority.file("client-key.pem");
    let error = world.refused("clerk", Some(Tls { ca: Some(key.clone()), ..world.tls() }));
    assert!(error.to_string().contains("client-key.pem holds no certificate"), "{error}");
    let error = world.refused("clerk", Some(Tls { cert: Some(key.clone()), key: Some(key), ..world.tls() }));
    assert!(error.to_string().contains("holds no certificate"), "{error}");

    let local = MysqlSpec { tls: Some(world.tls()), ..world.server.spec("shop") };
    let error = engine(local).begin(&no_previous, &Cx::silent()).err().expect("a socket");
    assert!(error.kind() == Kind::Usage && error.to_string().contains("socket"), "{error}");
}
