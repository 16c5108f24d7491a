//! A dump loaded into a database of its own beside the live one, proven equal, and removed again on any error.

use super::fault::{During, text_of};
use super::intake::{self, Intake};
use super::link::{Link, Row, text};
use super::load::Filling;
use super::names::{beside, literal, quote};
use super::session::{QUIETEN, pin, pin_for_loading};
use super::verify;
use crate::database::{Means, PostgresSpec, SideCopy};
use crate::dump::Shelf;
use crate::error::{Context, Error, Result};
use crate::event::Cx;

/// Names of all databases of a restore.
pub(super) fn names(spec: &PostgresSpec, token: &str) -> SideCopy {
    SideCopy {
        live: spec.name.clone(),
        side: beside(&spec.name, "restore", token),
        former: beside(&spec.name, "former", token),
        means: Means::Beside,
        only: Vec::new(),
        tables: 0,
        rows: 0,
    }
}

pub(super) fn load(spec: &PostgresSpec, shelf: &dyn Shelf, names: &SideCopy, cx: &Cx) -> Result<SideCopy> {
    let intake = intake::read(shelf)?;
    let mut copy = names.clone();
    let mut beside = Link::open_beside(spec)?;
    pin(&mut beside)?;
    let mut guard = Guard { spec, name: copy.side.clone(), armed: false, cx };
    let settings = &intake.manifest.database;
    if find(&mut beside, &copy.side)?.is_some() {
        return Err(Error::failed(format!("there is a database {:?} already", copy.side))
            .with_remedy("drop it, if it is the rest of an earlier restore"));
    }
    guard.armed = true;
    // Not to be cancelled: it may come into being behind our back.
    beside
        .run(&settings.create(&copy.side))
        .during(format!("create database {:?} for the restored copy", copy.side))?;
    fill(spec, &copy.side, shelf, &intake, cx)?;
    verify::compare(spec, &copy.side, &intake, cx).context("verify the restored copy")?;
    for sql in settings.statements(&copy.side) {
        beside.run(&sql).during(format!("set up database {:?}", copy.side))?;
    }
    guard.armed = false;
    copy.tables = intake.manifest.tables.len() as u64;
    copy.rows = intake.manifest.rows();
    Ok(copy)
}

fn fill(spec: &PostgresSpec, name: &str, shelf: &dyn Shelf, intake: &Intake, cx: &Cx) -> Result<()> {
    let manifest = &intake.manifest;
    let mut link = Link::open(spec, name)?;
    pin_for_loading(&mut link)?;
    if !manifest.database.has_public {
        link.run("DROP SCHEMA public").during("drop schema public, which the dumped database had not")?;
    }
    link.run_long(&intake.before, "create the tables", cx)?;
    // The script sets the session to its own wants.
    pin_for_loading(&mut link)?;
    let mut filling =
        Filling { shelf, encoding: &manifest.database.encoding, done: 0, total: manifest.rows() };
    for table in &manifest.tables {
        filling.table(&mut link, table, cx)?;
    }
    filling.large_objects(&mut link, &manifest.large_objects, &intake.objects, cx)?;
    link.run_long(&intake.sequences, "set the sequences", cx)?;
    link.run_long(&intake.after, "create indexes, constraints and triggers", cx)?;
    pin_for_loading(&mut link)?;
    link.run(QUIETEN).during("keep event triggers quiet")?;
    fill_views(&mut link, &manifest.filled_views, cx)?;
    // A database without statistics is a slow one until the server finds time to make them.
    link.run_long("ANALYZE", "make statistics", cx)
}

/// A view may be made of others by way of a function, which nobody knows: what fails is tried again as long as others succeed.
/// What nobody can fill is told, and stays empty: it is made of what is there.
fn fill_views(link: &mut Link, views: &[String], cx: &Cx) -> Result<()> {
    let mut waiting: Vec<&String> = views.iter().collect();
    while !waiting.is_empty() {
        let mut failed = Vec::new();
        for view in &waiting {
            cx.go_on()?;
            if let Err(error) = link.run(&format!("REFRESH MATERIALIZED VIEW {view}")) {
                if error.as_db_error().is_none() {
                    return Err(error).during(format!("fill materialized view {view}"));
                }
                failed.push((*view, text_of(&error)));
            }
        }
        if failed.len() == waiting.len() {
            for (view, why) in failed {
                cx.missed(format!("content of materialized view {view}"), why);
            }
            return Ok(());
        }
        waiting = failed.into_iter().map(|(view, _)| view).collect();
    }
    Ok(())
}

/// Removes a half-made database when it goes out of scope, also on a panic.
struct Guard<'a> {
    spec: &'a PostgresSpec,
    name: String,
    armed: bool,
    cx: &'a Cx,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // On a new connection: the one that failed may be in the middle of a statement.
        let removed = Link::open_beside(self.spec).and_then(|mut link| drop_database(&mut link, &self.name));
        if let Err(error) = removed {
            self.cx
                .warn(format!("database {:?} is left behind and may be dropped by hand: {error}", self.name));
        }
    }
}

/// Drops a database of ours with whoever looks at it; nothing happens if there is none.
pub(super) fn drop_database(link: &mut Link, name: &str) -> Result<()> {
    let during = || format!("drop database {name:?}");
    let Some(row) = find(link, name)? else { return Ok(()) };
    if text(&row, 1) == "t" {
        let sql = format!("ALTER DATABASE {} IS_TEMPLATE false", quote(name));
        link.run(&sql).during(during())?;
    }
    end_sessions(link, &[name])?;
    link.run(&format!("DROP DATABASE IF EXISTS {}", quote(name))).during(during())
}

/// Owner and whether it is a template; `None` if there is no such database.
pub(super) fn find(link: &mut Link, name: &str) -> Result<Option<Row>> {
    let sql = format!(
        "SELECT pg_catalog.pg_get_userbyid(datdba), datistemplate, pg_catalog.shobj_description(oid, 'pg_database') \
         FROM pg_catalog.pg_database WHERE datname = {}",
        literal(name)
    );
    link.first(&sql).during(format!("look for database {name:?}"))
}

/// Ends all sessions in these databases.
pub(super) fn end_sessions(link: &mut Link, databases: &[&str]) -> Result<()> {
    let names: Vec<_> = databases.iter().map(|name| literal(name)).collect();
    let sql = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname IN ({}) \
         AND pid <> pg_catalog.pg_backend_pid() AND backend_type <> 'autovacuum worker'",
        names.join(",")
    );
    link.run(&sql).during(format!("end the sessions in {}", names.join(" and "))).map_err(|error| {
        Error::failed(error)
            .with_remedy("the database user needs the role pg_signal_backend, or the sessions' own role")
    })
}
