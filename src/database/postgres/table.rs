//! A table as its rows are read and written.

use serde::{Deserialize, Serialize};

use super::names::{literal, qualified, quote};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    pub name: String,
    /// As people write it: `character varying(20)`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its order depends on a collation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub collated: bool,
}

/// `shop.item`, for people.
pub(super) fn shown(schema: &str, name: &str) -> String {
    if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") }
}

/// A table that has rows of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub schema: String,
    pub name: String,
    /// Those that are stored; generated ones are not.
    pub columns: Vec<Column>,
    /// Indexes of the columns that order the rows; empty if the server chooses.
    pub key: Vec<usize>,
    /// How many digits the key has, if it is one integer.
    pub digits: Option<usize>,
    /// About how many bytes it has.
    pub estimate: u64,
    /// Of an extension's table, the condition by which rows are the user's own; empty: all are.
    pub filter: String,
}

impl Table {
    /// `shop.item`, for people.
    pub(super) fn shown(&self) -> String {
        shown(&self.schema, &self.name)
    }

    /// Everything but its size, which is an estimate.
    pub(super) fn shape(&self) -> Self {
        Self { estimate: 0, ..self.clone() }
    }

    /// `"shop"."item" ("id", "name")`: into what the rows go.
    pub(super) fn target(&self) -> String {
        target(&self.schema, &self.name, &self.columns)
    }

    /// Reads all rows, in the order of the key. The byte order of texts is the same everywhere; that of a collation is
    /// another one with every other C library.
    pub(super) fn copy_out(&self, encoding: &str) -> String {
        let columns: Vec<_> = self.columns.iter().map(|column| quote(&column.name)).collect();
        let order: Vec<_> = self.key.iter().map(|index| &self.columns[*index]).map(order).collect();
        let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
        format!(
            "COPY (SELECT {} FROM ONLY {} {}{order}) TO STDOUT WITH (FORMAT text, ENCODING {})",
            columns.join(", "),
            qualified(&self.schema, &self.name),
            self.filter,
            literal(encoding)
        )
    }
}

fn order(column: &Column) -> String {
    let collation = if column.collated { " COLLATE pg_catalog.\"C\"" } else { "" };
    format!("{}{collation}", quote(&column.name))
}

pub(super) fn target(schema: &str, name: &str, columns: &[Column]) -> String {
    let list: Vec<_> = columns.iter().map(|column| quote(&column.name)).collect();
    // A table without columns may have rows as well, and knows no empty list.
    let list = if list.is_empty() { String::new() } else { format!(" ({})", list.join(", ")) };
    format!("{}{list}", qualified(schema, name))
}

/// Takes rows into a target, as they were read.
pub(super) fn copy_in(target: &str, encoding: &str) -> String {
    format!("COPY {target} FROM STDIN WITH (FORMAT text, ENCODING {})", literal(encoding))
}
