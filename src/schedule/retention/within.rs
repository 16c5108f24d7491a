//! Lengths of time by the calendar, as restic writes them: `2y5m7d3h`.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::level::digits;

/// Longer than anything is kept, and within what the calendar can count.
const MOST: u32 = 9_999;

/// Years, months, days and hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Within {
    years: u32,
    months: u32,
    days: u32,
    hours: u32,
}

impl Within {
    /// So much before a moment, on the clocks of a zone: days may have 23 hours, and months 28 days.
    pub fn before(self, moment: Timestamp, zone: &TimeZone) -> Timestamp {
        let moment = moment.to_zoned(zone.clone());
        moment.checked_sub(self.span()).map_or(Timestamp::MIN, |at| at.timestamp())
    }

    /// So much after a moment, likewise.
    pub fn after(self, moment: Timestamp, zone: &TimeZone) -> Timestamp {
        let moment = moment.to_zoned(zone.clone());
        moment.checked_add(self.span()).map_or(Timestamp::MAX, |at| at.timestamp())
    }

    fn span(self) -> Span {
        Span::new()
            .years(i64::from(self.years))
            .months(i64::from(self.months))
            .days(i64::from(self.days))
            .hours(i64::from(self.hours))
    }
}

impl FromStr for Within {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no length of time such as 14d, 36h, 6m (months) or 1y6m");
        let (mut found, mut rest) = (Self::default(), text.trim());
        while !rest.is_empty() {
            let end = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
            let count = digits(&rest[..end]).filter(|count| *count <= MOST);
            let count = count.ok_or_else(|| format!("{text:?} has a number that is not from 0 to {MOST}"))?;
            let field = match rest.as_bytes()[end] {
                b'y' => &mut found.years,
                b'm' => &mut found.months,
                b'd' => &mut found.days,
                b'h' => &mut found.hours,
                _ => return Err(wrong()),
            };
            if end == 0 || *field > 0 {
                return Err(wrong());
            }
            *field = count;
            rest = &rest[end + 1..];
        }
        if found == Self::default() { Err(wrong()) } else { Ok(found) }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, unit) in [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')] {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}
