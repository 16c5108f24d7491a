//! Names and texts as SQL.

pub(super) use crate::database::filename::encode;

/// Bytes in the longest name that a server keeps.
const LONGEST: usize = 63;

/// An identifier between double quotes, with those inside doubled.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table with its schema.
pub(super) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote(schema), quote(name))
}

/// A string literal; one with a backslash says so, and means the same whatever the session is set to.
pub(super) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// A database beside `live`: its name, cut to what the server allows, with a purpose and a token.
pub(super) fn beside(live: &str, purpose: &str, token: &str) -> String {
    let tail = format!("__{purpose}_{token}");
    let room = LONGEST.saturating_sub(tail.len());
    let end = (0..=room.min(live.len())).rev().find(|at| live.is_char_boundary(*at)).unwrap_or(0);
    format!("{}{tail}", &live[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_quoting() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("it's \\"), "E'it''s \\\\'");
        let long = beside(&"é".repeat(40), "restore", "a1b2c3d4");
        assert!(long.len() <= 63 && long.ends_with("é__restore_a1b2c3d4"), "{long}");
    }
}
