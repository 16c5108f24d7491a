//! A dump read back from a shelf: refused as a whole unless every file is there with the size the manifest says.

use std::collections::BTreeMap;

use super::grants::{self, Account};
use super::manifest::{Manifest, NAME, TableEntry};
use super::objects::{self, Object};
use crate::database::entry::{self, unfit};
use crate::dump::Shelf;
use crate::error::{Context, Result};

/// Everything of a dump but its rows.
pub(super) struct Intake {
    pub manifest: Manifest,
    /// `CREATE DATABASE`, as bytes.
    pub database: Vec<u8>,
    /// The definitions of the manifest's tables, in its order.
    pub tables: Vec<Vec<u8>>,
    /// In the order of creation.
    pub objects: Vec<Object>,
    /// Empty if they were not saved.
    pub accounts: Vec<Account>,
}

pub(super) fn read(shelf: &dyn Shelf) -> Result<Intake> {
    let manifest: Manifest = Manifest::read(shelf)?;
    compare_lists(shelf, &manifest)?;
    let known: BTreeMap<_, _> = manifest.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let get = |path: &str| match known.get(path) {
        Some(entry) => entry.verified(shelf),
        None => Err(unfit(&format!("its manifest does not know {path}"))),
    };
    let database = get("schema/database.sql")?;
    let tables = manifest.tables.iter().map(|table| get(&table.definition)).collect::<Result<_>>()?;
    let objects: Vec<Object> = documents(&get(objects::NAME)?, objects::NAME)?;
    let accounts = if known.contains_key(grants::NAME) {
        documents(&get(grants::NAME)?, grants::NAME)?
    } else {
        Vec::new()
    };
    if objects.len() as u64 != manifest.objects {
        return Err(unfit(&format!("it has {} objects and should have {}", objects.len(), manifest.objects)));
    }
    Ok(Intake { manifest, database, tables, objects, accounts })
}

/// One a line.
fn documents<T: serde::de::DeserializeOwned>(data: &[u8], name: &str) -> Result<Vec<T>> {
    let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let documents: std::result::Result<_, _> = lines.map(serde_json::from_slice).collect();
    documents.with_context(|| format!("read {name} of the dump"))
}

fn compare_lists(shelf: &dyn Shelf, manifest: &Manifest) -> Result<()> {
    let rows = manifest.tables.iter().flat_map(|table| &table.files);
    entry::compare_lists(shelf, rows.chain(&manifest.files), NAME)?;
    manifest.tables.iter().try_for_each(add_up)
}

fn add_up(table: &TableEntry) -> Result<()> {
    let rows: u64 = table.files.iter().map(|file| file.rows).sum();
    if rows == table.rows {
        return Ok(());
    }
    Err(unfit(&format!(
        "the files of table {:?} have {rows} rows and should have {}",
        table.name, table.rows
    )))
}
