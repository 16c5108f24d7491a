//! Rows as text in the default dialect of `LOAD DATA`: tabs between fields, newlines between rows, backslash escapes.

use mysql_async::{Row, Value};

/// What follows the backslash for each byte that is escaped; 0 for all others.
const ESCAPE: [u8; 256] = {
    let mut table = [0; 256];
    table[0] = b'0';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[b'\r' as usize] = b'r';
    table[b'\\' as usize] = b'\\';
    table
};

/// SQL's NULL; a text that reads `\N` is escaped to `\\N`.
const NULL: &[u8] = b"\\N";

/// Appends one row with its newline.
pub(super) fn row(out: &mut Vec<u8>, row: &Row, columns: usize) {
    for index in 0..columns {
        if index > 0 {
            out.push(b'\t');
        }
        match row.as_ref(index) {
            Some(Value::Bytes(bytes)) => escape(out, bytes),
            Some(Value::NULL) | None => out.extend_from_slice(NULL),
            // The text protocol sends bytes only; should that change, the driver's own rendering is still exact.
            Some(other) => escape(out, other.as_sql(false).as_bytes()),
        }
    }
    out.push(b'\n');
}

fn escape(out: &mut Vec<u8>, mut bytes: &[u8]) {
    while let Some(at) = bytes.iter().position(|byte| ESCAPE[usize::from(*byte)] != 0) {
        let (plain, rest) = bytes.split_at(at);
        out.extend_from_slice(plain);
        out.extend_from_slice(&[b'\\', ESCAPE[usize::from(rest[0])]]);
        bytes = &rest[1..];
    }
    out.extend_from_slice(bytes);
}

/// The fields of one row without its newline, still escaped; `None` is NULL.
pub(super) fn fields(line: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    line.split(|byte| *byte == b'\t').map(|field| (field != NULL).then_some(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_byte_is_escaped_and_no_other() {
        let all: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        escape(&mut out, &all);
        assert_eq!(out.len(), 256 + 5);
        assert!(out.starts_with(b"\\0\x01") && out.windows(3).any(|bytes| bytes == b"[\\\\"));
        assert!(!out.contains(&b'\n') && !out.contains(&b'\t') && !out.contains(&0));
    }

    #[test]
    fn null_differs_from_its_lookalike() {
        let mut out = Vec::new();
        escape(&mut out, b"\\N");
        assert_eq!(out, b"\\\\N");
        assert_eq!(fields(b"\\N\t\\\\N").collect::<Vec<_>>(), [None, Some(&b"\\\\N"[..])]);
    }
}
