//! A dump as one stream of plain SQL, for people who want what the stock tools write and read.

use std::io::Write;

use super::intake::{self, Intake};
use super::manifest::TableEntry;
use super::objects::{self, LargeObject};
use super::session::QUIETEN;
use super::table::copy_in;
use crate::dump::Shelf;
use crate::error::{Error, Result};
use crate::event::Cx;

/// How values are read.
const SESSION: &str = "\
SET client_encoding = 'UTF8';
SET search_path = '';
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET timezone = 'UTC';
SET lc_monetary = 'C';
SET xmloption = 'content';
SET standard_conforming_strings = on;
SET check_function_bodies = off;
";

/// Writes all of the database, or one table; says whether everything the database had is in the text.
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
        self.head(&format!("Database {}", manifest.name))?;
        for lost in &manifest.unsaved {
            self.remark(&format!("NOT SAVED: {}: {}", lost.what, lost.why))?;
        }
        let create = manifest.database.create(&manifest.name);
        self.remark("The database itself was made so:")?;
        for statement in std::iter::once(create).chain(manifest.database.statements(&manifest.name)) {
            self.remark(&format!("{statement};"))?;
        }
        self.text(&intake.before)?;
        self.text(SESSION)?;
        for table in &manifest.tables {
            self.rows(table, &copy_in(&table.target, &manifest.database.encoding))?;
        }
        self.large_objects(&manifest.large_objects)?;
        self.text(&intake.sequences)?;
        self.text(&intake.after)?;
        writeln!(self.out, "{QUIETEN};")?;
        for view in &manifest.filled_views {
            self.text(&format!("REFRESH MATERIALIZED VIEW {view};\n"))?;
        }
        let (tables, rows) = (manifest.tables.len(), manifest.rows());
        self.remark(&format!("This is the end: {tables} tables, {rows} rows"))?;
        Ok(manifest.unsaved.is_empty())
    }

    /// The rows of one table, named with its schema or, where only one has that name, without.
    fn one(&mut self, name: &str) -> Result<bool> {
        let manifest = &self.intake.manifest;
        let meant = |table: &&TableEntry| table.name == name || table.shown() == name;
        let found: Vec<_> = manifest.tables.iter().filter(meant).collect();
        let [table] = found.as_slice() else {
            let many = if found.is_empty() { "no table" } else { "several tables" };
            return Err(Error::usage(format!(
                "the dump of database {:?} has {many} {name:?}",
                manifest.name
            ))
            .with_remedy("write SCHEMA.TABLE"));
        };
        self.head(&format!("The rows of table {} of database {}", table.shown(), manifest.name))?;
        self.text(SESSION)?;
        self.rows(table, &copy_in(&table.target, &manifest.database.encoding))?;
        self.remark(&format!("This is the end: {} rows", table.rows))?;
        Ok(true)
    }

    fn head(&mut self, what: &str) -> Result<()> {
        let manifest = &self.intake.manifest;
        self.remark(&format!("{what}, as it was at {} on PostgreSQL {}", manifest.moment, manifest.version))?;
        self.remark("Load it into an empty database: psql -X -v ON_ERROR_STOP=1 -d DATABASE -f THIS_FILE")
    }

    /// A comment; whatever the text is, it stays one.
    fn remark(&mut self, text: &str) -> Result<()> {
        for line in text.split(['\n', '\r']) {
            writeln!(self.out, "-- {line}")?;
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.out.write_all(text.as_bytes())?;
        Ok(())
    }

    fn rows(&mut self, table: &TableEntry, copy: &str) -> Result<()> {
        if table.files.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "\n{copy};")?;
        for file in &table.files {
            self.cx.go_on()?;
            self.out.write_all(&file.verified(self.shelf)?)?;
        }
        self.text("\\.\n")
    }

    fn large_objects(&mut self, parts: &TableEntry) -> Result<()> {
        if self.intake.objects.is_empty() {
            return Ok(());
        }
        writeln!(self.out, "\nBEGIN;\n{};", objects::MAKE_PARTS)?;
        self.rows(parts, &copy_in(&objects::parts_target(), "UTF8"))?;
        writeln!(self.out, "{};\nCOMMIT;", objects::put_together())?;
        for statement in self.intake.objects.iter().flat_map(LargeObject::statements) {
            writeln!(self.out, "{statement};")?;
        }
        Ok(())
    }
}
