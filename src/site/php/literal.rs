//! The values of PHP's literals: what a string or number in the source stands for.

/// The bytes a constant string stands for, quotes and escapes resolved; `None` for an escape that PHP itself refuses.
pub(super) fn text(token: &[u8]) -> Option<Vec<u8>> {
    let token = token.strip_prefix(b"b").or_else(|| token.strip_prefix(b"B")).unwrap_or(token);
    let inner = token.get(1..token.len().checked_sub(1)?)?;
    if token.first() == Some(&b'\'') { Some(single(inner)) } else { double(inner) }
}

/// Single quotes know two escapes; every other backslash is itself.
fn single(inner: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = (byte == b'\\').then(|| bytes.next_if(|next| matches!(next, b'\\' | b'\''))).flatten();
        value.push(escaped.unwrap_or(byte));
    }
    value
}

fn double(inner: &[u8]) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'\\' {
            rest = escape(tail, &mut value)?;
        } else {
            value.push(byte);
        }
    }
    Some(value)
}

/// Resolves what follows a backslash and returns what follows that.
fn escape<'a>(tail: &'a [u8], value: &mut Vec<u8>) -> Option<&'a [u8]> {
    let Some((&first, rest)) = tail.split_first() else {
        value.push(b'\\');
        return Some(tail);
    };
    let simple = match first {
        b'n' => Some(b'\n'),
        b't' => Some(b'\t'),
        b'r' => Some(b'\r'),
        b'v' => Some(0x0b),
        b'e' => Some(0x1b),
        b'f' => Some(0x0c),
        b'\\' | b'$' | b'"' => Some(first),
        _ => None,
    };
    if let Some(byte) = simple {
        value.push(byte);
        return Some(rest);
    }
    match first {
        b'0'..=b'7' => Some(digits(tail, 8, 3, value)),
        b'x' | b'X' if rest.first().is_some_and(u8::is_ascii_hexdigit) => Some(digits(rest, 16, 2, value)),
        b'u' if rest.first() == Some(&b'{') => code_point(&rest[1..], value),
        _ => {
            value.push(b'\\');
            Some(tail)
        }
    }
}

/// Up to `most` digits as one byte; like PHP, octal escapes above 255 lose their highest bit.
fn digits<'a>(tail: &'a [u8], radix: u32, most: usize, value: &mut Vec<u8>) -> &'a [u8] {
    let mut number = 0_u32;
    let mut used = 0;
    for byte in tail.iter().take(most) {
        let Some(digit) = char::from(*byte).to_digit(radix) else { break };
        number = number * radix + digit;
        used += 1;
    }
    value.push((number & 0xff) as u8);
    &tail[used..]
}

fn code_point<'a>(tail: &'a [u8], value: &mut Vec<u8>) -> Option<&'a [u8]> {
    let end = tail.iter().position(|byte| *byte == b'}')?;
    let hex = std::str::from_utf8(&tail[..end])
        .ok()
        .filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let point = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
    value.extend_from_slice(point.encode_utf8(&mut [0; 4]).as_bytes());
    Some(&tail[end + 1..])
}

/// A whole number as PHP would print it; `None` for fractions, exponents and what does not fit into 64 bits.
pub(super) fn integer(token: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(token).ok()?.replace('_', "");
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = if let Some(hex) = lower.strip_prefix("0x") {
        (hex, 16)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (binary, 2)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (octal, 8)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (&lower[1..], 8)
    } else {
        (lower.as_str(), 10)
    };
    // Rust would also take a sign here.
    digits
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric())
        .then(|| i64::from_str_radix(digits, radix).ok())
        .flatten()
}
