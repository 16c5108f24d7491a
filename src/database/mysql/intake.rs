//! A dump read back from a shelf: refused as a whole unless every file is there with the size the manifest says.

use std::collections::BTreeMap;

use super::definition::{called, replace};
use super::foreign::{self, Foreign};
use super::grants::{self, Account};
use super::manifest::{Manifest, NAME, TableEntry};
use super::objects::{self, Object, ObjectKind};
use super::place::Place;
use super::sequences;
use crate::database::entry::{self, unfit};
use crate::dump::Shelf;
use crate::error::{Context, Error, Result};
use crate::event::Cx;

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
    /// How its rows are to be read, if it is none of ours.
    pub foreign: Option<Foreign>,
}

impl Intake {
    /// Leaves these tables and their triggers alone.
    pub(super) fn select(&mut self, only: &[String]) -> Result<()> {
        if let Some(missing) =
            only.iter().find(|name| !self.manifest.tables.iter().any(|table| table.name == **name))
        {
            return Err(Error::usage(format!(
                "the dump of schema {:?} has no table {missing:?}",
                self.manifest.schema
            ))
            .with_remedy("`lifeboat restore --dry-run` lists the tables of a snapshot"));
        }
        let triggers = self.objects.iter().filter(|object| object.kind == ObjectKind::Trigger);
        if let Some(trigger) = triggers.into_iter().find(|trigger| trigger.table.is_empty()) {
            return Err(Error::failed(format!(
                "the dump does not say to which table the trigger {} belongs: it is of an older version",
                trigger.name
            ))
            .with_remedy("restore the whole database, or take the table out of `lifeboat dump --sql`"));
        }
        let tables = std::mem::take(&mut self.manifest.tables).into_iter();
        let wanted =
            tables.zip(std::mem::take(&mut self.tables)).filter(|(table, _)| only.contains(&table.name));
        (self.manifest.tables, self.tables) = wanted.unzip();
        self.objects.retain(|object| object.kind == ObjectKind::Trigger && only.contains(&object.table));
        self.accounts.clear();
        Ok(())
    }

    /// Gives everything the names that it has in `place`.
    pub(super) fn put_in(&mut self, place: &Place) {
        let before = self.manifest.tables.len();
        let sequences: Vec<_> =
            self.objects.iter().filter(|object| object.kind == ObjectKind::Sequence).collect();
        let changes = sequences::changes_for(place, &self.manifest.schema, before, &sequences);
        for (at, (table, ddl)) in self.manifest.tables.iter_mut().zip(&mut self.tables).enumerate() {
            for (was, is) in &changes {
                *ddl = replace(ddl, was, is);
            }
            if place.is_inside() {
                let name = place.name(at, &table.name);
                *ddl = called(ddl, &table.name, &name);
                table.aside = Some(name);
            }
        }
    }
}

/// What a shelf has of this schema, whoever dumped it.
pub(super) fn of(shelf: &dyn Shelf, schema: &str, cx: &Cx) -> Result<Intake> {
    if foreign::is_foreign(shelf)? { foreign::intake(shelf, schema, cx) } else { read(shelf) }
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
    Ok(Intake { manifest, database, tables, objects, accounts, foreign: None })
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
