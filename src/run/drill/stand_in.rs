//! A database server of our own, for a drill where the site's server lets us make nothing beside what is live.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::{Uid, User, chown};

use crate::database::{self, DatabaseSpec, MysqlAddress, MysqlSpec};
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::sys::process::{self, Program, Service};

const SERVERS: [&str; 6] = [
    "/usr/sbin/mariadbd",
    "/usr/libexec/mariadbd",
    "/usr/local/sbin/mariadbd",
    "/usr/sbin/mysqld",
    "/usr/libexec/mysqld",
    "/usr/local/sbin/mysqld",
];

/// Makes the data directory of a `MariaDB`; a `MySQL` does that by itself.
const INSTALLERS: [&str; 3] =
    ["/usr/bin/mariadb-install-db", "/usr/local/bin/mariadb-install-db", "/usr/bin/mysql_install_db"];

/// Changes the user, and ends what it starts when we end.
const SETPRIV: &str = "/usr/bin/setpriv";

/// Who may own the server, if we are root: nobody's files are theirs.
const USERS: [&str; 2] = ["mysql", "nobody"];

const PATIENCE: Duration = Duration::from_mins(2);

/// A server that ends with it, and with this process, however that ends.
pub(super) struct StandIn {
    program: String,
    socket: PathBuf,
    service: Service,
}

impl StandIn {
    /// Makes and starts one in this directory, which must not exist yet and is announced to be removed.
    pub(super) fn start(directory: &Path, cx: &Cx) -> Result<Self> {
        let server = found(&SERVERS).ok_or_else(|| {
            Error::failed("no server program was found to load a copy into").with_remedy(
                "install mariadb-server, or give the database user the right to make schemas beside its own",
            )
        })?;
        let installer = found(&INSTALLERS).filter(|_| server.ends_with("mariadbd"));
        DirBuilder::new()
            .mode(0o700)
            .create(directory)
            .with_context(|| format!("make {}", directory.display()))?;
        let user = owner();
        if let Some(user) = &user {
            chown(directory, Some(user.uid), Some(user.gid))
                .with_context(|| format!("give {} away", directory.display()))?;
        }
        let at = |name: &str| directory.join(name).display().to_string();
        let data = format!("--datadir={}", at("data"));
        let install = match installer {
            Some(installer) => vec![
                installer,
                "--no-defaults".to_owned(),
                "--skip-test-db".to_owned(),
                "--auth-root-authentication-method=normal".to_owned(),
                data.clone(),
            ],
            None => vec![
                server.clone(),
                "--no-defaults".to_owned(),
                "--initialize-insecure".to_owned(),
                data.clone(),
            ],
        };
        run(&as_user(user.as_ref(), install))?;
        let options = [
            "--no-defaults".to_owned(),
            data,
            format!("--socket={}", at("socket")),
            format!("--pid-file={}", at("pid")),
            format!("--log-error={}", at("log")),
            // Nothing that a dump brings along may reach for files.
            format!("--secure-file-priv={}", at("none")),
            format!("--tmpdir={directory}", directory = directory.display()),
        ]
        .into_iter()
        .chain(SMALL.map(str::to_owned));
        std::fs::create_dir(directory.join("none"))?;
        let command = as_user(user.as_ref(), std::iter::once(server.clone()).chain(options).collect());
        let service = Service::start(&command)?;
        let started = Self { program: server, socket: directory.join("socket"), service };
        started.wait(directory, cx)?;
        Ok(started)
    }

    /// The same schema on this server.
    pub(super) fn spec(&self, live: &MysqlSpec) -> DatabaseSpec {
        DatabaseSpec::Mysql(MysqlSpec {
            address: MysqlAddress::Socket(self.socket.clone()),
            user: "root".to_owned(),
            password: None,
            tls: None,
            ..live.clone()
        })
    }

    /// `MariaDB 10.11.18`, by the program itself.
    pub(super) fn version(&self) -> Result<String> {
        let command = [self.program.clone(), "--version".to_owned()];
        let program =
            Program { command: &command, environment: &[], input: b"", deadline: PATIENCE, keep: 4000 };
        let said = String::from_utf8_lossy(&process::run(&program)?.output).into_owned();
        let number =
            said.split_whitespace().skip_while(|word| *word != "Ver").nth(1).unwrap_or("of unknown version");
        Ok(format!("{} {number}", if number.contains("MariaDB") { "MariaDB" } else { "MySQL" }))
    }

    fn wait(&self, directory: &Path, cx: &Cx) -> Result<()> {
        let nothing = MysqlSpec {
            schema: "none".to_owned(),
            address: MysqlAddress::DefaultSocket,
            user: String::new(),
            password: None,
            tls: None,
            connections: 1,
            grants: false,
            scratch: directory.to_owned(),
        };
        let database = database::open(&self.spec(&nothing));
        let deadline = Instant::now() + PATIENCE;
        loop {
            cx.go_on()?;
            let Err(error) = database.tables() else { return Ok(()) };
            if Instant::now() > deadline || !self.service.is_running() {
                let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
                let last = log.lines().rfind(|line| line.contains("ERROR")).unwrap_or_default();
                return Err(Error::failed(format!("a server for the drill did not start: {error} {last}")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Fit for one load, and for nobody else.
const SMALL: [&str; 10] = [
    "--skip-networking",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--event-scheduler=OFF",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--max-allowed-packet=1G",
    "--local-infile=1",
];

fn found(all: &[&str]) -> Option<String> {
    all.iter().find(|path| Path::new(path).is_file()).map(|&path| path.to_owned())
}

/// Nobody but root can be somebody else.
fn owner() -> Option<User> {
    let named = |name: &&str| User::from_name(name).ok().flatten();
    Uid::effective().is_root().then(|| USERS.iter().find_map(named)).flatten()
}

fn as_user(user: Option<&User>, command: Vec<String>) -> Vec<String> {
    let mut all = Vec::new();
    if Path::new(SETPRIV).is_file() {
        all.push(SETPRIV.to_owned());
        if let Some(user) = user {
            all.push(format!("--reuid={}", user.uid));
            all.push(format!("--regid={}", user.gid));
            all.push("--clear-groups".to_owned());
        }
        all.extend(["--pdeathsig", "KILL", "--"].map(str::to_owned));
        all.extend(command);
    } else {
        all.extend(command);
        all.extend(user.map(|user| format!("--user={}", user.name)));
    }
    all
}

fn run(command: &[String]) -> Result<()> {
    let program = Program { command, environment: &[], input: b"", deadline: PATIENCE, keep: 4000 };
    let ended = process::run(&program)?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.errors).into_owned();
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
    Err(Error::failed(format!("the data directory of a server for the drill could not be made: {last}")))
}
