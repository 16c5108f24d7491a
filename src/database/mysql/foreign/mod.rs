//! A dump of `mysqldump`, as the platform's former add-ons saved it, loaded like one of ours.
//!
//! No statement of it is run as it stands, but definitions, and these only after they were understood. Rows are taken as the
//! literals they must be and written into statements of ours; whatever else a dump says is not needed. So a dump can reach
//! nothing but the tables that are made for it.

mod definition;
mod judge;
mod load;
mod rows;
mod survey;
mod text;
mod words;

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;

use self::survey::{Insert, Survey, Wish};
use super::cut::Cut;
use super::fault::{During, code_of, text_of};
use super::intake::Intake;
use super::link::Link;
use super::manifest::{FORMAT, Manifest, TableEntry};
use super::names::{hex_literal, quote};
use super::recreate;
use super::row::text;
use crate::dump::Shelf;
use crate::error::{Error, Result};
use crate::event::Cx;

pub(super) use self::load::fill;

const CHOOSE: &str = "choose another snapshot; or restore the files alone with `--files`, and look at the dump with `lifeboat dump`";

/// The name under which the add-on for sites saved the only schema of its site; the one for databases saved all that there were.
const OF_ONE_SITE: &str = "wp_db_backup.sql";

/// The server cannot read a statement.
const SYNTAX: u16 = 1064;

/// Schemas of the server itself: nothing of a site's is there.
const SYSTEM: [&str; 4] = ["mysql", "performance_schema", "sys", "ndbinfo"];
/// It only tells what whoever asks may know.
const HARMLESS: &str = "information_schema";

/// How the rows of a dump are to be read.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    names: String,
    time_zone: Option<String>,
    qualifiers: Vec<(String, String)>,
    /// What the dump calls its schema.
    schema: String,
}

/// Whether this is one of them.
pub(super) fn is_foreign(shelf: &dyn Shelf) -> Result<bool> {
    Ok(file(shelf)?.is_some())
}

fn file(shelf: &dyn Shelf) -> Result<Option<std::path::PathBuf>> {
    let mut files = shelf.list()?;
    let ends =
        |path: &Path| path.to_string_lossy().ends_with(".sql") || path.to_string_lossy().ends_with(".sql.gz");
    Ok(match (files.pop(), files.is_empty()) {
        (Some((path, _)), true) if ends(&path) => Some(path),
        _ => None,
    })
}

/// Reads all of a dump; what it is called there decides which schema of several is meant, if not the only one.
fn read(shelf: &dyn Shelf, schema: &str, take: survey::Take<'_>, cx: &Cx) -> Result<Survey> {
    let path = file(shelf)?.ok_or_else(|| Error::failed("the snapshot has no dump of mysqldump"))?;
    let file = shelf.open(&path)?;
    let packed = path.extension().is_some_and(|end| end == "gz");
    let from: Box<dyn Read + Send> = if packed { Box::new(MultiGzDecoder::new(file)) } else { file };
    let alone = path == Path::new(OF_ONE_SITE);
    survey::read(from, &Wish { schema, alone }, take, cx)
}

/// What a dump holds of the schema: by its name, or the only one that it holds.
pub(super) fn intake(shelf: &dyn Shelf, schema: &str, cx: &Cx) -> Result<Intake> {
    let nothing = &mut |_: &Insert, _: &[u8]| Ok(());
    let mut survey = read(shelf, schema, nothing, cx)?;
    let others: Vec<_> = survey.others.iter().cloned().collect();
    if survey.tables.is_empty() && survey.schema.is_empty() && !others.is_empty() {
        let [only] = others.as_slice() else {
            return Err(Error::failed(format!(
                "the dump has no schema {schema:?}, it has {}",
                others.join(", ")
            ))
            .with_remedy("correct the name under `databases`, or restore the files alone with `--files`"));
        };
        survey = read(shelf, only, nothing, cx)?;
        cx.note(format!("the dump is of schema {only:?}, which comes back as {schema:?}"));
    }
    Ok(understood(survey, schema))
}

fn understood(survey: Survey, schema: &str) -> Intake {
    let called = if survey.schema.is_empty() { schema.to_owned() } else { survey.schema };
    let option = |word: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!(" {word} {value}")).unwrap_or_default()
    };
    let create = format!(
        "CREATE DATABASE {}{}{}",
        quote(&called),
        option("CHARACTER SET", &survey.charset),
        option("COLLATE", &survey.collation)
    );
    let product = if survey.version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    let entry = |counted: &survey::Counted| TableEntry {
        name: counted.table.name.clone(),
        aside: None,
        engine: counted.table.engine.clone(),
        rows: counted.rows,
        bytes: counted.bytes,
        cut: Cut::fit(None, counted.bytes, None),
        columns: Vec::new(),
        key: Vec::new(),
        versioned: counted.table.versioned,
        definition: String::new(),
        unlocked: false,
        row_sum: None,
        files: Vec::new(),
    };
    let manifest = Manifest {
        format: FORMAT,
        engine: "mysql".to_owned(),
        version: format!("{product} {}", survey.version),
        server_id: String::new(),
        schema: called.clone(),
        moment: Timestamp::UNIX_EPOCH,
        consistency: "mysqldump".to_owned(),
        locked_ms: None,
        binlog: None,
        sql_mode: String::new(),
        character_set: survey.charset.unwrap_or_default(),
        collation: survey.collation.unwrap_or_default(),
        tables: survey.tables.iter().map(entry).collect(),
        files: Vec::new(),
        objects: survey.objects.len() as u64,
        unsaved: Vec::new(),
        complete: true,
    };
    let mut objects = survey.objects;
    objects.sort_by_key(|object| object.kind);
    Intake {
        manifest,
        database: create.into_bytes(),
        tables: survey.tables.into_iter().map(|counted| counted.table.ddl).collect(),
        objects,
        accounts: Vec::new(),
        foreign: Some(Foreign {
            names: if survey.names.is_empty() { "utf8mb4".to_owned() } else { survey.names },
            time_zone: survey.time_zone,
            qualifiers: survey.qualifiers,
            schema: called,
        }),
    }
}

/// Refuses objects that name another schema of the server.
pub(super) fn stays_inside(link: &mut Link, live: &str, intake: &Intake) -> Result<()> {
    let Some(foreign) = &intake.foreign else { return Ok(()) };
    let rows = link.rows("SELECT schema_name FROM information_schema.schemata").during("list the schemas")?;
    let schemas: Vec<String> = rows.iter().map(|row| text(row, 0)).collect();
    for (name, what) in &foreign.qualifiers {
        let named = |schema: &str| schema.eq_ignore_ascii_case(name);
        let own = name == live && foreign.schema == live || named(HARMLESS);
        if !own && (schemas.iter().any(|schema| named(schema)) || SYSTEM.iter().any(|schema| named(schema))) {
            return Err(Error::failed(format!("{what} of the dump names {name:?}, which is another schema"))
                .with_remedy(CHOOSE));
        }
    }
    Ok(())
}

/// Refuses objects that are more than one statement: the server would run them all.
pub(super) fn prove_single(link: &mut Link, intake: &Intake) -> Result<()> {
    if intake.foreign.is_none() {
        return Ok(());
    }
    for object in &intake.objects {
        let label = recreate::label(object);
        recreate::attributes(link, object).during(format!("try {label}"))?;
        // What is prepared is parsed as one statement, and whatever else is wrong comes after that.
        link.run(format!("SET @lifeboat_try={}", hex_literal(&object.sql.bytes())))
            .during(format!("try {label}"))?;
        match link.run("PREPARE lifeboat_try FROM @lifeboat_try") {
            Ok(()) => link.run("DEALLOCATE PREPARE lifeboat_try").during(format!("try {label}"))?,
            Err(error) if code_of(&error) == Some(SYNTAX) => {
                return Err(Error::failed(format!(
                    "{label} of the dump is no single statement: {}",
                    text_of(&error)
                ))
                .with_remedy(CHOOSE));
            }
            Err(_) => {}
        }
    }
    Ok(())
}
