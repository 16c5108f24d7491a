//! Large objects: their bytes travel as rows of parts, whose and for whom they are as one JSON object per line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::During;
use super::link::{Link, number, text};
use super::names::{literal, quote};
use super::settings::{Grant, grant};
use super::table::{Column, Table};
use crate::error::{Context, Result};

/// Bytes in one part.
const PART: u32 = 128 << 10;

/// The table that holds parts on their way in; it is gone with the session.
const PARTS: &str = "pg_temp.lifeboat_parts";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LargeObject {
    pub oid: u32,
    pub owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// `None`: what every large object has in the beginning.
    pub grants: Option<Vec<Grant>>,
}

pub(super) fn read(link: &mut Link) -> Result<Vec<LargeObject>> {
    let sql = "SELECT CASE a.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable, m.oid \
         FROM pg_catalog.pg_largeobject_metadata m, pg_catalog.aclexplode(m.lomacl) a";
    let mut grants: BTreeMap<u32, Vec<Grant>> = BTreeMap::new();
    for row in link.rows(sql).during("read the rights on large objects")? {
        grants.entry(number(&row, 3).unwrap_or_default()).or_default().push(grant(&row));
    }
    let sql = "SELECT m.oid, pg_catalog.pg_get_userbyid(m.lomowner), pg_catalog.obj_description(m.oid, 'pg_largeobject'), m.lomacl IS NULL \
         FROM pg_catalog.pg_largeobject_metadata m ORDER BY m.oid";
    let rows = link.rows(sql).during("list the large objects")?;
    let object = |row: &super::link::Row| {
        let oid = number(row, 0).unwrap_or_default();
        LargeObject {
            oid,
            owner: text(row, 1).to_owned(),
            comment: row.get(2).cloned().flatten(),
            grants: (text(row, 3) != "t").then(|| grants.remove(&oid).unwrap_or_default()),
        }
    };
    Ok(rows.iter().map(object).collect())
}

/// One JSON object per line.
pub(super) fn lines(objects: &[LargeObject]) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for object in objects {
        serde_json::to_writer(&mut lines, object)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

pub(super) fn parse(lines: &[u8]) -> Result<Vec<LargeObject>> {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(serde_json::from_slice)
        .collect::<std::result::Result<_, _>>()
        .context("read the large objects of the dump")
}

/// All parts of all large objects, as if they were a table: number, place, bytes. Every one has at least one part, and
/// ends with one that is not full.
pub(super) fn as_table() -> Table {
    let column =
        |name: &str, kind: &str| Column { name: name.to_owned(), kind: kind.to_owned(), collated: false };
    Table {
        schema: String::new(),
        name: "large objects".to_owned(),
        columns: vec![column("oid", "oid"), column("part", "bigint"), column("data", "bytea")],
        key: vec![0, 1],
        digits: None,
        estimate: 0,
        filter: String::new(),
    }
}

/// A part is asked for after the one before it, so that nobody has to know how long an object is.
pub(super) fn copy_out() -> String {
    let part = |place: &str| format!("pg_catalog.lo_get(m.oid, {PART} * {place}, {PART})");
    format!(
        "COPY (SELECT m.oid, p.part, p.data FROM (SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid) m, LATERAL (\
         WITH RECURSIVE p(part, data) AS (SELECT 0::pg_catalog.int8, {} UNION ALL SELECT p.part + 1, {} FROM p \
         WHERE pg_catalog.length(p.data) = {PART}) SELECT part, data FROM p) p) TO STDOUT",
        part("0::pg_catalog.int8"),
        part("(p.part + 1)")
    )
}

/// Where parts go before they are put together; to be filled by `COPY` into `parts_target`.
pub(super) const MAKE_PARTS: &str = "CREATE TEMPORARY TABLE lifeboat_parts (oid pg_catalog.oid, part pg_catalog.int8, \
     data pg_catalog.bytea) ON COMMIT DELETE ROWS";

pub(super) fn parts_target() -> String {
    format!("{PARTS} (\"oid\", \"part\", \"data\")")
}

/// Makes objects of the parts that have come in this transaction.
pub(super) fn put_together() -> String {
    format!(
        "SELECT pg_catalog.count(pg_catalog.lo_from_bytea(oid, data)) FROM {PARTS} WHERE part = 0;\n\
         SELECT pg_catalog.count(*) FROM (SELECT pg_catalog.lo_put(oid, {PART} * part, data) FROM {PARTS} WHERE part > 0 OFFSET 0) p"
    )
}

impl LargeObject {
    /// Whose it is and for whom, one statement each.
    pub(super) fn statements(&self) -> Vec<String> {
        let object = format!("LARGE OBJECT {}", self.oid);
        let mut all = vec![format!("ALTER {object} OWNER TO {}", quote(&self.owner))];
        if let Some(comment) = &self.comment {
            all.push(format!("COMMENT ON {object} IS {}", literal(comment)));
        }
        if let Some(grants) = &self.grants {
            all.push(format!("REVOKE ALL ON {object} FROM PUBLIC, {}", quote(&self.owner)));
            all.extend(grants.iter().map(|grant| grant.statement(&object)));
        }
        all
    }
}
