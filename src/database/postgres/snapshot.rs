//! Fixing the moment: one transaction sees all rows as of it and holds every table still.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::catalog;
use super::definitions::Definitions;
use super::fault::{During, broken, changed};
use super::link::{Link, number, text};
use super::manifest::Needs;
use super::names::qualified;
use super::objects::{self, LargeObject};
use super::program::PgDump;
use super::session::{pin, wait_for_locks};
use super::settings::{self, Settings};
use super::table::Table;
use super::{needs, sequences};
use crate::database::PostgresSpec;
use crate::dump::Unsaved;
use crate::error::{Context, Error, Kind, Result};
use crate::event::Cx;

/// How often a dump begins again because the database was changed while it began.
const TRIES: u32 = 3;

const PAUSE: Duration = Duration::from_millis(500);

/// Seconds for which a table that somebody is changing is waited for. Whoever wants to read it waits for him as well.
const PATIENCE: u32 = 60;

/// Tables that are locked in one statement.
const AT_ONCE: usize = 500;

/// Older servers lack what is asked of them here.
const OLDEST: u32 = 120_000;

/// A moment that is being held, and what there is at that moment.
pub(super) struct Snapshot {
    pub link: Link,
    pub program: PgDump,
    pub moment: Timestamp,
    /// What the server says of it.
    pub name: String,
    pub version: String,
    pub version_number: u32,
    pub settings: Settings,
    pub needs: Needs,
    pub definitions: Definitions,
    pub tables: Vec<Table>,
    pub objects: Vec<LargeObject>,
    /// Statements, and how many.
    pub sequences: (Vec<u8>, u64),
    pub filled_views: Vec<String>,
    pub unsaved: Vec<Unsaved>,
}

/// Connects and fixes the moment; begins again if the database changes meanwhile.
pub(super) fn begin(spec: &PostgresSpec, cx: &Cx) -> Result<Snapshot> {
    for round in 1..TRIES {
        match attempt(spec, cx) {
            Err(error) if error.kind() == Kind::Changed => {
                cx.note(format!("{error}; attempt {} of {TRIES}", round + 1));
            }
            other => return other,
        }
        std::thread::sleep(PAUSE * round);
        cx.go_on()?;
    }
    attempt(spec, cx)
}

fn attempt(spec: &PostgresSpec, cx: &Cx) -> Result<Snapshot> {
    let mut link = Link::open(spec, &spec.name)?;
    pin(&mut link)?;
    let (version, version_number) = version(&mut link)?;
    if version_number < OLDEST {
        return Err(Error::failed(format!(
            "the server is PostgreSQL {version}; 12 is the oldest that can be dumped"
        )));
    }
    let program = PgDump::find(version_number / 10_000)?;
    // Before the snapshot and once more after it, not in it: between a snapshot and our locks a table may be emptied, which
    // must not take as long as `pg_dump` does; and behind our locks somebody may wait before whom `pg_dump` does not come.
    let definitions = Definitions::read(&program, spec, &spec.name, cx)?;
    wait_for_locks(&mut link, PATIENCE)?;
    link.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").during("begin a snapshot")?;
    let (name, moment) = fix(&mut link)?;
    let tables = catalog::tables(&mut link)?;
    lock(&mut link, &tables)?;
    if let Some(what) = catalog::replaced(&mut link)? {
        return Err(changed(&what));
    }
    let sequences = sequences::read(&mut link)?;
    let settings = settings::read(&mut link)?;
    let needs = needs::read(&mut link, &settings)?;
    let objects = objects::read(&mut link)?;
    let views = catalog::filled_views(&mut link)?;
    let unsaved = catalog::unsaved(&mut link)?;
    for script in [&definitions.before, &definitions.after] {
        if std::str::from_utf8(script).is_err() {
            cx.warn("the definitions are not UTF-8: the dump can be loaded by hand with psql, but not by a restore");
        }
    }
    Ok(Snapshot {
        link,
        program,
        moment,
        name,
        version,
        version_number,
        settings,
        needs,
        definitions,
        tables,
        objects,
        sequences,
        filled_views: views.iter().map(catalog::Name::quoted).collect(),
        unsaved,
    })
}

/// `15.18 (Debian 15.18-0+deb12u1)` and 150018.
pub(super) fn version(link: &mut Link) -> Result<(String, u32)> {
    let sql = "SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')";
    let row = link.first(sql).during("ask the server for its version")?.unwrap_or_default();
    Ok((text(&row, 0).to_owned(), number(&row, 1).unwrap_or_default()))
}

/// What the server says of the snapshot, and its clock.
fn fix(link: &mut Link) -> Result<(String, Timestamp)> {
    let sql = "SELECT pg_catalog.txid_current_snapshot(), pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')";
    let row = link.first(sql).during("fix a snapshot")?.unwrap_or_default();
    let time = text(&row, 1);
    let civil: DateTime = time.parse().with_context(|| format!("read the server's time {time:?}"))?;
    let moment = civil.to_zoned(TimeZone::UTC).context("read the server's time")?.timestamp();
    Ok((text(&row, 0).to_owned(), moment))
}

/// Until the end of the dump nobody can alter, empty or drop a table; rows can be written as ever.
fn lock(link: &mut Link, tables: &[Table]) -> Result<()> {
    for part in tables.chunks(AT_ONCE) {
        let names: Vec<_> =
            part.iter().map(|table| format!("ONLY {}", qualified(&table.schema, &table.name))).collect();
        link.run(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", ")))
            .map_err(|error| broken("hold the tables still", &error))?;
    }
    Ok(())
}
