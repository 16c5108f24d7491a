//! What a server is and how a schema is set up: the facts that a manifest records and a restore compares.

use super::fault::{During, code_of};
use super::link::Link;
use super::names::{literal, quote};
use super::row::{text, text_under, under};
use crate::error::{Error, Result};

const NOT_ALLOWED: [u16; 2] = [1227, 1142];

#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// `MariaDB 10.11.6-MariaDB-0+deb12u1`.
    pub version: String,
    pub server_id: String,
    pub sql_mode: String,
}

impl Facts {
    pub(super) fn is_mariadb(&self) -> bool {
        self.version.starts_with("MariaDB")
    }

    /// Major and minor number.
    pub(super) fn number(&self) -> Option<(u32, u32)> {
        let mut numbers = self.version.split(' ').nth(1)?.split(['.', '-']);
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

pub(super) fn facts(link: &mut Link) -> Result<Facts> {
    let row = link
        .first("SELECT VERSION(), @@server_id, @@global.sql_mode")
        .during("ask the server for its version")?
        .ok_or_else(|| Error::failed("the server does not tell its version"))?;
    let version = text(&row, 0);
    let product = if version.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    Ok(Facts { version: format!("{product} {version}"), server_id: text(&row, 1), sql_mode: text(&row, 2) })
}

/// `CREATE DATABASE`, as bytes.
pub(super) fn show_create_database(link: &mut Link, schema: &str) -> Result<Vec<u8>> {
    let row = link
        .first(format!("SHOW CREATE DATABASE {}", quote(schema)))
        .during(format!("read the definition of schema {schema:?}"))?;
    Ok(row.as_ref().and_then(|row| under(row, &["Create Database"])).unwrap_or_default().to_vec())
}

/// What follows the name in `CREATE DATABASE`: character set, collation, comment.
pub(super) fn database_options(create: &[u8], schema: &str) -> Vec<u8> {
    let name = quote(schema);
    let at = create.windows(name.len()).position(|window| window == name.as_bytes());
    at.map(|at| create[at + name.len()..].to_vec()).unwrap_or_default()
}

pub(super) fn schema_exists(link: &mut Link, schema: &str) -> Result<bool> {
    let sql = format!("SELECT 1 FROM information_schema.schemata WHERE schema_name={}", literal(schema));
    Ok(link.first(sql).during(format!("look for schema {schema:?}"))?.is_some())
}

/// Character set and collation that new tables of a schema get.
pub(super) fn schema_collation(link: &mut Link, schema: &str) -> Result<(String, String)> {
    let sql = format!(
        "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name={}",
        literal(schema)
    );
    let row = link.first(sql).during(format!("read the collation of schema {schema:?}"))?;
    Ok(row.map(|row| (text(&row, 0), text(&row, 1))).unwrap_or_default())
}

/// Where the binary log stood at the snapshot (`MariaDB` tells it without any lock); `None` without a log or a right.
pub(super) fn binlog_position(link: &mut Link) -> Result<Option<String>> {
    let rows = match link.rows("SHOW STATUS LIKE 'binlog_snapshot_%'") {
        Ok(rows) => rows,
        Err(error) if code_of(&error).is_some_and(|code| NOT_ALLOWED.contains(&code)) => return Ok(None),
        Err(error) => return Err(error).during("ask the server for its binary log"),
    };
    let parts: Vec<_> = rows
        .iter()
        .map(|row| (text_under(row, "Variable_name"), text_under(row, "Value")))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{}={value}", name.to_lowercase()))
        .collect();
    let kept = parts.iter().any(|part| part.starts_with("binlog_snapshot_file="));
    Ok(kept.then(|| parts.join(" ")))
}
