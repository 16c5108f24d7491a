//! The server's own `pg_dump`, which knows how to write down definitions: found, told the password, and not believed blindly.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::link::place;
use super::tls;
use crate::database::{PostgresAddress, PostgresSpec};
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::sys::fs::{create_private, create_private_directory};
use crate::sys::process::{self, How, Program};

/// Directories of programs, and those in which every directory is one version: Debian's and Red Hat's.
const PLACES: [&str; 4] = ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin", "/usr/lib/postgresql/bin"];
const VERSIONS: [(&str, &str); 2] = [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")];

/// Definitions of some hundred thousand tables.
const DEADLINE: Duration = Duration::from_hours(1);

/// Behind it comes the number of the process that needs the file.
const PASSWORD_PREFIX: &str = ".pgpass-";

/// Longer definitions are refused; they are held in memory.
const KEEP: usize = 512 << 20;

/// Somebody may be changing a table.
const LOCK_WAIT: &str = "--lock-wait-timeout=60s";

/// A `pg_dump` that fits a server.
#[derive(Clone, Debug)]
pub(super) struct PgDump {
    path: PathBuf,
}

/// What it wrote, or what it complained about.
pub(super) type Said = std::result::Result<Vec<u8>, String>;

impl PgDump {
    /// The newest one that is not older than the server.
    pub(super) fn find(server_major: u32) -> Result<Self> {
        let found = candidates().into_iter().filter_map(|path| Some((major_of(&path)?, path)));
        let fitting = found.filter(|(major, _)| *major >= server_major).max_by_key(|(major, _)| *major);
        fitting.map(|(_, path)| Self { path }).ok_or_else(|| {
            Error::failed(format!("there is no pg_dump of version {server_major} or newer on this machine"))
                .with_remedy(format!("install the package postgresql-client-{server_major}"))
        })
    }

    /// The definitions of one section.
    pub(super) fn definitions(
        &self,
        spec: &PostgresSpec,
        (database, section): (&str, &str),
        cx: &Cx,
    ) -> Result<Said> {
        let command = [
            self.path.to_string_lossy().into_owned(),
            "--schema-only".to_owned(),
            format!("--section={section}"),
            "--encoding=UTF8".to_owned(),
            "--no-subscriptions".to_owned(),
            "--no-password".to_owned(),
            LOCK_WAIT.to_owned(),
        ];
        let password = PasswordFile::write(spec)?;
        let mut environment = environment(spec, database);
        environment
            .extend(password.as_ref().map(|file| ("PGPASSFILE", file.0.to_string_lossy().into_owned())));
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let program = Program {
            command: &command,
            environment: &environment,
            input: b"",
            deadline: DEADLINE,
            keep: KEEP,
        };
        let mut ended = process::run_unless(&program, || cx.is_cancelled())?;
        cx.go_on()?;
        let errors = one_line(&ended.errors);
        if ended.how != How::ByItself {
            return Err(Error::failed(format!("pg_dump did not end within {DEADLINE:?} and was stopped")));
        }
        if !ended.status.success() {
            return Ok(Err(if errors.is_empty() { ended.status.to_string() } else { errors }));
        }
        if ended.cut {
            return Err(Error::failed("pg_dump wrote more than can be kept, or did not close its output"));
        }
        Ok(Ok(std::mem::take(&mut *ended.output)))
    }
}

fn candidates() -> BTreeSet<PathBuf> {
    let mut all: BTreeSet<PathBuf> = PLACES.iter().map(|place| Path::new(place).join("pg_dump")).collect();
    for (directory, prefix) in VERSIONS {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let versions = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        all.extend(versions.map(|entry| entry.path().join("bin/pg_dump")));
    }
    all.retain(|path| path.is_file());
    all
}

/// `pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`
fn major_of(path: &Path) -> Option<u32> {
    let command = [path.to_string_lossy().into_owned(), "--version".to_owned()];
    let program = Program {
        command: &command,
        environment: &[],
        input: b"",
        deadline: Duration::from_secs(20),
        keep: 1000,
    };
    let ended = process::run(&program).ok().filter(|ended| ended.status.success())?;
    let text = String::from_utf8_lossy(&ended.output).into_owned();
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    version.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
}

/// No name of ours is an argument: there a database named `host=elsewhere` would be a whole address.
fn environment(spec: &PostgresSpec, database: &str) -> Vec<(&'static str, String)> {
    let (host, port) = match place(&spec.address) {
        PostgresAddress::Tcp { host, port } => (host, port),
        PostgresAddress::Socket { directory, port } => (directory.to_string_lossy().into_owned(), port),
        PostgresAddress::DefaultSocket => (String::new(), super::link::PORT),
    };
    let mut all = vec![
        ("PGHOST", host),
        ("PGPORT", port.to_string()),
        ("PGUSER", spec.user.clone()),
        ("PGDATABASE", database.to_owned()),
        ("PGAPPNAME", "lifeboat".to_owned()),
        ("PGCONNECT_TIMEOUT", "15".to_owned()),
        ("PGGSSENCMODE", "disable".to_owned()),
    ];
    all.extend(tls::variables(spec));
    all
}

/// The password where only the program will find it; gone when dropped.
struct PasswordFile(PathBuf);

impl PasswordFile {
    fn write(spec: &PostgresSpec) -> Result<Option<Self>> {
        let Some(password) = &spec.password else { return Ok(None) };
        if password.reveal().contains(['\n', '\r']) {
            return Err(Error::usage("a password with a line break cannot be told to pg_dump"));
        }
        let text = password.reveal().replace('\\', "\\\\").replace(':', "\\:");
        let line = zeroize::Zeroizing::new(format!("*:*:*:*:{text}\n"));
        create_private_directory(&spec.scratch)?;
        remove_forgotten(&spec.scratch);
        let name = format!("{PASSWORD_PREFIX}{}-{:016x}", std::process::id(), rand::random::<u64>());
        let file = Self(spec.scratch.join(name));
        create_private(&file.0, line.as_bytes()).context("keep the database password for pg_dump")?;
        Ok(Some(file))
    }
}

impl Drop for PasswordFile {
    fn drop(&mut self) {
        // It is in a directory that nobody else can enter.
        drop(std::fs::remove_file(&self.0));
    }
}

/// What runs that were killed have left behind.
fn remove_forgotten(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PASSWORD_PREFIX)?.split('-').next());
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

fn one_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect();
    lines.join("; ")
}
