//! Reads a schedule as cron writes it, so that a mistake in it is found when the configuration is read and not at night.

use std::fmt;
use std::str::FromStr;

use croner::parser::{CronParser, Seconds};
use jiff::Timestamp;
use jiff::tz::TimeZone;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A schedule: `minute hour day month weekday`, with seconds in front if there are six fields, or a word such as `daily`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    /// Bit n of a field: it fires at n. In order: second, minute, hour, day, month, weekday (0 is Sunday).
    fields: [u64; 6],
    /// `L` among the days of the month: it fires on the last one, whichever that is.
    last_day: bool,
    /// The same for the library that computes what is due.
    pattern: Box<croner::Cron>,
}

/// One of the six fields: what it is called, what it may hold, and words for its values.
struct Field {
    name: &'static str,
    first: u32,
    last: u32,
    words: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", first: 0, last: 59, words: &[] },
    Field { name: "minute", first: 0, last: 59, words: &[] },
    Field { name: "hour", first: 0, last: 23, words: &[] },
    Field { name: "day of the month", first: 1, last: 31, words: &[] },
    Field { name: "month", first: 1, last: 12, words: &MONTHS },
    // Sunday is 0 and 7.
    Field { name: "day of the week", first: 0, last: 7, words: &WEEKDAYS },
];

impl Cron {
    /// The fields as bit sets: second, minute, hour, day, month, weekday (0 is Sunday).
    pub fn fields(&self) -> [u64; 6] {
        self.fields
    }

    /// It fires on the last day of its months, besides those that `fields` names.
    pub fn on_last_day(&self) -> bool {
        self.last_day
    }

    /// It is a word, such as `daily`, and no time of one's own choice.
    pub fn is_word(&self) -> bool {
        word(&self.text).is_some()
    }

    /// The first time after a moment, on the clocks of a zone.
    ///
    /// By the rules of Vixie cron: a time of the day comes once on each of its days, at the moment of the change if the clocks
    /// leap over it, and the first time if they show it twice; what repeats by hours or minutes keeps its pace through both.
    pub fn after(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let found =
            self.pattern.find_next_occurrence(&moment.to_zoned(zone.clone()), false).ok()?.timestamp();
        // A zone whose history is stranger than the library expects must not make us stand still.
        (found > moment).then_some(found)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Cron {
    type Err = String;

    /// The error says what is wrong with which field.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let mut parts: Vec<_> = word(text).unwrap_or(text).split_ascii_whitespace().collect();
        match parts.len() {
            5 => parts.insert(0, "0"),
            6 => {}
            1 => return Err(format!("{text:?} is neither five fields nor hourly, daily, weekly or monthly")),
            count => {
                return Err(format!("has {count} fields; a schedule has five, or six with seconds in front"));
            }
        }
        let (days, last_day) = without_last(parts[3]);
        parts[3] = &days;
        let mut fields = [0; 6];
        for ((set, part), field) in fields.iter_mut().zip(&parts).zip(&FIELDS) {
            *set = if part.is_empty() { 0 } else { field.parse(part)? };
        }
        // Sunday has two numbers; one is enough from here on.
        fields[5] = (fields[5] | fields[5] >> 7) & 0x7f;
        if !last_day && !day_exists(fields[3], fields[4]) {
            return Err("names a day that none of its months has, so it would never run".to_owned());
        }
        let pattern = pattern(&parts, fields, last_day)?;
        Ok(Self { text: text.to_owned(), fields, last_day, pattern: Box::new(pattern) })
    }
}

/// As values in lists, which both sides read alike; only the star stays, because it tells what repeats from what has its time.
fn pattern(parts: &[&str], fields: [u64; 6], last_day: bool) -> Result<croner::Cron, String> {
    let mut canonical: Vec<String> = parts
        .iter()
        .zip(fields)
        .map(|(part, set)| match *part {
            "?" => "*".to_owned(),
            star if star.starts_with('*') && !star.contains(',') => star.to_owned(),
            _ => (0..64)
                .filter(|bit| set >> bit & 1 == 1)
                .map(|bit| bit.to_string())
                .collect::<Vec<_>>()
                .join(","),
        })
        .collect();
    if last_day {
        let separator = if canonical[3].is_empty() { "" } else { "," };
        canonical[3] += separator;
        canonical[3] += "L";
    }
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    parser.parse(&canonical.join(" ")).map_err(|error| format!("cannot be followed: {error}"))
}

/// The days of a month without `L` among them, and whether it was there. Beside a star it says nothing, and is left to be
/// refused like any other word.
fn without_last(days: &str) -> (String, bool) {
    let is_last = |part: &&str| part.eq_ignore_ascii_case("l");
    if days.contains('*') || days.contains('?') || !days.split(',').any(|part| is_last(&part)) {
        return (days.to_owned(), false);
    }
    let others: Vec<_> = days.split(',').filter(|part| !is_last(part)).collect();
    (others.join(","), true)
}

/// Night hours for the long intervals: a backup reads much.
fn word(text: &str) -> Option<&'static str> {
    match text.trim_start_matches('@') {
        "hourly" => Some("0 * * * *"),
        "daily" => Some("0 3 * * *"),
        "weekly" => Some("0 3 * * 0"),
        "monthly" => Some("0 3 1 * *"),
        _ => None,
    }
}

fn day_exists(days: u64, months: u64) -> bool {
    const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let first_day = days.trailing_zeros();
    (1..=12).zip(LENGTHS).any(|(month, length)| months >> month & 1 == 1 && first_day <= length)
}

impl Field {
    /// `*`, `5`, `1-5`, `*/15`, `1-9/2`, `mon`, and lists of them.
    fn parse(&self, text: &str) -> Result<u64, String> {
        let mut set = 0;
        for part in text.split(',') {
            set |= self.range(part)?;
        }
        Ok(set)
    }

    fn range(&self, part: &str) -> Result<u64, String> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(self.step(step)?)),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (self.first, self.last),
            None => {
                let value = self.value(range)?;
                // `3/10` means from 3 on, every 10.
                (value, if step.is_some() { self.last } else { value })
            }
            Some((from, to)) => (self.value(from)?, self.value(to)?),
        };
        if from > to {
            return Err(format!("{part:?} runs backwards in the {}", self.name));
        }
        Ok((from..=to).step_by(step.unwrap_or(1)).fold(0, |set, value| set | 1 << value))
    }

    fn step(&self, text: &str) -> Result<usize, String> {
        let step = text.parse().ok().filter(|step| (1..=60).contains(step));
        step.ok_or_else(|| format!("{text:?} is no step for the {}", self.name))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let lower = text.to_ascii_lowercase();
        let word =
            self.words.iter().zip(self.first..).find(|(word, _)| **word == lower).map(|(_, value)| value);
        let number = lower.bytes().all(|byte| byte.is_ascii_digit()).then(|| lower.parse().ok()).flatten();
        word.or(number)
            .filter(|value| (self.first..=self.last).contains(value))
            .ok_or_else(|| format!("{text:?} is no {} ({} to {})", self.name, self.first, self.last))
    }
}
