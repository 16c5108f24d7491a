//! A row of a dump: literals and nothing else, so that no row can ask or call anything.

/// The number of its values; the error says what of it is no literal.
pub(super) fn values(row: &[u8]) -> Result<usize, String> {
    let mut rest = row.strip_prefix(b"(").ok_or_else(|| "it does not begin with a parenthesis".to_owned())?;
    let mut count = 0;
    loop {
        let after = literal(rest.trim_ascii_start()).ok_or_else(|| refused(rest))?;
        count += 1;
        let after = after.trim_ascii_start();
        match after.split_first() {
            Some((b',', next)) => rest = next,
            Some((b')', [])) => return Ok(count),
            _ => return Err(refused(after)),
        }
    }
}

fn refused(rest: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(rest.trim_ascii_start()).chars().take(20).collect();
    format!("{shown:?} is no plain value")
}

/// What follows a literal; `None` if there is none.
fn literal(text: &[u8]) -> Option<&[u8]> {
    match text.first()? {
        b'\'' => string(text),
        b'_' => {
            // The character set of what follows.
            let (_, after) = word(&text[1..])?;
            let after = after.trim_ascii_start();
            if after.starts_with(b"'") { string(after) } else { digits(after) }
        }
        b'0'..=b'9' | b'.' | b'-' | b'+' => digits(text),
        b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if text.get(1) == Some(&b'\'') => string(&text[1..]),
        _ => {
            let (word, after) = word(text)?;
            word.eq_ignore_ascii_case(b"NULL").then_some(after)
        }
    }
}

fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end =
        text.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A number, also one in hexadecimal or of bits.
fn digits(text: &[u8]) -> Option<&[u8]> {
    for (prefix, plain) in
        [(b"0x", u8::is_ascii_hexdigit as fn(&u8) -> bool), (b"0b", |bit| matches!(bit, b'0' | b'1'))]
    {
        if let Some(rest) = text.strip_prefix(prefix) {
            let end = rest.iter().position(|byte| !plain(byte)).unwrap_or(rest.len());
            return (end > 0).then(|| &rest[end..]);
        }
    }
    let sign = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let (whole, rest) = run(sign);
    let (part, rest) = rest.strip_prefix(b".").map_or((0, rest), run);
    if whole + part == 0 {
        return None;
    }
    let exponent = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E"));
    let Some(exponent) = exponent else { return Some(rest) };
    let exponent = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
    let (count, rest) = run(exponent);
    (count > 0).then_some(rest)
}

fn run(text: &[u8]) -> (usize, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (end, &text[end..])
}

fn string(text: &[u8]) -> Option<&[u8]> {
    let mut at = 1;
    loop {
        at += text.get(at..)?.iter().position(|byte| matches!(byte, b'\'' | b'\\'))?;
        if text[at] == b'\\' || text.get(at + 1) == Some(&b'\'') {
            at += 2;
        } else {
            return text.get(at + 1..);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_counted() {
        let rows = [
            ("(1)", 1),
            ("(-1.5e-10,NULL,'it''s \\' ),(',_binary 'x\\0',0xAF,b'01',X'00')", 7),
            ("('',\n  '\\\\',.5,_utf8mb4'a',_binary 0x00)", 5),
        ];
        for (row, count) in rows {
            assert_eq!(values(row.as_bytes()), Ok(count), "{row}");
        }
    }

    #[test]
    fn nothing_else_is_a_value() {
        for row in [
            "()",
            "(1",
            "(1,)",
            "(a)",
            "(NOW())",
            "(1+1)",
            "((SELECT 1))",
            "(LOAD_FILE('x'))",
            "('a' 'b')",
            "(@a)",
            "(1)(2)",
            "('a\\')",
            "(NULLIF)",
            "(1 -- 2\n)",
            "(0x)",
            "(1e)",
            "(_x)",
            "(`a`)",
            "(- 1)",
            "",
        ] {
            assert!(values(row.as_bytes()).is_err(), "{row}");
        }
    }
}
