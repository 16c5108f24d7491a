//! Reads lengths of time as a configuration writes them: `30s`, `36h`, `7d`.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::walk::At;

const MAX_KEEP: Duration = Duration::from_hours(3650 * 24);

/// How long something is kept.
pub(super) fn keep(at: &At<'_>) -> Option<Duration> {
    if at.is_number() {
        at.complain("has no unit", "write it like 36h or 7d");
        return None;
    }
    let parsed = parse(at.text()?).filter(|duration| *duration <= MAX_KEEP);
    if parsed.is_none() {
        at.complain("is not a time of at most 3650d", "write it like 36h or 7d");
    }
    parsed
}

/// A length of time that may be nothing at all.
pub(super) fn up_to(at: &At<'_>, most: Duration) -> Option<Duration> {
    let words = format!("nothing to {}h", most.as_secs() / 3600);
    between(at, (Duration::ZERO..=most, &words), "write it like 30s, 5m or 1h")
}

/// A time within a range, which is also said in words.
pub(super) fn between(
    at: &At<'_>,
    (range, words): (RangeInclusive<Duration>, &str),
    remedy: &str,
) -> Option<Duration> {
    if at.is_number() {
        at.complain("has no unit", remedy);
        return None;
    }
    let parsed = parse(at.text()?).filter(|duration| range.contains(duration));
    if parsed.is_none() {
        at.complain(format_args!("is not a time from {words}"), remedy);
    }
    parsed
}

/// `30s`, `5m`, `1h`, `7d` or several of them: `1h30m`.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        let seconds = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            _ => return None,
        };
        total = total.checked_add(Duration::from_secs(count.checked_mul(seconds)?))?;
        rest = &rest[digits + 1..];
    }
    Some(total)
}
