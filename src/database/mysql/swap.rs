//! The restored tables put in the place of the live ones, and back: every step looks at what there is and does the rest.

use std::collections::BTreeSet;

use super::fault::During;
use super::keys::{self, TableKeys};
use super::link::Link;
use super::names::{literal, qualified, quote};
use super::objects::{self, Named, Object, ObjectKind};
use super::place::{Place, live};
use super::record::Record;
use super::row::text;
use super::session::Patience;
use super::{grants, recreate, sequences, server};
use crate::database::{MysqlSpec, SideCopy};
use crate::error::{Error, Result};
use crate::event::{Cx, Step};

/// Somebody's open transaction may hold a table for a while; longer than this and the site has a problem of its own.
const PATIENCE: Patience = Patience(30);

/// A place and what belongs there while it is not live.
type Kept<'a> = (&'a Place, &'a Record);

/// Live to former, side to live. Tables move in one statement, which readers see as one moment; what cannot be moved
/// (triggers, routines, events; views between schemas) is dropped before and created after.
pub(super) fn swap_in(spec: &MysqlSpec, copy: &SideCopy, cx: &Cx) -> Result<()> {
    let (side_place, former_place) = (Place::side(copy), Place::former(copy));
    let mut link = side_place.connect(spec, PATIENCE)?;
    let side = Record::read(&mut link, &side_place)?.ok_or_else(|| no_record(&side_place))?;
    let former = match Record::read(&mut link, &former_place)? {
        Some(record) => record,
        None => record_live(&mut link, copy, &former_place, &side)?,
    };
    cx.go_on()?;
    cx.between(Step::SwapDatabase)?;
    if side.only.is_none() {
        put_schema(&mut link, &copy.live, &side)?;
    }
    let (away, come) = ((&former_place, &former), (&side_place, &side));
    clear_objects(&mut link, &copy.live, away, come)?;
    cx.between(Step::SwapDatabase)?;
    rename(&mut link, &copy.live, away, come)?;
    cx.between(Step::SwapDatabase)?;
    sequences::follow(&mut link, &copy.live, &side_place, &side)?;
    set_keys(&mut link, &copy.live, away, &side)?;
    if side.only.is_some() {
        keys::found_live(&mut link, &copy.live, &side)?;
    }
    cx.between(Step::SwapDatabase)?;
    create_objects(&mut link, &copy.live, &side, cx)?;
    grants::give(&mut link, &side.accounts, cx)
}

/// The reverse of `swap_in`, from wherever it stopped. Ends with the removal of the former place, so that a second call
/// finds nothing to do.
pub(super) fn swap_back(spec: &MysqlSpec, copy: &SideCopy, cx: &Cx) -> Result<()> {
    // Half an undo is worse than a second of waiting.
    let cx = &cx.shielded();
    let (side_place, former_place) = (Place::side(copy), Place::former(copy));
    let mut link = side_place.connect(spec, PATIENCE)?;
    let Some(former) = Record::read(&mut link, &former_place)? else {
        return former_place.remove_if_empty(&mut link);
    };
    let side = Record::read(&mut link, &side_place)?.ok_or_else(|| no_record(&side_place))?;
    let (away, come) = ((&side_place, &side), (&former_place, &former));
    clear_objects(&mut link, &copy.live, away, come)?;
    rename(&mut link, &copy.live, away, come)?;
    cx.between(Step::Recover)?;
    sequences::follow_back(&mut link, &copy.live, &side_place, &side)?;
    set_keys(&mut link, &copy.live, away, &former)?;
    if former.options().is_some() {
        put_schema(&mut link, &copy.live, &former)?;
        create_objects(&mut link, &copy.live, &former, cx)?;
    } else {
        Place::Schema(copy.live.clone()).remove_if_empty(&mut link)?;
    }
    former_place.remove_if_empty(&mut link)
}

/// Removes what is not live; refuses while a swap is half done, when nobody can tell which half is wanted.
pub(super) fn discard(spec: &MysqlSpec, copy: &SideCopy) -> Result<()> {
    let (side_place, former_place) = (Place::side(copy), Place::former(copy));
    let mut link = side_place.connect(spec, PATIENCE)?;
    let in_side = side_place.contents(&mut link)?;
    if Record::read(&mut link, &former_place)?.is_some() && !in_side.is_empty() {
        return Err(Error::failed(format!(
            "the swap of schema {:?} is half done: nothing is removed from {side_place} and {former_place}",
            copy.live
        ))
        .with_remedy("undo or finish the restore first"));
    }
    // The side copy last: as long as it is there, a second call can tell that the swap was complete.
    former_place.remove(&mut link)?;
    side_place.remove(&mut link)
}

fn no_record(place: &Place) -> Error {
    Error::failed(format!("{place} does not hold a restored copy"))
}

/// Keeps everything about the live schema that the swap will drop, before it drops anything.
fn record_live(link: &mut Link, copy: &SideCopy, place: &Place, side: &Record) -> Result<Record> {
    let record = if server::schema_exists(link, &copy.live)? {
        let create = server::show_create_database(link, &copy.live)?;
        let options = server::database_options(&create, &copy.live);
        let mut tables: Vec<_> = live(link, &copy.live, place.is_inside())?.into_iter().collect();
        if let Some(only) = &side.only {
            tables.retain(|table| only.contains(table));
        }
        let mut objects = live_objects(link, &copy.live, side.only.as_deref())?;
        // They move with the tables, and keep their definers.
        objects.retain(|object| !place.is_inside() || object.kind != ObjectKind::View);
        let keys = live_keys(link, &copy.live, &tables)?;
        Record::new(Some(&options), tables, objects).with_keys(keys).of_tables(side.only.clone())
    } else {
        Record::new(None, Vec::new(), Vec::new())
    };
    if !place.is_inside() {
        link.run(format!("CREATE DATABASE IF NOT EXISTS {} CHARACTER SET utf8mb4", quote(place.schema())))
            .during(format!("create {place} for the former content"))?;
    }
    record.write(link, place)?;
    Ok(record)
}

/// The objects that a swap drops and must be able to bring back; an error if the server hides one of them. With some tables
/// alone that is their triggers.
pub(super) fn live_objects(link: &mut Link, schema: &str, only: Option<&[String]>) -> Result<Vec<Object>> {
    link.run(format!("USE {}", quote(schema))).during(format!("use schema {schema:?}"))?;
    let names = objects::names(link, schema).during(format!("list the objects of schema {schema:?}"))?;
    let names: Vec<_> = names.into_iter().filter(|named| concerns(named, only)).collect();
    let found = objects::read_all(link, schema, &names)?;
    if let Some(hidden) = found.unsaved.first() {
        return Err(Error::failed(format!(
            "{} of schema {schema:?} could not be brought back: {}",
            hidden.what, hidden.why
        ))
        .with_remedy(
            "restore with a database user that has all rights, such as root over the local socket",
        ));
    }
    Ok(found.list)
}

/// Whether a swap of these tables, or of all, replaces an object.
fn concerns(named: &Named, only: Option<&[String]>) -> bool {
    match only {
        Some(tables) => named.kind == ObjectKind::Trigger && tables.contains(&named.table),
        // They move as tables do.
        None => named.kind != ObjectKind::Sequence,
    }
}

fn live_keys(link: &mut Link, schema: &str, tables: &[String]) -> Result<Vec<TableKeys>> {
    let mut all = Vec::new();
    for table in children(link, schema)?.iter().filter(|table| tables.contains(table)) {
        all.extend(TableKeys::of(table, &keys::definition(link, schema, table)?));
    }
    Ok(all)
}

/// The tables of a schema that refer to others.
pub(super) fn children(link: &mut Link, schema: &str) -> Result<BTreeSet<String>> {
    let rows = link
        .rows(format!(
            "SELECT DISTINCT table_name FROM information_schema.referential_constraints WHERE constraint_schema={}",
            literal(schema)
        ))
        .during(format!("look for foreign keys in schema {schema:?}"))?;
    Ok(rows.iter().map(|row| text(row, 0)).collect())
}

/// The schema with the options of this record.
pub(super) fn put_schema(link: &mut Link, schema: &str, record: &Record) -> Result<()> {
    let mut options = record.options().unwrap_or_default();
    let exists = server::schema_exists(link, schema)?;
    if exists && options.is_empty() {
        return Ok(());
    }
    if exists {
        let now = server::database_options(&server::show_create_database(link, schema)?, schema);
        if now == options {
            return Ok(());
        }
        let comments = |text: &[u8]| text.windows(9).any(|window| window == b" COMMENT ");
        if comments(&now) && !comments(&options) {
            options.extend_from_slice(b" COMMENT ''");
        }
    }
    let verb = if exists { "ALTER" } else { "CREATE" };
    let mut sql = format!("{verb} DATABASE {}", quote(schema)).into_bytes();
    sql.extend(options);
    link.run(sql).during(format!("set the options of schema {schema:?}"))
}

/// Drops all views, triggers, routines, packages and events that the swap replaces, wherever it stopped; not what is still
/// to be moved, or has been.
fn clear_objects(link: &mut Link, schema: &str, away: Kept<'_>, come: Kept<'_>) -> Result<()> {
    let (mut move_on, mut their_tables) = (BTreeSet::new(), Vec::new());
    for (place, record) in [away, come] {
        let held = place.holds(link, record)?;
        move_on.extend(record.tables.iter().filter(|name| !held.contains(*name)).cloned());
        let tables = record.tables.iter().enumerate();
        their_tables.extend(tables.flat_map(|(at, name)| [name.clone(), place.name(at, name)]));
    }
    let only = away.1.only.as_ref().map(|_| their_tables.as_slice());
    let names = objects::names(link, schema).during(format!("list the objects of schema {schema:?}"))?;
    for named in names.iter().filter(|named| concerns(named, only)) {
        if named.kind != ObjectKind::View || !move_on.contains(&named.name) {
            recreate::drop_object(link, schema, named.kind, &named.name)?;
        }
    }
    Ok(())
}

/// The exchange itself, as far as it has not happened.
fn rename(link: &mut Link, schema: &str, away: Kept<'_>, come: Kept<'_>) -> Result<()> {
    let there = live(link, schema, away.0.is_inside())?;
    let mut list = Vec::new();
    for ((place, record), leaves) in [(away, true), (come, false)] {
        let held = place.holds(link, record)?;
        for (at, name) in record.tables.iter().enumerate() {
            let (here, aside) = (qualified(schema, name), qualified(place.schema(), &place.name(at, name)));
            if leaves && there.contains(name) && !held.contains(name) {
                list.push(format!("{here} TO {aside}"));
            } else if !leaves && held.contains(name) {
                list.push(format!("{aside} TO {here}"));
            }
        }
    }
    if list.is_empty() {
        return Ok(());
    }
    link.run(format!("RENAME TABLE {}", list.join(", "))).during("exchange the tables")
}

/// Of those that left first: inside one schema a key's name is free only then. In a schema of their own tables keep their keys,
/// except those to tables that are not there, which then go astray.
fn set_keys(link: &mut Link, schema: &str, (place, left): Kept<'_>, came: &Record) -> Result<()> {
    link.run("SET SESSION foreign_key_checks=0").during("set how foreign keys are made")?;
    if place.is_inside() {
        keys::free(link, place, left)?;
    }
    keys::set_live(link, schema, came)
}

fn create_objects(link: &mut Link, schema: &str, record: &Record, cx: &Cx) -> Result<()> {
    link.run(format!("USE {}", quote(schema))).during(format!("use schema {schema:?}"))?;
    let all: Vec<&Object> = record.objects.iter().collect();
    recreate::create(link, schema, &all, cx)
}
