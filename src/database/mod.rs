//! What is dumped besides files: one consistent moment of each database, and a side copy that can be swapped in.

mod cut;
mod entry;
mod filename;
mod former_cuts;
mod mysql;
pub mod plugin;
mod postgres;
mod proof;
mod room;
mod row_sum;
mod spool;
mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dump::{Feed, Previous, Shelf};
use crate::error::{Error, Result};
use crate::event::Cx;
use crate::sys::secret::Secret;

/// Where a database is and how to log in; made by `config`, from the YAML or from the site's own configuration.
#[derive(Clone, Debug)]
pub enum DatabaseSpec {
    Mysql(MysqlSpec),
    Postgres(PostgresSpec),
    Sqlite(SqliteSpec),
    Plugin(PluginSpec),
}

/// The engine for a database; nothing is connected yet.
pub fn open(spec: &DatabaseSpec) -> Box<dyn Database> {
    match spec {
        DatabaseSpec::Mysql(spec) => Box::new(mysql::Mysql::new(spec.clone())),
        DatabaseSpec::Postgres(spec) => Box::new(postgres::Postgres::new(spec.clone())),
        DatabaseSpec::Sqlite(spec) => Box::new(sqlite::Sqlite::new(spec.clone())),
        DatabaseSpec::Plugin(spec) => Box::new(plugin::Plugin::new(spec.clone())),
    }
}

/// Writes a dump as SQL for the stock client, or one table of it; says whether everything that the database had is in it.
/// `engine` is what the snapshot's manifest calls it.
pub fn render_sql(
    engine: &str,
    shelf: &dyn Shelf,
    table: Option<&str>,
    out: &mut dyn Write,
    cx: &Cx,
) -> Result<bool> {
    match engine {
        "mysql" => mysql::render(shelf, table, out, cx),
        postgres::ENGINE => postgres::render(shelf, table, out, cx),
        other => Err(Error::usage(format!("a dump of kind {other} is no SQL"))
            .with_remedy("`lifeboat ls` shows its files, `lifeboat dump SNAPSHOT PATH` writes one of them")),
    }
}

/// One schema on a `MariaDB` or `MySQL` server.
#[derive(Clone, Debug)]
pub struct MysqlSpec {
    pub schema: String,
    pub address: MysqlAddress,
    pub user: String,
    pub password: Option<Secret>,
    /// Left out: not encrypted.
    pub tls: Option<Tls>,
    /// Connections that read rows at the same time. More than one holds writers back for a moment, so that all of them
    /// see the same.
    pub connections: u32,
    /// Accounts and their rights on the schema are saved, and given back by a restore.
    pub grants: bool,
    /// A directory that only we can enter, for dumps of a restore that has no place on the server.
    pub scratch: PathBuf,
}

/// How a connection to a server is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Who signed the server's certificate; left out: any of the well-known authorities.
    pub ca: Option<PathBuf>,
    /// By what the server knows us.
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// Whether the server's certificate must be right.
    pub verify: bool,
}

impl Tls {
    /// What to look at when a server is there but cannot be talked to.
    fn remedy(&self) -> &'static str {
        if self.verify {
            "check that the server offers TLS, that `tls.ca` signed its certificate, and that this is made out to the name or \
             address under `host`"
        } else {
            "check that the server offers TLS and takes the certificate under `tls.cert`"
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MysqlAddress {
    /// `localhost` without a port: the usual sockets are tried in the order PHP and Debian use.
    DefaultSocket,
    Socket(PathBuf),
    Tcp {
        host: String,
        port: u16,
    },
}

/// One database on a `PostgreSQL` server.
#[derive(Clone, Debug)]
pub struct PostgresSpec {
    pub name: String,
    pub address: PostgresAddress,
    pub user: String,
    /// Left out: the server knows the user by its socket.
    pub password: Option<Secret>,
    /// Left out: not encrypted.
    pub tls: Option<Tls>,
    /// A directory that only we can enter, for the file that tells `pg_dump` the password.
    pub scratch: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresAddress {
    /// The usual socket directories are tried.
    DefaultSocket,
    /// The directory of the socket, which has the port in its name.
    Socket {
        directory: PathBuf,
        port: u16,
    },
    Tcp {
        host: String,
        port: u16,
    },
}

/// One `SQLite` database file.
#[derive(Clone, Debug)]
pub struct SqliteSpec {
    pub path: PathBuf,
    /// A directory that only we can enter, for a copy without a name.
    pub scratch: PathBuf,
}

/// A database that a program of somebody else's dumps and restores.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// A plain name, by which its dumps are known.
    pub name: String,
    /// The program with its whole path, and what comes before the verb.
    pub command: Vec<String>,
    /// The JSON document that it reads first, with its options, in one line.
    pub request: Secret,
    /// What of the options must not be in any log.
    pub secrets: Vec<Secret>,
    /// How long we wait for it in all while it does one thing; the time in which it waits for us does not count.
    pub timeout: Duration,
    /// A directory that only we can enter, for what it keeps while it works, and for both sides of a restore.
    pub scratch: PathBuf,
}

/// A kind of database: dumps one moment, loads a copy beside the live one, swaps it in and back.
pub trait Database: Send + Sync {
    /// The dump's directory below the snapshot's database directory; stable from run to run, safe as a path component or two
    /// (`mysql/shop`, `postgresql/shop`, `sqlite/…`, `plugin/cache`).
    fn directory(&self) -> PathBuf;

    /// For people: `MariaDB schema "shop" on /run/mysqld/mysqld.sock`, without secrets.
    fn describe(&self) -> String;

    /// Connects, fixes the moment, and returns the dump as a lazy stream. What a dump decided about its form, the next one
    /// asks `previous` for: a form that changes makes every file new.
    fn begin(&self, previous: Previous<'_>, cx: &Cx) -> Result<Box<dyn Feed>>;

    /// Finds out, before anything is touched, whether `load` and `swap_in` can work, and by which means: login, rights,
    /// versions, space.
    fn preflight(&self, shelf: &dyn Shelf, cx: &Cx) -> Result<Means>;

    /// The same for some tables alone, while the others stay as they are; refused where that cannot be done.
    fn preflight_tables(&self, _shelf: &dyn Shelf, _tables: &[String], _cx: &Cx) -> Result<Means> {
        Err(Error::usage(format!("single tables of {} cannot be restored in place", self.describe()))
            .with_remedy("restore all of it, or its dump elsewhere with `--to DIR` and take what you need"))
    }

    /// The same for the last way, where nothing can be kept beside what is live; only if a person asked for it.
    fn preflight_in_place(&self, _shelf: &dyn Shelf, _cx: &Cx) -> Result<Means> {
        Err(Error::usage(format!("{} cannot be replaced in place", self.describe()))
            .with_remedy("restore without `--in-place-database`"))
    }

    /// Rights that the database user lacks, as far as they can be told without a dump; for people who look for what is wrong.
    fn lacks(&self) -> Result<Vec<Lack>> {
        Ok(Vec::new())
    }

    /// Removes what a `preflight` left that was killed while it tried its rights; does nothing where nothing is left.
    fn sweep(&self) -> Result<()>;

    /// The names that `load` is to use: what must be known before anything is made. `token` makes them unique:
    /// `[a-z0-9]{8}`.
    fn side_names(&self, token: &str, means: Means) -> Result<SideCopy>;

    /// Loads the dump, or some tables of it, into a side copy that no one reads yet, and verifies it against the dump's
    /// manifest (counts and hashes). On any error nothing is left behind.
    fn load(&self, shelf: &dyn Shelf, names: &SideCopy, cx: &Cx) -> Result<SideCopy>;

    /// All of a dump by the usual means, under the names of this token.
    fn load_aside(&self, shelf: &dyn Shelf, token: &str, cx: &Cx) -> Result<SideCopy> {
        self.load(shelf, &self.side_names(token, Means::Beside)?, cx)
    }

    /// One value of a side copy: of `column` in the row where the first of `which` is the second. `None` if there is no such
    /// row, or no way to ask.
    fn value(
        &self,
        _copy: &SideCopy,
        _table: &str,
        _which: (&str, &str),
        _column: &str,
    ) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    /// Changes values of a side copy that nobody reads yet, by a rule; says how many.
    fn rewrite(&self, _copy: &SideCopy, _rule: &Rewrite<'_>, _cx: &Cx) -> Result<u64> {
        Err(Error::usage(format!("names cannot be changed inside of {}", self.describe()))
            .with_remedy("restore without `--remap`, and change them with the site's own tools"))
    }

    /// Puts the side copy in the place of the live database, in one atomic step as far as the engine has one; the former
    /// content is kept in `former`. Harmless when called twice.
    fn swap_in(&self, copy: &SideCopy, cx: &Cx) -> Result<()>;

    /// Undoes `swap_in`, also a half done one; does nothing if `swap_in` did nothing. Harmless when called twice.
    fn swap_back(&self, copy: &SideCopy, cx: &Cx) -> Result<()>;

    /// The tables of the live database; `None` if it is not there. An error says that it does not answer.
    fn tables(&self) -> Result<Option<BTreeSet<String>>>;

    /// The tables of a dump, with their rows; nothing where a dump does not tell them apart.
    fn contents(&self, shelf: &dyn Shelf) -> Result<BTreeMap<String, u64>>;

    /// The side copy that makes the former content of a committed swap live again when it is swapped in: it takes the
    /// kept one as it is. `None` if that is not all there any more.
    fn revive(&self, copy: &SideCopy, token: &str) -> Result<Option<SideCopy>>;

    /// Whether a side copy was made by this database.
    fn owns(&self, copy: &SideCopy) -> bool;

    /// Removes what is not live any more: the side copy before a swap or after a swap back, the former content after a
    /// committed swap. Harmless when called twice.
    fn discard(&self, copy: &SideCopy, cx: &Cx) -> Result<()>;
}

/// A right that is missing, and what an administrator types to give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub right: String,
    /// What does not work without it.
    pub without: String,
    pub statement: String,
}

/// How values are changed that only make sense where they were saved.
pub struct Rewrite<'a> {
    /// Only values that have one of these in them are looked at.
    pub words: Vec<String>,
    /// The new value; `None` if it stays as it is.
    pub change: &'a dyn Fn(&[u8]) -> Option<Vec<u8>>,
    /// Columns that stay as they are, by the end of their table's name and their own.
    pub except: &'a [(&'a str, &'a str)],
}

impl Rewrite<'_> {
    fn leaves(&self, table: &str, column: &str) -> bool {
        self.except.iter().any(|(end, name)| table.ends_with(end) && column == *name)
    }
}

/// How a database is exchanged, as a preflight found it possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// A schema, database or file of its own beside the live one.
    #[default]
    Beside,
    /// Tables under other names inside the live schema, for who may make no schemas, and for single tables.
    SideTables,
    /// Nothing beside: what is live is dropped and loaded anew, and the site is without it meanwhile.
    InPlace,
    /// A plugin replaces what is live; how, only it knows.
    ByPlugin,
}

/// The names of a side copy: plain data, so that a later process can clean up after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideCopy {
    /// The schema, database or file that is live.
    pub live: String,
    /// The schema, database or file that holds the restored copy until it is swapped in; `SCHEMA.PREFIX*` for tables inside
    /// the live schema.
    pub side: String,
    /// The schema, database or file that holds the former content after the swap; or tables.
    pub former: String,
    #[serde(default)]
    pub means: Means,
    /// The tables that are exchanged, if not all are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    pub tables: u64,
    pub rows: u64,
}
