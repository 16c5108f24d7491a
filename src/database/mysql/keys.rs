//! Foreign keys of tables under other names: a key's own name is unique in its schema, and it names another table.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::catalog::show_create;
use super::definition::{Split, name_and_rest};
use super::fault::{During, is_change};
use super::link::Link;
use super::names::{qualified, quote};
use super::objects::Statement;
use super::place::{Place, live};
use super::record::Record;
use crate::error::{Error, Result};

/// The foreign keys of one table, each as `CONSTRAINT … FOREIGN KEY … REFERENCES …`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableKeys {
    pub table: String,
    pub keys: Vec<Statement>,
    /// The names of its indexes, each with what it is an index of: a key that is added takes them along.
    indexes: Vec<(String, String)>,
}

impl TableKeys {
    /// `None` if the table has none; from its definition.
    pub(super) fn of(table: &str, ddl: &[u8]) -> Option<Self> {
        let clauses = Split::of(ddl, false).foreign;
        let keys: Vec<_> = clauses.iter().map(|clause| Statement::from(clause.as_slice())).collect();
        (!keys.is_empty()).then(|| Self { table: table.to_owned(), keys, indexes: indexes(ddl) })
    }
}

impl TableKeys {
    /// Those that refer to none of these tables.
    fn outside(&self, tables: &[String]) -> Vec<Vec<u8>> {
        let inside: BTreeSet<_> = tables.iter().map(|table| quote(table)).collect();
        let clauses = self.keys.iter().map(Statement::bytes);
        let is_outside = |clause: &Vec<u8>| {
            Key::of(clause).is_some_and(|key| !inside.contains(&*String::from_utf8_lossy(key.parent)))
        };
        clauses.filter(is_outside).collect()
    }
}

/// One foreign key, taken apart; names with their backticks.
struct Key<'a> {
    name: &'a [u8],
    columns: &'a [u8],
    /// The referenced table, with its schema if that is another one.
    parent: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Key<'a> {
    fn of(clause: &'a [u8]) -> Option<Self> {
        let (name, rest) = name_and_rest(clause.strip_prefix(b"CONSTRAINT ")?)?;
        let columns = rest.strip_prefix(b" FOREIGN KEY ")?;
        let mut at = columns.strip_prefix(b"(")?;
        loop {
            let (_, next) = name_and_rest(at)?;
            match next.strip_prefix(b", ").or_else(|| next.strip_prefix(b",")) {
                Some(next) => at = next,
                None => break at = next,
            }
        }
        let rest = at.strip_prefix(b") REFERENCES ")?;
        let columns = &columns[..columns.len() - rest.len() - b" REFERENCES ".len()];
        let (_, mut end) = name_and_rest(rest)?;
        if let Some(next) = end.strip_prefix(b".") {
            end = name_and_rest(next)?.1;
        }
        Some(Self { name, columns, parent: &rest[..rest.len() - end.len()], rest: end })
    }

    fn written(&self, name: &str, parent: &str) -> Vec<u8> {
        let head = format!("CONSTRAINT {} FOREIGN KEY ", quote(name));
        [head.as_bytes(), self.columns, b" REFERENCES ", parent.as_bytes(), self.rest].concat()
    }
}

/// An error if rows of a table that is restored alone refer to rows that are not there: whoever is referred to stays as it is.
fn all_found(link: &mut Link, schema: &str, (table, now): (&str, &str), keys: &[Vec<u8>]) -> Result<()> {
    for clause in keys {
        let key = Key::of(clause).ok_or_else(|| unreadable(table))?;
        let parent = String::from_utf8_lossy(key.parent).into_owned();
        let pairs: Vec<_> = names_of(key.columns).into_iter().zip(names_of(key.rest)).collect();
        let equal: Vec<_> = pairs.iter().map(|(own, other)| format!("p.{other}=c.{own}")).collect();
        let set: Vec<_> = pairs.iter().map(|(own, _)| format!("c.{own} IS NOT NULL")).collect();
        let found = link.first(format!(
            "SELECT 1 FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE {}) LIMIT 1",
            qualified(schema, now),
            set.join(" AND "),
            equal.join(" AND ")
        ));
        let missing = match found {
            Ok(None) => continue,
            Ok(Some(_)) => "to rows that are not there any more",
            Err(error) if is_change(&error) => "which is not there any more",
            Err(error) => {
                return Err(error).during(format!("look for what table {table:?} refers to in {parent}"));
            }
        };
        return Err(Error::failed(format!(
            "table {table:?} refers to {parent} with a foreign key, {missing}"
        ))
        .with_remedy("restore both with `--table`, or the whole database"));
    }
    Ok(())
}

/// `(`a`, `b`) …` as names with their backticks.
fn names_of(list: &[u8]) -> Vec<String> {
    let start = list.iter().position(|byte| *byte == b'(').map_or(list.len(), |at| at + 1);
    let (mut names, mut rest) = (Vec::new(), &list[start..]);
    while let Some((name, next)) = name_and_rest(rest) {
        names.push(String::from_utf8_lossy(name).into_owned());
        rest = next.strip_prefix(b", ").or_else(|| next.strip_prefix(b",")).unwrap_or_default();
    }
    names
}

/// The tables that these keys refer to, as SQL names them: with their schema if that is another one.
pub(super) fn parents(clauses: &[Vec<u8>]) -> BTreeSet<String> {
    let parent = |clause: &Vec<u8>| Some(String::from_utf8_lossy(Key::of(clause)?.parent).into_owned());
    clauses.iter().filter_map(parent).collect()
}

/// The same for tables that are still in `place`, and for the keys that they have when they are live.
pub(super) fn found_aside(link: &mut Link, place: &Place, record: &Record) -> Result<()> {
    for (at, table) in record.tables.iter().enumerate() {
        let keys = record.keys.iter().find(|keys| keys.table == *table);
        let outside: Vec<_> = keys.map(|keys| keys.outside(&record.tables)).unwrap_or_default();
        all_found(link, place.schema(), (table, &place.name(at, table)), &outside)?;
    }
    Ok(())
}

/// The same for tables that are live.
pub(super) fn found_live(link: &mut Link, schema: &str, record: &Record) -> Result<()> {
    link.run(format!("USE {}", quote(schema))).during(format!("use schema {schema:?}"))?;
    for keys in &record.keys {
        all_found(link, schema, (&keys.table, &keys.table), &keys.outside(&record.tables))?;
    }
    Ok(())
}

/// Keys that prove that all of a record's keys can be made, on tables that are in `place` until a swap. What refers to a table
/// that is not there with them is left out: it would hold on to what others use.
pub(super) fn add_aside(link: &mut Link, place: &Place, record: &Record) -> Result<()> {
    for (at, wanted) in aside(place, &record.tables, &record.keys) {
        put(link, place.schema(), &place.name(at, &record.tables[at]), &wanted)?;
    }
    Ok(())
}

/// By the place of each table in the list.
fn aside(place: &Place, tables: &[String], keys: &[TableKeys]) -> BTreeMap<usize, Vec<Vec<u8>>> {
    let places: BTreeMap<_, _> = tables.iter().enumerate().map(|(at, name)| (quote(name), at)).collect();
    let mut all = BTreeMap::new();
    for TableKeys { table, keys, .. } in keys {
        let Some(&number) = places.get(&quote(table)) else { continue };
        let renamed = keys.iter().enumerate().filter_map(|(at, clause)| {
            let clause = clause.bytes();
            let key = Key::of(&clause)?;
            let there = *places.get(&*String::from_utf8_lossy(key.parent))?;
            Some(key.written(&place.key_name(number, at), &quote(&place.name(there, &tables[there]))))
        });
        all.insert(number, renamed.collect());
    }
    all
}

/// Takes their keys from those of a record's tables that have left the live schema: the names are wanted there.
pub(super) fn free(link: &mut Link, place: &Place, record: &Record) -> Result<()> {
    let held = place.holds(link, record)?;
    for (at, table) in record.tables.iter().enumerate().filter(|(_, table)| held.contains(*table)) {
        if record.keys.iter().any(|keys| keys.table == *table) {
            put(link, place.schema(), &place.name(at, table), &[])?;
        }
    }
    Ok(())
}

/// Gives those of a record's tables that are live the keys they had.
pub(super) fn set_live(link: &mut Link, schema: &str, record: &Record) -> Result<()> {
    let there = live(link, schema, false)?;
    for TableKeys { table, keys, indexes } in record.keys.iter().filter(|keys| there.contains(&keys.table)) {
        let wanted: Vec<_> = keys.iter().map(Statement::bytes).collect();
        put(link, schema, table, &wanted)?;
        name_indexes(link, schema, table, indexes)?;
    }
    Ok(())
}

pub(super) fn definition(link: &mut Link, schema: &str, table: &str) -> Result<Vec<u8>> {
    show_create(link, schema, table).during(format!("read the definition of table {table:?}"))
}

/// Makes the foreign keys of a table these: all of them anew, so that their indexes keep their order. Which table a key refers
/// to follows every RENAME by itself, except where there is no such table.
fn put(link: &mut Link, schema: &str, table: &str, wanted: &[Vec<u8>]) -> Result<()> {
    let before = definition(link, schema, table)?;
    let present = Split::of(&before, false).foreign;
    if present.len() == wanted.len() && present.iter().all(|clause| wanted.contains(clause)) {
        return Ok(());
    }
    let mut drops = Vec::new();
    for clause in &present {
        let key = Key::of(clause).ok_or_else(|| unreadable(table))?;
        drops.push([b"DROP FOREIGN KEY ", key.name].concat());
    }
    let indexes = indexes(&before);
    let mut wanted: Vec<_> = wanted.iter().collect();
    wanted.sort_by_key(|clause| place_of_index(&indexes, clause));
    let adds: Vec<_> = wanted.iter().map(|clause| [b"ADD ", clause.as_slice()].concat()).collect();
    let name = |clause: &Vec<u8>| Key::of(clause).map(|key| key.name.to_vec());
    // A name that is dropped cannot be given again by the same statement.
    let again = wanted.iter().any(|clause| present.iter().any(|other| name(other) == name(clause)));
    let statements = if again { vec![drops, adds] } else { vec![[drops, adds].concat()] };
    for changes in statements.iter().filter(|changes| !changes.is_empty()) {
        let head = format!("ALTER TABLE {} ", qualified(schema, table));
        let sql = [head.as_bytes(), &changes.join(&b", "[..])].concat();
        link.run(sql).during(format!("set the foreign keys of table {table:?}"))?;
    }
    Ok(())
}

/// An index that the server once made for a key by itself moves behind the others when a key is added, and is called after
/// that key: added in their order they keep it, and here they get their names back.
fn name_indexes(link: &mut Link, schema: &str, table: &str, before: &[(String, String)]) -> Result<()> {
    let after = indexes(&definition(link, schema, table)?);
    let lost = before.iter().filter(|(name, _)| !after.iter().any(|(other, _)| other == name));
    let mut gained: Vec<_> =
        after.iter().filter(|(name, _)| !before.iter().any(|(other, _)| other == name)).collect();
    for (name, columns) in lost {
        let Some(at) = gained.iter().position(|(_, others)| others == columns) else { continue };
        let (other, _) = gained.remove(at);
        link.run(format!("ALTER TABLE {} RENAME INDEX {other} TO {name}", qualified(schema, table)))
            .during(format!("name an index of table {table:?}"))?;
    }
    Ok(())
}

/// The plain indexes of a definition: each name with its backticks, and what follows it.
fn indexes(ddl: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(ddl);
    let lines = text.lines().filter_map(|line| line.strip_prefix("  KEY "));
    let parts = lines.filter_map(|line| name_and_rest(line.as_bytes()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    parts.map(|(name, rest)| (text(name), text(rest).trim_end_matches(',').to_owned())).collect()
}

/// Of the index that finds the rows of a key.
fn place_of_index(indexes: &[(String, String)], clause: &[u8]) -> usize {
    let columns = Key::of(clause).map(|key| String::from_utf8_lossy(key.columns).replace("`, `", "`,`"));
    let has = |index: &(String, String)| columns.as_deref().is_some_and(|columns| index.1.trim() == columns);
    indexes.iter().position(has).unwrap_or(usize::MAX)
}

fn unreadable(table: &str) -> Error {
    Error::failed(format!("a foreign key of table {table:?} is written in a way that is not understood"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_renamed_with_the_table_that_it_refers_to() {
        let clauses = [
            "CONSTRAINT `of``item` FOREIGN KEY (`a) REFERENCES `, `b`) REFERENCES `item` (`x`, `y`) ON DELETE CASCADE",
            "CONSTRAINT `across` FOREIGN KEY (`c`) REFERENCES `other`.`item` (`id`)",
            "CONSTRAINT `gone` FOREIGN KEY (`c`) REFERENCES `nowhere` (`id`)",
        ];
        let clauses: Vec<_> = clauses.iter().map(|clause| clause.as_bytes().to_vec()).collect();
        assert_eq!(names_of(b"(`a, `, `b``) (`,`c`) ON DELETE"), ["`a, `", "`b``) (`", "`c`"]);
        assert_eq!(
            parents(&clauses).into_iter().collect::<Vec<_>>(),
            ["`item`", "`nowhere`", "`other`.`item`"]
        );
        let tables = ["sale".to_owned(), "item".to_owned()];
        let place = Place::inside("shop", "old", "a1b2c3d4");
        let ddl =
            [b"CREATE TABLE `sale` (\n  ", clauses.join(&b",\n  "[..]).as_slice(), b"\n) ENGINE=InnoDB"]
                .concat();
        let keys = aside(&place, &tables, &[TableKeys::of("sale", &ddl).unwrap()]);
        let texts: Vec<_> = keys[&0].iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect();
        assert_eq!(
            texts,
            ["CONSTRAINT `lifeboat__a1b2c3d4__old_0001_k1` FOREIGN KEY (`a) REFERENCES `, `b`) REFERENCES \
              `lifeboat__a1b2c3d4__old_0002` (`x`, `y`) ON DELETE CASCADE"]
        );
    }
}
