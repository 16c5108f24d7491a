//! Names of anything as names of files.

use std::fmt::Write;

/// Longest file name that is made, in bytes; file systems end at 255.
const LONGEST: usize = 200;

/// A name as a file name: every byte outside `[A-Za-z0-9_-]` becomes `%XX`; a very long one ends in a hash of the whole.
pub(super) fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            text.push(char::from(byte));
        } else {
            let _infallible = write!(text, "%{byte:02X}");
        }
    }
    if text.len() > LONGEST {
        let hash = blake3::hash(name.as_bytes()).to_hex();
        text.truncate(LONGEST - 17);
        text = format!("{text}-{}", &hash[..16]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_safe_and_stay_readable() {
        assert_eq!(encode(".."), "%2E%2E");
        assert_eq!(encode("wp_posts-1"), "wp_posts-1");
        assert_eq!(encode(&"é".repeat(64)).len(), 200);
    }
}
