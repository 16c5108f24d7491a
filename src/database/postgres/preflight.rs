//! Whether a restore can work, found out before anything is touched.

use super::aside::{drop_database, find};
use super::fault::During;
use super::intake::{self, Intake};
use super::link::{Link, text, truth};
use super::names::{beside, literal};
use super::session::pin;
use super::snapshot::version;
use crate::database::{PostgresAddress, PostgresSpec, room};
use crate::dump::Shelf;
use crate::error::{Context, Error, Result};
use crate::event::Cx;

/// In the name of the database in which rights are tried.
pub(super) const PROBE: &str = "probe";

pub(super) fn run(spec: &PostgresSpec, shelf: &dyn Shelf, cx: &Cx) -> Result<()> {
    let intake = intake::read(shelf)?;
    for lost in &intake.manifest.unsaved {
        cx.warn(format!("the dump does not hold {}: {}", lost.what, lost.why));
    }
    let mut link = Link::open_beside(spec)?;
    pin(&mut link)?;
    versions(&mut link, &intake)?;
    let superuser = rights(&mut link, spec)?;
    needs(&mut link, &intake, superuser)?;
    probe(&mut link, spec, &intake)?;
    room(&mut link, spec, &intake)
}

fn versions(link: &mut Link, intake: &Intake) -> Result<()> {
    let (here, number) = version(link)?;
    let there = &intake.manifest;
    if number / 10_000 < there.version_number / 10_000 {
        return Err(Error::failed(format!(
            "the dump is of PostgreSQL {} and the server is older: {here}",
            there.version
        ))
        .with_remedy("restore to a server of the dump's version or newer"));
    }
    Ok(())
}

/// Whether we are a superuser; an error if we may not do what a restore does.
fn rights(link: &mut Link, spec: &PostgresSpec) -> Result<bool> {
    let sql = "SELECT rolsuper, rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = current_user";
    let row = link.first(sql).during("ask for the user's rights")?.unwrap_or_default();
    let (superuser, creates) = (truth(&row, 0), truth(&row, 1));
    if !superuser && !creates {
        return Err(Error::failed(format!("the database user {:?} may not create databases", spec.user))
            .with_remedy(format!("as a superuser: ALTER ROLE \"{}\" CREATEDB", spec.user)));
    }
    let Some(live) = find(link, &spec.name)? else { return Ok(superuser) };
    let owner = text(&live, 0);
    if !superuser && !is_member(link, owner)? {
        return Err(Error::failed(format!(
            "the database {:?} belongs to {owner:?}, and {:?} may not rename it",
            spec.name, spec.user
        ))
        .with_remedy("restore with its owner's login, or a superuser's"));
    }
    Ok(superuser)
}

fn is_member(link: &mut Link, role: &str) -> Result<bool> {
    let sql = format!(
        "SELECT pg_catalog.pg_has_role(oid, 'USAGE') FROM pg_catalog.pg_roles WHERE rolname = {}",
        literal(role)
    );
    let row = link.first(&sql).during("ask for the user's roles")?.unwrap_or_default();
    Ok(truth(&row, 0))
}

fn needs(link: &mut Link, intake: &Intake, superuser: bool) -> Result<()> {
    let needs = &intake.manifest.needs;
    let there = |link: &mut Link, wanted: &[String], column: &str, catalog: &str| -> Result<Vec<String>> {
        let sql = format!("SELECT {column} FROM pg_catalog.{catalog}");
        let rows = link.rows(&sql).during(format!("look at {catalog}"))?;
        Ok(wanted
            .iter()
            .filter(|name| rows.iter().all(|row| text(row, 0) != name.as_str()))
            .cloned()
            .collect())
    };
    let missing = there(link, &needs.extensions, "name", "pg_available_extensions")?;
    if !missing.is_empty() {
        return Err(Error::failed(format!(
            "the server lacks extensions that the dump uses: {}",
            missing.join(", ")
        ))
        .with_remedy("install the packages they come in on the database server"));
    }
    let missing = there(link, &needs.roles, "rolname", "pg_roles")?;
    if !missing.is_empty() {
        return Err(Error::failed(format!(
            "the server lacks roles that the dump uses: {}",
            missing.join(", ")
        ))
        .with_remedy("create them with CREATE ROLE; roles belong to a server and are not in a dump"));
    }
    let missing = there(link, &needs.tablespaces, "spcname", "pg_tablespace")?;
    if !missing.is_empty() {
        return Err(Error::failed(format!(
            "the server lacks tablespaces that the dump uses: {}",
            missing.join(", ")
        ))
        .with_remedy("create them with CREATE TABLESPACE"));
    }
    let owner = &intake.manifest.database.owner;
    if !superuser && !is_member(link, owner)? {
        return Err(Error::failed(format!(
            "what is restored must be given to the role {owner:?}, which is not ours"
        ))
        .with_remedy("restore with its login, or a superuser's"));
    }
    Ok(())
}

/// Creates and drops an empty database of the kind: encoding, locale and tablespace are then known to work.
fn probe(link: &mut Link, spec: &PostgresSpec, intake: &Intake) -> Result<()> {
    let name = beside(&spec.name, PROBE, &format!("{:08x}", rand::random::<u32>()));
    let sql = intake.manifest.database.create(&name);
    let tried = link.run(&sql).during("try to create a database");
    let dropped = Link::open_beside(spec).and_then(|mut link| drop_database(&mut link, &name));
    tried
        .remedy("the server needs the dump's encoding and locale; see `locale -a` on the database server")?;
    dropped
}

/// Room for the copy, where the server's files are on this machine.
fn room(link: &mut Link, spec: &PostgresSpec, intake: &Intake) -> Result<()> {
    if matches!(spec.address, PostgresAddress::Tcp { .. }) {
        return Ok(());
    }
    // Only some users may know.
    let Ok(row) = link.first("SHOW data_directory") else { return Ok(()) };
    let directory = row.map(|row| text(&row, 0).to_owned()).unwrap_or_default();
    room::for_copy(&directory, intake.manifest.bytes())
}
