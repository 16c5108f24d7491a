//! One connection with the private runtime that drives it, so that everything above it is plain blocking code.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, CopyInSink, CopyOutStream, NoTls, SimpleQueryMessage};

use super::fault::{During, Sql, code_of, text_of};
use super::tls;
use crate::database::{PostgresAddress, PostgresSpec, Tls};
use crate::error::{Context, Error, Result};
use crate::event::Cx;

/// How long the server may take to greet us and to check the password.
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);

/// Between two looks at whether the run was cancelled, while the server works.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Where the socket is looked for: Debian and Red Hat, and the server's own default.
const SOCKETS: [&str; 3] = ["/run/postgresql", "/var/run/postgresql", "/tmp"];

pub(super) const PORT: u16 = 5432;

/// Databases that every server has; from one of them others are made, renamed and dropped.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

const UNKNOWN_DATABASE: &str = "3D000";
const NOT_ADMITTED: [&str; 2] = ["28000", "28P01"];

/// A row of a small result; `None` is SQL's NULL.
pub(super) type Row = Vec<Option<String>>;

/// A connection; dropping it ends whatever it was doing, with a rollback on the server.
pub(super) struct Link {
    // Declared before the runtime, which drives them.
    client: Client,
    outgoing: Option<Pin<Box<CopyInSink<Bytes>>>>,
    incoming: Option<Pin<Box<CopyOutStream>>>,
    runtime: Runtime,
}

impl Link {
    /// Logs in to a database. The text of an error names the server and the user, never the password.
    pub(super) fn open(spec: &PostgresSpec, database: &str) -> Result<Self> {
        match Self::try_open(spec, database)? {
            Ok(link) => Ok(link),
            Err(error) => Err(explain(spec, database, &error)),
        }
    }

    /// Logs in to a database that is not the one to be worked on.
    pub(super) fn open_beside(spec: &PostgresSpec) -> Result<Self> {
        let mut last = None;
        for database in MAINTENANCE.iter().filter(|name| **name != spec.name) {
            match Self::try_open(spec, database)? {
                Ok(link) => return Ok(link),
                Err(error) => last = Some(explain(spec, database, &error)),
            }
        }
        Err(last.unwrap_or_else(|| Error::failed("there is no other database to work from")))
    }

    /// The inner error is the server's own and final.
    fn try_open(spec: &PostgresSpec, database: &str) -> Result<Sql<Self>> {
        let runtime =
            Builder::new_current_thread().enable_all().build().context("start the database runtime")?;
        let connector = tls::connector(spec)
            .with_context(|| format!("prepare the connection to {}", address_text(&spec.address)))?;
        let place = place(&spec.address);
        let config = config(spec, &place, database);
        let connecting = async {
            if let Some(connector) = connector {
                let (client, connection) = config.connect(connector).await?;
                tokio::spawn(connection);
                return Ok(client);
            }
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(connection);
            Ok(client)
        };
        // What goes wrong with the connection later is told by the request it befalls.
        match runtime.block_on(async { tokio::time::timeout(CONNECT_DEADLINE, connecting).await }) {
            Ok(Ok(client)) => Ok(Ok(Self { client, outgoing: None, incoming: None, runtime })),
            Ok(Err(error)) if code_of(&error).is_some() => Ok(Err(error)),
            Ok(Err(error)) => Err(unreachable(spec, &text_of(&error))),
            Err(_elapsed) => {
                Err(unreachable(spec, &format!("no answer within {} seconds", CONNECT_DEADLINE.as_secs())))
            }
        }
    }

    /// Runs statements and drops their rows. Several at once are one transaction.
    pub(super) fn run(&mut self, sql: &str) -> Sql<()> {
        self.runtime.block_on(self.client.batch_execute(sql))
    }

    /// The same for what may take long; a cancelled run does not wait for it.
    pub(super) fn run_long(&mut self, sql: &str, what: &str, cx: &Cx) -> Result<()> {
        patiently(&self.runtime, self.client.batch_execute(sql), cx)?.during(what)
    }

    /// All rows of a small result.
    pub(super) fn rows(&mut self, sql: &str) -> Sql<Vec<Row>> {
        let messages = self.runtime.block_on(self.client.simple_query(sql))?;
        let mut rows = Vec::new();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                let values = (0..row.len()).map(|at| Ok(row.try_get(at)?.map(ToOwned::to_owned)));
                rows.push(values.collect::<Sql<Row>>()?);
            }
        }
        Ok(rows)
    }

    /// The first row of a small result.
    pub(super) fn first(&mut self, sql: &str) -> Sql<Option<Row>> {
        Ok(self.rows(sql)?.into_iter().next())
    }

    /// Starts a `COPY ... TO STDOUT` whose data is then fetched through `receive`.
    pub(super) fn start_receiving(&mut self, sql: &str, cx: &Cx) -> Result<Sql<()>> {
        match patiently(&self.runtime, self.client.copy_out(sql), cx)? {
            Ok(stream) => self.incoming = Some(Box::pin(stream)),
            Err(error) => return Ok(Err(error)),
        }
        Ok(Ok(()))
    }

    /// The next data, most often one row; `None` after the last.
    pub(super) fn receive(&mut self, cx: &Cx) -> Result<Sql<Option<Bytes>>> {
        let Some(stream) = &mut self.incoming else { return Ok(Ok(None)) };
        let received = patiently(&self.runtime, stream.next(), cx)?.transpose();
        if !matches!(received, Ok(Some(_))) {
            self.incoming = None;
        }
        Ok(received)
    }

    /// Starts a `COPY ... FROM STDIN`. A link that is dropped before `end_sending` makes the server forget what came.
    pub(super) fn start_sending(&mut self, sql: &str) -> Sql<()> {
        self.outgoing = Some(Box::pin(self.runtime.block_on(self.client.copy_in(sql))?));
        Ok(())
    }

    pub(super) fn send(&mut self, data: Vec<u8>, cx: &Cx) -> Result<Sql<()>> {
        let Some(sink) = &mut self.outgoing else { return Ok(Ok(())) };
        patiently(&self.runtime, sink.send(Bytes::from(data)), cx)
    }

    /// How many rows the server took.
    pub(super) fn end_sending(&mut self, cx: &Cx) -> Result<Sql<u64>> {
        let Some(mut sink) = self.outgoing.take() else { return Ok(Ok(0)) };
        patiently(&self.runtime, sink.as_mut().finish(), cx)
    }
}

/// Waits for the server, unless the run is cancelled.
fn patiently<T>(runtime: &Runtime, work: impl Future<Output = T>, cx: &Cx) -> Result<T> {
    runtime.block_on(async {
        let mut work = std::pin::pin!(work);
        loop {
            match tokio::time::timeout(LOOK_EVERY, &mut work).await {
                Ok(done) => return Ok(done),
                Err(_elapsed) => cx.go_on()?,
            }
        }
    })
}

/// A column of a row as text; NULL reads as empty.
pub(super) fn text(row: &Row, at: usize) -> &str {
    row.get(at).and_then(Option::as_deref).unwrap_or_default()
}

pub(super) fn number<T: std::str::FromStr>(row: &Row, at: usize) -> Option<T> {
    text(row, at).parse().ok()
}

/// A boolean column.
pub(super) fn truth(row: &Row, at: usize) -> bool {
    text(row, at) == "t"
}

/// `/run/postgresql` or `db.example:5432`, for people.
pub(super) fn address_text(address: &PostgresAddress) -> String {
    match address {
        PostgresAddress::DefaultSocket => "the local socket".to_owned(),
        PostgresAddress::Socket { directory, port: PORT } => directory.display().to_string(),
        PostgresAddress::Socket { directory, port } => format!("{}:{port}", directory.display()),
        PostgresAddress::Tcp { host, port } => format!("{host}:{port}"),
    }
}

/// The address with the default socket found.
pub(super) fn place(address: &PostgresAddress) -> PostgresAddress {
    let PostgresAddress::DefaultSocket = address else { return address.clone() };
    let has_socket = |directory: &&&str| Path::new(directory).join(format!(".s.PGSQL.{PORT}")).exists();
    let directory = SOCKETS.iter().find(has_socket).unwrap_or(&SOCKETS[0]);
    PostgresAddress::Socket { directory: PathBuf::from(directory), port: PORT }
}

fn config(spec: &PostgresSpec, place: &PostgresAddress, database: &str) -> Config {
    let mut config = Config::new();
    config
        .user(&spec.user)
        .dbname(database)
        .application_name("lifeboat")
        .keepalives_idle(Duration::from_secs(30))
        .ssl_mode(if spec.tls.is_some() { SslMode::Require } else { SslMode::Disable });
    if let Some(password) = &spec.password {
        config.password(password.reveal());
    }
    match place {
        PostgresAddress::Socket { directory, port } => config.host_path(directory).port(*port),
        PostgresAddress::Tcp { host, port } => config.host(host).port(*port),
        PostgresAddress::DefaultSocket => &mut config,
    };
    config
}

fn explain(spec: &PostgresSpec, database: &str, error: &tokio_postgres::Error) -> Error {
    let text = format!(
        "log in to database {database:?} on the server at {} as {:?}: {}",
        address_text(&spec.address),
        spec.user,
        text_of(error)
    );
    let local = !matches!(spec.address, PostgresAddress::Tcp { .. });
    let remedy = match code_of(error) {
        Some(code) if NOT_ADMITTED.contains(&code) && local && spec.password.is_none() => format!(
            "over its socket the server admits {0:?} without a password only to the system's user of that name (peer): run \
             lifeboat as that user, give {0:?} a password and write it under `password`, or map the system's user to it in \
             the server's pg_ident.conf",
            spec.user
        ),
        Some(code) if NOT_ADMITTED.contains(&code) => {
            "check the user and the password in the configuration, and the server's pg_hba.conf".to_owned()
        }
        Some(UNKNOWN_DATABASE) => "check the name of the database in the configuration".to_owned(),
        _ => "look at the server's log".to_owned(),
    };
    Error::failed(text).with_remedy(remedy)
}

fn unreachable(spec: &PostgresSpec, why: &str) -> Error {
    let place = address_text(&place(&spec.address));
    let usual = "check that the server runs and that the address in the configuration is right";
    let remedy = spec.tls.as_ref().map_or(usual, Tls::remedy);
    Error::failed(format!("reach the database server at {place} as {:?}: {why}", spec.user))
        .with_remedy(remedy)
}
