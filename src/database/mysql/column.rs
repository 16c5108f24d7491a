//! How each type of column is read so that its text is exact, and how that text goes back in.

use serde::{Deserialize, Serialize};

use super::names::quote;

/// What decides how a value travels; the reasons are in the two functions below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Numbers and moments, whose text is exact and plain.
    Plain,
    Float,
    Text,
    Enum,
    /// An ENUM with an empty label, which prints like the error value 0.
    EnumNumber,
    Bytes,
    Bit,
    /// Text that must not arrive as a binary string: JSON of `MySQL`, UUID and network addresses of `MariaDB`.
    Utf8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
    /// As the server prints it: `varchar(20)`.
    #[serde(rename = "type")]
    pub sql_type: String,
}

impl Kind {
    /// From `DATA_TYPE` and `COLUMN_TYPE` of `information_schema.columns`.
    pub(super) fn of(data_type: &str, column_type: &str) -> Self {
        match data_type {
            "float" => Self::Float,
            "bit" => Self::Bit,
            "enum" if has_empty_label(column_type) => Self::EnumNumber,
            "enum" => Self::Enum,
            "json" | "uuid" | "inet6" | "inet4" => Self::Utf8,
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "double" | "year"
            | "date" | "datetime" | "timestamp" | "time" => Self::Plain,
            "binary" | "varbinary" | "blob" | "tinyblob" | "mediumblob" | "longblob" | "vector"
            | "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geometrycollection" | "geomcollection" => Self::Bytes,
            _ => Self::Text,
        }
    }
}

impl Column {
    /// The expression whose text is the exact value.
    pub(super) fn select(&self) -> String {
        let name = quote(&self.name);
        match self.kind {
            // The text protocol prints FLOAT with six digits; as DOUBLE it is exact.
            Kind::Float => format!("CAST({name} AS DOUBLE)"),
            Kind::EnumNumber => format!("{name}+0"),
            _ => name,
        }
    }

    /// The value of the column, made from `source` (a user variable or a string literal of bytes); `None` where the
    /// bytes can be assigned as they are.
    pub(super) fn convert(&self, source: &str) -> Option<String> {
        match self.kind {
            Kind::Utf8 => Some(format!("CONVERT({source} USING utf8mb4)")),
            Kind::EnumNumber => Some(format!("{source}+0")),
            Kind::Bit => Some(format!("CAST(CONV(HEX({source}),16,10) AS UNSIGNED)")),
            _ => None,
        }
    }
}

impl Column {
    /// Whether it may be the one with `AUTO_INCREMENT`.
    pub(super) fn may_count(&self) -> bool {
        let types = ["tinyint", "smallint", "mediumint", "int", "bigint", "float", "double"];
        types.iter().any(|name| self.sql_type.starts_with(name))
    }
}

/// Whether `enum('a','','b''c')` has the label `''`.
fn has_empty_label(column_type: &str) -> bool {
    let mut rest = column_type.split_once('(').map_or("", |(_, labels)| labels);
    while let Some(label) = rest.strip_prefix('\'') {
        let mut length = 0;
        let bytes = label.as_bytes();
        // A quote inside a label is doubled.
        while length < bytes.len() && (bytes[length] != b'\'' || bytes.get(length + 1) == Some(&b'\'')) {
            length += if bytes[length] == b'\'' { 2 } else { 1 };
        }
        if length == 0 {
            return true;
        }
        rest = label.get(length + 1..).and_then(|rest| rest.strip_prefix(',')).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_label_is_found_among_quotes() {
        assert!(has_empty_label("enum('a''b','c,d','','1')"));
        assert!(has_empty_label("enum('')"));
        assert!(!has_empty_label("enum('a''','''b','é')"));
        assert!(!has_empty_label("enum('a'',''b')"));
    }
}
