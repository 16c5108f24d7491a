//! How the dump before this one cut its tables: a rule that changes makes every file new.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::cut::Cut;
use crate::dump::Previous;

/// By schema, where an engine has several in one dump, and name.
#[derive(Default)]
pub(super) struct FormerCuts(BTreeMap<(String, String), Cut>);

/// What every manifest of tables has.
#[derive(Deserialize)]
struct Manifest {
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    schema: String,
    name: String,
    cut: Cut,
}

impl FormerCuts {
    /// Asks the former dump only if one of the tables is so large that it may be cut in another way than small ones are.
    /// Without a former dump, or one of another kind, tables are cut as if for the first time.
    pub(super) fn of(previous: Previous<'_>, manifest: &str, mut sizes: impl Iterator<Item = u64>) -> Self {
        if !sizes.any(Cut::may_differ) {
            return Self::default();
        }
        let data = previous().and_then(|shelf| shelf.read(manifest.as_ref()).ok());
        let former = data.and_then(|data| serde_json::from_slice::<Manifest>(&data).ok());
        let tables = former.into_iter().flat_map(|former| former.tables);
        Self(tables.map(|table| ((table.schema, table.name), table.cut)).collect())
    }

    pub(super) fn get(&self, schema: &str, table: &str) -> Option<&Cut> {
        self.0.get(&(schema.to_owned(), table.to_owned()))
    }
}
