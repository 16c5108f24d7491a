//! What there is of a database, and what a swap kept of the one before.

use std::collections::BTreeSet;

use super::aside::{drop_database, find, names};
use super::catalog;
use super::fault::During;
use super::link::{Link, text};
use super::names::beside;
use super::preflight::PROBE;
use super::session::pin;
use super::swap::is_stand_in;
use super::table::Table;
use crate::database::{PostgresSpec, SideCopy};
use crate::error::{Error, Result};

pub(super) fn tables(spec: &PostgresSpec) -> Result<Option<BTreeSet<String>>> {
    let mut beside = Link::open_beside(spec)?;
    pin(&mut beside)?;
    match find(&mut beside, &spec.name)? {
        Some(_) => tables_of(spec, &spec.name).map(Some),
        None => Ok(None),
    }
}

/// The former database is kept whole under another name: with that it can be swapped in as a restored copy is.
pub(super) fn revive(spec: &PostgresSpec, copy: &SideCopy, token: &str) -> Result<Option<SideCopy>> {
    let mut beside = Link::open_beside(spec)?;
    pin(&mut beside)?;
    let Some(former) = find(&mut beside, &copy.former)? else { return Ok(None) };
    if is_stand_in(&former) {
        return Err(Error::failed(format!("database {:?} did not exist before that restore", copy.live))
            .with_remedy("drop it by hand if it is not wanted"));
    }
    let tables = tables_of(spec, &copy.former)?.len() as u64;
    Ok(Some(SideCopy { side: copy.former.clone(), tables, ..names(spec, token) }))
}

/// Drops databases that bear the name of a preflight's, as long as nobody put anything into them.
pub(super) fn sweep(spec: &PostgresSpec) -> Result<()> {
    const DIGITS: usize = 8;
    let mut link = Link::open_beside(spec)?;
    pin(&mut link)?;
    let whole = beside(&spec.name, PROBE, &"0".repeat(DIGITS));
    let begins = &whole[..whole.len() - DIGITS];
    let plain = |end: &str| end.len() == DIGITS && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    let rows = link.rows("SELECT datname FROM pg_catalog.pg_database").during("list the databases")?;
    for name in
        rows.iter().map(|row| text(row, 0)).filter(|name| name.strip_prefix(begins).is_some_and(plain))
    {
        if tables_of(spec, name)?.is_empty() {
            drop_database(&mut link, name)?;
        }
    }
    Ok(())
}

fn tables_of(spec: &PostgresSpec, database: &str) -> Result<BTreeSet<String>> {
    let mut link = Link::open(spec, database)?;
    pin(&mut link)?;
    Ok(catalog::tables(&mut link)?.iter().map(Table::shown).collect())
}
