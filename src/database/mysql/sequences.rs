//! Defaults that ask a sequence name it with its schema: they follow when it moves.

use super::catalog::show_create;
use super::fault::{During, is_change};
use super::link::Link;
use super::names::{qualified, quote};
use super::objects::Object;
use super::place::Place;
use super::record::Record;
use crate::error::Result;

/// A default as the server prints it, or its beginning, and what it becomes.
type Change = (String, String);

/// `nextval(`schema`.`: what begins a default that asks a sequence, the only name in a table's definition with its schema.
fn asks(schema: &str) -> String {
    format!("nextval({}.", quote(schema))
}

/// The changes that lead from a dump to its tables in `place`, whose record's list begins with so many tables before these
/// sequences.
pub(super) fn changes_for(place: &Place, dumped: &str, tables: usize, sequences: &[&Object]) -> Vec<Change> {
    let renamed = sequences.iter().enumerate().filter(|_| place.is_inside()).map(|(at, sequence)| {
        let there = place.name(tables + at, &sequence.name);
        (
            format!("{}{})", asks(dumped), quote(&sequence.name)),
            format!("{}{})", asks(place.schema()), quote(&there)),
        )
    });
    // What is left asks a sequence that has its own name there.
    renamed.chain([(asks(dumped), asks(place.schema()))]).collect()
}

/// After the tables of `place` have become live.
pub(super) fn follow(link: &mut Link, live: &str, place: &Place, record: &Record) -> Result<()> {
    let changes = if place.is_inside() {
        let tables = record.tables.iter().enumerate();
        let change = |(at, name): (usize, &String)| {
            let was = format!("{}{})", asks(live), quote(&place.name(at, name)));
            (was, format!("{}{})", asks(live), quote(name)))
        };
        tables.map(change).collect()
    } else {
        vec![(asks(place.schema()), asks(live))]
    };
    rebind(link, live, &record.tables, &changes)
}

/// After they have gone back. Inside one schema they go on naming what is live, as former tables do.
pub(super) fn follow_back(link: &mut Link, live: &str, place: &Place, record: &Record) -> Result<()> {
    match place {
        Place::Schema(schema) => rebind(link, schema, &record.tables, &[(asks(live), asks(schema))]),
        Place::Live(_) | Place::Tables { .. } => Ok(()),
    }
}

fn rebind(link: &mut Link, schema: &str, tables: &[String], changes: &[Change]) -> Result<()> {
    for table in tables {
        let ddl = match show_create(link, schema, table) {
            // A swap that stopped half way has not brought it here.
            Err(error) if is_change(&error) => continue,
            other => other.during(format!("read the definition of table {table:?}"))?,
        };
        for line in String::from_utf8_lossy(&ddl)
            .lines()
            .filter(|line| line.starts_with("  `") && line.contains("nextval("))
        {
            let Some((was, is)) = changes.iter().find(|(was, _)| line.contains(was)) else { continue };
            let column = line.trim().trim_end_matches(',').replace(was, is);
            link.run(format!("ALTER TABLE {} MODIFY COLUMN {column}", qualified(schema, table)))
                .during(format!("set the default of a column of table {table:?}"))?;
        }
    }
    Ok(())
}
