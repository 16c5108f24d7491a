//! A dump as one stream of plain SQL, for people who want what the stock tools write and read.

use std::io::Write;

use super::definition::unqualified;
use super::insert::Batch;
use super::intake::{self, Intake};
use super::load::Target;
use super::manifest::TableEntry;
use super::names::{literal, quote};
use super::objects::{Object, ObjectKind};
use super::{recreate, server, session, views};
use crate::dump::Shelf;
use crate::error::{Error, Result};
use crate::event::Cx;

/// Bytes of rows in one statement: any server takes them.
const STATEMENT: usize = 256 << 10;

const SESSION: &str = "\
SET NAMES utf8mb4;
SET time_zone='+00:00', sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', foreign_key_checks=0, unique_checks=1;
/*M!100200 SET check_constraint_checks=0, innodb_strict_mode=0 */;
/*M!101100 SET system_versioning_insert_history=1 */;
";

/// Writes all of the schema, or one table; says whether everything the schema had is in the text.
pub(in crate::database) fn render(
    shelf: &dyn Shelf,
    table: Option<&str>,
    out: &mut dyn Write,
    cx: &Cx,
) -> Result<bool> {
    let intake = intake::read(shelf)?;
    let mut script = Script { shelf, intake: &intake, out, cx };
    match table {
        Some(name) => script.one(name),
        None => script.all(),
    }
}

struct Script<'a> {
    shelf: &'a dyn Shelf,
    intake: &'a Intake,
    out: &'a mut dyn Write,
    cx: &'a Cx,
}

impl Script<'_> {
    fn all(&mut self) -> Result<bool> {
        let intake = self.intake;
        let manifest = &intake.manifest;
        self.head(&format!("Schema {}", manifest.schema))?;
        for lost in &manifest.unsaved {
            self.remark(&format!("NOT SAVED: {}: {}", lost.what, lost.why))?;
        }
        self.out.write_all(b"ALTER DATABASE")?;
        self.out.write_all(&server::database_options(&intake.database, &manifest.schema))?;
        self.out.write_all(b";\n")?;
        let of_kind = |kind| intake.objects.iter().filter(move |object| object.kind == kind);
        for sequence in of_kind(ObjectKind::Sequence) {
            self.object(sequence)?;
        }
        // Each object changed the session to its own attributes.
        self.out.write_all(SESSION.as_bytes())?;
        for (table, ddl) in std::iter::zip(&manifest.tables, &intake.tables) {
            self.table(table, ddl)?;
        }
        let kinds =
            [ObjectKind::Function, ObjectKind::Package, ObjectKind::PackageBody, ObjectKind::Procedure];
        let mut objects: Vec<_> = kinds.into_iter().flat_map(of_kind).collect();
        objects.extend(views::sorted(&of_kind(ObjectKind::View).collect::<Vec<_>>(), &manifest.schema));
        objects.extend([ObjectKind::Trigger, ObjectKind::Event].into_iter().flat_map(of_kind));
        let mut whole = manifest.unsaved.is_empty();
        for object in objects {
            whole &= !object.broken;
            self.object(object)?;
        }
        self.set_collation(&manifest.collation)?;
        let (tables, rows) = (manifest.tables.len(), manifest.rows());
        self.remark(&format!("This is the end: {tables} tables, {rows} rows"))?;
        Ok(whole)
    }

    /// One table with its rows.
    fn one(&mut self, name: &str) -> Result<bool> {
        let intake = self.intake;
        let found =
            std::iter::zip(&intake.manifest.tables, &intake.tables).find(|(table, _)| table.name == name);
        let Some((table, ddl)) = found else {
            return Err(Error::usage(format!(
                "the dump of schema {:?} has no table {name:?}",
                intake.manifest.schema
            )));
        };
        self.head(&format!("Table {name} of schema {}, without its triggers", intake.manifest.schema))?;
        self.table(table, ddl)?;
        self.remark(&format!("This is the end: {} rows", table.rows))?;
        Ok(true)
    }

    fn head(&mut self, what: &str) -> Result<()> {
        let manifest = &self.intake.manifest;
        self.remark(&format!("{what}, as it was at {} on {}", manifest.moment, manifest.version))?;
        self.remark("Load it into an empty schema: mariadb --binary-mode --comments SCHEMA < THIS_FILE")?;
        self.out.write_all(SESSION.as_bytes())?;
        Ok(())
    }

    /// A comment; whatever the text is, it stays one.
    fn remark(&mut self, text: &str) -> Result<()> {
        for line in text.split(['\n', '\r']) {
            writeln!(self.out, "-- {line}")?;
        }
        Ok(())
    }

    fn table(&mut self, table: &TableEntry, ddl: &[u8]) -> Result<()> {
        writeln!(self.out, "\n{};", session::DEFINITIONS)?;
        self.out.write_all(&unqualified(ddl, &self.intake.manifest.schema))?;
        writeln!(self.out, ";\n{};\nSTART TRANSACTION;", session::VALUES)?;
        let target = Target { table: quote(&table.name), columns: table.columns.clone() };
        let mut batch = Batch::new(&target, STATEMENT);
        for file in &table.files {
            self.cx.go_on()?;
            let data = file.verified(self.shelf)?;
            for line in data.split_inclusive(|byte| *byte == b'\n') {
                batch.push(&target, line.strip_suffix(b"\n").unwrap_or(line), table)?;
                if batch.is_full() {
                    self.rows(&mut batch)?;
                }
            }
        }
        self.rows(&mut batch)?;
        writeln!(self.out, "COMMIT;\n{};", session::DEFINITIONS)?;
        Ok(())
    }

    fn rows(&mut self, batch: &mut Batch) -> Result<()> {
        if let Some((sql, _)) = batch.take() {
            self.out.write_all(&sql)?;
            self.out.write_all(b";\n")?;
        }
        Ok(())
    }

    fn object(&mut self, object: &Object) -> Result<()> {
        let sql = object.sql.bytes();
        let label = recreate::label(object);
        writeln!(self.out)?;
        if object.broken {
            self.remark(&format!("{label} was broken when it was saved: no server will create it"))?;
            return self.remark(&String::from_utf8_lossy(&sql));
        }
        self.remark(&label)?;
        self.set_collation(&object.database_collation)?;
        for statement in recreate::attribute_statements(object) {
            writeln!(self.out, "{statement};")?;
        }
        let end = delimiter(&sql);
        writeln!(self.out, "DELIMITER {end}")?;
        self.out.write_all(&sql)?;
        writeln!(self.out, "\n{end}\nDELIMITER ;")?;
        if !object.set_value.is_empty() {
            writeln!(self.out, "{};", object.set_value)?;
        }
        Ok(())
    }

    /// Routines, triggers and events remember the schema's collation from when they were created.
    fn set_collation(&mut self, collation: &str) -> Result<()> {
        if !collation.is_empty() {
            writeln!(self.out, "ALTER DATABASE COLLATE {};", literal(collation))?;
        }
        Ok(())
    }
}

/// What ends a statement that has semicolons: something that is not in it.
fn delimiter(sql: &[u8]) -> String {
    let mut end = ";;".to_owned();
    while sql.windows(end.len()).any(|window| window == end.as_bytes()) {
        end.push(';');
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_nowhere_in_its_statement() {
        assert_eq!(delimiter(b"BEGIN SELECT 1; END"), ";;");
        assert_eq!(delimiter(b"/* ;; */ ';;;'"), ";;;;");
    }
}
