//! The rows of a dump put into the tables that were made for them, and counted there.

use std::collections::BTreeMap;

use super::survey::Insert;
use crate::database::mysql::fault::During;
use crate::database::mysql::intake::Intake;
use crate::database::mysql::link::Link;
use crate::database::mysql::names::{literal, qualified, quote};
use crate::database::mysql::place::Place;
use crate::database::mysql::row::{number, text};
use crate::database::mysql::session;
use crate::dump::Shelf;
use crate::error::{Error, Result};
use crate::event::{Cx, Unit};

/// Statements of about this size, in bytes; larger ones are no faster.
const STATEMENT: usize = 1 << 20;

/// Rows are committed in portions of about so many bytes.
const PORTION: usize = 64 << 20;

/// What servers remark on values that they take rightly: the error value of an ENUM or decimals with too many digits are cut, and
/// the value of a generated column is passed over, because it is computed.
const AS_MEANT: [&str; 2] = ["1265", "1906"];

/// Loads all rows, and proves that so many are there as the dump has.
pub(in crate::database::mysql) fn fill(
    link: &mut Link,
    place: &Place,
    shelf: &dyn Shelf,
    intake: &Intake,
    cx: &Cx,
) -> Result<()> {
    let Some(foreign) = &intake.foreign else { return Ok(()) };
    let zone = foreign.time_zone.as_deref().map_or_else(|| "@@global.time_zone".to_owned(), literal);
    link.run(format!("SET NAMES {}", foreign.names)).during("set the character set of the dump")?;
    link.run(format!("SET SESSION time_zone={zone}")).during("set the time zone of the dump")?;
    let packet = link.first("SELECT @@max_allowed_packet").during("ask for the largest packet")?;
    let limit = packet.and_then(|row| number(&row, 0)).unwrap_or(1 << 20);
    let places = intake.manifest.tables.iter().map(|table| (table.name.as_str(), table.place()));
    let mut loading = Loading {
        link,
        schema: place.schema(),
        places: places.collect(),
        full: STATEMENT.min(limit / 2),
        target: None,
        sql: Vec::new(),
        rows: 0,
        open: 0,
        done: 0,
        total: intake.manifest.rows(),
        changed: BTreeMap::new(),
        cx,
    };
    super::read(shelf, &foreign.schema, &mut |insert, row| loading.take(insert, row), cx)?;
    loading.end()?;
    for (table, (count, why)) in &loading.changed {
        cx.missed(
            format!("values in {count} statements for table {table:?}"),
            format!("the server changed them: {why}"),
        );
    }
    link.run("SET SESSION time_zone='+00:00'").during("reset the session")?;
    session::as_definitions(link).during("reset the session")?;
    count(link, place, intake, cx)
}

struct Loading<'a> {
    link: &'a mut Link,
    schema: &'a str,
    /// The names of the tables where they are loaded.
    places: BTreeMap<&'a str, &'a str>,
    full: usize,
    target: Option<Insert>,
    sql: Vec<u8>,
    rows: u64,
    /// Bytes that are not committed yet.
    open: usize,
    done: u64,
    total: u64,
    /// Tables whose rows the server did not take as they came, with the first reason.
    changed: BTreeMap<String, (u64, String)>,
    cx: &'a Cx,
}

impl Loading<'_> {
    fn take(&mut self, insert: &Insert, row: &[u8]) -> Result<()> {
        if self.target.as_ref() != Some(insert) {
            self.end()?;
            self.target = Some(insert.clone());
        }
        if self.rows > 0 && self.sql.len() + row.len() > self.full {
            self.send()?;
        }
        if self.rows == 0 {
            let name = self.places.get(insert.table.as_str()).copied();
            let name = name.ok_or_else(|| Error::failed("the dump is not what it was a moment ago"))?;
            let columns: Option<Vec<_>> =
                insert.columns.as_ref().map(|names| names.iter().map(|name| quote(name)).collect());
            let columns = columns.map(|names| format!(" ({})", names.join(","))).unwrap_or_default();
            self.sql = format!("INSERT INTO {}{columns} VALUES ", qualified(self.schema, name)).into_bytes();
        } else {
            self.sql.push(b',');
        }
        self.sql.extend_from_slice(row);
        self.rows += 1;
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        let Some(insert) = self.target.as_ref().filter(|_| self.rows > 0) else { return Ok(()) };
        let what = format!("insert the rows of table {:?}", insert.table);
        self.cx.go_on()?;
        if self.open == 0 {
            self.link.run("START TRANSACTION").during("begin a transaction")?;
        }
        let (sql, rows) = (std::mem::take(&mut self.sql), std::mem::take(&mut self.rows));
        self.open += sql.len();
        self.link.run(sql).during(&what)?;
        let loaded = self.link.loaded();
        if loaded.affected != rows {
            return Err(Error::failed(format!(
                "{what}: the server took {} of {rows} ({})",
                loaded.affected, loaded.info
            )));
        }
        if loaded.warnings > 0 {
            let warnings = self.link.rows("SHOW WARNINGS").during("read the server's warnings")?;
            let serious = warnings
                .iter()
                .find(|row| text(row, 0) != "Note" && !AS_MEANT.contains(&text(row, 1).as_str()));
            if let Some(row) = serious {
                let entry = self.changed.entry(insert.table.clone()).or_insert_with(|| (0, text(row, 2)));
                entry.0 += 1;
            }
        }
        self.done += rows;
        self.cx.progress(self.done, Some(self.total), Unit::Rows);
        if self.open >= PORTION { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<()> {
        self.open = 0;
        self.link.run("COMMIT").during("commit rows")
    }

    fn end(&mut self) -> Result<()> {
        self.send()?;
        if self.open > 0 { self.commit() } else { Ok(()) }
    }
}

/// There is no hash of them; but each has come, and none twice.
fn count(link: &mut Link, place: &Place, intake: &Intake, cx: &Cx) -> Result<()> {
    for table in &intake.manifest.tables {
        cx.go_on()?;
        if table.engine == "blackhole" {
            continue;
        }
        let sql = format!("SELECT COUNT(*) FROM {}", qualified(place.schema(), table.place()));
        let row = link.first(sql).during(format!("count the rows of table {:?}", table.name))?;
        let there: Option<u64> = row.and_then(|row| number(&row, 0));
        if there != Some(table.rows) {
            return Err(Error::failed(format!(
                "the restored table {:?} has {} rows, the dump has {}",
                table.name,
                there.unwrap_or_default(),
                table.rows
            )));
        }
    }
    Ok(())
}
