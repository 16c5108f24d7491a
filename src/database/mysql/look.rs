//! What there is of a schema, and what a swap kept of the one before.

use std::collections::BTreeSet;

use super::fault::During;
use super::link::Link;
use super::names::{beside, is_ours, literal, qualified, quote};
use super::place::{Place, drop_schema};
use super::preflight::PROBE;
use super::record::Record;
use super::row::{bytes, text};
use super::{aside, fit, server};
use crate::database::{Means, MysqlSpec, SideCopy};
use crate::error::{Error, Result};

pub(super) fn tables(spec: &MysqlSpec) -> Result<Option<BTreeSet<String>>> {
    let mut link = Link::open(spec, None)?;
    if !server::schema_exists(&mut link, &spec.schema)? {
        return Ok(None);
    }
    of_schema(&mut link, &spec.schema).map(Some)
}

/// What a swap kept has a record of what it consists of: with that it can be swapped in as a restored copy is.
pub(super) fn revive(spec: &MysqlSpec, copy: &SideCopy, token: &str) -> Result<Option<SideCopy>> {
    let mut link = Link::open(spec, None)?;
    let place = Place::former(copy);
    let Some(record) = Record::read(&mut link, &place)? else { return Ok(None) };
    if record.options().is_none() {
        return Err(Error::failed(format!("schema {:?} did not exist before that restore", copy.live))
            .with_remedy("drop it by hand if it is not wanted"));
    }
    let there = place.holds(&mut link, &record)?;
    if !record.tables.iter().all(|table| there.contains(table)) {
        return Ok(None);
    }
    let means = if place.is_inside() { Means::SideTables } else { Means::Beside };
    let tables = place.count_tables(&mut link)?;
    let only = copy.only.clone();
    Ok(Some(SideCopy { side: copy.former.clone(), only, tables, ..aside::names(spec, token, means) }))
}

/// Drops what bears the name of a preflight's: schemas, as long as nobody put anything into them, and tables.
pub(super) fn sweep(spec: &MysqlSpec) -> Result<()> {
    const DIGITS: usize = 8;
    let mut link = Link::open(spec, None)?;
    let whole = beside(&spec.schema, PROBE, &"0".repeat(DIGITS));
    let begins = &whole[..whole.len() - DIGITS];
    let rows = link.rows("SELECT schema_name FROM information_schema.schemata").during("list the schemas")?;
    let plain = |end: &str| end.len() == DIGITS && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    for schema in
        rows.iter().map(|row| text(row, 0)).filter(|name| name.strip_prefix(begins).is_some_and(plain))
    {
        if of_schema(&mut link, &schema)?.iter().all(|table| table == PROBE) {
            drop_schema(&mut link, &schema)?;
        }
    }
    fit::sweep(&mut link, &spec.schema, |name| is_ours(name) && name.contains(&format!("__{PROBE}_")))
}

/// Names of the tables of the site itself.
fn of_schema(link: &mut Link, schema: &str) -> Result<BTreeSet<String>> {
    let rows = link
        .rows(format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema={} \
             AND table_type IN ('BASE TABLE','SYSTEM VERSIONED')",
            literal(schema)
        ))
        .during(format!("list the tables of schema {schema:?}"))?;
    Ok(rows.iter().map(|row| text(row, 0)).filter(|name| !is_ours(name)).collect())
}

pub(super) fn value(
    spec: &MysqlSpec,
    schema: &str,
    table: &str,
    (key, is): (&str, &str),
    column: &str,
) -> Result<Option<Vec<u8>>> {
    let mut link = Link::open(spec, None)?;
    let sql = format!(
        "SELECT {} FROM {} WHERE {}={} LIMIT 1",
        quote(column),
        qualified(schema, table),
        quote(key),
        literal(is)
    );
    let row = link.first(sql).during(format!("read {column} of table {table:?}"))?;
    Ok(row.and_then(|row| bytes(&row, 0).map(<[u8]>::to_vec)))
}
