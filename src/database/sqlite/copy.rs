//! A consistent private copy of a database that others are writing to.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::sys::fs::private_directory;

/// Of a copy's directory; the number of the process that made it follows.
const PREFIX: &str = "sqlite-";

/// How long a writer may keep us from reading.
const PATIENCE: Duration = Duration::from_mins(1);

/// The copy, already without a name: it goes when this is dropped or the program dies.
pub(super) struct Copy {
    pub file: File,
    pub page_size: u64,
    pub tables: u64,
    /// By the clock of `SQLite`.
    pub moment: String,
}

/// Copies with `SQLite`'s backup API in one step, that is in one read transaction: smaller steps would begin again
/// whenever another process writes. The copy is a file because memory is scarcer than disk, in a directory of its own
/// that only we can enter (never beside the database, which a web server may serve); it loses its name as soon as it was
/// checked. (Earlier would be better, but `SQLite` opens no write-ahead log beside a file without a name.)
pub(super) fn take(source: &Path, scratch: &Path, cx: &Cx) -> Result<Copy> {
    private_directory(scratch).with_context(|| format!("make the directory {}", scratch.display()))?;
    sweep(scratch)?;
    let directory = nix::unistd::mkdtemp(&scratch.join(format!("{PREFIX}{}-XXXXXX", std::process::id())))
        .with_context(|| format!("make a private directory in {}", scratch.display()))?;
    let _removed_at_the_end = Remove(directory.clone());
    fill(source, &directory.join("copy"), cx)
}

/// Removes the copies of processes that were killed.
fn sweep(scratch: &Path) -> Result<()> {
    for entry in std::fs::read_dir(scratch).with_context(|| format!("look into {}", scratch.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        if owner.is_some_and(|pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)) {
            let path = entry.path();
            std::fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn fill(source: &Path, target: &Path, cx: &Cx) -> Result<Copy> {
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(target);
    let file = file.context("create a copy of the database")?;
    let mut to = Connection::open(target).context("open the copy of the database")?;
    let from = open(source)?;
    let moment = from
        .query_row("SELECT strftime('%Y-%m-%dT%H:%M:%fZ','now')", [], |row| row.get(0))
        .context("ask for the time")?;
    run(&from, &mut to, cx)?;
    drop(from);
    check(&to)?;
    let pragma = |sql: &str| to.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned);
    let page_size = pragma("PRAGMA page_size").context("read the page size")?;
    let tables =
        pragma("SELECT COUNT(*) FROM sqlite_schema WHERE type='table'").context("count the tables")?;
    to.close().map_err(|(_, error)| error).context("close the copy of the database")?;
    Ok(Copy { file, page_size, tables, moment })
}

/// Read-only, unless a crash left a journal behind that has to be played back first, as every user of the file would.
fn open(source: &Path) -> Result<Connection> {
    let attempt = |access: OpenFlags| -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(source, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(PATIENCE)?;
        connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(connection)
    };
    let opened = match attempt(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
            attempt(OpenFlags::SQLITE_OPEN_READ_WRITE)
        }
        other => other,
    };
    opened.with_context(|| format!("open {}", source.display()))
}

fn run(from: &Connection, to: &mut Connection, cx: &Cx) -> Result<()> {
    let backup = Backup::new(from, to).context("begin a copy of the database")?;
    let begun = Instant::now();
    loop {
        cx.go_on()?;
        match backup.step(-1).context("copy the database")? {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked if begun.elapsed() > PATIENCE => {
                return Err(Error::failed("copy the database: it stays locked by another process"));
            }
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Every page is reachable and well-formed; a damaged database must not be saved as a good one.
pub(super) fn check(connection: &Connection) -> Result<()> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .context("check the copy of the database")?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(Error::failed(format!("the database is damaged: {verdict}"))
        .with_remedy("repair the database, for instance with the .recover command of sqlite3, or restore an older snapshot"))
}

struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        // What stays is readable by us alone, and the system clears the place from time to time.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
