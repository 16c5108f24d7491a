//! Times, sizes and numbers as people say them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use crate::event::printable;
use crate::sys::local_time::local_time;

/// `3 hours`, of the one unit that says enough.
pub(super) fn span(seconds: i64) -> String {
    const UNITS: [(i64, &str); 6] = [
        (31_557_600, "year"),
        (2_629_800, "month"),
        (604_800, "week"),
        (86_400, "day"),
        (3600, "hour"),
        (60, "minute"),
    ];
    let seconds = seconds.max(0);
    for (length, name) in UNITS {
        // "30 hours" says more than "1 day", and "20 days" more than "2 weeks".
        let least = match name {
            "year" | "month" => 3 * length,
            "week" => 6 * length,
            "day" => length * 3 / 2,
            "hour" => 2 * length,
            _ => length,
        };
        if seconds >= least {
            let number = (seconds + length / 2) / length;
            return many(number.unsigned_abs(), name);
        }
    }
    many(seconds.unsigned_abs(), "second")
}

/// `3 hours ago`, `in 2 days`, `just now`.
pub(super) fn relative(moment: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(moment).as_secs();
    match seconds {
        -9..=9 => "just now".to_owned(),
        10.. => format!("{} ago", span(seconds)),
        _ => format!("in {}", span(-seconds)),
    }
}

/// How long something took: `0.4 s`, `12 s`, `5 min 20 s`, `1 h 30 min`.
#[allow(clippy::cast_possible_truncation)] // whole seconds are all that is shown
pub(super) fn took(seconds: f64) -> String {
    let whole = seconds.round() as i64;
    match whole {
        _ if seconds < 0.05 => "0 s".to_owned(),
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..120 => format!("{whole} s"),
        120..3600 if whole % 60 == 0 || whole >= 600 => format!("{} min", (whole + 30) / 60),
        120..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `1.2 GiB`.
#[allow(clippy::cast_precision_loss)] // three digits are shown
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut value, mut unit) = (count as f64 / 1024.0, UNITS[0]);
    for larger in &UNITS[1..] {
        if value >= 1000.0 {
            (value, unit) = (value / 1024.0, larger);
        }
    }
    if value < 9.995 {
        format!("{value:.2} {unit}")
    } else if value < 99.95 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

/// `12,345`.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 file`, `2 files`, `2 directories`.
pub(super) fn many(count: u64, thing: &str) -> String {
    let shown = number(count);
    match thing.strip_suffix('y') {
        _ if count == 1 => format!("{shown} {thing}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{shown} {stem}ies"),
        _ => format!("{shown} {thing}s"),
    }
}

/// Text that somebody else chose: one line, and no control character is obeyed.
pub(super) fn shown(text: &str) -> String {
    printable(text).into_owned()
}

/// The beginning of an id, as people read it.
pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// The clocks by which a page shows times, and the moment at which it is made.
#[derive(Clone)]
pub(super) struct Clock {
    pub(super) zone: TimeZone,
    pub(super) now: Timestamp,
}

impl Clock {
    /// `3 hours ago`; the exact time is told as well to who asks for it.
    pub(super) fn ago(&self, moment: Timestamp) -> Markup {
        html! {
            time datetime=(moment) title=(local_time(moment, &self.zone)) data-relative { (relative(moment, self.now)) }
        }
    }

    /// `2026-11-26 03:00` on the clocks of the site.
    pub(super) fn at(&self, moment: Timestamp) -> Markup {
        let text = self.minute(moment);
        let (day, time) = text.split_once(' ').unwrap_or((&text, ""));
        html! { time datetime=(moment) title=(local_time(moment, &self.zone)) { span.date { (day) } " " (time) } }
    }

    /// Both.
    pub(super) fn full(&self, moment: Timestamp) -> Markup {
        html! { (self.at(moment)) " " span.muted { "(" (self.ago(moment)) ")" } }
    }

    pub(super) fn minute(&self, moment: Timestamp) -> String {
        moment.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    pub(super) fn second(&self, moment: Timestamp) -> String {
        moment.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    pub(super) fn day(&self, moment: Timestamp) -> jiff::civil::Date {
        moment.to_zoned(self.zone.clone()).date()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_the_unit_that_says_enough() {
        let day = 86_400;
        let said = [
            (0, "0 seconds"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (7100, "118 minutes"),
            (7200, "2 hours"),
            (35 * 3600, "35 hours"),
            (40 * 3600, "2 days"),
            (2 * day, "2 days"),
            (20 * day, "20 days"),
            (50 * day, "7 weeks"),
            (100 * day, "3 months"),
            (1500 * day, "4 years"),
        ];
        for (seconds, text) in said {
            assert_eq!(span(seconds), text);
        }
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let later = |seconds| now + jiff::SignedDuration::from_secs(seconds);
        assert_eq!(relative(now, now), "just now");
        assert_eq!(relative(now, later(3 * 3600)), "3 hours ago");
        assert_eq!(relative(later(21 * 3600), now), "in 21 hours");
    }

    #[test]
    fn numbers_are_short_and_exact_enough() {
        assert_eq!(
            [took(0.01), took(0.06), took(12.3), took(320.0), took(5400.0)],
            ["0 s", "0.1 s", "12 s", "5 min 20 s", "1 h 30 min"]
        );
        assert_eq!(
            [bytes(0), bytes(1023), bytes(1024), bytes(1 << 30)],
            ["0 B", "1023 B", "1.00 KiB", "1.00 GiB"]
        );
        assert_eq!([bytes(1_048_000), bytes(u64::MAX)], ["1.00 MiB", "16384 PiB"]);
        assert_eq!(
            [number(0), number(999), number(1000), number(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [many(1, "file"), many(2, "file"), many(2, "directory"), many(0, "day")],
            ["1 file", "2 files", "2 directories", "0 days"]
        );
    }
}
