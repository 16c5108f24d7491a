//! Values of a restored copy, changed by a rule before anybody reads them: a site that moves to another name.

use std::collections::BTreeMap;

use mysql_async::Row;

use super::catalog::{self, Store, Table};
use super::column::{Column, Kind};
use super::fault::During;
use super::link::Link;
use super::names::{hex_literal, literal, qualified, quote};
use super::place::Place;
use super::record::Record;
use super::row::{bytes, text};
use super::session::{Patience, as_values, pin_for_loading};
use crate::database::{MysqlSpec, Rewrite, SideCopy};
use crate::error::{Error, Result};
use crate::event::Cx;

const PATIENCE: Patience = Patience(60);

/// Bytes of statements that are collected before they are run.
const AT_ONCE: usize = 1 << 20;

/// The same where a table cannot be read and written at once.
const MOST_WAITING: usize = 256 << 20;

/// What a column is beyond its type.
#[derive(Clone, Debug, Default)]
struct Traits {
    /// `utf8mb4` and `utf8mb4_general_ci`; empty where bytes are bytes.
    charset: String,
    collation: String,
    /// Computed by the server.
    generated: bool,
    /// The server sets it whenever a row changes.
    touched: bool,
}

/// Says how many values were changed.
pub(super) fn run(spec: &MysqlSpec, copy: &SideCopy, rule: &Rewrite<'_>, cx: &Cx) -> Result<u64> {
    let place = Place::side(copy);
    let schema = place.schema();
    let open = || -> Result<Link> {
        let mut link = Link::open(spec, Some(schema))?;
        pin_for_loading(&mut link, PATIENCE)?;
        Ok(link)
    };
    let (mut reading, mut writing) = (open()?, open()?);
    let record = Record::read(&mut reading, &place)?
        .ok_or_else(|| Error::failed(format!("{place} does not hold a restored copy")))?;
    let names: BTreeMap<_, _> =
        record.tables.iter().enumerate().map(|(at, name)| (place.name(at, name), name)).collect();
    let tables = catalog::tables(&mut reading, schema, |name| names.contains_key(name))?;
    let mut traits = traits(&mut reading, schema)?;
    as_values(&mut reading).during("set the character set")?;
    as_values(&mut writing).during("set the character set")?;
    let mut changed = 0;
    for table in tables.iter().filter(|table| table.has_rows()) {
        cx.go_on()?;
        let name = names[&table.name];
        if table.versioned {
            cx.warn(format!("table {name:?} keeps its history and is left as it was saved"));
            continue;
        }
        let own = traits.remove(&table.name).unwrap_or_default();
        if let Some(plan) = Plan::of(schema, (table, name), &own, rule) {
            changed += plan.run((&mut reading, &mut writing), rule, cx)?;
        }
    }
    Ok(changed)
}

fn traits(link: &mut Link, schema: &str) -> Result<BTreeMap<String, BTreeMap<String, Traits>>> {
    let rows = link.rows(format!(
        "SELECT table_name, column_name, character_set_name, collation_name, extra FROM information_schema.columns WHERE table_schema={}",
        literal(schema)
    ));
    let mut all: BTreeMap<String, BTreeMap<String, Traits>> = BTreeMap::new();
    for row in rows.during(format!("read the columns of schema {schema:?}"))? {
        let extra = text(&row, 4).to_ascii_lowercase();
        let traits = Traits {
            charset: text(&row, 2),
            collation: text(&row, 3),
            generated: extra.contains("generated") && !extra.contains("default_generated"),
            touched: extra.contains("on update"),
        };
        all.entry(text(&row, 0)).or_default().insert(text(&row, 1), traits);
    }
    Ok(all)
}

/// How one table is read and written.
struct Plan<'a> {
    table: &'a Table,
    /// Its name when it is live.
    name: &'a str,
    target: String,
    /// The columns that say which row is meant: its key, or all that may change.
    which: Vec<(&'a Column, Traits)>,
    /// The columns that may change.
    values: Vec<&'a Column>,
    touched: Vec<&'a str>,
    select: String,
}

impl<'a> Plan<'a> {
    /// `None` if the table has nothing that could be changed.
    fn of(
        schema: &str,
        (table, name): (&'a Table, &'a str),
        traits: &BTreeMap<String, Traits>,
        rule: &Rewrite<'_>,
    ) -> Option<Self> {
        let of = |column: &Column| traits.get(&column.name).cloned().unwrap_or_default();
        let text = |column: &&Column| {
            let traits = of(column);
            // In these a letter is more than one byte, and a rule for bytes finds nothing.
            let wide = ["utf16", "utf16le", "utf32", "ucs2"].contains(&&*traits.charset);
            let json = column.kind == Kind::Utf8 && column.sql_type.starts_with("json");
            let kind = json || matches!(column.kind, Kind::Text | Kind::Bytes);
            kind && !wide && !traits.generated && !rule.leaves(name, &column.name)
        };
        let values: Vec<_> = table.columns.iter().filter(text).collect();
        if values.is_empty() {
            return None;
        }
        let key: Vec<_> = table.key.iter().map(|index| &table.columns[*index]).collect();
        let exact = |column: &&Column| matches!(column.kind, Kind::Plain | Kind::Text | Kind::Bytes);
        let by_key = !key.is_empty() && key.iter().all(exact);
        let which = if by_key { key } else { Vec::new() };
        let target = qualified(schema, &table.name);
        let read: Vec<_> = which.iter().chain(&values).map(|column| column.select()).collect();
        let has = |column: &&Column| {
            // By the column's own rules for letters, so that a host in capitals is found too.
            let set = if column.kind == Kind::Bytes { "" } else { "_utf8mb4" };
            let like = |word: &String| {
                format!("{} LIKE {set} {}", quote(&column.name), literal(&format!("%{word}%")))
            };
            rule.words.iter().map(like).collect::<Vec<_>>().join(" OR ")
        };
        let wanted: Vec<_> = values.iter().map(has).collect();
        let select = format!("SELECT {} FROM {target} WHERE {}", read.join(","), wanted.join(" OR "));
        let touched = traits.iter().filter(|(_, traits)| traits.touched).map(|(name, _)| name.as_str());
        let touched = table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .filter(|name| touched.clone().any(|own| own == *name))
            .collect();
        Some(Self {
            table,
            name,
            target,
            which: which.into_iter().map(|column| (column, of(column))).collect(),
            values,
            touched,
            select,
        })
    }

    fn run(&self, (reading, writing): (&mut Link, &mut Link), rule: &Rewrite<'_>, cx: &Cx) -> Result<u64> {
        let what = format!("change values of table {:?}", self.name);
        reading.start(self.select.as_str()).during(&what)?;
        // Other engines lock a table as long as it is read.
        let (at_once, most) = match self.table.store() {
            Store::Transactional => (true, AT_ONCE),
            _ => (false, MOST_WAITING),
        };
        let mut changed = 0;
        loop {
            cx.go_on()?;
            let (mut statements, mut size) = (Vec::new(), 0);
            let ended = reading.stream(|row| {
                for statement in self.statements(row, rule, &mut changed) {
                    size += statement.len();
                    statements.push(statement);
                }
                size < most && !cx.is_cancelled()
            });
            let ended = ended.during(&what)?;
            cx.go_on()?;
            if !ended && !at_once {
                return Err(Error::failed(format!("{what}: there are more than can be kept in memory")));
            }
            statements.into_iter().try_for_each(|statement| writing.run(statement)).during(&what)?;
            if ended {
                return Ok(changed);
            }
        }
    }

    /// What changes this row: one statement by its key, or one for each value.
    fn statements(&self, row: &Row, rule: &Rewrite<'_>, changed: &mut u64) -> Vec<String> {
        let mut set = Vec::new();
        for (at, column) in self.values.iter().enumerate() {
            let Some(old) = bytes(row, self.which.len() + at) else { continue };
            if let Some(new) = (rule.change)(old) {
                let new = hex_literal(&new);
                let new = column.convert(&new).unwrap_or(new);
                set.push((format!("{}={new}", quote(&column.name)), quote(&column.name), hex_literal(old)));
            }
        }
        *changed += set.len() as u64;
        if set.is_empty() {
            return Vec::new();
        }
        let keep: Vec<_> = self.touched.iter().map(|name| format!("{0}={0}", quote(name))).collect();
        if self.which.is_empty() {
            let one = |(set, name, old): (String, String, String)| {
                let set = [&[set], &*keep].concat().join(",");
                format!("UPDATE {} SET {set} WHERE BINARY {name}={old}", self.target)
            };
            return set.into_iter().map(one).collect();
        }
        let condition: Vec<_> = self
            .which
            .iter()
            .enumerate()
            .map(|(at, (column, traits))| {
                format!("{}={}", quote(&column.name), exactly(bytes(row, at), traits))
            })
            .collect();
        let set: Vec<_> = set.into_iter().map(|(set, ..)| set).chain(keep).collect();
        vec![format!("UPDATE {} SET {} WHERE {}", self.target, set.join(","), condition.join(" AND "))]
    }
}

/// A value of a key, written so that the server looks it up in the index.
fn exactly(value: Option<&[u8]>, traits: &Traits) -> String {
    let Some(value) = value else { return "NULL".to_owned() };
    if traits.charset.is_empty() || value.is_empty() {
        return match std::str::from_utf8(value) {
            Ok(plain) if plain.bytes().all(|byte| byte.is_ascii_digit() || b" -.:".contains(&byte)) => {
                literal(plain)
            }
            _ => hex_literal(value),
        };
    }
    format!("_{} {} COLLATE {}", traits.charset, hex_literal(value), traits.collation)
}
