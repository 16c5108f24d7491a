//! What tables, columns and keys there are, read from the server's catalog.

use std::collections::BTreeMap;

use super::fault::During;
use super::link::{Link, Row, number, text, truth};
use super::names::qualified;
use super::table::{Column, Table};
use crate::dump::Unsaved;
use crate::error::Result;

/// Relations of the user, or of an extension that says which of their rows are the user's.
const MINE: &str = "c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (\
     SELECT FROM pg_catalog.pg_depend d LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND c.oid = ANY(e.extconfig) \
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e' AND e.oid IS NULL)";

const FROM: &str = "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE";

/// A relation by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub schema: String,
    pub name: String,
}

impl Name {
    fn of(row: &Row, at: usize) -> Self {
        Self { schema: text(row, at).to_owned(), name: text(row, at + 1).to_owned() }
    }

    pub(super) fn quoted(&self) -> String {
        qualified(&self.schema, &self.name)
    }
}

/// A column with its number, and how many digits it has if it is an integer.
type Stored = (i16, usize, Column);

/// Every table that has rows of its own, with columns and key: ordinary ones, and the leaves of partitioned ones.
pub(super) fn tables(link: &mut Link) -> Result<Vec<Table>> {
    let sql = format!(
        "SELECT c.oid, n.nspname, c.relname, pg_catalog.pg_table_size(c.oid), (SELECT u.condition FROM pg_catalog.pg_extension e, \
         ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) AS u(relation, condition) \
         WHERE u.relation = c.oid LIMIT 1) FROM {FROM} c.relkind = 'r' AND {MINE} ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
    );
    let rows = link.rows(&sql).during("list the tables")?;
    let mut columns = columns(link)?;
    let keys = keys(link)?;
    let table = |row: &Row| {
        let oid = number(row, 0).unwrap_or_default();
        let columns = columns.remove(&oid).unwrap_or_default();
        let (key, digits) = keys.get(&oid).map(|key| resolve(key, &columns)).unwrap_or_default();
        let name = Name::of(row, 1);
        Table {
            schema: name.schema,
            name: name.name,
            columns: columns.into_iter().map(|(_, _, column)| column).collect(),
            key,
            digits,
            estimate: number(row, 3).unwrap_or_default(),
            filter: text(row, 4).to_owned(),
        }
    };
    Ok(rows.iter().map(table).collect())
}

/// Numbers of the columns of a key as indexes into the columns that are read.
fn resolve(key: &[i16], columns: &[Stored]) -> (Vec<usize>, Option<usize>) {
    let place = |wanted: &i16| columns.iter().position(|(number, _, _)| number == wanted);
    let found: Vec<_> = key.iter().filter_map(place).collect();
    let digits = match found.as_slice() {
        [only] => Some(columns[*only].1).filter(|digits| *digits > 0),
        _ => None,
    };
    (found, digits)
}

/// By table.
fn columns(link: &mut Link) -> Result<BTreeMap<u32, Vec<Stored>>> {
    let sql = format!(
        "SELECT a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attcollation <> 0, \
         CASE a.atttypid WHEN 21 THEN 5 WHEN 23 THEN 10 WHEN 20 THEN 20 ELSE 0 END \
         FROM pg_catalog.pg_attribute a, {FROM} c.oid = a.attrelid AND c.relkind = 'r' AND {MINE} \
         AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attrelid, a.attnum"
    );
    let mut all: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for row in link.rows(&sql).during("list the columns of the tables")? {
        let column = Column {
            name: text(&row, 2).to_owned(),
            kind: text(&row, 3).to_owned(),
            collated: truth(&row, 4),
        };
        let (oid, place, digits) =
            (number(&row, 0), number(&row, 1).unwrap_or_default(), number(&row, 5).unwrap_or_default());
        all.entry(oid.unwrap_or_default()).or_default().push((place, digits, column));
    }
    Ok(all)
}

/// By table, the numbers of the columns that tell every row from every other: the primary key, or else the shortest
/// unique index that knows no NULL.
fn keys(link: &mut Link) -> Result<BTreeMap<u32, Vec<i16>>> {
    let sql = "SELECT DISTINCT ON (i.indrelid) i.indrelid, pg_catalog.array_to_string((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts-1], ' ') \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
         WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT i.indisexclusion AND NOT EXISTS (\
         SELECT FROM pg_catalog.unnest((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts-1]) AS k(number) LEFT JOIN pg_catalog.pg_attribute a \
         ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE a.attnotnull IS NOT TRUE OR a.attgenerated <> '') \
         ORDER BY i.indrelid, i.indisprimary DESC, i.indnkeyatts, x.relname COLLATE \"C\"";
    let rows = link.rows(sql).during("list the keys of the tables")?;
    let key = |row: &Row| {
        let numbers = text(row, 1).split(' ').filter_map(|number| number.parse().ok()).collect();
        (number(row, 0).unwrap_or_default(), numbers)
    };
    Ok(rows.iter().map(key).collect())
}

pub(super) fn sequences(link: &mut Link) -> Result<Vec<Name>> {
    named(link, &format!("SELECT n.nspname, c.relname FROM {FROM} c.relkind = 'S' AND {MINE}"), "sequences")
}

/// Materialized views that hold rows, each behind those that it is made of.
pub(super) fn filled_views(link: &mut Link) -> Result<Vec<Name>> {
    let sql = format!(
        "WITH RECURSIVE made_of(view, of) AS (SELECT DISTINCT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d \
         ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid \
         AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class), \
         depth(view, depth) AS (SELECT oid, 0 FROM pg_catalog.pg_class WHERE relkind IN ('m', 'v') \
         UNION SELECT m.view, d.depth + 1 FROM made_of m JOIN depth d ON d.view = m.of WHERE d.depth < 100) \
         SELECT n.nspname, c.relname FROM {FROM} c.relkind = 'm' AND c.relispopulated AND {MINE} \
         ORDER BY (SELECT pg_catalog.max(depth) FROM depth WHERE view = c.oid), n.nspname COLLATE \"C\", c.relname COLLATE \"C\""
    );
    let rows = link.rows(&sql).during("list the materialized views")?;
    Ok(rows.iter().map(|row| Name::of(row, 0)).collect())
}

fn named(link: &mut Link, sql: &str, what: &str) -> Result<Vec<Name>> {
    let sql = format!("{sql} ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"");
    let rows = link.rows(&sql).during(format!("list the {what}"))?;
    Ok(rows.iter().map(|row| Name::of(row, 0)).collect())
}

/// What is in the database and cannot be in a dump of it.
pub(super) fn unsaved(link: &mut Link) -> Result<Vec<Unsaved>> {
    let foreign = format!("SELECT n.nspname, c.relname FROM {FROM} c.relkind = 'f' AND {MINE}");
    let foreign = named(link, &foreign, "foreign tables")?.into_iter().map(|table| Unsaved {
        what: format!("rows of foreign table {}.{}", table.schema, table.name),
        why: "another server keeps them".to_owned(),
    });
    let mut all: Vec<_> = foreign.collect();
    let sql = "SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
         WHERE d.datname = pg_catalog.current_database() ORDER BY 1";
    // Only a superuser may look at all of a subscription, but everybody at its name.
    let rows = link.rows(sql).during("list the subscriptions")?;
    all.extend(rows.iter().map(|row| Unsaved {
        what: format!("subscription {}", text(row, 0)),
        why: "a copy of it would compete for the publisher's data".to_owned(),
    }));
    Ok(all)
}

/// Tables that are not any more what the snapshot saw: exchanged by renaming, emptied or rewritten. Their rows as of the
/// snapshot are gone, and a read would find none, without an error. To be asked once all of them are locked.
pub(super) fn replaced(link: &mut Link) -> Result<Option<String>> {
    let sql = format!(
        "SELECT n.nspname, c.relname FROM {FROM} c.relkind = 'r' AND {MINE} AND (pg_catalog.pg_relation_filenode(c.oid) IS DISTINCT FROM \
         c.relfilenode OR pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.nspname, c.relname))::pg_catalog.oid IS DISTINCT FROM c.oid) LIMIT 1"
    );
    let row = link.first(&sql).during("compare the tables with the snapshot")?;
    Ok(row
        .map(|row| format!("table {}.{} was emptied, rewritten or exchanged", text(&row, 0), text(&row, 1))))
}
