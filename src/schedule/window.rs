//! Hours of the day in which nothing is to begin.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// `mon-fri 08:00-18:00`, or without days: from one time of the day to another, over midnight if the second is the earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    text: String,
    days: Days,
    from: Time,
    /// Not part of it.
    to: Time,
}

/// Windows that follow each other without a gap; more than a week's worth would mean never.
const IN_A_ROW: usize = 64;

/// The first moment from this one on that lies in none of the windows; `None` if there is none in sight. Who had to wait for an
/// end waits so much longer, as far as there is room.
pub fn open_from(
    windows: &[Window],
    moment: Timestamp,
    delay: SignedDuration,
    zone: &TimeZone,
) -> Option<Timestamp> {
    let end_of = |moment| windows.iter().find_map(|window| window.end(moment, zone));
    let mut open = moment;
    for _ in 0..IN_A_ROW {
        let Some(end) = end_of(open) else { return Some(open) };
        open = end.checked_add(delay).ok().filter(|late| end_of(*late).is_none()).unwrap_or(end);
    }
    None
}

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

impl Days {
    pub const ALL: Self = Self(0x7f);

    pub fn has(self, day: Weekday) -> bool {
        self.0 >> day.to_monday_zero_offset() & 1 == 1
    }

    /// As the field of a cron line: `*`, or numbers with Sunday as 0.
    pub fn cron_field(self) -> String {
        if self == Self::ALL {
            return "*".to_owned();
        }
        let days = DAYS.iter().filter(|(_, day)| self.has(*day));
        days.map(|(_, day)| day.to_sunday_zero_offset().to_string()).collect::<Vec<_>>().join(",")
    }
}

impl FromStr for Days {
    type Err = String;

    /// `mon`, `mon-fri`, `sat,sun`; long names too.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut set = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (mut day, last) = (weekday(first)?, weekday(last)?);
            set |= 1 << day.to_monday_zero_offset();
            while day != last {
                day = day.next();
                set |= 1 << day.to_monday_zero_offset();
            }
        }
        Ok(Self(set))
    }
}

fn weekday(text: &str) -> Result<Weekday, String> {
    let lower = text.trim().to_ascii_lowercase();
    let known = lower.get(..3).and_then(|short| DAYS.iter().find(|(name, _)| *name == short));
    let long = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    known
        .filter(|_| lower.len() == 3 || long.contains(&lower.as_str()))
        .map(|(_, day)| *day)
        .ok_or_else(|| format!("{text:?} is no day of the week"))
}

/// `03:00`, or `24:00` for the end of the day, which is midnight.
pub fn time_of_day(text: &str) -> Result<Time, String> {
    let wrong = || format!("{text:?} is no time of the day");
    let (hour, minute) = text.trim().split_once(':').ok_or_else(wrong)?;
    let number = |part: &str| (part.len() == 2).then(|| part.parse::<i8>().ok()).flatten().ok_or_else(wrong);
    let (hour, minute) = (number(hour)?, number(minute)?);
    if (hour, minute) == (24, 0) {
        return Ok(Time::midnight());
    }
    Time::new(hour, minute, 0, 0).map_err(|_| wrong())
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (days, times) = text.rsplit_once(' ').unwrap_or(("", text));
        let (from, to) =
            times.split_once('-').ok_or_else(|| format!("{times:?} is no span such as 08:00-18:00"))?;
        let days = if days.trim().is_empty() { Days::ALL } else { days.trim().parse()? };
        Ok(Self { text: text.to_owned(), days, from: time_of_day(from)?, to: time_of_day(to)? })
    }
}

impl Window {
    /// When it ends, if the moment lies in it.
    pub fn end(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = zone.to_datetime(moment);
        let begun_on = |date: Date| self.days.has(date.weekday()).then_some(date);
        let (time, today) = (local.time(), local.date());
        let ends_on = if self.from < self.to {
            begun_on(today).filter(|_| (self.from..self.to).contains(&time))
        } else if time >= self.from {
            begun_on(today).and_then(|today| today.tomorrow().ok())
        } else {
            // The part after midnight belongs to the day it began on.
            today.yesterday().ok().and_then(begun_on).filter(|_| time < self.to).map(|_| today)
        }?;
        let shown = ends_on.to_datetime(self.to);
        let ambiguous = zone.to_ambiguous_timestamp(shown);
        let end = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => ambiguous.unambiguous().ok()?,
            // The clocks leap over the end: it is over when they do.
            AmbiguousOffset::Gap { before, .. } => {
                let late = before.to_timestamp(shown).ok()?;
                zone.preceding(late.checked_add(1.nanosecond()).ok()?).next()?.timestamp()
            }
            // They show the end twice: the first one that is still to come.
            AmbiguousOffset::Fold { before, after } => {
                let first = before.to_timestamp(shown).ok()?;
                if first > moment { first } else { after.to_timestamp(shown).ok()? }
            }
        };
        Some(if end > moment { end } else { moment.checked_add(1.hour()).ok()? })
    }
}
