//! Reads when the agent is to work.

use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use schemars::JsonSchema;

use super::duration;
use super::walk::{At, Noted, Table, optional};
use crate::schedule::cron::Cron;
use crate::schedule::window::{Days, Window, time_of_day};

const KEYS: [&str; 10] =
    ["backup", "check", "drill", "jitter", "not_during", "from", "to", "zone", "retries", "on_request"];

const WHEN: &str = "write it like \"0 3 * * *\" (at 03:00 every day), or daily";

/// When the agent works. A text alone, such as `daily`, is the schedule of backups.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Schedule {
    pub backup: Option<When>,
    pub check: Option<CheckTask>,
    pub drill: Option<DrillTask>,
    /// Each site begins by its own share of this later than the time says; left out: 10m for hourly, daily, weekly, monthly and
    /// what follows from the retention, none for times that are written out.
    #[schemars(with = "Option<String>")]
    pub jitter: Option<Duration>,
    /// Hours in which nothing begins, such as `mon-fri 08:00-18:00`; what comes due in them waits for their end.
    #[schemars(with = "Vec<String>", default)]
    pub not_during: Vec<Window>,
    /// The first day, such as 2026-12-01.
    #[schemars(with = "Option<String>")]
    pub from: Option<Date>,
    /// The last day.
    #[schemars(with = "Option<String>")]
    pub to: Option<Date>,
    /// The zone of these times; left out: `zone`.
    pub zone: Option<String>,
    /// How often a run that failed is begun again, after 5 minutes and then longer; default 2.
    #[schemars(with = "Option<u32>", range(min = 0, max = 10))]
    pub retries: u32,
    #[schemars(default)]
    pub on_request: OnRequest,
}

/// Times as people write them.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(untagged)]
pub enum When {
    /// Five cron fields (six with seconds), or hourly, daily, weekly, monthly.
    Cron(#[schemars(with = "String")] Cron),
    /// Times of the day.
    Times {
        /// One or several, such as `["03:00", "15:00"]`.
        #[schemars(with = "Vec<String>")]
        at: Vec<Time>,
        /// Such as `[mon-fri, sun]`; left out: every day.
        #[schemars(with = "Option<Vec<String>>")]
        days: Days,
    },
    /// `retention`: as often as the finest level of the retention asks for.
    Retention(#[schemars(with = "String")] ()),
}

/// When the repository is checked, and how much of it is read.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CheckTask {
    pub when: When,
    /// Such as `5%`: so much of the stored data is read, another part each time; left out: none.
    #[schemars(with = "Option<String>")]
    pub read_data: Option<f64>,
}

/// When a drill is held, and how much of the site it brings back.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DrillTask {
    pub when: When,
    /// Such as `10%`: so many of the files, others each time, and all databases; left out: everything.
    #[schemars(with = "Option<String>")]
    pub sample: Option<f64>,
    /// A drill that would take longer is split into several.
    pub max_minutes: Option<u32>,
}

/// What happens when somebody asks for a backup soon.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OnRequest {
    /// Any file that appears here is a request; left out: `requests` in the site's directory below `state`.
    pub spool: Option<PathBuf>,
    /// A backup begins when there was no further request for so long; default 1m.
    #[schemars(with = "Option<String>")]
    pub settle: Duration,
    /// And not sooner than this after the former one; default 15m.
    #[schemars(with = "Option<String>")]
    pub at_most_every: Duration,
}

impl Default for OnRequest {
    fn default() -> Self {
        Self { spool: None, settle: Duration::from_mins(1), at_most_every: Duration::from_mins(15) }
    }
}

impl Schedule {
    pub const RETRIES: u32 = 2;

    fn of_backups(when: When) -> Self {
        Self { backup: Some(when), retries: Self::RETRIES, ..Self::default() }
    }

    /// Nothing is ever due.
    pub fn is_empty(&self) -> bool {
        self.backup.is_none() && self.check.is_none() && self.drill.is_none()
    }
}

impl When {
    /// A time that thousands of sites have in common.
    pub(super) fn is_common(&self) -> bool {
        match self {
            Self::Cron(cron) => cron.is_word(),
            Self::Times { .. } => false,
            Self::Retention(()) => true,
        }
    }
}

pub(super) fn read(at: &At<'_>) -> Option<Schedule> {
    if !at.is_map() {
        return when(at).map(Schedule::of_backups);
    }
    let table = at.table(&KEYS)?;
    let backup = optional(&table, "backup", when);
    let check = optional(&table, "check", check);
    let drill = optional(&table, "drill", drill);
    let jitter = optional(&table, "jitter", |at| duration::up_to(at, Duration::from_hours(24)));
    let not_during = optional(&table, "not_during", windows);
    let (from, to) = (optional(&table, "from", day), optional(&table, "to", day));
    let zone = optional(&table, "zone", super::read::zone);
    let advice = "write how often a run that failed is begun again, such as 2";
    let retries = optional(&table, "retries", |at| at.whole_number(0..=10, advice));
    let on_request = optional(&table, "on_request", on_request);
    let (from, to) = (from.ok()?, to.ok()?);
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        at.complain("ends before it begins", "correct from or to");
        return None;
    }
    Some(Schedule {
        backup: backup.ok()?,
        check: check.ok()?,
        drill: drill.ok()?,
        jitter: jitter.ok()?,
        not_during: not_during.ok()?.unwrap_or_default(),
        from,
        to,
        zone: zone.ok()?,
        retries: retries.ok()?.unwrap_or(Schedule::RETRIES),
        on_request: on_request.ok()?.unwrap_or_default(),
    })
}

fn when(at: &At<'_>) -> Option<When> {
    if at.is_map() {
        return times(&at.table(&["at", "days"])?);
    }
    let text = at.text()?;
    if text == "retention" {
        return Some(When::Retention(()));
    }
    match text.parse() {
        Ok(cron) => Some(When::Cron(cron)),
        Err(error) => {
            at.complain(format_args!("cannot be used: {error}"), WHEN);
            None
        }
    }
}

fn times(table: &Table<'_>) -> Option<When> {
    let advice = "write one or several times of the day, such as [\"03:00\"]";
    let at = table.need("at", advice).and_then(|at| parsed(&at, time_of_day, "\"03:00\""));
    let days = optional(table, "days", |at| {
        // Each item may be a list of its own; all of them together are one set.
        let texts = if at.is_list() { at.texts()?.join(",") } else { at.text()?.to_owned() };
        understood(at, texts.parse::<Days>(), "write days like [mon-fri, sun]")
    });
    Some(When::Times { at: at?, days: days.ok()?.unwrap_or(Days::ALL) })
}

/// A text or a list of texts, each of which is understood.
fn parsed<T>(at: &At<'_>, parse: impl Fn(&str) -> Result<T, String>, example: &str) -> Option<Vec<T>> {
    let remedy = format!("write it like {example}");
    if !at.is_list() {
        return understood(at, parse(at.text()?), &remedy).map(|one| vec![one]);
    }
    let items = at.list()?;
    let values: Vec<T> =
        items.iter().filter_map(|item| understood(item, parse(item.text()?), &remedy)).collect();
    if items.is_empty() {
        at.complain("is an empty list", &remedy);
    }
    (!items.is_empty() && values.len() == items.len()).then_some(values)
}

fn understood<T>(at: &At<'_>, result: Result<T, String>, remedy: &str) -> Option<T> {
    result.map_err(|error| at.complain(format_args!("cannot be used: {error}"), remedy)).ok()
}

/// A plain schedule, or one with more to say about the work.
fn with_when<'a>(at: &At<'a>, keys: &[&'static str]) -> Option<(When, Option<Table<'a>>)> {
    if !at.is_map() || at.has("at") {
        return when(at).map(|when| (when, None));
    }
    let table = at.table(keys)?;
    let when = table.need("when", WHEN).and_then(|at| when(&at))?;
    Some((when, Some(table)))
}

fn check(at: &At<'_>) -> Option<CheckTask> {
    let (when, table) = with_when(at, &["when", "read_data"])?;
    let read_data = table.as_ref().map_or(Ok(None), |table| optional(table, "read_data", percent));
    Some(CheckTask { when, read_data: read_data.ok()? })
}

fn drill(at: &At<'_>) -> Option<DrillTask> {
    let (when, table) = with_when(at, &["when", "sample", "max_minutes"])?;
    let Some(table) = table else { return Some(DrillTask { when, sample: None, max_minutes: None }) };
    let sample = optional(&table, "sample", percent);
    let advice = "write the longest time of a drill in minutes";
    let max_minutes: Result<_, Noted> =
        optional(&table, "max_minutes", |at| at.whole_number(1..=10_000, advice));
    Some(DrillTask { when, sample: sample.ok()?, max_minutes: max_minutes.ok()? })
}

fn percent(at: &At<'_>) -> Option<f64> {
    let number = at.text()?.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    let share = number.filter(|share| *share > 0.0 && *share <= 100.0);
    if share.is_none() {
        at.complain("is no share above 0% and up to 100%", "write it like 5%");
    }
    share
}

fn windows(at: &At<'_>) -> Option<Vec<Window>> {
    parsed(at, str::parse, "\"mon-fri 08:00-18:00\"")
}

fn day(at: &At<'_>) -> Option<Date> {
    understood(
        at,
        at.text()?.parse().map_err(|_| "it is no day".to_owned()),
        "write it like \"2026-12-01\", in quotes",
    )
}

fn on_request(at: &At<'_>) -> Option<OnRequest> {
    let table = at.table(&["spool", "settle", "at_most_every"])?;
    let usual = OnRequest::default();
    let hour = Duration::from_hours(1);
    let spool = optional(&table, "spool", At::absolute_path);
    let settle = optional(&table, "settle", |at| duration::up_to(at, hour));
    let often = optional(&table, "at_most_every", |at| duration::up_to(at, hour * 24));
    Some(OnRequest {
        spool: spool.ok()?,
        settle: settle.ok()?.unwrap_or(usual.settle),
        at_most_every: often.ok()?.unwrap_or(usual.at_most_every),
    })
}

/// The zone in which a schedule is meant.
pub(super) fn zone_of(schedule: &Schedule, site: &TimeZone) -> TimeZone {
    schedule.zone.as_ref().and_then(|name| TimeZone::get(name).ok()).unwrap_or_else(|| site.clone())
}
