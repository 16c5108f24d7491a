//! Some of a site's databases, or some tables of them, as a person names them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Which databases of a site, or which of their tables; all if nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// Names of schemas and databases, paths of files.
    pub databases: Vec<String>,
    /// `TABLE`, or `DATABASE.TABLE`.
    pub tables: Vec<String>,
}

/// What a snapshot has of one database.
pub(crate) struct Dumped<'a> {
    pub(crate) name: &'a str,
    pub(crate) tables: BTreeSet<String>,
}

impl Parts {
    pub(crate) fn is_everything(&self) -> bool {
        self.databases.is_empty() && self.tables.is_empty()
    }

    /// For each database, in their order, the tables that are meant: none if it stays as it is, an empty list if all are.
    pub(crate) fn choose(&self, dumped: &[Dumped<'_>]) -> Result<Vec<Option<Vec<String>>>> {
        if self.is_everything() {
            return Ok(vec![Some(Vec::new()); dumped.len()]);
        }
        let mut chosen = vec![None; dumped.len()];
        for name in &self.databases {
            let at = dumped.iter().position(|one| one.name == name).ok_or_else(|| {
                let all: Vec<_> = dumped.iter().map(|one| one.name).collect();
                Error::usage(format!("the snapshot has no database {name:?}"))
                    .with_remedy(format!("it has {}", all.join(", ")))
            })?;
            chosen[at] = Some(Vec::new());
        }
        for wanted in &self.tables {
            let (at, table) = find(wanted, dumped)?;
            let tables = chosen[at].get_or_insert_with(Vec::new);
            if !tables.contains(&table) {
                tables.push(table);
            }
        }
        Ok(chosen)
    }
}

/// The one table that is meant; its name may have dots in it too.
fn find(wanted: &str, dumped: &[Dumped<'_>]) -> Result<(usize, String)> {
    let found: Vec<_> = dumped
        .iter()
        .enumerate()
        .filter_map(|(at, one)| {
            let inside = wanted.strip_prefix(one.name).and_then(|rest| rest.strip_prefix('.'));
            let table = inside.into_iter().chain([wanted]).find(|table| one.tables.contains(*table))?;
            Some((at, table.to_owned()))
        })
        .collect();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            Err(Error::usage(format!("the snapshot has no table {wanted:?} that it could bring back alone"))
                .with_remedy("`lifeboat restore --at TIME --dry-run` lists the tables"))
        }
        several => {
            let names: Vec<_> =
                several.iter().map(|(at, table)| format!("{}.{table}", dumped[*at].name)).collect();
            Err(Error::usage(format!("several databases have a table {wanted:?}"))
                .with_remedy(format!("say which: {}", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_found_by_its_name_alone_where_that_is_clear() {
        let dumped =
            |name, tables: &[&str]| Dumped { name, tables: tables.iter().map(|&t| t.to_owned()).collect() };
        let all = [dumped("shop", &["post", "a.b", "shop.x"]), dumped("blog", &["post", "user"])];
        let choose = |databases: &[&str], tables: &[&str]| {
            let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            Parts { databases: own(databases), tables: own(tables) }.choose(&all)
        };
        let some = |tables: &[&str]| Some(tables.iter().map(|&table| table.to_owned()).collect::<Vec<_>>());
        assert_eq!(choose(&[], &[]).unwrap(), [some(&[]), some(&[])]);
        assert_eq!(choose(&[], &["user"]).unwrap(), [None, some(&["user"])]);
        assert_eq!(
            choose(&[], &["shop.post", "a.b", "shop.x"]).unwrap(),
            [some(&["post", "a.b", "shop.x"]), None]
        );
        assert_eq!(choose(&["blog"], &[]).unwrap(), [None, some(&[])]);
        let remedy = |error: Error| error.remedy().unwrap_or_default().to_owned();
        assert_eq!(remedy(choose(&[], &["post"]).unwrap_err()), "say which: shop.post, blog.post");
        assert_eq!(remedy(choose(&["x"], &[]).unwrap_err()), "it has shop, blog");
        choose(&[], &["nothing"]).unwrap_err();
    }
}
