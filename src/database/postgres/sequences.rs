//! Where each sequence stands, as statements that put it there again.

use super::catalog::{self, Name};
use super::fault::broken;
use super::link::{Link, text};
use super::names::literal;
use crate::error::Result;

/// Sequences that are asked in one statement.
const AT_ONCE: usize = 200;

/// One `SELECT setval(...)` a line. Sequences know no snapshot: to be read after the moment is fixed, so that none stands
/// before a number that a row has already.
pub(super) fn read(link: &mut Link) -> Result<(Vec<u8>, u64)> {
    let names = catalog::sequences(link)?;
    let mut lines = String::new();
    for part in names.chunks(AT_ONCE) {
        let parts: Vec<_> = part.iter().enumerate().map(|(at, name)| select(at, name)).collect();
        let sql = format!("{} ORDER BY 1", parts.join(" UNION ALL "));
        let rows = link.rows(&sql).map_err(|error| broken("read where the sequences stand", &error))?;
        for (name, row) in std::iter::zip(part, &rows) {
            let called = if text(row, 2) == "t" { "true" } else { "false" };
            let target = literal(&name.quoted());
            lines.extend(["SELECT pg_catalog.setval(", &target, ", ", text(row, 1), ", ", called, ");\n"]);
        }
    }
    Ok((lines.into_bytes(), names.len() as u64))
}

fn select(at: usize, name: &Name) -> String {
    format!("SELECT {at}, last_value, is_called FROM {}", name.quoted())
}
