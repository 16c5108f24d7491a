//! What the user may not do, with the statement that lets it; for people who look for what is wrong.

use super::fault::During;
use super::link::{Link, text, truth};
use super::names::quote;
use crate::database::{Lack, PostgresSpec};
use crate::error::Result;

/// Schemas with something in them that cannot be read.
const UNREADABLE: &str = "SELECT DISTINCT n.nspname FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'm', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND CASE c.relkind \
    WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT') \
    ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END) ORDER BY 1";

pub(super) fn lacks(spec: &PostgresSpec) -> Result<Vec<Lack>> {
    let mut link = Link::open(spec, &spec.name)?;
    let user = quote(&spec.user);
    let rows = link.rows(UNREADABLE).during("ask what cannot be read")?;
    let mut found: Vec<_> = rows
        .iter()
        .map(|row| {
            let schema = quote(text(row, 0));
            Lack {
                right: format!("SELECT on all of schema {schema}"),
                without: "its tables and sequences cannot be saved".to_owned(),
                statement: format!(
                    "GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user}; \
                     GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {user}"
                ),
            }
        })
        .collect();
    let own = "SELECT rolsuper OR rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = current_user";
    let row = link.first(own).during("ask for the user's rights")?.unwrap_or_default();
    if !truth(&row, 0) {
        found.push(Lack {
            right: "CREATEDB".to_owned(),
            without: "a restore cannot load beside the live database".to_owned(),
            statement: format!("ALTER ROLE {user} CREATEDB"),
        });
    }
    Ok(found)
}
