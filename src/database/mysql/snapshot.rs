//! Fixing the moment: one transaction sees all transactional tables, a lock holds the others until they are read.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::catalog::{self, Store, Table};
use super::fault::{During, Sql, is_change, text_of};
use super::grants::{self, Account};
use super::link::Link;
use super::lock::TableLock;
use super::names::{is_ours, literal, qualified};
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

/// How long to leave writers alone before a lock is tried once more.
const LOCK_AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// Somebody may be changing a table while we come to it; waiting for that keeps nobody else waiting.
const PATIENCE: Patience = Patience(60);

/// A moment that is being held, and what there is at that moment.
pub(super) struct Snapshot {
    pub link: Link,
    /// Connections that see the same moment and read its rows; empty if `link` does that alone.
    pub readers: Vec<Link>,
    /// How long writers were kept waiting so that all connections see one moment.
    pub held: Option<Duration>,
    pub lock: Option<TableLock>,
    pub moment: Timestamp,
    pub server: server::Facts,
    pub binlog: Option<String>,
    pub definitions: Definitions,
    /// If they were asked for.
    pub accounts: Option<Vec<Account>>,
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
    pub schema: String,
    /// `CREATE DATABASE`, as bytes.
    pub database: Vec<u8>,
    pub tables: Vec<Table>,
    pub objects: Objects,
    /// When each table was made or got its name, by the server's clock in UTC.
    pub births: Births,
}

/// Names of tables, with their partitions, and times, in the order of the names.
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
    // Before the transaction: the server's own tables have an engine beside which it knows no savepoints.
    let accounts = spec.grants.then(|| grants::read(&mut link, &spec.schema)).transpose()?;
    let lock = lock_plain_tables(spec, &mut link, cx)?;
    let before = births(&mut link, &spec.schema)?;
    let (readers, held) = begin_together(spec, &mut link, cx)?;
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
    let accounts = accounts.map(|(accounts, unseen)| {
        unsaved.extend(unseen);
        accounts
    });
    Ok(Ok(Snapshot { link, readers, held, lock, moment, server, binlog, definitions, accounts, unsaved }))
}

/// Fixes the moment for all connections. Nothing may be committed between the first and the last: for that long, all tables
/// are locked; where they cannot be, one connection does everything, without a lock.
fn begin_together(spec: &MysqlSpec, link: &mut Link, cx: &Cx) -> Result<(Vec<Link>, Option<Duration>)> {
    const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
    if spec.connections < 2 {
        link.run(BEGIN).during("begin a snapshot")?;
        return Ok((Vec::new(), None));
    }
    match readers_and_lock(spec, link)? {
        Err(why) => {
            cx.note(format!("schema {:?} is read over one connection: {why}", spec.schema));
            link.run(BEGIN).during("begin a snapshot")?;
            Ok((Vec::new(), None))
        }
        Ok((mut readers, mut lock)) => {
            let begun = std::iter::once(link)
                .chain(&mut readers)
                .try_for_each(|link| link.run(BEGIN).during("begin a snapshot"));
            let held = lock.release();
            begun?;
            cx.note(format!(
                "all tables of schema {:?} were locked for {:.1} ms",
                spec.schema,
                1e3 * held.as_secs_f64()
            ));
            Ok((readers, Some(held)))
        }
    }
}

/// The lock comes last, so that nobody waits for connections to be made.
fn readers_and_lock(spec: &MysqlSpec, link: &mut Link) -> Result<Result<(Vec<Link>, TableLock), String>> {
    let mut readers = Vec::new();
    for _ in 0..spec.connections {
        let reader = Link::open(spec, Some(&spec.schema)).and_then(|mut reader| {
            pin(&mut reader, PATIENCE)?;
            Ok(reader)
        });
        match reader {
            Ok(reader) => readers.push(reader),
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    let tables = tables(link, &spec.schema, |store| matches!(store, Store::Transactional | Store::Plain))?;
    if tables.is_empty() {
        return Ok(Err("it has no tables".to_owned()));
    }
    for wait in LOCK_AGAIN_AFTER {
        if let Ok(lock) = TableLock::take_all(spec, &tables)? {
            return Ok(Ok((readers, lock)));
        }
        std::thread::sleep(wait);
    }
    Ok(TableLock::take_all(spec, &tables)?.map(|lock| (readers, lock)))
}

/// All definitions of a schema, read by a session whose default it is.
pub(super) fn read(link: &mut Link, schema: &str) -> Result<Definitions> {
    Ok(Definitions {
        schema: schema.to_owned(),
        database: server::show_create_database(link, schema)?,
        tables: catalog::tables(link, schema, |name| !is_ours(name))?,
        objects: objects::objects(link, schema)?,
        births: births(link, schema)?,
    })
}

/// The server refuses (1412) what it knows to have changed since the snapshot; yet under a storm of exchanges a dump once
/// passed without the rows of a table. Births tell of every new table and every new name, whatever the server noticed.
///
/// Each partition has its own; that of their table is any of them. Other engines are read under a lock.
fn births(link: &mut Link, schema: &str) -> Result<Births> {
    let transactional = tables(link, schema, |store| store == Store::Transactional)?;
    let transactional: BTreeSet<_> = transactional.into_iter().collect();
    let rows = link
        .rows(format!(
            "SELECT table_name, CONCAT_WS(' ', partition_name, subpartition_name), \
             DATE_FORMAT(create_time, '%Y-%m-%d %H:%i:%s') FROM information_schema.partitions \
             WHERE table_schema={} ORDER BY 1, 2",
            literal(schema)
        ))
        .during(format!("ask when the tables of schema {schema:?} were made"))?;
    let rows = rows.iter().filter(|row| transactional.contains(&text(row, 0)));
    Ok(rows
        .map(|row| (format!("{} {}", text(row, 0), text(row, 1)).trim_end().to_owned(), text(row, 2)))
        .collect())
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
        let first = table.store().urgent();
        link.run(format!("SELECT {first}1 FROM {} LIMIT 1", qualified(schema, &table.name)))?;
    }
    link.run("ROLLBACK TO SAVEPOINT looked")
}

/// Names of the tables of the site itself whose rows are kept in one of these ways.
fn tables(link: &mut Link, schema: &str, wanted: impl Fn(Store) -> bool) -> Result<Vec<String>> {
    let rows = link
        .rows(format!(
            "SELECT table_name, engine FROM information_schema.tables WHERE table_schema={} \
             AND table_type IN ('BASE TABLE','SYSTEM VERSIONED')",
            literal(schema)
        ))
        .during(format!("list the tables of schema {schema:?}"))?;
    let kept = |row: &&mysql_async::Row| wanted(Table::store_of(&text(row, 1).to_lowercase()));
    Ok(rows.iter().filter(kept).map(|row| text(row, 0)).filter(|name| !is_ours(name)).collect())
}

fn lock_plain_tables(spec: &MysqlSpec, link: &mut Link, cx: &Cx) -> Result<Option<TableLock>> {
    let plain = tables(link, &spec.schema, |store| store == Store::Plain)?;
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
