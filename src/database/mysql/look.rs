//! What there is of a schema, and what a swap kept of the one before.

use std::collections::BTreeSet;

use super::fault::During;
use super::link::Link;
use super::names::{beside, literal};
use super::preflight::PROBE;
use super::record::{Record, TABLE};
use super::row::text;
use super::{aside, server};
use crate::database::{MysqlSpec, SideCopy};
use crate::error::{Error, Result};

pub(super) fn tables(spec: &MysqlSpec) -> Result<Option<BTreeSet<String>>> {
    let mut link = Link::open(spec, None)?;
    if !server::schema_exists(&mut link, &spec.schema)? {
        return Ok(None);
    }
    of_schema(&mut link, &spec.schema, false).map(Some)
}

/// The former schema has a record of what it consists of: with that it can be swapped in as a restored copy is.
pub(super) fn revive(spec: &MysqlSpec, copy: &SideCopy, token: &str) -> Result<Option<SideCopy>> {
    let mut link = Link::open(spec, None)?;
    let Some(record) = Record::read(&mut link, &copy.former)? else { return Ok(None) };
    if record.options().is_none() {
        return Err(Error::failed(format!("schema {:?} did not exist before that restore", copy.live))
            .with_remedy("drop it by hand if it is not wanted"));
    }
    let there = of_schema(&mut link, &copy.former, true)?;
    if !record.tables.iter().all(|table| there.contains(table)) {
        return Ok(None);
    }
    let tables = of_schema(&mut link, &copy.former, false)?.len() as u64;
    Ok(Some(SideCopy { side: copy.former.clone(), tables, ..aside::names(spec, token) }))
}

/// Drops schemas that bear the name of a preflight's, as long as nobody put anything into them.
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
        if of_schema(&mut link, &schema, true)?.iter().all(|table| table == PROBE) {
            aside::drop_schema(&mut link, &schema)?;
        }
    }
    Ok(())
}

/// Names of the tables of a schema, without our own.
fn of_schema(link: &mut Link, schema: &str, sequences: bool) -> Result<BTreeSet<String>> {
    let also = if sequences { ",'SEQUENCE'" } else { "" };
    let rows = link
        .rows(format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema={} \
             AND table_type IN ('BASE TABLE','SYSTEM VERSIONED'{also})",
            literal(schema)
        ))
        .during(format!("list the tables of schema {schema:?}"))?;
    Ok(rows.iter().map(|row| text(row, 0)).filter(|name| name != TABLE).collect())
}
