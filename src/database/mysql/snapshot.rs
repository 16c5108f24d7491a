//! Fixing the moment: one transaction sees all transactional tables, a lock holds the others until they are read.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::catalog::{self, Store, Table};
use super::fault::{During, Sql, is_change, text_of};
use super::link::Link;
use super::lock::TableLock;
use super::names::{literal, qualified};
use super::objects::{self, Objects};
use super::rights;
use super::row::{text, text_under};
use super::server;
use super::session::{Patience, pin};
use crate::database::MysqlSpec;
use crate::dump::Unsaved;
use crate::error::{Context, Error, Result};
use crate::event::Cx;

/// How often a dump begins again because the schema was changed while it began.
const TRIES: u32 = 3;

/// Births are told to the second.
const TICK: Duration = Duration::from_millis(1100);

/// Somebody may be changing a table while we come to it; waiting for that keeps nobody else waiting.
const PATIENCE: Patience = Patience(60);

/// A moment that is being held, and what there is at that moment.
pub(super) struct Snapshot {
    pub link: Link,
    pub lock: Option<TableLock>,
    pub moment: Timestamp,
    pub server: server::Facts,
    pub binlog: Option<String>,
    pub definitions: Definitions,
    pub unsaved: Vec<Unsaved>,
}

impl Snapshot {
    /// Whether tables without snapshots are still held.
    pub(super) fn holds_lock(&mut self) -> bool {
        self.lock.as_mut().is_some_and(TableLock::holds)
    }
}

/// Everything in a schema but its rows.
pub(super) struct Definitions {
    /// `CREATE DATABASE`, as bytes.
    pub database: Vec<u8>,
    pub tables: Vec<Table>,
    pub objects: Objects,
    /// When each table was made or got its name, by the server's clock in UTC.
    pub births: Births,
}

/// Names and times, in the order of the names.
pub(super) type Births = Vec<(String, String)>;

/// Connects and fixes the moment; begins again if the schema changes meanwhile.
pub(super) fn begin(spec: &MysqlSpec, cx: &Cx) -> Result<Snapshot> {
    for round in 1..=TRIES {
        cx.go_on()?;
        match attempt(spec, cx)? {
            Ok(snapshot) => return Ok(snapshot),
            Err(why) => cx.note(format!(
                "schema {:?} was changed while its dump began ({why}), attempt {round} of {TRIES}",
                spec.schema
            )),
        }
        std::thread::sleep(TICK);
    }
    Err(Error::failed(format!("schema {:?} was changed again and again while its dump began", spec.schema))
        .with_remedy("run the backup again when no upgrade or migration is running"))
}

/// The inner error says what had changed; the outer one is final.
fn attempt(spec: &MysqlSpec, cx: &Cx) -> Result<Result<Snapshot, String>> {
    let mut link = Link::open(spec, Some(&spec.schema))?;
    pin(&mut link, PATIENCE)?;
    let server = server::facts(&mut link)?;
    let lock = lock_plain_tables(spec, &mut link, cx)?;
    let before = births(&mut link, &spec.schema)?;
    link.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").during("begin a snapshot")?;
    let moment = moment(&mut link)?;
    let binlog = server::binlog_position(&mut link)?;
    let definitions = read(&mut link, &spec.schema)?;
    if let Some(name) = reborn(&before, &definitions.births, moment) {
        return Ok(Err(format!("table {name} was made or moved just now")));
    }
    match touch(&mut link, &spec.schema, &definitions.tables) {
        Ok(()) => {}
        Err(error) if is_change(&error) => return Ok(Err(text_of(&error))),
        Err(error) => return Err(error).during(format!("look at the tables of schema {:?}", spec.schema)),
    }
    let mut unsaved = rights::missing(&mut link, &spec.schema)?;
    unsaved.extend(definitions.objects.unsaved.iter().cloned());
    Ok(Ok(Snapshot { link, lock, moment, server, binlog, definitions, unsaved }))
}

/// All definitions of a schema, read by a session whose default it is.
pub(super) fn read(link: &mut Link, schema: &str) -> Result<Definitions> {
    Ok(Definitions {
        database: server::show_create_database(link, schema)?,
        tables: catalog::tables(link, schema)?,
        objects: objects::objects(link, schema)?,
        births: births(link, schema)?,
    })
}

/// The server refuses (1412) what it knows to have changed since the snapshot; yet under a storm of exchanges a dump once
/// passed without the rows of a table. Births tell of every new table and every new name, whatever the server noticed.
fn births(link: &mut Link, schema: &str) -> Result<Births> {
    let rows = link
        .rows(format!(
            "SELECT table_name, DATE_FORMAT(create_time, '%Y-%m-%d %H:%i:%s') FROM information_schema.tables \
             WHERE table_schema={} AND table_type IN ('BASE TABLE','SYSTEM VERSIONED') ORDER BY table_name",
            literal(schema)
        ))
        .during(format!("list the tables of schema {schema:?}"))?;
    Ok(rows.iter().map(|row| (text(row, 0), text(row, 1))).collect())
}

/// A table that is not, or may not be, the one it was before the snapshot.
fn reborn(before: &Births, now: &Births, moment: Timestamp) -> Option<String> {
    let second = moment.strftime("%Y-%m-%d %H:%M:%S").to_string();
    if now == before && now.iter().all(|(_, born)| *born < second) {
        return None;
    }
    let young = now.iter().find(|(_, born)| *born >= second);
    let other = now.iter().find(|birth| !before.contains(birth));
    let gone = before.iter().find(|birth| !now.contains(birth));
    young.or(other).or(gone).map(|(name, _)| name.clone())
}

/// Touches every table that has rows, which makes the server find out now if it cannot show them as of the snapshot.
fn touch(link: &mut Link, schema: &str, tables: &[Table]) -> Sql<()> {
    // Going back to the savepoint frees the locks that keep definitions from being changed: whoever waits for one
    // makes everybody else wait behind him.
    link.run("SAVEPOINT looked")?;
    for table in tables.iter().filter(|table| table.has_rows()) {
        link.run(format!("SELECT 1 FROM {} LIMIT 1", qualified(schema, &table.name)))?;
    }
    link.run("ROLLBACK TO SAVEPOINT looked")
}

fn lock_plain_tables(spec: &MysqlSpec, link: &mut Link, cx: &Cx) -> Result<Option<TableLock>> {
    let rows = link
        .rows(format!(
            "SELECT table_name, engine FROM information_schema.tables WHERE table_schema={} AND table_type='BASE TABLE'",
            literal(&spec.schema)
        ))
        .during(format!("list the tables of schema {:?}", spec.schema))?;
    let plain: Vec<_> = rows
        .iter()
        .filter(|row| Table::store_of(&text(row, 1).to_lowercase()) == Store::Plain)
        .map(|row| text(row, 0))
        .collect();
    if plain.is_empty() {
        return Ok(None);
    }
    match TableLock::take(spec, &plain)? {
        Ok(lock) => Ok(Some(lock)),
        Err(why) => {
            cx.warn(format!(
                "{} tables of schema {:?} have an engine without snapshots and could not be locked ({why}): their rows \
                 may be of different moments",
                plain.len(),
                spec.schema
            ));
            Ok(None)
        }
    }
}

/// The server's clock, now.
fn moment(link: &mut Link) -> Result<Timestamp> {
    let row = link.first("SELECT UTC_TIMESTAMP(6) AS now").during("ask the server for the time")?;
    let text = row.as_ref().map(|row| text_under(row, "now")).unwrap_or_default();
    let civil: DateTime = text.parse().with_context(|| format!("read the server's time {text:?}"))?;
    Ok(civil.to_zoned(TimeZone::UTC).context("read the server's time")?.timestamp())
}
