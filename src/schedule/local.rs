//! From a time on the wall to a moment: zones, and the hours that come twice or not at all.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Span, Timestamp, ToSpan};

use super::Wanted;
use crate::error::{Context, Error, Result};

/// A moment, and how to say it back.
pub(super) struct Spoken {
    pub(super) ts: Timestamp,
    said: String,
    note: Option<String>,
}

impl Spoken {
    /// A moment that needs no interpretation.
    pub(super) fn exactly(ts: Timestamp, zone: &TimeZone) -> Self {
        Self { ts, said: say(ts, "%a %Y-%m-%d %H:%M:%S", zone), note: None }
    }

    /// The last moment of a day, also of one that has no midnight.
    pub(super) fn end_of_day(date: Date, zone: &TimeZone) -> Result<Self> {
        let next = date.tomorrow().and_then(|next| zone.to_timestamp(next.at(0, 0, 0, 0)));
        let ts = next.and_then(|next| next.checked_sub(1.nanosecond())).context("find the end of the day")?;
        Ok(Self { ts, said: format!("the end of {}", say(ts, "%a %Y-%m-%d", zone)), note: None })
    }

    /// Turns into a request; a moment that is still to come is worth a word.
    pub(super) fn wanted(self, now: Timestamp) -> Wanted {
        let Self { ts, said, mut note } = self;
        if ts > now && note.is_none() {
            note = Some("this moment is still to come, so the newest snapshot is meant".to_owned());
        }
        Wanted::AtOrBefore { ts, said, note }
    }
}

/// Finds the moment of a local time: in the zone that was said, if one was, else in the given one.
///
/// `unit` is what was left unsaid; its end is meant.
pub(super) fn resolve(local: DateTime, unit: Span, said_zone: &str, zone: &TimeZone) -> Result<Spoken> {
    let (offset, said_zone) = split(said_zone)?;
    let zone = said_zone.unwrap_or_else(|| zone.clone());
    match offset {
        Some(offset) => with_offset(local, unit, offset, &zone),
        None => on_the_wall(local, unit, &zone),
    }
}

fn with_offset(local: DateTime, unit: Span, offset: Offset, zone: &TimeZone) -> Result<Spoken> {
    let ts = offset.to_timestamp(local).with_context(|| format!("find the moment {local}{offset}"))?;
    Ok(Spoken { ts: end_of(ts, unit)?, said: say(ts, "%a %Y-%m-%d %H:%M:%S", zone), note: None })
}

/// Of an hour that comes twice the first is meant, because it cannot hold what went wrong in the second; a time that does
/// not exist means the moment the clocks were changed.
fn on_the_wall(local: DateTime, unit: Span, zone: &TimeZone) -> Result<Spoken> {
    let time = local.strftime("%H:%M");
    let date = local.date();
    let name = zone_name(zone);
    let (ts, note) = match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => (end_of(offset.to_timestamp(local)?, unit)?, None),
        AmbiguousOffset::Fold { before, after } => {
            let note = format!(
                "{time} came twice on {date} in {name}, at UTC{before} and at UTC{after}; the first is meant \
                 (write {time}{after} for the second)"
            );
            (end_of(before.to_timestamp(local)?, unit)?, Some(note))
        }
        AmbiguousOffset::Gap { before, .. } => {
            let late = before.to_timestamp(local)?;
            let change = zone.preceding(late.checked_add(1.nanosecond())?).next();
            let change = change.map_or(late, |change| change.timestamp());
            let to = zone.to_datetime(change).strftime("%H:%M").to_string();
            let note = format!(
                "{time} did not exist on {date} in {name}: the clocks went forward to {to}, and that moment is meant"
            );
            (change, Some(note))
        }
    };
    Ok(Spoken { ts, said: say(ts, "%a %Y-%m-%d %H:%M:%S", zone), note })
}

fn end_of(ts: Timestamp, unit: Span) -> Result<Timestamp> {
    Ok(ts.checked_add(unit)?.checked_sub(1.nanosecond())?)
}

/// `z`, `+01:00`, `+0100`, `europe/berlin`, `[europe/berlin]`, or an offset with a zone in brackets.
fn split(said: &str) -> Result<(Option<Offset>, Option<TimeZone>)> {
    let unknown = || {
        Error::usage(format!("cannot read {said:?} as a time zone"))
            .with_remedy("use a name such as Europe/Berlin, or an offset such as +01:00")
    };
    let (front, bracketed) = match said.strip_suffix(']').and_then(|text| text.split_once('[')) {
        Some((front, name)) => (front.trim(), Some(name)),
        None => (said, None),
    };
    let named = |name: &str| TimeZone::get(name).map_err(|_| unknown());
    let offset = match front.as_bytes().first() {
        None => None,
        Some(b'+' | b'-') => Some(digits(front).ok_or_else(unknown)?),
        Some(_) if front == "z" || front == "utc" => Some(Offset::UTC),
        Some(_) if bracketed.is_some() => return Err(unknown()),
        Some(_) => return Ok((None, Some(named(front)?))),
    };
    let zone = match (bracketed, offset) {
        (Some(name), _) => Some(named(name)?),
        (None, Some(offset)) => Some(offset.to_time_zone()),
        (None, None) => None,
    };
    Ok((offset, zone))
}

/// `+01:00`, `+0100` or `+01`.
fn digits(text: &str) -> Option<Offset> {
    let (sign, rest) = text.split_at_checked(1)?;
    let plain: String = rest.chars().filter(|char| *char != ':').collect();
    let valid = matches!(rest.len(), 2 | 4 | 5) && plain.bytes().all(|byte| byte.is_ascii_digit());
    let hours: i32 = plain.get(..2).filter(|_| valid)?.parse().ok()?;
    let minutes: i32 =
        plain.get(2..).filter(|minutes| !minutes.is_empty()).map_or(Some(0), |text| text.parse().ok())?;
    let seconds = (hours * 60 + minutes) * 60;
    Offset::from_seconds(if sign == "-" { -seconds } else { seconds }).ok().filter(|_| minutes < 60)
}

fn say(ts: Timestamp, format: &str, zone: &TimeZone) -> String {
    let at = ts.to_zoned(zone.clone());
    format!("{} {} (UTC{})", at.strftime(format), zone_name(zone), at.offset())
}

fn zone_name(zone: &TimeZone) -> String {
    match (zone.iana_name(), zone.to_fixed_offset()) {
        (Some(name), _) => name.to_owned(),
        (None, Ok(offset)) => format!("UTC{offset}"),
        (None, Err(_)) => "local time".to_owned(),
    }
}
