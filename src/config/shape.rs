//! The shape of the configuration file: what a reader finds in it, and the source of its JSON Schema.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;

use super::limits::Limits;
use super::notify::Notify;
use super::plugin::OptionValue;
use super::quiesce::Quiesce;
use super::retention::Retention;
use super::schedule::{Schedule, When};
use super::secret::SecretRef;
use crate::database::{MysqlAddress, PostgresAddress};
use crate::repo::Adoption;

/// One site, where its backups go, and when.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields, title = "Lifeboat configuration")]
pub struct Config {
    /// Whether the agent works for this site by itself; default true. What people start is done in any case.
    #[schemars(with = "Option<bool>")]
    pub enabled: bool,
    pub site: Site,
    /// Left out: read from the site's own configuration. An empty list: none.
    pub databases: Option<Vec<Database>>,
    pub storage: Storage,
    pub repository: Repository,
    /// When the agent works; left out: never by itself.
    #[schemars(with = "Option<ScheduleForm>")]
    pub schedule: Schedule,
    /// Left out: every snapshot is kept.
    #[schemars(default)]
    pub retention: Retention,
    #[schemars(default)]
    pub restore: Restore,
    #[schemars(default)]
    pub quiesce: Quiesce,
    #[schemars(default)]
    pub limits: Limits,
    #[schemars(default)]
    pub notify: Notify,
    /// Commands by the point at which they run, such as `before-dump` or `on-failure`.
    #[schemars(default)]
    pub hooks: BTreeMap<String, Vec<Hook>>,
    /// The time zone people mean; left out: the system's.
    pub zone: Option<String>,
    /// Directory for what the agent remembers; default `/var/lib/lifeboat`.
    #[schemars(default)]
    pub state: PathBuf,
    /// `hooks.d` beside the file that was read; nothing if it was none.
    #[schemars(skip)]
    pub hooks_directory: Option<PathBuf>,
}

/// `daily`, or a section of its own.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code)] // only its schema is asked for
enum ScheduleForm {
    Backups(When),
    Section(Box<Schedule>),
}

/// The web site.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Site {
    /// Its identity in the repository: letters, digits, dots, dashes and underscores.
    pub name: String,
    /// The directory that is saved.
    pub root: PathBuf,
    /// What is in it; left out: found out.
    #[schemars(rename = "type", default)]
    pub kind: SiteKind,
    /// Patterns as in a .gitignore, relative to the root.
    #[schemars(default)]
    pub exclude: Vec<String>,
    /// A file with more such patterns, one on each line.
    pub exclude_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum SiteKind {
    #[default]
    Auto,
    #[schemars(rename = "wordpress")]
    WordPress,
    Generic,
}

/// A database that is saved with the site.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields, tag = "type", rename_all = "lowercase")]
pub enum Database {
    /// A schema on a server. An entry without `user` takes whatever it leaves out from the site's own configuration.
    Mysql {
        name: Option<String>,
        /// `localhost`, `host`, `host:port`, `[address]:port`, or `localhost:/path/to/socket`.
        #[schemars(with = "Option<String>")]
        host: Option<MysqlAddress>,
        user: Option<String>,
        /// Left out beside a `user`: none, the server knows the user by its socket.
        password: Option<SecretRef>,
        /// Left out: the connection is not encrypted.
        tls: Option<Tls>,
        /// Connections that read rows at the same time, 1 to 16; left out: 1, which needs no lock at all.
        #[schemars(with = "Option<u32>", range(min = 1, max = 16))]
        connections: u32,
        /// Whether the accounts with rights on the schema are saved and given back by a restore; left out: no.
        #[schemars(with = "Option<bool>")]
        grants: bool,
    },
    /// A database on a `PostgreSQL` server.
    #[schemars(rename = "postgresql")]
    Postgres {
        name: String,
        /// A socket's directory, `host`, `host:port`, `[address]:port`; left out: the usual socket of this machine.
        #[schemars(with = "Option<String>")]
        host: Option<PostgresAddress>,
        user: String,
        /// Left out: none, the server knows the user by its socket.
        password: Option<SecretRef>,
        /// Left out: the connection is not encrypted.
        tls: Option<Tls>,
    },
    /// A database file.
    Sqlite { path: PathBuf },
    /// A database that a program of somebody else's dumps and restores.
    Plugin {
        /// By which its dumps are known: letters, digits, dots, dashes and underscores.
        name: String,
        /// The program with its whole path, and its arguments before the verb; there is no shell.
        #[schemars(length(min = 1))]
        command: Vec<String>,
        /// What the plugin is told on its standard input. A secret reference in it is told as the secret.
        #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
        options: BTreeMap<String, OptionValue>,
        /// How long it is waited for while it does one thing, such as `30m`; default `1h`.
        #[schemars(with = "Option<String>")]
        timeout: std::time::Duration,
    },
}

/// How the connection to a database server is encrypted.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Tls {
    /// File with the certificates of who signs the server's; left out: the well-known authorities.
    pub ca: Option<PathBuf>,
    /// File with the certificate by which the server knows this client.
    pub cert: Option<PathBuf>,
    /// File with the private key of `cert`.
    pub key: Option<PathBuf>,
    /// Whether the server's certificate must be right, and made out to `host`; default true.
    #[schemars(default)]
    pub verify: bool,
}

/// Where the backups are kept.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields, tag = "type", rename_all = "lowercase")]
pub enum Storage {
    /// A directory of this machine.
    Local { path: PathBuf },
    /// A directory that an NFS server exports.
    Nfs {
        /// Name or address.
        server: String,
        /// The exported directory, such as `/data`.
        export: String,
        /// Where it is, or will be, mounted.
        mountpoint: PathBuf,
        /// Mount options after the safe defaults, such as `vers=4.2,timeo=30`.
        options: Option<String>,
        #[schemars(default)]
        mount: Mount,
    },
}

/// Who mounts the storage, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Mount {
    /// The agent, for each run.
    #[default]
    OnDemand,
    /// The agent, and it stays mounted.
    Permanent,
    /// Somebody else.
    Present,
}

/// The repository on the storage.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Repository {
    /// Directory inside the storage; default: the site's name.
    #[schemars(default)]
    pub path: PathBuf,
    pub password: SecretRef,
    /// The key kept on this machine; default: `master.key` in the site's directory below `state`.
    #[schemars(default)]
    pub key_file: PathBuf,
    /// Whether another backup program's snapshots in it belong to the site: `true` keeps them, `rotate` judges them by
    /// `retention` too; left out: no.
    #[schemars(with = "Option<AdoptedForm>")]
    pub adopted: Option<Adoption>,
}

/// `true`, `false`, `keep` or `rotate`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code)] // only its schema is asked for
enum AdoptedForm {
    Kept(bool),
    Word(AdoptedWord),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code)] // as above
enum AdoptedWord {
    Keep,
    Rotate,
}

/// What a restore in place leaves behind.
#[derive(Clone, Copy, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Restore {
    /// How long the snapshot stays that a restore makes of what it replaces, such as `36h` or `7d`; default `7d`.
    #[schemars(with = "Option<String>")]
    pub keep_safety: Option<std::time::Duration>,
}

/// A command that runs at a point of a run.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Hook {
    /// The program with its whole path, and its arguments; there is no shell.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// How long it may take, such as `30s` or `5m`; default `10m`.
    #[schemars(with = "Option<String>")]
    pub timeout: std::time::Duration,
    /// Name or number of the user as whom it runs; left out: as whom Lifeboat runs.
    pub user: Option<String>,
    /// Of the program's file, in 64 hexadecimal digits; with another one it is not run.
    #[schemars(with = "Option<String>")]
    pub sha256: Option<[u8; 32]>,
    /// The only directories below which it can write; left out: wherever its user can. Needs landlock.
    #[schemars(default)]
    pub writable: Vec<PathBuf>,
    /// Whether nothing that it starts can gain rights, such as by set-user-id; default false, or true with `writable`.
    #[schemars(default)]
    pub no_new_privileges: bool,
}
