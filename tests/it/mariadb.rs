//! A private `MariaDB` or `MySQL` server for one test: its own data, its own socket, no network, gone when dropped.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lifeboat::database::{MysqlAddress, MysqlSpec};
use lifeboat::sys::secret::Secret;
use tempfile::TempDir;

/// Servers that know this option reserve address space for 8 GiB otherwise, which small guests do not have.
const NO_RESERVE: &str = "--loose-innodb-buffer-pool-size-max=128M";

pub(crate) struct MariaDb {
    directory: TempDir,
    server: Child,
    options: Vec<String>,
    product: Product,
    /// The directory is a file system of its own, which ends with the server.
    small: bool,
}

/// Whose programs are run.
#[derive(Clone)]
enum Product {
    MariaDb,
    /// `MySQL`, which Debian's stable releases do not have, in a root directory of its own.
    MySql(PathBuf),
}

impl Product {
    fn command(&self, maria: &str, mysql: &str) -> Command {
        match self {
            Self::MariaDb => Command::new(maria),
            Self::MySql(root) => {
                let mut command = Command::new("chroot");
                command.arg(root).arg(mysql);
                command
            }
        }
    }

    /// A path as its programs see it.
    fn seen(&self, path: &Path) -> String {
        let inside = match self {
            Self::MariaDb => path.to_owned(),
            Self::MySql(root) => Path::new("/").join(path.strip_prefix(root).expect("below the root")),
        };
        inside.display().to_string()
    }
}

impl MariaDb {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts with further options of mariadbd.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        Self::start_in(Self::directory(), options)
    }

    /// Starts on a disk of so many megabytes; needs the right to mount.
    pub(crate) fn start_on_disk_of(megabytes: u32, options: &[&str]) -> Self {
        let directory = Self::directory();
        let size = format!("size={megabytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(directory.path()).status();
        assert!(mounted.expect("run mount").success(), "mount a small disk");
        let mut started = Self::start_in(directory, options);
        started.small = true;
        started
    }

    /// Makes room on its small disk, and starts it again if it ended for want of it.
    pub(crate) fn give_room(&mut self, megabytes: u32) {
        let size = format!("remount,size={megabytes}m");
        let mounted = Command::new("mount").args(["-o", &size]).arg(self.directory.path()).status();
        assert!(mounted.expect("run mount").success(), "make room");
        if self.server.try_wait().expect("look after the server").is_some() {
            self.restart();
        }
    }

    fn directory() -> TempDir {
        tempfile::Builder::new().prefix("lifeboat-mariadb-").tempdir().expect("make a directory")
    }

    fn start_in(directory: TempDir, options: &[&str]) -> Self {
        let data = directory.path().join("data");
        let installed = Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--user=root",
                "--skip-test-db",
                "--auth-root-authentication-method=socket",
            ])
            .arg(NO_RESERVE)
            .arg(format!("--datadir={}", data.display()))
            // Servers in other containers that share /tmp may have our process number, and with it our file names.
            .arg(format!("--tmpdir={}", directory.path().display()))
            .output()
            .expect("run mariadb-install-db");
        assert!(installed.status.success(), "mariadb-install-db: {installed:?}");
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let product = Product::MariaDb;
        let server = Self::spawn(&product, directory.path(), &options);
        let started = Self { directory, server, options, product, small: false };
        started.wait();
        started
    }

    /// Starts `MySQL` as `tests/mysql-lab/make` has laid it out.
    pub(crate) fn start_mysql(options: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mysql-lab/root");
        assert!(root.join("usr/sbin/mysqld").exists(), "there is no MySQL: run tests/mysql-lab/make");
        let directory =
            tempfile::Builder::new().prefix("t-").tempdir_in(root.join("tmp")).expect("make a directory");
        let product = Product::MySql(root);
        let data = format!("--datadir={}", product.seen(&directory.path().join("data")));
        let made = product
            .command("", "/usr/sbin/mysqld")
            .args(["--no-defaults", "--user=root", "--initialize-insecure", "--secure-file-priv=", &data])
            .output()
            .expect("run mysqld");
        assert!(made.status.success(), "mysqld --initialize-insecure: {made:?}");
        let own = ["--secure-file-priv=", "--mysqlx=OFF", "--disable-log-bin"];
        let options: Vec<_> = own.iter().chain(options).map(|&option| option.to_owned()).collect();
        let server = Self::spawn(&product, directory.path(), &options);
        let started = Self { directory, server, options, product, small: false };
        started.wait();
        started
    }

    fn spawn(product: &Product, directory: &Path, options: &[String]) -> Child {
        let log = File::create(directory.join("log")).expect("create a log");
        let place = |name: &str| product.seen(&directory.join(name));
        product
            .command("mariadbd", "/usr/sbin/mysqld")
            .args(["--no-defaults", "--user=root", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"])
            .args(["--innodb-buffer-pool-size=96M", "--max-allowed-packet=256M", NO_RESERVE])
            // A process that is killed loses nothing of what the kernel has, and no test pulls a plug.
            .args(["--innodb-flush-method=nosync", "--loose-sync-frm=0"])
            .arg(format!("--datadir={}", place("data")))
            .arg(format!("--socket={}", place("sock")))
            .arg(format!("--tmpdir={}", place("")))
            .arg(format!("--pid-file={}", place("pid")))
            .args(options)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("start mariadbd")
    }

    fn wait(&self) {
        let begun = Instant::now();
        while self.client(None).arg("-e").arg("SELECT 1").output().is_ok_and(|out| !out.status.success()) {
            assert!(begun.elapsed() < Duration::from_mins(1), "the server did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("sock")
    }

    /// As root over the socket, without a password.
    pub(crate) fn spec(&self, schema: &str) -> MysqlSpec {
        MysqlSpec {
            schema: schema.to_owned(),
            address: MysqlAddress::Socket(self.socket()),
            tls: None,
            connections: 1,
            grants: false,
            scratch: self.directory.path().join("scratch"),
            user: "root".to_owned(),
            password: None,
        }
    }

    pub(crate) fn spec_of(&self, schema: &str, user: &str, password: &str) -> MysqlSpec {
        MysqlSpec { user: user.to_owned(), password: Some(Secret::new(password)), ..self.spec(schema) }
    }

    /// The stock client, ready to be given more arguments.
    pub(crate) fn client(&self, schema: Option<&str>) -> Command {
        let mut command = self.product.command("mariadb", "/usr/bin/mysql");
        command
            .arg("--no-defaults")
            .arg(format!("--socket={}", self.product.seen(&self.socket())))
            .args(["--user=root", "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--batch"])
            .args(schema)
            .stdin(Stdio::null());
        command
    }

    /// Runs statements and returns the rows that came, without headings; panics on an error.
    pub(crate) fn sql(&self, schema: &str, sql: &str) -> String {
        self.run(schema, sql, &[])
    }

    /// The same with values as they are, without escapes.
    pub(crate) fn raw(&self, schema: &str, sql: &str) -> String {
        self.run(schema, sql, &["--raw"])
    }

    fn run(&self, schema: &str, sql: &str, options: &[&str]) -> String {
        let schema = (!schema.is_empty()).then_some(schema);
        let mut child = self
            .client(schema)
            .arg("--skip-column-names")
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start mariadb");
        let mut input = child.stdin.take().expect("has an input");
        let text = sql.to_owned();
        let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
        let output = child.wait_with_output().expect("run mariadb");
        writer.join().expect("join").expect("write statements");
        assert!(output.status.success(), "{}\n{sql:.300}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Names of all schemas that are not the server's own.
    pub(crate) fn schemas(&self) -> Vec<String> {
        let own = ["information_schema", "mysql", "performance_schema", "sys"];
        let all = self.sql("", "SELECT schema_name FROM information_schema.schemata ORDER BY 1");
        all.lines().filter(|name| !own.contains(name)).map(ToOwned::to_owned).collect()
    }

    /// Ends the server at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.server.kill().expect("kill mariadbd");
        self.server.wait().expect("wait for mariadbd");
    }
}

impl MariaDb {
    /// Ends the server as a crash would, from wherever this is called.
    pub(crate) fn crash(&self) {
        let killed = Command::new("kill").args(["-9", &self.server.id().to_string()]).status();
        assert!(killed.expect("run kill").success());
    }

    /// Its process number, for who kills it from elsewhere.
    pub(crate) fn pid(&self) -> String {
        self.server.id().to_string()
    }

    /// Starts the server again after its end.
    pub(crate) fn restart(&mut self) {
        self.server.wait().expect("wait for mariadbd");
        self.server = Self::spawn(&self.product, self.directory.path(), &self.options);
        self.wait();
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        // Nothing of it is wanted any more, so that an abrupt end does no harm; it may have ended already.
        drop(self.server.kill());
        drop(self.server.wait());
        if self.small {
            drop(Command::new("umount").arg("--lazy").arg(self.directory.path()).status());
        }
    }
}
