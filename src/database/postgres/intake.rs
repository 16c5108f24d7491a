//! A dump read back from a shelf: refused as a whole unless every file is there with the size the manifest says.

use super::manifest::{AFTER, BEFORE, Manifest, NAME, OBJECTS, SEQUENCES, TableEntry};
use super::objects::{self, LargeObject};
use crate::database::entry::{self, unfit};
use crate::dump::Shelf;
use crate::error::Result;

/// Everything of a dump but its rows.
pub(super) struct Intake {
    pub manifest: Manifest,
    pub before: String,
    pub after: String,
    pub sequences: String,
    pub objects: Vec<LargeObject>,
}

pub(super) fn read(shelf: &dyn Shelf) -> Result<Intake> {
    let manifest: Manifest = Manifest::read(shelf)?;
    let rows = manifest.all_tables().flat_map(|table| &table.files);
    entry::compare_lists(shelf, rows.chain(&manifest.files), NAME)?;
    manifest.all_tables().try_for_each(add_up)?;
    let get = |path: &str| match manifest.files.iter().find(|file| file.path == path) {
        Some(entry) => entry.verified(shelf),
        None => Err(unfit(&format!("its manifest does not know {path}"))),
    };
    let script = |path: &str| {
        String::from_utf8(get(path)?).map_err(|_not_text| {
            unfit(&format!("{path} is not UTF-8; the README beside it says how to load it with psql"))
        })
    };
    let (before, after, sequences) = (script(BEFORE)?, script(AFTER)?, script(SEQUENCES)?);
    let objects = objects::parse(&get(OBJECTS)?)?;
    Ok(Intake { manifest, before, after, sequences, objects })
}

fn add_up(table: &TableEntry) -> Result<()> {
    let rows: u64 = table.files.iter().map(|file| file.rows).sum();
    if rows == table.rows {
        return Ok(());
    }
    Err(unfit(&format!("the files of {} have {rows} rows and should have {}", table.shown(), table.rows)))
}
