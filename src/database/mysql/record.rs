//! A note kept with tables of ours about what they belong to, so that any later process can finish or undo a swap.

use serde::{Deserialize, Serialize};

use super::fault::{During, Sql, code_of};
use super::grants::Account;
use super::keys::TableKeys;
use super::link::Link;
use super::names::{hex, hex_literal, unhex};
use super::objects::Object;
use super::place::Place;
use super::row::bytes;
use crate::error::{Context, Error, Result};

const COLUMNS: &str = "(id INT PRIMARY KEY, body LONGBLOB NOT NULL) ENGINE=InnoDB";

const NO_TABLE: u16 = 1146;
const NO_SCHEMA: u16 = 1049;

/// What a schema consists of, besides the rows that are in its tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// What follows the name in `CREATE DATABASE`, in hexadecimal; `None` if the schema did not exist.
    options_hex: Option<String>,
    /// Tables and sequences: everything that a RENAME moves. Inside one schema that is views too, unless they are among the
    /// objects because they are still to be made.
    pub tables: Vec<String>,
    pub objects: Vec<Object>,
    /// Foreign keys of tables, as they are while these are live.
    #[serde(default)]
    pub keys: Vec<TableKeys>,
    /// The tables that the swap is about, there or not; `None` if it is about everything.
    #[serde(default)]
    pub only: Option<Vec<String>>,
    /// To be given their rights back.
    #[serde(default)]
    pub accounts: Vec<Account>,
}

impl Record {
    pub(super) fn new(options: Option<&[u8]>, tables: Vec<String>, objects: Vec<Object>) -> Self {
        let options_hex = options.map(hex);
        Self { options_hex, tables, objects, keys: Vec::new(), only: None, accounts: Vec::new() }
    }

    pub(super) fn with_accounts(self, accounts: Vec<Account>) -> Self {
        Self { accounts, ..self }
    }

    pub(super) fn with_keys(self, keys: Vec<TableKeys>) -> Self {
        Self { keys, ..self }
    }

    pub(super) fn of_tables(self, only: Option<Vec<String>>) -> Self {
        Self { only, ..self }
    }

    pub(super) fn options(&self) -> Option<Vec<u8>> {
        self.options_hex.as_deref().and_then(unhex)
    }

    /// Makes the table for the record, which must not be there yet.
    pub(super) fn claim(link: &mut Link, place: &Place) -> Sql<()> {
        link.run(format!("CREATE TABLE {} {COLUMNS}", place.record()))
    }

    /// Writes the record as one row, which is there whole or not at all.
    pub(super) fn write(&self, link: &mut Link, place: &Place) -> Result<()> {
        let table = place.record();
        let during = || format!("write the record of {place}");
        link.run(format!("CREATE TABLE IF NOT EXISTS {table} {COLUMNS}")).during(during())?;
        let body = hex_literal(&serde_json::to_vec(self)?);
        link.run(format!("REPLACE INTO {table} VALUES (1, {body})")).during(during())
    }

    /// `None` if there is no such place or its record was not finished.
    pub(super) fn read(link: &mut Link, place: &Place) -> Result<Option<Self>> {
        let sql = format!("SELECT body FROM {} WHERE id=1", place.record());
        let row = match link.first(sql) {
            Ok(row) => row,
            Err(error) if code_of(&error).is_some_and(|code| code == NO_TABLE || code == NO_SCHEMA) => {
                return Ok(None);
            }
            Err(error) => return Err(error).during(format!("read the record of {place}")),
        };
        let Some(row) = row else { return Ok(None) };
        let body = bytes(&row, 0).ok_or_else(|| Error::failed(format!("the record of {place} is empty")))?;
        serde_json::from_slice(body).map(Some).with_context(|| format!("read the record of {place}"))
    }
}
