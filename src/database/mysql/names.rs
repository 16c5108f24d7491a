//! Names and bytes as SQL text.

use std::fmt::Write;

pub(super) use crate::database::filename::encode;

/// Characters in the longest schema name a server takes.
const SCHEMA_CHARS: usize = 64;

/// An identifier between backticks, with those inside doubled.
pub(super) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A table with its schema.
pub(super) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote(schema), quote(name))
}

/// A string literal, for sessions that take the backslash as an escape.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// Bytes as a literal that no character set touches.
pub(super) fn hex_literal(bytes: &[u8]) -> String {
    if bytes.is_empty() { "''".to_owned() } else { format!("0x{}", hex(bytes)) }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a `String` cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// A schema beside `live`: its name, cut to what the server allows, with a purpose and a token.
pub(super) fn beside(live: &str, purpose: &str, token: &str) -> String {
    let tail = format!("__{purpose}_{token}");
    let room = SCHEMA_CHARS.saturating_sub(tail.chars().count());
    live.chars().take(room).chain(tail.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_quoting() {
        assert_eq!(quote("a`b"), "`a``b`");
        assert_eq!(literal("it's \\"), "'it''s \\\\'");
        assert_eq!(unhex(&hex(&[0, 255, 16])), Some(vec![0, 255, 16]));
        assert_eq!(beside(&"x".repeat(64), "restore", "a1b2c3d4").chars().count(), 64);
    }
}
