//! The tables of a schema: what they are made of and how each is to be read.

use std::collections::BTreeMap;

use mysql_async::Row;

use super::column::{Column, Kind};
use super::fault::{During, Sql};
use super::link::Link;
use super::names::{literal, qualified, quote};
use super::row::{bytes, number, text, under};
use crate::error::Result;

/// Engines whose rows a snapshot shows as of one moment.
const TRANSACTIONAL: [&str; 3] = ["innodb", "rocksdb", "tokudb"];

/// Engines whose rows are not in the table but elsewhere, with the place in words.
const ELSEWHERE: [(&str, &str); 4] = [
    ("mrg_myisam", "in the tables it merges"),
    ("federated", "on another server"),
    ("connect", "outside the database"),
    ("spider", "on other servers"),
];

/// One table as the dump will read it.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub name: String,
    /// Lower case.
    pub engine: String,
    /// `SHOW CREATE TABLE`, as bytes: defaults may hold any.
    pub ddl: Vec<u8>,
    pub columns: Vec<Column>,
    /// Indexes into `columns` of what orders the rows; empty without a primary key that can be read.
    pub key: Vec<usize>,
    /// Digits of the widest key, if the key is one integer.
    pub integer_key: Option<usize>,
    /// Rows carry their history.
    pub versioned: bool,
    /// Bytes of rows as the server estimates them, which may be far off.
    pub estimate: u64,
}

/// How the rows of a table can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// From the snapshot.
    Transactional,
    /// Only under a lock do they belong to one moment.
    Plain,
    /// There are none of its own.
    Elsewhere(&'static str),
    Nothing,
}

impl Store {
    /// What a query says first, so that it does not queue behind a writer who waits for the very lock that we hold.
    pub(super) const fn urgent(self) -> &'static str {
        match self {
            Self::Plain => "HIGH_PRIORITY ",
            _ => "",
        }
    }
}

impl Table {
    pub(super) fn store(&self) -> Store {
        Self::store_of(&self.engine)
    }

    /// By the engine's name in lower case.
    pub(super) fn store_of(engine: &str) -> Store {
        if let Some((_, place)) = ELSEWHERE.iter().find(|(known, _)| *known == engine) {
            return Store::Elsewhere(place);
        }
        match engine {
            "blackhole" => Store::Nothing,
            engine if TRANSACTIONAL.contains(&engine) => Store::Transactional,
            _ => Store::Plain,
        }
    }

    /// The rows are in the table itself.
    pub(super) fn has_rows(&self) -> bool {
        matches!(self.store(), Store::Transactional | Store::Plain)
    }

    /// The statement that reads all rows, in the order of the key, each value exact.
    pub(super) fn select(&self, schema: &str) -> String {
        let columns: Vec<_> = self.columns.iter().map(Column::select).collect();
        let first = self.store().urgent();
        let mut sql = format!("SELECT {first}{} FROM {}", columns.join(","), qualified(schema, &self.name));
        if self.versioned {
            sql.push_str(" FOR SYSTEM_TIME ALL");
        }
        if !self.key.is_empty() {
            let key: Vec<_> = self.key.iter().map(|index| quote(&self.columns[*index].name)).collect();
            sql.push_str(" FORCE INDEX (PRIMARY) ORDER BY ");
            sql.push_str(&key.join(","));
        }
        sql
    }
}

/// Those tables that hold rows and are wanted, sorted by name.
pub(super) fn tables(link: &mut Link, schema: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<Table>> {
    let during = |what: &str| format!("read the {what} of schema {schema:?}");
    let mut columns = columns(link, schema).during(during("columns"))?;
    let mut keys = keys(link, schema).during(during("keys"))?;
    let periods = periods(link, schema).during(during("row periods"))?;
    let found = link.rows(format!(
        "SELECT table_name, table_type, engine, data_length FROM information_schema.tables WHERE table_schema={} \
         AND table_type IN ('BASE TABLE','SYSTEM VERSIONED') ORDER BY table_name",
        literal(schema)
    ));
    let mut tables = Vec::new();
    for row in found.during(during("tables"))? {
        let name = text(&row, 0);
        if !wanted(&name) {
            continue;
        }
        let mut table = Table {
            engine: text(&row, 2).to_lowercase(),
            ddl: show_create(link, schema, &name).during(format!("read the definition of table {name:?}"))?,
            columns: columns.remove(&name).unwrap_or_default(),
            key: Vec::new(),
            integer_key: None,
            versioned: text(&row, 1) == "SYSTEM VERSIONED",
            estimate: number(&row, 3).unwrap_or(0),
            name,
        };
        if table.versioned {
            let (start, end) = periods
                .get(&table.name)
                .cloned()
                .unwrap_or_else(|| ("row_start".to_owned(), "row_end".to_owned()));
            for name in [start, end] {
                table.columns.push(Column { name, kind: Kind::Plain, sql_type: "timestamp(6)".to_owned() });
            }
        }
        let key = keys.remove(&table.name).unwrap_or_default();
        order(&mut table, &key);
        tables.push(table);
    }
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tables)
}

/// The bytes of `SHOW CREATE TABLE`, without the schema's name.
pub(super) fn show_create(link: &mut Link, schema: &str, table: &str) -> Sql<Vec<u8>> {
    let row = link.first(format!("SHOW CREATE TABLE {}", qualified(schema, table)))?;
    Ok(row.as_ref().and_then(|row| under(row, &["Create Table"])).unwrap_or_default().to_vec())
}

fn order(table: &mut Table, key: &[String]) {
    let place = |name: &String| table.columns.iter().position(|column| column.name == *name);
    let mut places: Vec<_> = key.iter().filter_map(place).collect();
    // A generated key column is not read; then the order cannot be told from the rows.
    if places.is_empty() || places.len() < key.len() {
        return;
    }
    if table.versioned {
        let ends = [table.columns.len() - 1, table.columns.len() - 2];
        places.extend(ends.into_iter().filter(|end| !key.contains(&table.columns[*end].name)));
    }
    // With a history, several rows have the same key.
    if key.len() == 1 && !table.versioned {
        table.integer_key = digits(&table.columns[places[0]].sql_type);
    }
    table.key = places;
}

/// How many digits the largest value of an integer type has.
fn digits(sql_type: &str) -> Option<usize> {
    let name = sql_type.split(['(', ' ']).next().unwrap_or_default();
    match name {
        "tinyint" => Some(3),
        "smallint" => Some(5),
        "mediumint" => Some(8),
        "int" => Some(10),
        "bigint" => Some(20),
        _ => None,
    }
}

/// The columns that are stored, in order, by table; generated ones are computed again by the server.
fn columns(link: &mut Link, schema: &str) -> Sql<BTreeMap<String, Vec<Column>>> {
    let rows = link.rows(format!(
        "SELECT table_name, column_name, data_type, column_type, extra, generation_expression \
         FROM information_schema.columns WHERE table_schema={} ORDER BY table_name, ordinal_position",
        literal(schema)
    ))?;
    let mut columns: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !is_generated(row)) {
        let sql_type = text(row, 3);
        let kind = Kind::of(&text(row, 2), &sql_type);
        columns.entry(text(row, 0)).or_default().push(Column { name: text(row, 1), kind, sql_type });
    }
    Ok(columns)
}

fn is_generated(row: &Row) -> bool {
    let extra = text(row, 4).to_uppercase();
    // `DEFAULT_GENERATED` marks a plain column with an expression as its default.
    let says_so = extra.contains("GENERATED") && !extra.contains("DEFAULT_GENERATED");
    says_so || bytes(row, 5).is_some_and(|expression| !expression.is_empty())
}

/// The names of the columns that say from when until when a row version was valid, where the table names them.
fn periods(link: &mut Link, schema: &str) -> Sql<BTreeMap<String, (String, String)>> {
    let rows = link.rows(format!(
        "SELECT table_name, column_name, generation_expression FROM information_schema.columns \
         WHERE table_schema={} AND generation_expression IN ('ROW START','ROW END')",
        literal(schema)
    ))?;
    let mut periods: BTreeMap<String, (String, String)> = BTreeMap::new();
    for row in &rows {
        let period = periods.entry(text(row, 0)).or_default();
        let end = if text(row, 2) == "ROW START" { &mut period.0 } else { &mut period.1 };
        *end = text(row, 1);
    }
    Ok(periods)
}

/// The columns of each primary key, in order.
fn keys(link: &mut Link, schema: &str) -> Sql<BTreeMap<String, Vec<String>>> {
    let rows = link.rows(format!(
        "SELECT table_name, column_name, seq_in_index FROM information_schema.statistics \
         WHERE table_schema={} AND index_name='PRIMARY' ORDER BY table_name, seq_in_index",
        literal(schema)
    ))?;
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in &rows {
        keys.entry(text(row, 0)).or_default().push(text(row, 1));
    }
    Ok(keys)
}
