//! What definitions take for granted: extensions, roles and tablespaces, which are not the database's own.

use super::fault::During;
use super::link::{Link, text};
use super::manifest::Needs;
use super::settings::Settings;
use crate::error::Result;

/// The database's extensions but the one that every database has, all roles that own or may do something in it, and the
/// tablespaces that hold something of it.
pub(super) fn read(link: &mut Link, settings: &Settings) -> Result<Needs> {
    let extensions = "SELECT extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY extname COLLATE \"C\"";
    // The first superuser (10) is known to every object, and therefore not written down as known to any.
    let roles = "SELECT DISTINCT pg_catalog.pg_get_userbyid(r.oid)::pg_catalog.text COLLATE \"C\" AS name FROM \
         (SELECT s.refobjid AS oid FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON s.dbid = d.oid \
         OR (s.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND s.objid = d.oid) \
         WHERE d.datname = pg_catalog.current_database() AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass \
         UNION SELECT 10 WHERE EXISTS (SELECT FROM pg_catalog.pg_class WHERE relowner = 10 AND oid >= 16384) \
         OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proowner = 10 AND oid >= 16384) \
         OR EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspowner = 10 AND oid >= 16384)) r ORDER BY 1";
    let tablespaces = "SELECT DISTINCT t.spcname::pg_catalog.text COLLATE \"C\" AS name FROM pg_catalog.pg_tablespace t \
         JOIN pg_catalog.pg_class c ON c.reltablespace = t.oid WHERE t.spcname <> 'pg_global' ORDER BY 1";
    let mut needs = Needs {
        extensions: names(link, extensions, "extensions")?,
        roles: names(link, roles, "roles")?,
        tablespaces: names(link, tablespaces, "tablespaces")?,
    };
    let grantees = settings.grants.iter().flatten().filter_map(|grant| grant.to.clone());
    let defaults = settings.defaults.iter().filter_map(|default| default.role.clone());
    needs.roles.extend(std::iter::once(settings.owner.clone()).chain(grantees).chain(defaults));
    needs.roles.sort();
    needs.roles.dedup();
    if settings.tablespace != "pg_default" && !needs.tablespaces.contains(&settings.tablespace) {
        needs.tablespaces.push(settings.tablespace.clone());
    }
    Ok(needs)
}

fn names(link: &mut Link, sql: &str, what: &str) -> Result<Vec<String>> {
    let rows = link.rows(sql).during(format!("list the {what} that the database needs"))?;
    Ok(rows.iter().map(|row| text(row, 0).to_owned()).collect())
}
