//! The proof of a restore: the loaded tables are dumped again by the same code and must give the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use super::catalog;
use super::catalog::Table;
use super::crew::{self, Whistle};
use super::definition::Split;
use super::fault::During;
use super::feed::without_counter;
use super::intake::Intake;
use super::link::Link;
use super::manifest::TableEntry;
use super::reader::Reader;
use super::session::Patience;
use crate::database::MysqlSpec;
use crate::database::proof::Proof;
use crate::error::{Error, Result};
use crate::event::{Cx, Unit};

/// Compares every table of `schema` with the dump, file by file.
pub(super) fn compare(
    spec: &MysqlSpec,
    (link, schema, patience): (&mut Link, &str, Patience),
    intake: &Intake,
    same_version: bool,
    cx: &Cx,
) -> Result<()> {
    let wanted: BTreeSet<_> = intake.manifest.tables.iter().map(TableEntry::place).collect();
    let tables = catalog::tables(link, schema, |name| wanted.contains(name))?;
    let tables: BTreeMap<_, _> = tables.iter().map(|table| (table.name.as_str(), table)).collect();
    let mut work = Vec::new();
    for (entry, ddl) in std::iter::zip(&intake.manifest.tables, &intake.tables) {
        let table = *tables.get(entry.place()).ok_or_else(|| unequal(entry, "the table is not there"))?;
        // Under other names, keys have others too.
        let plain = |ddl: &[u8]| {
            let ddl = if entry.aside.is_some() { Split::of(ddl, false).create } else { ddl.to_vec() };
            without_counter(&ddl)
        };
        if same_version && plain(&table.ddl) != plain(ddl) {
            cx.warn(format!(
                "table {:?} was created with a definition that reads differently from the dumped one",
                entry.name
            ));
        }
        if table.has_rows() {
            work.push((table, entry));
        }
    }
    work.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.bytes));
    let (done, total) = (AtomicU64::new(0), intake.manifest.rows());
    cx.progress(0, Some(total), Unit::Rows);
    let told = |rows| cx.progress(done.fetch_add(rows, Ordering::SeqCst) + rows, Some(total), Unit::Rows);
    let compare_one = |link: &mut Link, (table, entry): (&Table, &TableEntry), whistle: &Whistle<'_>| {
        rows(link, schema, (table, entry), whistle, &told, cx)
    };
    crew::share(spec, (link, schema, patience), work, compare_one, cx)
}

fn rows(
    link: &mut Link,
    schema: &str,
    (table, entry): (&Table, &TableEntry),
    whistle: &Whistle<'_>,
    told: &(dyn Fn(u64) + Sync),
    cx: &Cx,
) -> Result<()> {
    // The dump decides what is compared, in which order, and how it is cut.
    let place = |name: &String| entry.columns.iter().position(|column| column.name == *name);
    let key = entry.key.iter().filter_map(place).collect();
    let table = Table { columns: entry.columns.clone(), key, ..table.clone() };
    let during = || format!("read table {:?} back", entry.name);
    let mut reader = Reader::start(link, schema, table, entry.cut).during(during())?;
    let mut proof = Proof::new(&entry.files, entry.rows, entry.row_sum.as_deref(), !entry.key.is_empty());
    while let Some(piece) = reader.next(link, cx)? {
        whistle.go_on()?;
        told(piece.rows);
        proof.take(&piece).map_err(|why| unequal(entry, &why))?;
    }
    proof.end(reader.sum().as_deref()).map_err(|why| unequal(entry, &why))
}

fn unequal(entry: &TableEntry, why: &str) -> Error {
    Error::failed(format!("the restored table {:?} is not equal to the dumped one: {why}", entry.name))
}
