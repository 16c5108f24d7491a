//! The proof of a restore: the loaded tables are dumped again by the same code and must give the same files.

use super::definitions::Definitions;
use super::fault::During;
use super::intake::Intake;
use super::link::Link;
use super::manifest::TableEntry;
use super::objects;
use super::program::PgDump;
use super::reader::Reader;
use super::session::pin;
use super::snapshot::version;
use super::table::Table;
use crate::database::PostgresSpec;
use crate::database::proof::Proof;
use crate::error::{Error, Result};
use crate::event::Cx;

/// Compares a database with the dump: its rows file by file, its definitions where they can be compared.
pub(super) fn compare(spec: &PostgresSpec, name: &str, intake: &Intake, cx: &Cx) -> Result<()> {
    let manifest = &intake.manifest;
    let mut link = Link::open(spec, name)?;
    pin(&mut link)?;
    for entry in &manifest.tables {
        let table = as_dumped(entry);
        let sql = table.copy_out(&manifest.database.encoding);
        rows(&mut link, &sql, table, entry, cx)?;
    }
    rows(&mut link, &objects::copy_out(), objects::as_table(), &manifest.large_objects, cx)?;
    if objects::read(&mut link)? != intake.objects {
        cx.warn("owners or rights of large objects read differently from the dumped ones");
    }
    let (here, number) = version(&mut link)?;
    if here == manifest.version {
        let now = Definitions::read(&PgDump::find(number / 10_000)?, spec, name, cx)?;
        if now.before != intake.before.as_bytes() || now.after != intake.after.as_bytes() {
            cx.warn("the restored definitions read differently from the dumped ones");
        }
    }
    Ok(())
}

/// The dump decides what is compared, in which order, and how it is cut.
fn as_dumped(entry: &TableEntry) -> Table {
    let place = |name: &String| entry.columns.iter().position(|column| column.name == *name);
    let key: Vec<usize> = entry.key.iter().filter_map(place).collect();
    Table {
        schema: entry.schema.clone(),
        name: entry.name.clone(),
        columns: entry.columns.clone(),
        digits: entry.cut.digits(),
        key,
        estimate: 0,
        filter: entry.filter.clone(),
    }
}

fn rows(link: &mut Link, sql: &str, table: Table, entry: &TableEntry, cx: &Cx) -> Result<()> {
    let keyed = !table.key.is_empty();
    let mut reader =
        Reader::start(link, sql, table, entry.cut, cx)?.during(format!("read {} back", entry.shown()))?;
    let mut proof = Proof::new(&entry.files, entry.rows, entry.row_sum.as_deref(), keyed);
    while let Some(piece) = reader.next(link, cx)? {
        proof.take(&piece).map_err(|why| unequal(entry, &why))?;
    }
    proof.end(reader.sum().as_deref()).map_err(|why| unequal(entry, &why))
}

fn unequal(entry: &TableEntry, why: &str) -> Error {
    Error::failed(format!("the restored {} is not equal to the dumped one: {why}", entry.shown()))
}
