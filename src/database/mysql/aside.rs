//! A dump loaded into a schema of its own beside the live one, proven equal, and removed again on any error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::crew::{self, Whistle};
use super::definition::{Split, in_schema};
use super::fault::{During, code_of, is_change, text_of};
use super::grants::Account;
use super::intake::{self, Intake};
use super::link::Link;
use super::load::{Filling, choose, parts};
use super::manifest::{FileEntry, TableEntry};
use super::names::{beside, hex_literal, qualified, quote};
use super::objects::{Object, ObjectKind};
use super::record::Record;
use super::session::{Patience, pin_for_loading};
use super::{recreate, server, verify};
use crate::database::{MysqlSpec, SideCopy};
use crate::dump::Shelf;
use crate::error::{Context, Error, Result};
use crate::event::Cx;

const PATIENCE: Patience = Patience(60);

/// Bytes of rows from which on a separate statement for the indexes costs less than it saves.
const WORTH_WAITING: u64 = 1 << 20;

/// The server cannot prepare this kind of statement.
const NOT_PREPARABLE: u16 = 1295;

/// Names of all schemas of a restore.
pub(super) fn names(spec: &MysqlSpec, token: &str) -> SideCopy {
    SideCopy {
        live: spec.schema.clone(),
        side: beside(&spec.schema, "restore", token),
        former: beside(&spec.schema, "former", token),
        tables: 0,
        rows: 0,
    }
}

pub(super) fn load(spec: &MysqlSpec, shelf: &dyn Shelf, token: &str, cx: &Cx) -> Result<SideCopy> {
    let intake = intake::read(shelf)?;
    let mut copy = names(spec, token);
    // Declared before the connection, so that it acts after that has let go of its transaction.
    let mut guard = Guard { spec, schema: copy.side.clone(), armed: false, cx };
    let mut link = Link::open(spec, None)?;
    pin_for_loading(&mut link, PATIENCE)?;
    create_schema(&mut link, &copy.side, &intake)?;
    guard.armed = true;
    fill(spec, &mut link, &copy, shelf, &intake, cx)?;
    guard.armed = false;
    copy.tables = intake.manifest.tables.len() as u64;
    copy.rows = intake.manifest.rows();
    Ok(copy)
}

fn create_schema(link: &mut Link, schema: &str, intake: &Intake) -> Result<()> {
    let mut sql = format!("CREATE DATABASE {}", quote(schema)).into_bytes();
    sql.extend(server::database_options(&intake.database, &intake.manifest.schema));
    link.run(sql)
        .during(format!("create schema {schema:?} for the restored copy"))
        .remedy("the database user needs the rights CREATE and DROP on schemas beside its own")
}

fn fill(
    spec: &MysqlSpec,
    link: &mut Link,
    copy: &SideCopy,
    shelf: &dyn Shelf,
    intake: &Intake,
    cx: &Cx,
) -> Result<()> {
    let schema = &copy.side;
    link.run(format!("USE {}", quote(schema))).during(format!("use schema {schema:?}"))?;
    let sequences = of_kind(intake, |kind| kind == ObjectKind::Sequence);
    recreate::create(link, schema, &sequences, cx)?;
    let splits: Vec<_> = std::iter::zip(&intake.manifest.tables, &intake.tables)
        .map(|(table, ddl)| split(table, &in_schema(ddl, &intake.manifest.schema, schema)))
        .collect();
    for (table, split) in std::iter::zip(&intake.manifest.tables, &splits) {
        link.run(split.create.as_slice()).during(format!("create table {:?}", table.name))?;
    }
    try_objects(link, schema, intake, cx)?;
    let filling =
        Filling { shelf, schema, way: choose(link)?, done: AtomicU64::new(0), total: intake.manifest.rows() };
    let mut tables: Vec<_> = std::iter::zip(&intake.manifest.tables, &splits).collect();
    // Whatever begins last should be short: then no connection waits long for the other.
    tables.sort_by_key(|(table, _)| std::cmp::Reverse(table.bytes));
    let work = tables.into_iter().flat_map(|(table, split)| Part::of(table, split)).collect();
    let fill_one = |link: &mut Link, part: Part<'_>, whistle: &Whistle<'_>| {
        filling.rows(link, part.table, part.files, whistle, cx)?;
        whistle.go_on()?;
        if part.is_last() { add_indexes(link, schema, part.table, part.split) } else { Ok(()) }
    };
    crew::share(spec, (link, schema, PATIENCE), work, fill_one, cx)?;
    add_foreign_keys(link, intake, &splits, schema)?;
    let same_version = server::facts(link)?.version == intake.manifest.version;
    verify::compare(spec, (link, schema, PATIENCE), intake, same_version, cx)
        .context("verify the restored copy")?;
    // The rights name the schema they were given on.
    let accounts =
        if spec.grants && intake.manifest.schema == copy.live { intake.accounts.clone() } else { Vec::new() };
    record(link, schema, intake, accounts)
}

/// Some rows of a table, for one connection.
struct Part<'a> {
    table: &'a TableEntry,
    split: &'a Split,
    files: &'a [FileEntry],
    /// Parts of this table that are not loaded yet.
    left: Arc<AtomicUsize>,
}

impl<'a> Part<'a> {
    fn of(table: &'a TableEntry, split: &'a Split) -> Vec<Self> {
        let parts = parts(table);
        let left = Arc::new(AtomicUsize::new(parts.len()));
        parts.into_iter().map(|files| Self { table, split, files, left: Arc::clone(&left) }).collect()
    }

    /// Said once a table, by whoever finishes last.
    fn is_last(&self) -> bool {
        self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

/// Which parts of a table come after its rows.
fn split(table: &TableEntry, ddl: &[u8]) -> Split {
    // Other engines build indexes as well row by row, or have none; a table with a history may not be altered.
    if table.engine != "innodb" || table.versioned {
        return Split::whole(ddl);
    }
    Split::of(ddl, table.bytes >= WORTH_WAITING)
}

fn add_indexes(link: &mut Link, schema: &str, table: &TableEntry, split: &Split) -> Result<()> {
    for sql in split.index_statements(&qualified(schema, &table.name)) {
        link.run(sql).during(format!("add the indexes of table {:?}", table.name))?;
    }
    Ok(())
}

fn add_foreign_keys(link: &mut Link, intake: &Intake, splits: &[Split], schema: &str) -> Result<()> {
    for (table, split) in std::iter::zip(&intake.manifest.tables, splits) {
        if let Some(sql) = split.foreign_statement(&qualified(schema, &table.name)) {
            link.run(sql).during(format!("add the foreign keys of table {:?}", table.name))?;
        }
    }
    Ok(())
}

fn of_kind(intake: &Intake, wanted: impl Fn(ObjectKind) -> bool) -> Vec<&Object> {
    intake.objects.iter().filter(|object| wanted(object.kind)).collect()
}

/// Finds out before anything is swapped whether the server will take the objects: routines and views are created for
/// real; triggers (which would keep their table from being moved) and events (which would run) are only parsed.
fn try_objects(link: &mut Link, schema: &str, intake: &Intake, cx: &Cx) -> Result<()> {
    let real = of_kind(intake, |kind| {
        !matches!(kind, ObjectKind::Sequence | ObjectKind::Trigger | ObjectKind::Event)
    });
    recreate::create(link, schema, &real, cx).context("try the objects of the dump")?;
    for object in of_kind(intake, |kind| matches!(kind, ObjectKind::Trigger | ObjectKind::Event)) {
        let label = recreate::label(object);
        recreate::attributes(link, object).during(format!("try {label}"))?;
        // `MySQL` takes a statement from a variable, and from no literal of bytes.
        let text = hex_literal(&object.sql.bytes());
        link.run(format!("SET @lifeboat_try={text}")).during(format!("try {label}"))?;
        match link.run("PREPARE lifeboat_try FROM @lifeboat_try") {
            Ok(()) => link.run("DEALLOCATE PREPARE lifeboat_try").during(format!("try {label}"))?,
            Err(error) if code_of(&error) == Some(NOT_PREPARABLE) => {}
            Err(error) => return Err(Error::failed(format!("try {label}: {}", text_of(&error)))),
        }
    }
    pin_for_loading(link, PATIENCE)
}

/// What the swap will need, kept with the copy: by then there may be another process and no shelf.
fn record(link: &mut Link, schema: &str, intake: &Intake, accounts: Vec<Account>) -> Result<()> {
    let sequences = intake.objects.iter().filter(|object| object.kind == ObjectKind::Sequence);
    let tables = intake.manifest.tables.iter().map(|table| table.name.clone());
    let tables = tables.chain(sequences.map(|sequence| sequence.name.clone())).collect();
    let objects =
        intake.objects.iter().filter(|object| object.kind != ObjectKind::Sequence).cloned().collect();
    let options = server::database_options(&intake.database, &intake.manifest.schema);
    Record::new(Some(&options), tables, objects).with_accounts(accounts).write(link, schema)
}

/// Removes a half-made schema when it goes out of scope, also on a panic.
struct Guard<'a> {
    spec: &'a MysqlSpec,
    schema: String,
    armed: bool,
    cx: &'a Cx,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // On a new connection: the one that failed may be in the middle of a statement.
        if let Err(error) = remove(self.spec, &self.schema) {
            self.cx
                .warn(format!("schema {:?} is left behind and may be dropped by hand: {error}", self.schema));
        }
    }
}

/// Drops a schema of ours; nothing happens if there is none.
pub(super) fn remove(spec: &MysqlSpec, schema: &str) -> Result<()> {
    let mut link = Link::open(spec, None)?;
    pin_for_loading(&mut link, PATIENCE)?;
    drop_schema(&mut link, schema)
}

pub(super) fn drop_schema(link: &mut Link, schema: &str) -> Result<()> {
    link.run(format!("DROP DATABASE IF EXISTS {}", quote(schema))).during(format!("drop schema {schema:?}"))
}

/// Points the defaults of moved tables at the sequences that moved with them.
pub(super) fn rebind_sequences(link: &mut Link, schema: &str, tables: &[String], from: &str) -> Result<()> {
    for table in tables {
        let ddl = match super::catalog::show_create(link, schema, table) {
            // A swap that stopped half way has not brought it here.
            Err(error) if is_change(&error) => continue,
            other => other.during(format!("read the definition of table {table:?}"))?,
        };
        let wanted = format!("nextval({}.", quote(from));
        for line in String::from_utf8_lossy(&ddl)
            .lines()
            .filter(|line| line.starts_with("  `") && line.contains(&wanted))
        {
            let column =
                line.trim().trim_end_matches(',').replace(&wanted, &format!("nextval({}.", quote(schema)));
            link.run(format!("ALTER TABLE {} MODIFY COLUMN {column}", qualified(schema, table)))
                .during(format!("set the default of a column of table {table:?}"))?;
        }
    }
    Ok(())
}
