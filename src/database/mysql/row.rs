//! Reading the text protocol's rows without assuming that they are text.

use mysql_async::{Row, Value};

/// The bytes of one column; `None` for SQL's NULL and for a column that is not there.
pub(super) fn bytes(row: &Row, index: usize) -> Option<&[u8]> {
    match row.as_ref(index)? {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// A column that the server promises to be text, such as a name; NULL reads as empty.
pub(super) fn text(row: &Row, index: usize) -> String {
    bytes(row, index).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

pub(super) fn number<T: std::str::FromStr>(row: &Row, index: usize) -> Option<T> {
    std::str::from_utf8(bytes(row, index)?).ok()?.parse().ok()
}

/// The index of a column by its heading; products disagree about the case of headings.
pub(super) fn column(row: &Row, heading: &str) -> Option<usize> {
    row.columns_ref().iter().position(|column| column.name_str().eq_ignore_ascii_case(heading))
}

/// The bytes under the first of these headings that the row has.
pub(super) fn under<'a>(row: &'a Row, headings: &[&str]) -> Option<&'a [u8]> {
    headings.iter().find_map(|heading| bytes(row, column(row, heading)?))
}

pub(super) fn text_under(row: &Row, heading: &str) -> String {
    under(row, &[heading]).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}
