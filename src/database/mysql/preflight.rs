//! Whether a restore can work, found out before anything is touched.

use super::fault::{During, code_of};
use super::fit;
use super::foreign;
use super::intake::{self, Intake};
use super::link::Link;
use super::names::{beside, literal, qualified, quote};
use super::place::drop_schema;
use super::row::text;
use super::session::{Patience, pin};
use super::{server, swap};
use crate::database::{Means, MysqlAddress, MysqlSpec, room};
use crate::dump::Shelf;
use crate::error::{Context, Error, Result};
use crate::event::Cx;

/// With these a server says that a right is missing.
pub(super) const DENIED: [u16; 6] = [1044, 1045, 1142, 1227, 1370, 1419];

/// For `tables` alone, or for all of the dump if there are none.
pub(super) fn run(spec: &MysqlSpec, shelf: &dyn Shelf, tables: &[String], cx: &Cx) -> Result<Means> {
    let mut intake = intake::of(shelf, &spec.schema, cx)?;
    for lost in &intake.manifest.unsaved {
        cx.warn(format!("the dump does not hold {}: {}", lost.what, lost.why));
    }
    if !tables.is_empty() {
        intake.select(tables)?;
    }
    let mut link = Link::open(spec, None)?;
    pin(&mut link, Patience(10))?;
    versions(&mut link, &intake, cx)?;
    foreign::stays_inside(&mut link, &spec.schema, &intake)?;
    let means = means(&mut link, spec, &intake, tables, cx)?;
    if server::schema_exists(&mut link, &spec.schema)? {
        let only = (!tables.is_empty()).then_some(tables);
        swap::live_objects(&mut link, &spec.schema, only)?;
        foreign_keys(&mut link, &spec.schema)?;
    }
    room(&mut link, spec, &intake)?;
    Ok(means)
}

/// Whether the schema can be emptied and filled again.
pub(super) fn run_in_place(spec: &MysqlSpec, shelf: &dyn Shelf, cx: &Cx) -> Result<Means> {
    if foreign::is_foreign(shelf)? {
        return Err(Error::usage(
            "a dump of mysqldump is loaded beside what is live, and never in place of it",
        )
        .with_remedy(
            "give the database user all rights on its schema, or restore as root over the local socket",
        ));
    }
    let intake = intake::read(shelf)?;
    let mut link = Link::open(spec, None)?;
    pin(&mut link, Patience(10))?;
    versions(&mut link, &intake, cx)?;
    fit::check_in_place(&mut link, spec, &intake)?;
    if let Err(error) = fit::definers(&mut link, &spec.schema, None) {
        cx.warn(format!("{error}: it will act as this database user"));
    }
    swap::live_objects(&mut link, &spec.schema, None)?;
    foreign_keys(&mut link, &spec.schema)?;
    room(&mut link, spec, &intake)?;
    // Both dumps: of what comes, and of what is live.
    let scratch = spec.scratch.ancestors().find(|path| path.is_dir()).unwrap_or(&spec.scratch);
    room::for_copy(&scratch.to_string_lossy(), intake.manifest.bytes())?;
    Ok(Means::InPlace)
}

/// What is left where the other ways are not open.
fn or_in_place(error: Error) -> Error {
    let remedy = error.remedy().unwrap_or("correct this").to_owned();
    error.with_remedy(format!(
        "{remedy}; or restore with `--in-place-database`: then the site is without its database while that is loaded"
    ))
}

/// Schemas if we may make them, else tables inside the live schema; single tables always inside it, where the others can go on
/// referring to them.
fn means(link: &mut Link, spec: &MysqlSpec, intake: &Intake, tables: &[String], cx: &Cx) -> Result<Means> {
    if tables.is_empty() {
        let Some(denied) = probe(link, spec)? else { return Ok(Means::Beside) };
        fit::check(link, spec, intake, None)
            .with_context(|| format!("{denied}, and tables inside the live schema will not do instead"))
            .map_err(or_in_place)?;
        cx.note(format!(
            "{denied}: the tables are restored under other names inside schema {:?}",
            spec.schema
        ));
    } else {
        fit::check(link, spec, intake, Some(tables))?;
    }
    Ok(Means::SideTables)
}

/// In the name of the schema in which rights are tried, and the name of its only table.
pub(super) const PROBE: &str = "probe";

/// Creates and drops an empty schema with a table in it; says so if that is not permitted.
fn probe(link: &mut Link, spec: &MysqlSpec) -> Result<Option<String>> {
    let schema = beside(&spec.schema, PROBE, &format!("{:08x}", rand::random::<u32>()));
    let denied = |error: &mysql_async::Error| code_of(error).is_some_and(|code| DENIED.contains(&code));
    let told = || Ok(Some("the database user may make no schemas".to_owned()));
    match link.run(format!("CREATE DATABASE {}", quote(&schema))) {
        Err(error) if denied(&error) => return told(),
        other => other.during("try to create a schema")?,
    }
    let table = qualified(&schema, PROBE);
    let tried = link.run(format!("CREATE TABLE {table} (a INT PRIMARY KEY)"));
    drop_schema(link, &schema)?;
    match tried {
        Err(error) if denied(&error) => told(),
        other => other.during("try to create a table").map(|()| None),
    }
}

fn versions(link: &mut Link, intake: &Intake, cx: &Cx) -> Result<()> {
    let here = server::facts(link)?;
    let there = server::Facts { version: intake.manifest.version.clone(), ..here.clone() };
    if here.is_mariadb() != there.is_mariadb() {
        cx.warn(format!(
            "the dump is of {} and the server is {}: definitions may not fit",
            there.version, here.version
        ));
    } else if here.number() < there.number() {
        cx.warn(format!("the dump is of {} and the server is older: {}", there.version, here.version));
    }
    for collation in collations(intake) {
        let sql = format!(
            "SELECT 1 FROM information_schema.collations WHERE collation_name={0} OR {0} LIKE CONCAT('%\\_',collation_name)",
            literal(&collation)
        );
        if link.first(sql).during("look for a collation")?.is_none() {
            return Err(Error::failed(format!(
                "the server does not know the collation {collation} that the dump uses"
            ))
            .with_remedy("restore to a server of the product and version of the dump"));
        }
    }
    Ok(())
}

/// Every collation that a table's definition names.
fn collations(intake: &Intake) -> std::collections::BTreeSet<String> {
    let own = Some(intake.manifest.collation.clone()).filter(|name| !name.is_empty());
    let mut names: std::collections::BTreeSet<_> = own.into_iter().collect();
    for ddl in &intake.tables {
        let text = String::from_utf8_lossy(ddl);
        for line in text.lines().filter(|line| line.starts_with("  `") || line.starts_with(')')) {
            // A default or a comment comes behind the collation, and may say anything.
            let head = line.split(['\'', '"']).next().unwrap_or_default();
            let found = head.split_once("COLLATE").map(|(_, rest)| rest.trim_start_matches(['=', ' ']));
            let word =
                found.and_then(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next());
            names.extend(word.filter(|word| !word.is_empty()).map(ToOwned::to_owned));
        }
    }
    names
}

/// Foreign keys of other schemas would follow the former tables and keep them from being removed.
fn foreign_keys(link: &mut Link, schema: &str) -> Result<()> {
    let row = link
        .first(format!(
            "SELECT constraint_schema, table_name, constraint_name FROM information_schema.referential_constraints \
             WHERE unique_constraint_schema={0} AND constraint_schema<>{0}",
            literal(schema)
        ))
        .during("look for foreign keys of other schemas")?;
    row.map_or(Ok(()), |row| {
        Err(Error::failed(format!(
            "table {:?} of schema {:?} refers to schema {schema:?} with the foreign key {:?}, which a swap would break",
            text(&row, 1),
            text(&row, 0),
            text(&row, 2)
        ))
        .with_remedy("drop that foreign key for the time of the restore"))
    })
}

/// Room for the copy, where the server's files are on this machine.
fn room(link: &mut Link, spec: &MysqlSpec, intake: &Intake) -> Result<()> {
    if matches!(spec.address, MysqlAddress::Tcp { .. }) {
        return Ok(());
    }
    let row = link.first("SELECT @@datadir").during("ask where the data is")?;
    let directory = row.map(|row| text(&row, 0)).unwrap_or_default();
    room::for_copy(&directory, intake.manifest.bytes())
}
