//! Everything in a schema that is not a table with rows: sequences, routines, packages, views, triggers, events.

use mysql_async::Row;
use serde::{Deserialize, Serialize};

use super::fault::{During, Sql, text_of};
use super::link::Link;
use super::names::{hex, is_ours, literal, qualified, quote, unhex};
use super::row::{number, text, text_under, under};
use crate::dump::Unsaved;
use crate::error::Result;

/// Name of the file in a dump that has them.
pub(super) const NAME: &str = "schema/objects.jsonl";

/// The order of replay: what comes later may use what comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ObjectKind {
    Sequence,
    Function,
    Package,
    PackageBody,
    Procedure,
    View,
    Trigger,
    Event,
}

impl ObjectKind {
    /// As SQL says it after CREATE, SHOW CREATE and DROP.
    pub(super) const fn sql(self) -> &'static str {
        match self {
            Self::Sequence => "SEQUENCE",
            Self::Function => "FUNCTION",
            Self::Package => "PACKAGE",
            Self::PackageBody => "PACKAGE BODY",
            Self::Procedure => "PROCEDURE",
            Self::View => "VIEW",
            Self::Trigger => "TRIGGER",
            Self::Event => "EVENT",
        }
    }
}

/// One definition with the session attributes it was created under; one line of `objects.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Object {
    pub kind: ObjectKind,
    pub name: String,
    /// That a trigger belongs to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub table: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sql_mode: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub character_set_client: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub collation_connection: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub database_collation: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub time_zone: String,
    /// It did not work when it was dumped, so that it cannot be expected to be created again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
    /// A sequence's next value, as the statement that sets it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub set_value: String,
    #[serde(flatten)]
    pub sql: Statement,
}

/// A statement as bytes: readable where it is UTF-8, hexadecimal otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Statement {
    Sql(String),
    SqlHex(String),
}

impl From<&[u8]> for Statement {
    fn from(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes)
            .map_or_else(|_| Self::SqlHex(hex(bytes)), |text| Self::Sql(text.to_owned()))
    }
}

impl Statement {
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Sql(text) => text.clone().into_bytes(),
            // Hexadecimal that is none cannot become a statement; the server will refuse the empty one.
            Self::SqlHex(digits) => unhex(digits).unwrap_or_default(),
        }
    }
}

impl Object {
    /// A sequence under another name.
    pub(super) fn called(&self, name: &str) -> Self {
        let rename = |text: &str| text.replacen(&quote(&self.name), &quote(name), 1);
        let sql = match &self.sql {
            Statement::Sql(text) => Statement::Sql(rename(text)),
            other @ Statement::SqlHex(_) => other.clone(),
        };
        Self { name: name.to_owned(), set_value: rename(&self.set_value), sql, ..self.clone() }
    }
}

/// The objects of a schema in the order of replay, and those that the server would not show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Objects {
    pub list: Vec<Object>,
    pub unsaved: Vec<Unsaved>,
}

/// Reads all objects; the session must be one for definitions, with `schema` as its default.
pub(super) fn objects(link: &mut Link, schema: &str) -> Result<Objects> {
    let names = names(link, schema).during(format!("list the objects of schema {schema:?}"))?;
    read_all(link, schema, &names)
}

/// Reads these objects; the session must be as for `objects`.
pub(super) fn read_all(link: &mut Link, schema: &str, names: &[Named]) -> Result<Objects> {
    let mut found = Objects::default();
    for named in names {
        let what = format!("{} {}", named.kind.sql().to_lowercase(), named.name);
        match read(link, schema, named) {
            Ok(Some(object)) => found.list.push(object),
            Ok(None) => found.unsaved.push(Unsaved {
                what,
                why: "the server does not show its definition to this user".to_owned(),
            }),
            // No right, or gone since it was listed, which the comparison at the end of the dump finds out.
            Err(error) if matches!(error, mysql_async::Error::Server(_)) => {
                found.unsaved.push(Unsaved { what, why: text_of(&error) });
            }
            Err(error) => return Err(error).during(format!("read the definition of {what}")),
        }
    }
    Ok(found)
}

/// What an object is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub kind: ObjectKind,
    pub name: String,
    /// That a trigger belongs to.
    pub table: String,
}

impl Named {
    fn new(kind: ObjectKind, row: &Row) -> Self {
        let table = if kind == ObjectKind::Trigger { text(row, 1) } else { String::new() };
        Self { kind, name: text(row, 0), table }
    }
}

/// Names of all objects of the site itself, in the order in which they are to be created.
pub(super) fn names(link: &mut Link, schema: &str) -> Sql<Vec<Named>> {
    let schema = literal(schema);
    let mut all = Vec::new();
    for row in link.rows(format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema={schema} AND table_type='SEQUENCE' ORDER BY 1"
    ))? {
        all.push(Named::new(ObjectKind::Sequence, &row));
    }
    for row in link.rows(format!(
        "SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema={schema} \
         ORDER BY FIELD(routine_type,'FUNCTION','PACKAGE','PACKAGE BODY','PROCEDURE'), routine_name"
    ))? {
        let kind = match text(&row, 1).as_str() {
            "FUNCTION" => ObjectKind::Function,
            "PACKAGE" => ObjectKind::Package,
            "PACKAGE BODY" => ObjectKind::PackageBody,
            _ => ObjectKind::Procedure,
        };
        all.push(Named::new(kind, &row));
    }
    let lists = [
        (
            ObjectKind::View,
            format!("SELECT table_name FROM information_schema.views WHERE table_schema={schema} ORDER BY 1"),
        ),
        (
            ObjectKind::Trigger,
            format!(
                "SELECT trigger_name, event_object_table FROM information_schema.triggers WHERE trigger_schema={schema} \
                 ORDER BY event_object_table, action_timing, event_manipulation, action_order"
            ),
        ),
        (
            ObjectKind::Event,
            format!(
                "SELECT event_name FROM information_schema.events WHERE event_schema={schema} ORDER BY 1"
            ),
        ),
    ];
    for (kind, sql) in lists {
        all.extend(link.rows(sql)?.iter().map(|row| Named::new(kind, row)));
    }
    // What a restore keeps inside the schema.
    all.retain(|named| !is_ours(&named.name));
    Ok(all)
}

/// One object; `None` if the server hides its text.
fn read(link: &mut Link, schema: &str, Named { kind, name, table }: &Named) -> Sql<Option<Object>> {
    let kind = *kind;
    let shown = link.first(format!("SHOW CREATE {} {}", kind.sql(), qualified(schema, name)))?;
    let Some(row) = shown else { return Ok(None) };
    let headings: &[&str] = match kind {
        ObjectKind::Sequence => &["Create Table", "Create Sequence"],
        ObjectKind::Function => &["Create Function"],
        ObjectKind::Package => &["Create Package"],
        ObjectKind::PackageBody => &["Create Package Body"],
        ObjectKind::Procedure => &["Create Procedure"],
        ObjectKind::View => &["Create View"],
        ObjectKind::Trigger => &["SQL Original Statement"],
        ObjectKind::Event => &["Create Event"],
    };
    let Some(sql) = under(&row, headings).map(Statement::from) else { return Ok(None) };
    let mut object = Object {
        kind,
        name: name.clone(),
        table: table.clone(),
        sql_mode: text_under(&row, "sql_mode"),
        character_set_client: text_under(&row, "character_set_client"),
        collation_connection: text_under(&row, "collation_connection"),
        database_collation: text_under(&row, "Database Collation"),
        time_zone: text_under(&row, "time_zone"),
        broken: false,
        set_value: String::new(),
        sql,
    };
    match kind {
        ObjectKind::Sequence => object.set_value = sequence_value(link, schema, name)?,
        ObjectKind::View => object.broken = is_broken(link, schema, name)?,
        _ => {}
    }
    Ok(Some(object))
}

fn sequence_value(link: &mut Link, schema: &str, name: &str) -> Sql<String> {
    let sql = format!("SELECT next_not_cached_value, cycle_count FROM {}", qualified(schema, name));
    let row = link.first(sql)?;
    let value: Option<i128> = row.as_ref().and_then(|row| number(row, 0));
    let cycle: Option<u64> = row.as_ref().and_then(|row| number(row, 1));
    Ok(match (value, cycle) {
        (Some(value), Some(cycle)) => format!("DO SETVAL({}, {value}, 0, {cycle})", quote(name)),
        _ => String::new(),
    })
}

/// A view over something that is gone still has its definition, but no server will create it again.
fn is_broken(link: &mut Link, schema: &str, name: &str) -> Sql<bool> {
    match link.run(format!("SHOW COLUMNS FROM {}", qualified(schema, name))) {
        Ok(()) => Ok(false),
        Err(mysql_async::Error::Server(_)) => Ok(true),
        Err(error) => Err(error),
    }
}
