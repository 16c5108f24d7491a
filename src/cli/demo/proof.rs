//! An account of a site that does not use the code it judges: every file with its attributes, every row with its values.

use std::collections::BTreeMap;
use std::fs::{self, symlink_metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::error::Result;

const DATABASE: &str = "data/shop.sqlite";

/// What was found, by path or by table and row number.
#[derive(PartialEq, Eq)]
pub(super) struct Proof {
    files: BTreeMap<PathBuf, String>,
    rows: BTreeMap<(String, u64), String>,
}

impl Proof {
    pub(super) fn take(root: &Path) -> Result<Self> {
        let mut proof = Self { files: BTreeMap::new(), rows: BTreeMap::new() };
        proof.directory(root, root)?;
        proof.database(&root.join(DATABASE))?;
        Ok(proof)
    }

    pub(super) fn files(&self) -> u64 {
        self.files.len() as u64
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows.len() as u64
    }

    /// One line for each thing that is not the same in both.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let files = different(&self.files, &other.files).map(|path| path.display().to_string());
        let rows = different(&self.rows, &other.rows).map(|(table, row)| format!("row {row} of {table}"));
        files.chain(rows).collect()
    }

    /// The time of a directory that holds the live database changes with its journal; its content is proven by its rows.
    fn directory(&mut self, root: &Path, directory: &Path) -> Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
            let meta = symlink_metadata(&path)?;
            if relative.to_string_lossy().starts_with(DATABASE) {
                continue;
            }
            let content = if meta.is_dir() {
                self.directory(root, &path)?;
                String::new()
            } else if meta.is_symlink() {
                fs::read_link(&path)?.display().to_string()
            } else {
                blake3::hash(&fs::read(&path)?).to_hex().to_string()
            };
            let time = if relative == Path::new("data") {
                0
            } else {
                meta.mtime_nsec() + meta.mtime() * 1_000_000_000
            };
            let text = format!("{:o} {} {} {time} {content}", meta.mode(), meta.uid(), meta.gid());
            self.files.insert(relative, text);
        }
        Ok(())
    }

    fn database(&mut self, path: &Path) -> Result<()> {
        let shop = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        for table in ["sqlite_schema", "products", "orders"] {
            let mut statement = shop.prepare(&format!("SELECT rowid, * FROM {table} ORDER BY rowid"))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            let mut number = 0;
            while let Some(row) = rows.next()? {
                let values =
                    (0..columns).map(|at| row.get_ref(at).map(text)).collect::<Result<Vec<_>, _>>()?;
                number += 1;
                self.rows.insert((table.to_owned(), number), values.join("|"));
            }
        }
        Ok(())
    }
}

fn different<'a, K: Ord, V: PartialEq>(
    one: &'a BTreeMap<K, V>,
    other: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = &'a K> {
    let gone = one.iter().filter(|(key, value)| other.get(key) != Some(value)).map(|(key, _)| key);
    let new = other.keys().filter(|key| !one.contains_key(key));
    gone.chain(new)
}

/// Exact: floating point by its bits, text and blobs by their bytes.
fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{:x}", number.to_bits()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => format!("{bytes:02x?}"),
    }
}
