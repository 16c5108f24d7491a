//! Whether restored tables can be kept inside the live schema until they are swapped in: what could not be done rightly is
//! refused by name, before anything is made.

use std::collections::BTreeSet;

use super::definition::Split;
use super::fault::{During, code_of, text_of};
use super::intake::Intake;
use super::keys;
use super::link::Link;
use super::names::{inside, literal, qualified, quote};
use super::objects::{self, ObjectKind};
use super::preflight::{DENIED, PROBE};
use super::row::text;
use super::{server, swap};
use crate::database::MysqlSpec;
use crate::error::{Context as _, Error, Result};

const RIGHTS: &str = "give the database user all rights on its schema, or restore with one that may make schemas, such as root over the local \
     socket";

/// For these tables alone, or for the whole schema.
pub(super) fn check(
    link: &mut Link,
    spec: &MysqlSpec,
    intake: &Intake,
    only: Option<&[String]>,
) -> Result<()> {
    let schema = &spec.schema;
    if !server::schema_exists(link, schema)? {
        return Err(Error::failed(format!("schema {schema:?} does not exist")).with_remedy(
            "create it, empty, at your host's, or restore with a database user that may make schemas",
        ));
    }
    let kinds = kinds(link, schema, intake, only)?;
    try_rights(link, schema, &kinds, true)?;
    definers(link, schema, only)?;
    named_checks(link, schema, intake, only)?;
    let Some(only) = only else { return Ok(()) };
    references(link, schema, only)?;
    triggers(link, schema, intake, only)
}

/// For a schema that is emptied and filled again: nothing is altered or moved.
pub(super) fn check_in_place(link: &mut Link, spec: &MysqlSpec, intake: &Intake) -> Result<()> {
    let schema = &spec.schema;
    if !server::schema_exists(link, schema)? {
        return Err(Error::failed(format!("schema {schema:?} does not exist"))
            .with_remedy("create it, empty, at your host's"));
    }
    let kinds = kinds(link, schema, intake, None)?;
    try_rights(link, schema, &kinds, false)
}

/// The kinds of objects that the swap will make, to swap in or back.
fn kinds(link: &mut Link, schema: &str, intake: &Intake, only: Option<&[String]>) -> Result<Vec<ObjectKind>> {
    let mut kinds: Vec<_> = intake.objects.iter().map(|object| object.kind).collect();
    for named in objects::names(link, schema).during(format!("list the objects of schema {schema:?}"))? {
        if only.is_none_or(|only| only.contains(&named.table)) {
            kinds.push(named.kind);
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

/// Makes, moves and drops one of each kind.
fn try_rights(link: &mut Link, schema: &str, kinds: &[ObjectKind], moves: bool) -> Result<()> {
    let prefix = inside(PROBE, &format!("{:08x}", rand::random::<u32>()));
    let name = |end: &str| qualified(schema, &format!("{prefix}{end}"));
    let mut statements =
        vec![("create a table", format!("CREATE TABLE {} (a INT PRIMARY KEY, KEY k (a))", name("table")))];
    let table = name(if moves { "moved" } else { "table" });
    if moves {
        statements.push(("rename a table", format!("RENAME TABLE {} TO {table}", name("table"))));
        // Old servers do not know this.
        statements.push(("rename an index", format!("ALTER TABLE {table} RENAME INDEX k TO l")));
    }
    statements.push(("add rows to a table", format!("INSERT INTO {table} VALUES (1)")));
    statements.push(("read a table", format!("SELECT a FROM {table}")));
    for kind in kinds {
        let (what, sql) = match kind {
            ObjectKind::Sequence => ("create a sequence", format!("CREATE SEQUENCE {}", name("sequence"))),
            ObjectKind::View => ("create a view", format!("CREATE VIEW {} AS SELECT 1 AS a", name("view"))),
            ObjectKind::Trigger => (
                "create a trigger",
                format!(
                    "CREATE TRIGGER {} BEFORE INSERT ON {} FOR EACH ROW SET @a=1",
                    name("trigger"),
                    table
                ),
            ),
            ObjectKind::Event => (
                "create an event",
                format!("CREATE EVENT {} ON SCHEDULE EVERY 1 YEAR DISABLE DO SELECT 1", name("event")),
            ),
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Package | ObjectKind::PackageBody => {
                ("create a routine", format!("CREATE PROCEDURE {}() SELECT 1", name("procedure")))
            }
        };
        statements.push((what, sql));
        if what == "create a routine" {
            statements.push(("drop a routine", format!("DROP PROCEDURE IF EXISTS {}", name("procedure"))));
        }
    }
    let tried = statements.into_iter().try_for_each(|(what, sql)| {
        link.run(sql).during(format!("try to {what} in schema {schema:?}")).remedy(RIGHTS)
    });
    let swept = sweep(link, schema, |found| found.starts_with(&prefix));
    tried.and(swept)
}

/// Removes what was made to try the rights; a name is one that `inside` begins for a probe.
pub(super) fn sweep(link: &mut Link, schema: &str, ours: impl Fn(&str) -> bool) -> Result<()> {
    let schema_text = literal(schema);
    let lists = [
        (
            "PROCEDURE",
            format!(
                "SELECT routine_name FROM information_schema.routines WHERE routine_schema={schema_text}"
            ),
        ),
        (
            "EVENT",
            format!("SELECT event_name FROM information_schema.events WHERE event_schema={schema_text}"),
        ),
        ("VIEW", format!("SELECT table_name FROM information_schema.views WHERE table_schema={schema_text}")),
        // A sequence is a table to whom drops it.
        (
            "TABLE",
            format!(
                "SELECT table_name FROM information_schema.tables WHERE table_schema={schema_text} AND table_type<>'VIEW'"
            ),
        ),
    ];
    for (kind, sql) in lists {
        let rows = link.rows(sql).during(format!("list what is in schema {schema:?}"))?;
        for name in rows.iter().map(|row| text(row, 0)).filter(|name| ours(name)) {
            link.run(format!("DROP {kind} IF EXISTS {}", qualified(schema, &name)))
                .during(format!("drop {name:?}, which a preflight made"))?;
        }
    }
    Ok(())
}

/// Triggers, routines and events cannot be moved: they are dropped, and must be able to come back as they were.
pub(super) fn definers(link: &mut Link, schema: &str, only: Option<&[String]>) -> Result<()> {
    let name = literal(schema);
    let rows = link
        .rows(format!(
            "SELECT 'trigger', trigger_name, definer, event_object_table FROM information_schema.triggers \
             WHERE trigger_schema={name} AND definer<>CURRENT_USER() \
             UNION ALL SELECT LOWER(routine_type), routine_name, definer, '' FROM information_schema.routines \
             WHERE routine_schema={name} AND definer<>CURRENT_USER() \
             UNION ALL SELECT 'event', event_name, definer, '' FROM information_schema.events \
             WHERE event_schema={name} AND definer<>CURRENT_USER()"
        ))
        .during(format!("ask as whom the objects of schema {schema:?} act"))?;
    let others: Vec<_> = rows
        .iter()
        .filter(|row| only.is_none_or(|only| only.contains(&text(row, 3))))
        .map(|row| (format!("{} {}", text(row, 0), text(row, 1)), text(row, 2)))
        .collect();
    let Some((what, definer)) = others.first() else { return Ok(()) };
    if may_name_definers(link, schema)? {
        return Ok(());
    }
    Err(Error::failed(format!(
        "{what} of schema {schema:?} acts as {definer}, and could not be brought back as it is by this database user"
    ))
    .with_remedy("restore with a database user that has all rights, such as root over the local socket"))
}

/// By trying: the right has another name on every server.
fn may_name_definers(link: &mut Link, schema: &str) -> Result<bool> {
    let prefix = inside(PROBE, &format!("{:08x}", rand::random::<u32>()));
    let view = qualified(schema, &format!("{prefix}view"));
    let tried = link.run(format!("CREATE DEFINER=`lifeboat`@`localhost` VIEW {view} AS SELECT 1 AS a"));
    sweep(link, schema, |found| found.starts_with(&prefix))?;
    match tried {
        Ok(()) => Ok(true),
        Err(error) if code_of(&error).is_some_and(|code| DENIED.contains(&code)) => Ok(false),
        Err(error) => Err(Error::failed(format!("try to name a definer: {}", text_of(&error)))),
    }
}

/// On `MySQL` the names of checks are unique in their schema, and a check cannot be given another one for a while.
fn named_checks(link: &mut Link, schema: &str, intake: &Intake, only: Option<&[String]>) -> Result<()> {
    if server::facts(link)?.is_mariadb() {
        return Ok(());
    }
    let checked = |ddl: &Vec<u8>| {
        String::from_utf8_lossy(ddl)
            .lines()
            .any(|line| line.starts_with("  CONSTRAINT ") && line.contains(" CHECK ("))
    };
    let dumped = std::iter::zip(&intake.manifest.tables, &intake.tables).find(|(_, ddl)| checked(ddl));
    let rows = link
        .rows(format!(
            "SELECT table_name FROM information_schema.table_constraints WHERE constraint_schema={} AND constraint_type='CHECK'",
            literal(schema)
        ))
        .during(format!("look for checks in schema {schema:?}"))?;
    let live = rows.iter().map(|row| text(row, 0)).find(|name| only.is_none_or(|only| only.contains(name)));
    let Some(table) = dumped.map(|(table, _)| table.name.clone()).or(live) else { return Ok(()) };
    Err(Error::failed(format!("table {table:?} has a CHECK, whose name MySQL allows once in a schema"))
        .with_remedy(
            "restore with a database user that may make schemas, such as root over the local socket",
        ))
}

/// A trigger's name is unique in its schema: one of a table that stays may have taken it since.
fn triggers(link: &mut Link, schema: &str, intake: &Intake, only: &[String]) -> Result<()> {
    let names = objects::names(link, schema).during(format!("list the objects of schema {schema:?}"))?;
    let stays = |named: &objects::Named| named.kind == ObjectKind::Trigger && !only.contains(&named.table);
    for named in names.into_iter().filter(stays) {
        if intake.objects.iter().any(|object| object.name == named.name) {
            return Err(Error::failed(format!(
                "the trigger {} of the dump has the name of one that table {:?} has now",
                named.name, named.table
            ))
            .with_remedy("rename that one, or restore the whole database"));
        }
    }
    Ok(())
}

/// Foreign keys of tables that stay: they would follow the former table out of the site.
fn references(link: &mut Link, schema: &str, only: &[String]) -> Result<()> {
    let wanted: BTreeSet<_> = only.iter().map(|name| quote(name)).collect();
    for child in swap::children(link, schema)?.iter().filter(|child| !only.contains(child)) {
        let clauses = Split::of(&keys::definition(link, schema, child)?, false).foreign;
        if let Some(parent) = keys::parents(&clauses).into_iter().find(|parent| wanted.contains(parent)) {
            return Err(Error::failed(format!("table {child:?} refers to {parent} with a foreign key"))
                .with_remedy(format!("restore both: add `--table {child}`; or the whole database")));
        }
    }
    Ok(())
}
