//! One connection with the private runtime that drives it, so that everything above it is plain blocking code.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::{AsQuery, Queryable};
use mysql_async::{Conn, OptsBuilder, QueryResult, Row, TextProtocol};
use tokio::runtime::{Builder, Runtime};

use super::fault::{During, Sql, code_of};
use crate::database::{MysqlAddress, MysqlSpec, Tls};
use crate::error::{Context, Error, Result};

/// How long the server may take to greet us and to check the password.
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);

/// The largest row the protocol knows; without it the server's own setting limits what we can read.
const MAX_PACKET: usize = 1 << 30;

/// Where `localhost` is looked for, in the order of PHP's default, Debian, Red Hat and hand-made installations.
const SOCKETS: [&str; 4] = [
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/tmp/mysql.sock",
];

const DENIED: [u16; 4] = [1044, 1045, 1130, 1698];
const UNKNOWN_SCHEMA: u16 = 1049;

/// A connection; dropping it ends whatever it was doing, with a rollback on the server.
pub(super) struct Link {
    // Declared before the runtime: the socket is deregistered from it when dropped.
    conn: Conn,
    runtime: Runtime,
}

impl Link {
    /// Logs in; `schema` becomes the default one. The text of an error names the server and the user, never the password.
    pub(super) fn open(spec: &MysqlSpec, schema: Option<&str>) -> Result<Self> {
        let runtime =
            Builder::new_current_thread().enable_all().build().context("start the database runtime")?;
        let tls = super::tls::options(spec)
            .with_context(|| format!("prepare the connection to {}", address_text(&spec.address)))?;
        let mut last = None;
        for place in places(&spec.address) {
            match attempt(&runtime, options(spec, &place, schema).ssl_opts(tls.clone())) {
                Ok(conn) => return Ok(Self { conn, runtime }),
                Err(Refusal::Server(error)) => return Err(explain(spec, &place, &error)),
                Err(Refusal::Unreachable(why)) => last = Some((place, why)),
            }
        }
        Err(unreachable(spec, last))
    }

    /// Runs one statement and drops its rows.
    pub(super) fn run<Q: AsQuery>(&mut self, sql: Q) -> Sql<()> {
        self.runtime.block_on(self.conn.query_drop(sql))
    }

    /// All rows of a small result.
    pub(super) fn rows<Q: AsQuery>(&mut self, sql: Q) -> Sql<Vec<Row>> {
        self.runtime.block_on(self.conn.query(sql))
    }

    /// The first row of a small result.
    pub(super) fn first<Q: AsQuery>(&mut self, sql: Q) -> Sql<Option<Row>> {
        self.runtime.block_on(self.conn.query_first(sql))
    }

    /// Starts a large result whose rows are then fetched through `stream`.
    pub(super) fn start<Q: AsQuery>(&mut self, sql: Q) -> Sql<()> {
        // The result may be let go unread: its state lives in the connection, and `stream` picks it up again.
        self.runtime.block_on(async { self.conn.query_iter(sql).await.map(drop) })
    }

    /// Hands the rows that follow to `take` until it returns false or the rows end; `Ok(true)` says that they ended.
    pub(super) fn stream(&mut self, mut take: impl FnMut(&Row) -> bool) -> Sql<bool> {
        self.runtime.block_on(async {
            let mut result = QueryResult::<TextProtocol>::new(&mut self.conn);
            while let Some(row) = result.next().await? {
                if !take(&row) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Runs a `LOAD DATA LOCAL` and sends it this data, whatever file name the statement has.
    pub(super) fn load(&mut self, sql: &str, data: mysql_async::InfileData) -> Sql<Loaded> {
        let data = std::sync::Mutex::new(data);
        // The driver wants a handler that is `Sync`; the mutex is only that, the data is taken out once.
        self.conn.set_infile_handler(async move {
            Ok(data.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
        });
        let ran = self.run(sql);
        // A statement that is refused at once leaves the handler in place, and whoever fills the data would wait forever.
        self.conn.set_infile_handler(async { Err(std::io::Error::other("no data was announced").into()) });
        ran?;
        Ok(self.loaded())
    }

    /// What the server said about the statement before.
    pub(super) fn loaded(&self) -> Loaded {
        Loaded {
            affected: self.conn.affected_rows(),
            warnings: u64::from(self.conn.get_warnings()),
            info: self.conn.info().into_owned(),
        }
    }
}

/// The server's account of a statement that wrote rows.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    pub affected: u64,
    pub warnings: u64,
    /// `Records: 3  Deleted: 0  Skipped: 0  Warnings: 0`.
    pub info: String,
}

/// `/run/mysqld/mysqld.sock` or `db.example:3306`, for people.
pub(super) fn address_text(address: &MysqlAddress) -> String {
    match address {
        MysqlAddress::DefaultSocket => "the local socket".to_owned(),
        MysqlAddress::Socket(path) => path.display().to_string(),
        MysqlAddress::Tcp { host, port } => format!("{host}:{port}"),
    }
}

enum Refusal {
    /// The server answered, and what it said is final.
    Server(mysql_async::Error),
    Unreachable(String),
}

fn places(address: &MysqlAddress) -> Vec<MysqlAddress> {
    match address {
        MysqlAddress::DefaultSocket => {
            let known = SOCKETS.iter().map(Path::new).filter(|path| path.exists());
            known.map(|path| MysqlAddress::Socket(PathBuf::from(path))).collect()
        }
        other => vec![other.clone()],
    }
}

fn options(spec: &MysqlSpec, place: &MysqlAddress, schema: Option<&str>) -> OptsBuilder {
    let options = OptsBuilder::default()
        // The driver's own preference asks the server for its socket and silently reconnects there: with containers
        // that is another server.
        .prefer_socket(false)
        .max_allowed_packet(Some(MAX_PACKET))
        .wait_timeout(Some(28800))
        .stmt_cache_size(0)
        .tcp_keepalive(Some(Duration::from_secs(30)))
        .user(Some(&spec.user))
        .pass(spec.password.as_ref().map(crate::sys::secret::Secret::reveal))
        .db_name(schema);
    match place {
        MysqlAddress::Tcp { host, port } => options.ip_or_hostname(host).tcp_port(*port),
        MysqlAddress::Socket(path) => options.socket(Some(path.to_string_lossy())),
        MysqlAddress::DefaultSocket => options,
    }
}

fn attempt(runtime: &Runtime, options: OptsBuilder) -> Result<Conn, Refusal> {
    let connecting = async { within(CONNECT_DEADLINE, Conn::new(options)).await };
    match runtime.block_on(connecting) {
        Some(Ok(conn)) => Ok(conn),
        Some(Err(error @ mysql_async::Error::Server(_))) => Err(Refusal::Server(error)),
        Some(Err(error)) => Err(Refusal::Unreachable(super::fault::text_of(&error))),
        None => Err(Refusal::Unreachable(format!("no answer within {} seconds", CONNECT_DEADLINE.as_secs()))),
    }
}

async fn within<T>(deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(deadline, work).await.ok() // the one error there is says that the time is up
}

fn explain(spec: &MysqlSpec, place: &MysqlAddress, error: &mysql_async::Error) -> Error {
    let place = address_text(place);
    let told =
        Err::<(), _>(error).during(format!("log in to the database server at {place} as {:?}", spec.user));
    let remedy = match code_of(error) {
        Some(code) if DENIED.contains(&code) => {
            "check the user and the password in the configuration and the rights of that user on the server"
        }
        Some(UNKNOWN_SCHEMA) => "check the name of the schema in the configuration",
        _ => "look at the server's error log",
    };
    match told.remedy(remedy) {
        Err(error) => error,
        Ok(()) => Error::failed("log in to the database server"),
    }
}

fn unreachable(spec: &MysqlSpec, last: Option<(MysqlAddress, String)>) -> Error {
    let text = match last {
        Some((place, why)) => {
            format!("reach the database server at {} as {:?}: {why}", address_text(&place), spec.user)
        }
        None => format!(
            "reach the local database server as {:?}: there is no socket at {}",
            spec.user,
            SOCKETS.join(", ")
        ),
    };
    let usual = "check that the server runs and that the address in the configuration is right";
    let remedy = spec.tls.as_ref().map_or(usual, Tls::remedy);
    Error::failed(text).with_remedy(remedy)
}
