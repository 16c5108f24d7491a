//! `lifeboat schedule`.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::args::Schedule;
use super::output::table;
use super::{Done, SUCCESS, Session};
use crate::error::{Error, Result};
use crate::schedule::{Kind, Task, Wanted};

#[derive(Serialize)]
struct Next {
    work: Kind,
    due: Timestamp,
    /// As the schedule says it.
    nominal: Timestamp,
    local: String,
    zone: String,
    jitter_seconds: i64,
    /// Out of hours in which nothing begins.
    moved: bool,
}

pub(super) fn schedule(session: &Session<'_>, args: &Schedule) -> Done {
    let config = session.config()?;
    let now = Timestamp::now();
    let from = match &args.from {
        Some(text) => moment(text, now, &config.time_zone()?)?,
        None => now,
    };
    let tasks = config.tasks(now)?;
    let mut next: Vec<Next> = tasks.iter().flat_map(|task| upcoming(task, from, args.count.into())).collect();
    next.sort_by_key(|next| next.due);
    next.truncate(args.count.into());
    session.output.result(SUCCESS, &next, |out| {
        if !config.enabled {
            return writeln!(out, "{} is not enabled: the agent begins nothing for it", config.site.name);
        }
        if tasks.is_empty() {
            return writeln!(out, "nothing is scheduled: write `schedule: daily`, for instance");
        }
        if next.is_empty() {
            return writeln!(out, "nothing is due any more");
        }
        let rows = next.iter().map(|next| {
            vec![next.local.clone(), next.zone.clone(), next.work.name().to_owned(), remark(next)]
        });
        writeln!(out, "{}", table(&["Time", "Zone", "Work", ""], &[], rows))
    })
}

/// A day means its beginning here.
fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp> {
    if let Ok(day) = text.trim().parse::<Date>() {
        return Ok(zone.to_timestamp(day.to_datetime(Time::midnight()))?);
    }
    match Wanted::parse(text, now, zone)? {
        Wanted::AtOrBefore { ts, .. } => Ok(ts),
        Wanted::Latest => Ok(now),
        Wanted::Id(_) | Wanted::Stamp(_) => {
            Err(Error::usage(format!("{text:?} is no time")).with_remedy("write it like '2027-03-27 03:00'"))
        }
    }
}

fn upcoming(task: &Task, from: Timestamp, count: usize) -> Vec<Next> {
    let timetable = &task.timetable;
    let occurrences = timetable.iter(from).take(count);
    let next = occurrences.map(|occurrence| {
        let local = occurrence.due.to_zoned(timetable.zone.clone());
        Next {
            work: task.kind,
            due: occurrence.due,
            nominal: occurrence.nominal,
            local: local.strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string(),
            zone: timetable.zone.iana_name().unwrap_or("local").to_owned(),
            jitter_seconds: timetable.delay.as_secs(),
            moved: occurrence.due.duration_since(occurrence.nominal) != timetable.delay,
        }
    });
    let mut next: Vec<Next> = next.collect();
    // Several that waited for the end of the same hours are one run.
    next.dedup_by_key(|next| next.due);
    next
}

fn remark(next: &Next) -> String {
    let mut parts = Vec::new();
    if next.jitter_seconds > 0 {
        parts.push(format!("jitter {:#}", SignedDuration::from_secs(next.jitter_seconds)));
    }
    if next.moved {
        parts.push("moved out of not_during".to_owned());
    }
    parts.join(", ")
}
