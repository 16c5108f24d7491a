//! The restored schema put in the place of the live one, and back: every step looks at what there is and does the rest.

use std::collections::BTreeSet;

use super::aside::{drop_schema, rebind_sequences};
use super::fault::During;
use super::grants;
use super::link::Link;
use super::names::{literal, qualified, quote};
use super::objects::{self, Object, ObjectKind};
use super::record::{Record, TABLE};
use super::row::text;
use super::session::{Patience, pin};
use super::{recreate, server};
use crate::database::{MysqlSpec, SideCopy};
use crate::error::{Error, Result};
use crate::event::Cx;

/// Somebody's open transaction may hold a table for a while; longer than this and the site has a problem of its own.
const PATIENCE: Patience = Patience(30);

/// Live to former, side to live. Tables move in one statement, which readers see as one moment; what cannot be moved
/// (views, triggers, routines, events) is dropped before and created after.
pub(super) fn swap_in(spec: &MysqlSpec, copy: &SideCopy, cx: &Cx) -> Result<()> {
    let mut link = connect(spec)?;
    let side = Record::read(&mut link, &copy.side)?.ok_or_else(|| no_record(&copy.side))?;
    let former = match Record::read(&mut link, &copy.former)? {
        Some(record) => record,
        None => record_live(&mut link, copy)?,
    };
    cx.go_on()?;
    put_schema(&mut link, &copy.live, &side)?;
    clear_objects(&mut link, &copy.live)?;
    let (in_live, in_side, in_former) = contents(&mut link, copy)?;
    let away = former.tables.iter().filter(|name| in_live.contains(*name) && !in_former.contains(*name));
    let come = side.tables.iter().filter(|name| in_side.contains(*name));
    let moves: Vec<_> = away
        .map(|name| (name, &copy.live, &copy.former))
        .chain(come.map(|name| (name, &copy.side, &copy.live)))
        .collect();
    rename(&mut link, &moves)?;
    rebind_sequences(&mut link, &copy.live, &side.tables, &copy.side)?;
    create_objects(&mut link, &copy.live, &side, cx)?;
    grants::give(&mut link, &side.accounts, cx)
}

/// The reverse of `swap_in`, from wherever it stopped. Ends with the removal of the former schema, so that a second call
/// finds nothing to do.
pub(super) fn swap_back(spec: &MysqlSpec, copy: &SideCopy, cx: &Cx) -> Result<()> {
    // Half an undo is worse than a second of waiting.
    let cx = &cx.shielded();
    let mut link = connect(spec)?;
    let Some(former) = Record::read(&mut link, &copy.former)? else {
        return drop_if_empty(&mut link, &copy.former);
    };
    let side = Record::read(&mut link, &copy.side)?.ok_or_else(|| no_record(&copy.side))?;
    clear_objects(&mut link, &copy.live)?;
    let (in_live, in_side, in_former) = contents(&mut link, copy)?;
    let away = side.tables.iter().filter(|name| in_live.contains(*name) && !in_side.contains(*name));
    let come = former.tables.iter().filter(|name| in_former.contains(*name));
    let moves: Vec<_> = away
        .map(|name| (name, &copy.live, &copy.side))
        .chain(come.map(|name| (name, &copy.former, &copy.live)))
        .collect();
    rename(&mut link, &moves)?;
    rebind_sequences(&mut link, &copy.side, &side.tables, &copy.live)?;
    if former.options().is_some() {
        put_schema(&mut link, &copy.live, &former)?;
        create_objects(&mut link, &copy.live, &former, cx)?;
    } else {
        drop_if_empty(&mut link, &copy.live)?;
    }
    drop_if_empty(&mut link, &copy.former)
}

/// Removes what is not live; refuses while a swap is half done, when nobody can tell which half is wanted.
pub(super) fn discard(spec: &MysqlSpec, copy: &SideCopy) -> Result<()> {
    let mut link = connect(spec)?;
    let (_, in_side, _) = contents(&mut link, copy)?;
    if Record::read(&mut link, &copy.former)?.is_some() && !in_side.is_empty() {
        return Err(Error::failed(format!(
            "the swap of schema {:?} is half done: nothing is removed from {:?} and {:?}",
            copy.live, copy.side, copy.former
        ))
        .with_remedy("undo or finish the restore first"));
    }
    // The side schema last: as long as it is there, a second call can tell that the swap was complete.
    drop_schema(&mut link, &copy.former)?;
    drop_schema(&mut link, &copy.side)
}

fn connect(spec: &MysqlSpec) -> Result<Link> {
    let mut link = Link::open(spec, None)?;
    pin(&mut link, PATIENCE)?;
    Ok(link)
}

fn no_record(schema: &str) -> Error {
    Error::failed(format!("schema {schema:?} does not hold a restored copy"))
}

/// Keeps everything about the live schema that the swap will drop, before it drops anything.
fn record_live(link: &mut Link, copy: &SideCopy) -> Result<Record> {
    let record = if server::schema_exists(link, &copy.live)? {
        let create = server::show_create_database(link, &copy.live)?;
        let options = server::database_options(&create, &copy.live);
        let tables = tables(link, &copy.live)?.into_iter().collect();
        Record::new(Some(&options), tables, live_objects(link, &copy.live)?)
    } else {
        Record::new(None, Vec::new(), Vec::new())
    };
    link.run(format!("CREATE DATABASE IF NOT EXISTS {} CHARACTER SET utf8mb4", quote(&copy.former)))
        .during(format!("create schema {:?} for the former content", copy.former))?;
    record.write(link, &copy.former)?;
    Ok(record)
}

/// The objects that a swap drops and must be able to bring back; an error if the server hides one of them.
pub(super) fn live_objects(link: &mut Link, schema: &str) -> Result<Vec<Object>> {
    link.run(format!("USE {}", quote(schema))).during(format!("use schema {schema:?}"))?;
    let found = objects::objects(link, schema)?;
    if let Some(hidden) = found.unsaved.first() {
        return Err(Error::failed(format!(
            "{} of schema {schema:?} could not be brought back: {}",
            hidden.what, hidden.why
        ))
        .with_remedy(
            "restore with a database user that has all rights, such as root over the local socket",
        ));
    }
    Ok(found.list.into_iter().filter(|object| object.kind != ObjectKind::Sequence).collect())
}

/// The schema with the options of this record.
fn put_schema(link: &mut Link, schema: &str, record: &Record) -> Result<()> {
    let mut options = record.options().unwrap_or_default();
    let exists = server::schema_exists(link, schema)?;
    if exists && options.is_empty() {
        return Ok(());
    }
    if exists {
        let now = server::show_create_database(link, schema)?;
        let comments = |text: &[u8]| text.windows(9).any(|window| window == b" COMMENT ");
        if comments(&server::database_options(&now, schema)) && !comments(&options) {
            options.extend_from_slice(b" COMMENT ''");
        }
    }
    let verb = if exists { "ALTER" } else { "CREATE" };
    let mut sql = format!("{verb} DATABASE {}", quote(schema)).into_bytes();
    sql.extend(options);
    link.run(sql).during(format!("set the options of schema {schema:?}"))
}

/// Drops all views, triggers, routines, packages and events.
fn clear_objects(link: &mut Link, schema: &str) -> Result<()> {
    for (kind, name) in
        objects::names(link, schema).during(format!("list the objects of schema {schema:?}"))?
    {
        if kind != ObjectKind::Sequence {
            recreate::drop_object(link, schema, kind, &name)?;
        }
    }
    Ok(())
}

fn create_objects(link: &mut Link, schema: &str, record: &Record, cx: &Cx) -> Result<()> {
    link.run(format!("USE {}", quote(schema))).during(format!("use schema {schema:?}"))?;
    let all: Vec<&Object> = record.objects.iter().collect();
    recreate::create(link, schema, &all, cx)
}

fn rename(link: &mut Link, moves: &[(&String, &String, &String)]) -> Result<()> {
    if moves.is_empty() {
        return Ok(());
    }
    let list: Vec<_> = moves
        .iter()
        .map(|(name, from, to)| format!("{} TO {}", qualified(from, name), qualified(to, name)))
        .collect();
    link.run(format!("RENAME TABLE {}", list.join(", "))).during("exchange the tables")
}

/// Tables and sequences of live, side and former.
fn contents(
    link: &mut Link,
    copy: &SideCopy,
) -> Result<(BTreeSet<String>, BTreeSet<String>, BTreeSet<String>)> {
    Ok((tables(link, &copy.live)?, tables(link, &copy.side)?, tables(link, &copy.former)?))
}

/// Everything in a schema that a RENAME can move, except our own record.
fn tables(link: &mut Link, schema: &str) -> Result<BTreeSet<String>> {
    let rows = link
        .rows(format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema={} \
             AND table_type IN ('BASE TABLE','SYSTEM VERSIONED','SEQUENCE')",
            literal(schema)
        ))
        .during(format!("list the tables of schema {schema:?}"))?;
    Ok(rows.iter().map(|row| text(row, 0)).filter(|name| name != TABLE).collect())
}

fn drop_if_empty(link: &mut Link, schema: &str) -> Result<()> {
    if tables(link, schema)?.is_empty() { drop_schema(link, schema) } else { Ok(()) }
}
