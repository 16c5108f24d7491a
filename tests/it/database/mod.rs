//! Databases with real servers and real files: what is dumped comes back, and what is damaged does not get in.

pub(crate) mod fingerprint;
pub(crate) mod mysql;
mod mysql_cut;
mod mysql_faults;
mod mysql_load;
mod mysql_options;
mod mysql_proper;
mod mysql_random;
mod mysql_side;
mod mysql_sql;
mod mysql_storm;
mod mysql_swap;
mod mysql_tls;
mod postgres;
mod postgres_faults;
mod postgres_rights;
mod postgres_swap;
mod random_schema;
mod sqlite;
pub(crate) mod witness;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use lifeboat::database::{Database, DatabaseSpec, MysqlSpec, open};
use lifeboat::dump::{Shelf, Summary, no_previous};
use lifeboat::error::{Error, Result};
use lifeboat::event::{Cancel, Cx, Event, Sink, What};

/// What makes the names of side copies unique.
pub(crate) const TOKEN: &str = "a1b2c3d4";

pub(crate) fn engine(spec: MysqlSpec) -> Box<dyn Database> {
    open(&DatabaseSpec::Mysql(spec))
}

pub(crate) fn same(before: &str, after: &str) {
    let differing = before.lines().zip(after.lines()).find(|(one, other)| one != other);
    assert!(before == after, "first difference: {differing:#?}");
}

/// A dump held in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<PathBuf, Vec<u8>>);

impl Shelf for Memory {
    fn list(&self) -> Result<Vec<(PathBuf, u64)>> {
        Ok(self.0.iter().map(|(path, data)| (path.clone(), data.len() as u64)).collect())
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>> {
        let data = self.0.get(path).ok_or_else(|| Error::failed(format!("no {}", path.display())))?;
        Ok(Box::new(std::io::Cursor::new(data.clone())))
    }
}

/// Takes a whole dump, checking what every dump promises about its order.
pub(crate) fn collect(database: &dyn Database, cx: &Cx) -> Result<(Memory, Summary)> {
    let mut feed = database.begin(&no_previous, cx)?;
    let mut shelf = Memory::default();
    let mut last: Option<PathBuf> = None;
    while let Some(file) = feed.next(cx)? {
        if let Some(last) = &last {
            // `Path` compares by components, each as bytes.
            assert!(*last < file.path, "{} came before {}", last.display(), file.path.display());
        }
        last = Some(file.path.clone());
        shelf.0.insert(file.path, file.data);
    }
    assert!(feed.next(cx)?.is_none(), "the end is the end");
    Ok((shelf, feed.summary()))
}

/// Keeps all events as text, for tests that look for one.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Sink for Heard {
    fn take(&self, event: &Event) {
        if !matches!(event.what, What::Progress { .. }) {
            self.0.lock().expect("not poisoned").push(format!("{:?}", event.what));
        }
    }
}

impl Heard {
    pub(crate) fn context() -> (Cx, Arc<Self>) {
        let heard = Arc::new(Self::default());
        (Cx::new("test", Cancel::default(), vec![heard.clone()]), heard)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").clone()
    }
}
