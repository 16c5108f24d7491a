//! Reads amounts of bytes as a configuration writes them: `512MiB`, `20M`, `5%`.

use super::walk::At;
use crate::sys::space::Reserve;

const UNITS: [(&str, u64); 10] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// At least so many bytes; `example` is how to write it.
pub(super) fn read(at: &At<'_>, least: u64, example: &str) -> Option<u64> {
    if at.is_number() {
        at.complain("has no unit", format_args!("write it like {example}"));
        return None;
    }
    let parsed = parse(at.text()?).filter(|bytes| *bytes >= least);
    if parsed.is_none() {
        at.complain(
            format_args!("is not an amount of at least {} KiB", least >> 10),
            format_args!("write it like {example}"),
        );
    }
    parsed
}

/// An amount, or a share of the whole.
pub(super) fn reserve(at: &At<'_>) -> Option<Reserve> {
    let remedy = "write it like 512MiB or 5%";
    if at.is_number() {
        at.complain("has no unit", remedy);
        return None;
    }
    let text = at.text()?;
    let parsed = match text.strip_suffix('%') {
        Some(share) => share.parse().ok().filter(|share| (1..=90).contains(share)).map(Reserve::Percent),
        None => parse(text).map(Reserve::Bytes),
    };
    if parsed.is_none() {
        at.complain("is not an amount, nor a share from 1% to 90%", remedy);
    }
    parsed
}

fn parse(text: &str) -> Option<u64> {
    let (unit, factor) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    text.strip_suffix(unit)?.trim_end().parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_people_write_them() {
        for (text, bytes) in
            [("512MiB", 512 << 20), ("20 MB", 20_000_000), ("1TiB", 1 << 40), ("7B", 7), ("64kB", 64_000)]
        {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for wrong in ["", "MiB", "-1MiB", "1.5GiB", "5", "5%", "99999999999999TiB", "1 0MiB", "5mib"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
