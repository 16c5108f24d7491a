//! A dump loaded into a schema of its own beside the live one, proven equal, and removed again on any error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::crew::{self, Whistle};
use super::definition::Split;
use super::fault::{During, code_of, text_of};
use super::foreign;
use super::intake::{self, Intake};
use super::keys::{self, TableKeys};
use super::link::Link;
use super::load::{Filling, choose, parts};
use super::manifest::{FileEntry, TableEntry};
use super::names::{beside, hex_literal, qualified, quote};
use super::objects::{Object, ObjectKind};
use super::place::Place;
use super::record::Record;
use super::session::{Patience, pin_for_loading};
use super::{recreate, server, verify};
use crate::database::{Means, MysqlSpec, SideCopy};
use crate::dump::Shelf;
use crate::error::{Context, Error, Result};
use crate::event::Cx;

const PATIENCE: Patience = Patience(60);

/// Bytes of rows from which on a separate statement for the indexes costs less than it saves.
const WORTH_WAITING: u64 = 1 << 20;

/// The server cannot prepare this kind of statement.
const NOT_PREPARABLE: u16 = 1295;

/// Names of everything that a restore makes.
pub(super) fn names(spec: &MysqlSpec, token: &str, means: Means) -> SideCopy {
    let place = |inside: &str, purpose: &str| match means {
        Means::Beside | Means::InPlace | Means::ByPlugin => {
            Place::Schema(beside(&spec.schema, purpose, token))
        }
        Means::SideTables => Place::inside(&spec.schema, inside, token),
    };
    SideCopy {
        means,
        live: spec.schema.clone(),
        side: place("new", "restore").to_string(),
        former: place("old", "former").to_string(),
        only: Vec::new(),
        tables: 0,
        rows: 0,
    }
}

pub(super) fn load(spec: &MysqlSpec, shelf: &dyn Shelf, names: &SideCopy, cx: &Cx) -> Result<SideCopy> {
    let mut intake = intake::of(shelf, &spec.schema, cx)?;
    if !names.only.is_empty() {
        intake.select(&names.only)?;
    }
    let place = Place::side(names);
    intake.put_in(&place);
    let mut copy = names.clone();
    // Declared before the connection, so that it acts after that has let go of its transaction.
    let mut guard = Guard { spec, place: place.clone(), armed: false, cx };
    let mut link = Link::open(spec, None)?;
    pin_for_loading(&mut link, PATIENCE)?;
    foreign::stays_inside(&mut link, &spec.schema, &intake)?;
    make(&mut link, &place, &intake)?;
    guard.armed = true;
    let record = record(&copy, &intake);
    fill(spec, &mut link, (&place, &record), shelf, &intake, cx)?;
    // The rights name the schema they were given on.
    let accounts =
        if spec.grants && intake.manifest.schema == copy.live { intake.accounts.clone() } else { Vec::new() };
    record.with_accounts(accounts).write(&mut link, &place)?;
    guard.armed = false;
    copy.tables = intake.manifest.tables.len() as u64;
    copy.rows = intake.manifest.rows();
    Ok(copy)
}

/// Makes the place itself, which must be new.
fn make(link: &mut Link, place: &Place, intake: &Intake) -> Result<()> {
    let Place::Schema(schema) = place else {
        return Record::claim(link, place)
            .during(format!("create tables {place} for the restored copy"))
            .remedy("the database user needs the rights CREATE, ALTER and DROP on its schema");
    };
    let mut sql = format!("CREATE DATABASE {}", quote(schema)).into_bytes();
    sql.extend(server::database_options(&intake.database, &intake.manifest.schema));
    link.run(sql)
        .during(format!("create schema {schema:?} for the restored copy"))
        .remedy("the database user needs the rights CREATE and DROP on schemas beside its own")
}

/// Tables, rows and keys, proven equal to the dump.
pub(super) fn fill(
    spec: &MysqlSpec,
    link: &mut Link,
    (place, record): (&Place, &Record),
    shelf: &dyn Shelf,
    intake: &Intake,
    cx: &Cx,
) -> Result<()> {
    let schema = place.schema();
    link.run(format!("USE {}", quote(schema))).during(format!("use schema {schema:?}"))?;
    create_sequences(link, place, intake, cx)?;
    let splits: Vec<_> = std::iter::zip(&intake.manifest.tables, &intake.tables)
        .map(|(table, ddl)| split(table, ddl, place))
        .collect();
    for (table, split) in std::iter::zip(&intake.manifest.tables, &splits) {
        link.run(split.create.as_slice()).during(format!("create table {:?}", table.name))?;
    }
    foreign::prove_single(link, intake)?;
    try_objects(link, place, intake, cx)?;
    if intake.foreign.is_some() {
        return fill_foreign(link, (place, record), shelf, intake, &splits, cx);
    }
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
    add_foreign_keys(link, place, record, intake, &splits)?;
    let same_version = server::facts(link)?.version == intake.manifest.version;
    verify::compare(spec, (link, schema, PATIENCE), intake, same_version, cx)
        .context("verify the restored copy")
}

/// A dump of another program comes as one stream, in the order of its tables.
fn fill_foreign(
    link: &mut Link,
    (place, record): (&Place, &Record),
    shelf: &dyn Shelf,
    intake: &Intake,
    splits: &[Split],
    cx: &Cx,
) -> Result<()> {
    foreign::fill(link, place, shelf, intake, cx)?;
    for (table, split) in std::iter::zip(&intake.manifest.tables, splits) {
        cx.go_on()?;
        add_indexes(link, place.schema(), table, split)?;
    }
    add_foreign_keys(link, place, record, intake, splits)
}

/// Finds out whether the server takes all definitions, by making the tables, empty, inside the live schema.
pub(super) fn try_tables(link: &mut Link, place: &Place, mut intake: Intake, cx: &Cx) -> Result<()> {
    intake.put_in(place);
    let schema = place.schema();
    link.run(format!("USE {}", quote(schema))).during(format!("use schema {schema:?}"))?;
    let mut try_all = || {
        create_sequences(link, place, &intake, cx)?;
        for (table, ddl) in std::iter::zip(&intake.manifest.tables, &intake.tables) {
            cx.go_on()?;
            let create = if table.engine == "innodb" { Split::of(ddl, false).create } else { ddl.clone() };
            link.run(create).during(format!("create table {:?}", table.name))?;
        }
        Ok(())
    };
    let tried = try_all();
    tried.and(place.remove(link))
}

/// Under the names that follow those of the tables in the record.
fn create_sequences(link: &mut Link, place: &Place, intake: &Intake, cx: &Cx) -> Result<()> {
    let before = intake.manifest.tables.len();
    let renamed: Vec<_> = of_kind(intake, |kind| kind == ObjectKind::Sequence)
        .into_iter()
        .enumerate()
        .map(|(at, sequence)| sequence.called(&place.name(before + at, &sequence.name)))
        .collect();
    recreate::create(link, place.schema(), &renamed.iter().collect::<Vec<_>>(), cx)
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
fn split(table: &TableEntry, ddl: &[u8], place: &Place) -> Split {
    // For who may alter nothing, all at once. Other engines build indexes as well row by row, or have none; a table with a history may not be altered, except for
    // foreign keys, which here need other names.
    match table.engine == "innodb" && !matches!(place, Place::Live(_)) {
        true if !table.versioned => Split::of(ddl, table.bytes >= WORTH_WAITING),
        true if place.is_inside() => Split::of(ddl, false),
        _ => Split::whole(ddl),
    }
}

fn add_indexes(link: &mut Link, schema: &str, table: &TableEntry, split: &Split) -> Result<()> {
    for sql in split.index_statements(&qualified(schema, table.place())) {
        link.run(sql).during(format!("add the indexes of table {:?}", table.name))?;
    }
    Ok(())
}

fn add_foreign_keys(
    link: &mut Link,
    place: &Place,
    record: &Record,
    intake: &Intake,
    splits: &[Split],
) -> Result<()> {
    if record.only.is_some() {
        keys::found_aside(link, place, record)?;
    }
    if place.is_inside() {
        return keys::add_aside(link, place, record);
    }
    for (table, split) in std::iter::zip(&intake.manifest.tables, splits) {
        if let Some(sql) = split.foreign_statement(&qualified(place.schema(), &table.name)) {
            link.run(sql).during(format!("add the foreign keys of table {:?}", table.name))?;
        }
    }
    Ok(())
}

fn of_kind(intake: &Intake, wanted: impl Fn(ObjectKind) -> bool) -> Vec<&Object> {
    intake.objects.iter().filter(|object| wanted(object.kind)).collect()
}

/// Finds out before anything is swapped whether the server will take the objects: routines and views are created for
/// real where they have a schema of their own; triggers (which would keep their table from being moved), events (which would
/// run), and what has a namesake that is live are only parsed.
fn try_objects(link: &mut Link, place: &Place, intake: &Intake, cx: &Cx) -> Result<()> {
    let inside = place.is_inside();
    let only_parsed = |kind| {
        matches!(kind, ObjectKind::Trigger | ObjectKind::Event) || (inside && kind != ObjectKind::View)
    };
    let real = of_kind(intake, |kind| !inside && kind != ObjectKind::Sequence && !only_parsed(kind));
    recreate::create(link, place.schema(), &real, cx).context("try the objects of the dump")?;
    for object in of_kind(intake, |kind| kind != ObjectKind::Sequence && only_parsed(kind)) {
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
fn record(copy: &SideCopy, intake: &Intake) -> Record {
    let sequences = intake.objects.iter().filter(|object| object.kind == ObjectKind::Sequence);
    let tables = intake.manifest.tables.iter().map(|table| table.name.clone());
    let tables = tables.chain(sequences.map(|sequence| sequence.name.clone())).collect();
    let objects =
        intake.objects.iter().filter(|object| object.kind != ObjectKind::Sequence).cloned().collect();
    let options = server::database_options(&intake.database, &intake.manifest.schema);
    // Other engines have none, whatever may look like one.
    let keys = std::iter::zip(&intake.manifest.tables, &intake.tables)
        .filter(|(table, _)| table.engine == "innodb")
        .filter_map(|(table, ddl)| TableKeys::of(&table.name, ddl));
    let only = (!copy.only.is_empty()).then(|| copy.only.clone());
    Record::new(Some(&options), tables, objects).with_keys(keys.collect()).of_tables(only)
}

/// Removes a half-made copy when it goes out of scope, also on a panic.
struct Guard<'a> {
    spec: &'a MysqlSpec,
    place: Place,
    armed: bool,
    cx: &'a Cx,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // On a new connection: the one that failed may be in the middle of a statement.
        if let Err(error) = remove(self.spec, &self.place) {
            self.cx.warn(format!("{} is left behind and may be dropped by hand: {error}", self.place));
        }
    }
}

fn remove(spec: &MysqlSpec, place: &Place) -> Result<()> {
    place.remove(&mut place.connect(spec, PATIENCE)?)
}
