//! Understands which snapshot a person means: the latest, the one of a moment said in words or digits, or one by its id.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};

use super::local::{Spoken, resolve};
use crate::error::{Error, Result};

/// Fewer digits of an id are too easily a slip; restic's short ids have eight.
const ID_DIGITS: std::ops::RangeInclusive<usize> = 8..=64;

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The snapshot a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The newest complete one.
    Latest,
    /// The newest one that is not younger than this moment.
    AtOrBefore {
        ts: Timestamp,
        /// The moment as we understood it, with its zone, to be read back to the person.
        said: String,
        /// What the person should know about this reading.
        note: Option<String>,
    },
    /// The beginning of a snapshot's id: 8 to 64 hexadecimal digits.
    Id(String),
    /// As the forms of the platform's former add-ons name a snapshot: `2024-01-01_000000_UTC`.
    Stamp(String),
}

impl Wanted {
    /// Reads what a person typed, at the moment `now` in the zone `zone`.
    ///
    /// A moment covers all that was left unsaid: a bare date means the end of that day, `03:00` the end of that minute,
    /// `03:00:05` the end of that second. So the time that a list shows always finds the snapshot it was shown for.
    pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Self> {
        let said = text.trim().to_ascii_lowercase();
        match said.as_str() {
            "latest" => return Ok(Self::Latest),
            "now" => return Ok(Spoken::exactly(now, zone).wanted(now)),
            _ => {}
        }
        if ID_DIGITS.contains(&said.len()) && said.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Id(said));
        }
        if is_stamp(&said) {
            return Ok(Self::Stamp(text.trim().to_owned()));
        }
        if let Some(span) = said.strip_suffix(" ago") {
            let moment = ago(span, now, zone).ok_or_else(|| unknown(text))?;
            return Ok(Spoken::exactly(moment, zone).wanted(now));
        }
        let today = zone.to_datetime(now);
        let (day, rest) = day(&said, today).ok_or_else(|| unknown(text))?;
        let spoken = match day {
            Day::Date(date) => on(date, rest, zone, text)?,
            Day::Weekday(date) => {
                // "friday 03:00", said on a friday at 02:00, means a week ago.
                let spoken = on(date, rest, zone, text)?;
                let bare = rest.is_empty();
                if spoken.ts > now && !bare {
                    on(date.saturating_sub(7.days()), rest, zone, text)?
                } else {
                    spoken
                }
            }
            Day::Impossible(why) => {
                return Err(Error::usage(format!("cannot use {:?} as a moment: {why}", text.trim())));
            }
        };
        Ok(spoken.wanted(now))
    }
}

/// A date, six digits and a zone, joined by underscores.
fn is_stamp(said: &str) -> bool {
    let mut parts = said.splitn(3, '_');
    let (Some(day), Some(time), Some(zone)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let zone = zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'));
    date(day).is_some_and(|(date, rest)| date.is_ok() && rest.is_empty())
        && time.len() == 6
        && digits(time)
        && zone
}

enum Day {
    Date(Date),
    /// The last such day, today included.
    Weekday(Date),
    Impossible(String),
}

/// The day at the beginning of a text, and the rest of it.
fn day(said: &str, now: DateTime) -> Option<(Day, &str)> {
    let (first, rest) = word(said);
    match first {
        "today" => return Some((Day::Date(now.date()), rest)),
        "yesterday" => return Some((Day::Date(now.date().yesterday().ok()?), rest)),
        "last" => {
            let (name, rest) = word(rest);
            let back = days_since(weekday(name)?, now);
            let back = if back == 0 { 7 } else { back };
            return Some((Day::Date(now.date().checked_sub(back.days()).ok()?), rest));
        }
        _ => {}
    }
    if let Some(named) = weekday(first.trim_end_matches(',')) {
        if let Some((date, rest)) = date(rest) {
            return Some((date.map_or_else(Day::Impossible, |date| agreeing(date, named)), rest));
        }
        let back = days_since(named, now);
        return Some((Day::Weekday(now.date().checked_sub(back.days()).ok()?), rest));
    }
    let (date, rest) = date(said)?;
    Some((date.map_or_else(Day::Impossible, Day::Date), rest))
}

/// `2026-11-20` with a space or a `t` behind it; the inner error says why there is no such day.
fn date(said: &str) -> Option<(Result<Date, String>, &str)> {
    let digits = said.get(..10)?;
    let (year, month, day) = (digits.get(..4)?, digits.get(5..7)?, digits.get(8..)?);
    let dashes = digits.as_bytes()[4] == b'-' && digits.as_bytes()[7] == b'-';
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let rest = &said[10..];
    let rest = rest.strip_prefix('t').unwrap_or(rest).trim_start();
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    dashes.then(|| (date.map_err(|_| "there is no such day".to_owned()), rest))
}

fn agreeing(date: Date, named: i8) -> Day {
    let weekday = date.weekday().to_monday_one_offset();
    if weekday == named {
        return Day::Date(date);
    }
    let real = WEEKDAYS.get(usize::try_from(weekday - 1).unwrap_or_default()).copied().unwrap_or_default();
    Day::Impossible(format!("{date} is a {real}"))
}

/// A time of day with an optional zone, on a day that is known.
fn on(date: Date, rest: &str, zone: &TimeZone, text: &str) -> Result<Spoken> {
    let rest = rest.strip_prefix("at ").unwrap_or(rest).trim();
    if rest.is_empty() {
        return Spoken::end_of_day(date, zone);
    }
    let (time, unit, zone_part) = time(rest).ok_or_else(|| unknown(text))?;
    resolve(DateTime::from_parts(date, time), unit, zone_part.trim(), zone)
}

/// `hh:mm[:ss[.fraction]]`, the unit that was left unsaid, and what follows.
fn time(rest: &str) -> Option<(Time, Span, &str)> {
    let pair = |at: usize| number(rest.get(at..at + 2)?).and_then(|value| i8::try_from(value).ok());
    let separated = |at: usize, by: u8| rest.as_bytes().get(at) == Some(&by);
    let (hour, minute) = (pair(0)?, separated(2, b':').then(|| pair(3))??);
    if !separated(5, b':') {
        return Some((Time::new(hour, minute, 0, 0).ok()?, 1.minute(), &rest[5..]));
    }
    let second = pair(6)?;
    if !separated(8, b'.') {
        return Some((Time::new(hour, minute, second, 0).ok()?, 1.second(), &rest[8..]));
    }
    let digits = rest[9..].bytes().take_while(u8::is_ascii_digit).count();
    let fraction = rest[9..].get(..digits).filter(|_| (1..=9).contains(&digits))?;
    let nanoseconds = format!("{fraction:0<9}").parse().ok()?;
    Some((Time::new(hour, minute, second, nanoseconds).ok()?, 1.nanosecond(), &rest[9 + digits..]))
}

/// `3 days`, `2h`, `1d 6h`, `an hour`: days and longer go by the calendar of the zone.
fn ago(said: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let mut moment = now.to_zoned(zone.clone());
    let mut rest = said.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (count, tail) = if let ("a" | "an" | "one", tail) = word(rest) {
            (1, tail)
        } else {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            (rest[..digits].parse::<u32>().ok()?, rest[digits..].trim_start())
        };
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        moment = moment.checked_sub(span(i64::from(count), unit)?).ok()?;
        rest = tail.trim_start().trim_start_matches(',').trim_start();
    }
    Some(moment.timestamp())
}

fn span(count: i64, unit: &str) -> Option<Span> {
    let span = Span::new();
    match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => span.try_seconds(count),
        "m" | "min" | "mins" | "minute" | "minutes" => span.try_minutes(count),
        "h" | "hour" | "hours" => span.try_hours(count),
        "d" | "day" | "days" => span.try_days(count),
        "w" | "week" | "weeks" => span.try_weeks(count),
        "month" | "months" => span.try_months(count),
        "y" | "year" | "years" => span.try_years(count),
        _ => return None,
    }
    .ok()
}

/// Monday is 1.
fn weekday(name: &str) -> Option<i8> {
    let found = WEEKDAYS.iter().position(|day| name.len() >= 3 && day.starts_with(name))?;
    i8::try_from(found + 1).ok()
}

fn days_since(weekday: i8, now: DateTime) -> i64 {
    i64::from((now.weekday().to_monday_one_offset() - weekday).rem_euclid(7))
}

fn word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

/// Digits and nothing else; Rust alone would take a sign too.
fn number(digits: &str) -> Option<i16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn unknown(text: &str) -> Error {
    Error::usage(format!("cannot read {:?} as a moment or a snapshot id", text.trim())).with_remedy(
        "say it like \"2026-11-20 03:00\", \"yesterday 14:30\", \"3 days ago\", \"latest\", or give at least 8 digits of an id",
    )
}
