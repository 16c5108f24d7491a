//! Reads which snapshots stay.

use std::time::Duration;

use schemars::JsonSchema;

use super::duration;
use super::walk::{At, Table, optional};
use crate::schedule::{self, Elect, Level, Levels, Within};

const KEYS: [&str; 11] = [
    "last",
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "keep_within",
    "floor",
    "brake",
    "grace",
];

/// Which snapshots stay: what any of its rules keeps. Without `last`, a level or `keep_within` all of them do.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Retention {
    /// The newest complete snapshots to keep.
    #[schemars(range(min = 1, max = 10000))]
    pub last: Option<u32>,
    /// One of each of so many minutes, such as `10` or `10@0`: the one closest to that second; `L` or nothing: the last.
    #[schemars(schema_with = "elect_schema", default)]
    pub minutely: Option<Elect>,
    /// One of each of so many hours, such as `24@30`: the one closest to that minute.
    #[schemars(schema_with = "elect_schema", default)]
    pub hourly: Option<Elect>,
    /// One of each of so many days, such as `7@3`: the one closest to that hour.
    #[schemars(schema_with = "elect_schema", default)]
    pub daily: Option<Elect>,
    /// One of each of so many weeks, such as `4@sat`: the one closest to that day; 1 or mon is the first, 7 or sun the last.
    #[schemars(schema_with = "elect_schema", default)]
    pub weekly: Option<Elect>,
    /// One of each of so many months, such as `3@1`: the one closest to that day.
    #[schemars(schema_with = "elect_schema", default)]
    pub monthly: Option<Elect>,
    /// One of each of so many years, such as `2@jan`: the one closest to that month.
    #[schemars(schema_with = "elect_schema", default)]
    pub yearly: Option<Elect>,
    /// All complete snapshots that are not older than this before the newest one, such as `14d`, `36h`, `6m` (months), `1y6m`.
    #[schemars(with = "Option<String>")]
    pub keep_within: Option<Within>,
    /// Never fewer complete snapshots than this; default 1.
    #[schemars(with = "Option<u32>", range(min = 1, max = 10000))]
    pub floor: Option<u32>,
    /// The share of the complete snapshots that one rotation may remove, such as `50%`, which is the default; two may always go.
    #[schemars(schema_with = "brake_schema", default)]
    pub brake: Option<u8>,
    /// How long a snapshot that no rule keeps stays nevertheless, such as `7d`; left out: it goes at once.
    #[schemars(with = "Option<String>")]
    pub grace: Option<Duration>,
}

fn elect_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["string", "integer", "null"]})
}

fn brake_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": ["string", "null"]})
}

impl Retention {
    /// The policy as the rules are asked; how long safety snapshots stay is said elsewhere.
    pub fn policy(&self) -> schedule::Retention {
        let levels = [self.minutely, self.hourly, self.daily, self.weekly, self.monthly, self.yearly];
        let said = Level::ALL.into_iter().zip(levels).filter_map(|(level, elect)| Some((level, elect?)));
        let usual = schedule::Retention::last(self.last);
        schedule::Retention {
            levels: said.fold(Levels::default(), |levels, (level, elect)| levels.with(level, elect)),
            keep_within: self.keep_within,
            floor: self.floor.unwrap_or(usual.floor),
            brake: self.brake.unwrap_or(usual.brake),
            grace: self.grace.unwrap_or(usual.grace),
            ..usual
        }
    }
}

pub(super) fn read(at: &At<'_>) -> Option<Retention> {
    let table = at.table(&KEYS)?;
    let advice = "write how many snapshots to keep, or remove the key to keep them all";
    let last = optional(&table, "last", |at| at.whole_number(1..=10_000, advice));
    let level = |level: Level| elect(&table, level);
    let (minutely, hourly, daily) = (level(Level::Minutely), level(Level::Hourly), level(Level::Daily));
    let (weekly, monthly, yearly) = (level(Level::Weekly), level(Level::Monthly), level(Level::Yearly));
    let keep_within = optional(&table, "keep_within", within);
    let advice = "write how many complete snapshots must always be left, such as 3";
    let floor = optional(&table, "floor", |at| at.whole_number(1..=10_000, advice));
    let brake = optional(&table, "brake", brake);
    let grace = optional(&table, "grace", duration::keep);
    Some(Retention {
        last: last.ok()?,
        minutely: minutely?,
        hourly: hourly?,
        daily: daily?,
        weekly: weekly?,
        monthly: monthly?,
        yearly: yearly?,
        keep_within: keep_within.ok()?,
        floor: floor.ok()?,
        brake: brake.ok()?,
        grace: grace.ok()?,
    })
}

#[allow(clippy::option_option)] // the outer one is whether it could be read
fn elect(table: &Table<'_>, level: Level) -> Option<Option<Elect>> {
    let read = |at: &At<'_>| {
        let number;
        let text = if at.is_number() {
            number = at.whole_number(0..=10_000, "write how many to keep, such as 4 or \"4@L\"")?.to_string();
            &number
        } else {
            at.text()?
        };
        Elect::parse(level, text)
            .map_err(|error| {
                at.complain(
                    format_args!("cannot be used: {error}"),
                    "write it like \"4@L\": how many, and the last of its time or a number behind @",
                );
            })
            .ok()
    };
    optional(table, level.name(), read).ok()
}

fn within(at: &At<'_>) -> Option<Within> {
    if at.is_number() {
        at.complain("has no unit", "write it like 14d, 36h, 6m (months) or 1y6m");
        return None;
    }
    let parsed = at.text()?.parse();
    parsed
        .map_err(|error| {
            at.complain(
                format_args!("cannot be used: {error}"),
                "write it like 14d, 36h, 6m (months) or 1y6m",
            );
        })
        .ok()
}

fn brake(at: &At<'_>) -> Option<u8> {
    let advice = "write it like 50%, or 100% for no brake";
    if at.is_number() {
        at.complain("has no unit", advice);
        return None;
    }
    let number = at.text()?.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
    let share = number.filter(|share| (1..=100).contains(share));
    if share.is_none() {
        at.complain("is no whole share from 1% to 100%", advice);
    }
    share
}
