//! A private `PostgreSQL` server for one test: its own data, its own socket, no network, gone when dropped.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lifeboat::database::{PostgresAddress, PostgresSpec};
use lifeboat::sys::secret::Secret;
use tempfile::TempDir;

/// Nobody else listens here: the socket is in a directory of our own.
const PORT: u16 = 5432;

pub(crate) struct Postgres {
    directory: TempDir,
    scratch: TempDir,
    server: Child,
    options: Vec<String>,
    port: u16,
}

/// The newest server that is installed.
fn binaries() -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("a PostgreSQL server is installed").flatten();
    let servers = versions.map(|entry| entry.path().join("bin")).filter(|path| path.join("initdb").is_file());
    servers.max().expect("a PostgreSQL server is installed")
}

/// A program of the server as a user that it accepts; it refuses root.
fn program(name: &str) -> Command {
    let path = binaries().join(name);
    let mut command = if nix::unistd::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir("/").env_remove("PGOPTIONS").env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// So that the server's user can be its owner.
pub(crate) fn give_away(path: &Path) {
    if nix::unistd::geteuid().is_root() {
        let user =
            nix::unistd::User::from_name("postgres").expect("ask for users").expect("has a user postgres");
        nix::unistd::chown(path, Some(user.uid), Some(user.gid)).expect("give the directory away");
    }
}

impl Postgres {
    /// Everybody on the socket is who he says.
    pub(crate) fn start() -> Self {
        Self::start_with("local all all trust\n", &[])
    }

    /// Starts with these rules of admission and further settings.
    pub(crate) fn start_with(admission: &str, options: &[&str]) -> Self {
        Self::start_on(PORT, admission, options)
    }

    pub(crate) fn start_on(port: u16, admission: &str, options: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("lifeboat-pg-").tempdir().expect("make a directory");
        give_away(directory.path());
        let data = directory.path().join("data");
        let made = program("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"])
            .arg(format!("--pgdata={}", data.display()))
            .output()
            .expect("run initdb");
        assert!(made.status.success(), "initdb: {made:?}");
        std::fs::write(data.join("pg_hba.conf"), admission).expect("write pg_hba.conf");
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let server = Self::spawn(directory.path(), &options);
        let scratch = TempDir::new().expect("make a directory");
        let started = Self { directory, scratch, server, options, port };
        started.wait();
        started
    }

    fn spawn(directory: &Path, options: &[String]) -> Child {
        let log = File::create(directory.join("log")).expect("create a log");
        let mut command = program("postgres");
        command.arg("-D").arg(directory.join("data")).arg("-k").arg(directory);
        for option in ["fsync=off", "shared_buffers=32MB", "max_connections=30", "listen_addresses="] {
            command.args(["-c", option]);
        }
        for option in options {
            command.args(["-c", option]);
        }
        command.stdout(Stdio::null()).stderr(log).spawn().expect("start postgres")
    }

    fn wait(&self) {
        let begun = Instant::now();
        // Rules of admission may keep the client out, which is an answer as well.
        while self.client("pg_isready").output().is_ok_and(|out| !out.status.success()) {
            assert!(begun.elapsed() < Duration::from_mins(1), "postgres did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// As the superuser over the socket, without a password.
    pub(crate) fn spec(&self, name: &str) -> PostgresSpec {
        PostgresSpec {
            name: name.to_owned(),
            address: PostgresAddress::Socket { directory: self.directory.path().to_owned(), port: self.port },
            user: "postgres".to_owned(),
            password: None,
            tls: None,
            scratch: self.scratch.path().to_owned(),
        }
    }

    pub(crate) fn spec_of(&self, name: &str, user: &str, password: &str) -> PostgresSpec {
        PostgresSpec { user: user.to_owned(), password: Some(Secret::new(password)), ..self.spec(name) }
    }

    /// A stock client program that will find the server, ready to be given more arguments.
    pub(crate) fn client(&self, name: &str) -> Command {
        let mut command = Command::new(binaries().join(name));
        command
            .env("PGHOST", self.directory.path())
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGOPTIONS", "-c client_min_messages=warning")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut command = self.client("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]).env("PGDATABASE", database);
        command
    }

    /// Runs a script and returns the rows that came; panics on an error.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let mut child = self
            .psql(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start psql");
        let mut input = child.stdin.take().expect("has an input");
        let text = sql.to_owned();
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let output = child.wait_with_output().expect("run psql");
        // A script that fails is not read to its end.
        drop(writer.join().expect("join"));
        assert!(output.status.success(), "{}\n{sql:.300}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Names of all databases that are not the server's own.
    pub(crate) fn databases(&self) -> Vec<String> {
        let sql = "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres','template0','template1') ORDER BY 1";
        self.sql("postgres", sql).lines().map(ToOwned::to_owned).collect()
    }

    /// Ends the server as a crash would, from wherever this is called.
    pub(crate) fn crash(&self) {
        let killed = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        assert!(killed.expect("run kill").success());
    }

    /// Starts the server again after its end.
    pub(crate) fn restart(&mut self) {
        self.server.wait().expect("wait for postgres");
        self.server = Self::spawn(self.directory.path(), &self.options);
        self.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Nothing of it is wanted any more, so that an abrupt end does no harm; it may have ended already.
        drop(
            Command::new("kill")
                .args(["-QUIT", &self.server.id().to_string()])
                .stderr(Stdio::null())
                .status(),
        );
        drop(self.server.wait());
    }
}
