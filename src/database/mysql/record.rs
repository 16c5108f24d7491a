//! A note kept inside a schema of ours about what it belongs to, so that any later process can finish or undo a swap.

use serde::{Deserialize, Serialize};

use super::fault::{During, code_of};
use super::grants::Account;
use super::link::Link;
use super::names::{hex, hex_literal, qualified, unhex};
use super::objects::Object;
use super::row::bytes;
use crate::error::{Context, Error, Result};

/// The table that holds the record; never moved with the others.
pub(super) const TABLE: &str = "lifeboat__record";

const NO_TABLE: u16 = 1146;
const NO_SCHEMA: u16 = 1049;

/// What a schema consists of, besides the rows that are in its tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// What follows the name in `CREATE DATABASE`, in hexadecimal; `None` if the schema did not exist.
    options_hex: Option<String>,
    /// Tables and sequences: everything that a RENAME moves.
    pub tables: Vec<String>,
    pub objects: Vec<Object>,
    /// To be given their rights back.
    #[serde(default)]
    pub accounts: Vec<Account>,
}

impl Record {
    pub(super) fn new(options: Option<&[u8]>, tables: Vec<String>, objects: Vec<Object>) -> Self {
        Self { options_hex: options.map(hex), tables, objects, accounts: Vec::new() }
    }

    pub(super) fn with_accounts(self, accounts: Vec<Account>) -> Self {
        Self { accounts, ..self }
    }

    pub(super) fn options(&self) -> Option<Vec<u8>> {
        self.options_hex.as_deref().and_then(unhex)
    }

    /// Writes the record as one row, which is there whole or not at all.
    pub(super) fn write(&self, link: &mut Link, schema: &str) -> Result<()> {
        let table = qualified(schema, TABLE);
        let during = || format!("write the record of schema {schema:?}");
        link.run(format!(
            "CREATE TABLE IF NOT EXISTS {table} (id INT PRIMARY KEY, body LONGBLOB NOT NULL) ENGINE=InnoDB"
        ))
        .during(during())?;
        let body = hex_literal(&serde_json::to_vec(self)?);
        link.run(format!("REPLACE INTO {table} VALUES (1, {body})")).during(during())
    }

    /// `None` if there is no such schema or its record was not finished.
    pub(super) fn read(link: &mut Link, schema: &str) -> Result<Option<Self>> {
        let sql = format!("SELECT body FROM {} WHERE id=1", qualified(schema, TABLE));
        let row = match link.first(sql) {
            Ok(row) => row,
            Err(error) if code_of(&error).is_some_and(|code| code == NO_TABLE || code == NO_SCHEMA) => {
                return Ok(None);
            }
            Err(error) => return Err(error).during(format!("read the record of schema {schema:?}")),
        };
        let Some(row) = row else { return Ok(None) };
        let body = bytes(&row, 0)
            .ok_or_else(|| Error::failed(format!("the record of schema {schema:?} is empty")))?;
        serde_json::from_slice(body)
            .map(Some)
            .with_context(|| format!("read the record of schema {schema:?}"))
    }
}
