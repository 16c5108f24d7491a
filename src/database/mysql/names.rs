//! Names and bytes as SQL text.

use std::fmt::Write;

pub(super) use crate::database::filename::encode;

/// Characters in the longest schema name a server takes.
const SCHEMA_CHARS: usize = 64;

/// Letters of the token in the names of one restore.
const TOKEN_CHARS: usize = 8;

/// What is kept inside a live schema: restored tables, former ones, and what a preflight tries.
pub(super) const INSIDE: [&str; 3] = ["new", "old", "probe"];

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

/// What begins the names of what a restore keeps inside a live schema where it may make no other.
const OURS: &str = "lifeboat__";

/// `lifeboat__TOKEN__new_`, with a number or a word behind it: made by a restore, and no part of the site.
pub(super) fn inside(purpose: &str, token: &str) -> String {
    format!("{OURS}{token}__{purpose}_")
}

/// Whether a name is one that `inside` begins. Strict: what is taken for ours is in no dump.
pub(super) fn is_ours(name: &str) -> bool {
    let Some((token, rest)) = name.strip_prefix(OURS).and_then(|rest| rest.split_once("__")) else {
        return false;
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let end = INSIDE.iter().find_map(|purpose| rest.strip_prefix(purpose)?.strip_prefix('_'));
    token.len() == TOKEN_CHARS && token.bytes().all(plain) && end.is_some_and(|end| end.bytes().all(plain))
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

    #[test]
    fn only_what_a_restore_made_is_ours() {
        let ours = inside("old", "a1b2c3d4");
        assert!(["", "0001", "record", "view"].iter().all(|end| is_ours(&format!("{ours}{end}"))));
        let theirs = [
            "lifeboat__record",
            "lifeboat__a1b2c3d4__odd_1",
            "lifeboat__a1b2__old_1",
            "lifeboat__A1B2C3D4__old_1",
            "x_lifeboat__a1b2c3d4__old_1",
            "lifeboat__a1b2c3d4__old_my_notes",
            "lifeboat__a1b2c3d4__old",
        ];
        assert!(!theirs.iter().any(|name| is_ours(name)));
    }
}
