//! From a schedule as it was written to the timetables that the agent follows.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::Config;
use super::schedule::{When, zone_of};
use crate::error::{Error, Result};
use crate::schedule::cron::Cron;
use crate::schedule::window::Days;
use crate::schedule::{Kind, Task, Timetable, derived_cron, share_of_jitter};

/// What common times are spread over.
const SPREAD: Duration = Duration::from_mins(10);

impl Config {
    /// What is to be done by itself, and when: nothing for a site that is not enabled. A timetable that would never come due is
    /// an error, also there.
    pub fn tasks(&self, now: Timestamp) -> Result<Vec<Task>> {
        let schedule = &self.schedule;
        let mut tasks = Vec::new();
        if let Some(when) = &schedule.backup {
            tasks.push(self.task(Kind::Backup, when, now)?);
        }
        if let Some(check) = &schedule.check {
            tasks.push(Task { share: check.read_data, ..self.task(Kind::Check, &check.when, now)? });
        }
        if let Some(drill) = &schedule.drill {
            tasks.push(Task {
                share: drill.sample,
                max_minutes: drill.max_minutes.map(u64::from),
                ..self.task(Kind::Drill, &drill.when, now)?
            });
        }
        if !self.enabled {
            tasks.clear();
        }
        Ok(tasks)
    }

    /// The zone in which the times of the schedule are meant.
    pub fn schedule_zone(&self) -> Result<TimeZone> {
        Ok(zone_of(&self.schedule, &self.time_zone()?))
    }

    fn task(&self, kind: Kind, when: &When, now: Timestamp) -> Result<Task> {
        let schedule = &self.schedule;
        let jitter = schedule.jitter.unwrap_or(if when.is_common() { SPREAD } else { Duration::ZERO });
        let zone = self.schedule_zone()?;
        let start = |day: jiff::civil::Date| zone.to_timestamp(day.to_datetime(Time::midnight()));
        let timetable = Timetable {
            crons: self.crons(when)?,
            delay: share_of_jitter(jitter, &self.site.name, kind.name()),
            not_during: schedule.not_during.clone(),
            from: schedule.from.map(start).transpose()?,
            // 9999-12-31 is how people write that there is no end, and no day comes after it.
            to: schedule.to.and_then(|day| day.checked_add(1.day()).and_then(start).ok()),
            zone: zone.clone(),
        };
        let over = timetable.to.is_some_and(|to| to <= now);
        if !over && timetable.after(now).is_none() {
            return Err(Error::usage(format!("the schedule of {} never comes due", kind.name()))
                .with_remedy("correct schedule: its times lie in not_during, or outside of from and to"));
        }
        Ok(Task { kind, timetable, share: None, max_minutes: None, retries: schedule.retries })
    }

    fn crons(&self, when: &When) -> Result<Vec<Cron>> {
        match when {
            When::Cron(cron) => Ok(vec![cron.clone()]),
            When::Times { at, days } => at.iter().map(|time| daily(*time, *days)).collect(),
            When::Retention(()) => {
                let lines = derived_cron(&self.retention.policy()).ok_or_else(|| {
                    Error::usage("no schedule follows from the retention: none of its levels keeps anything")
                        .with_remedy("write `retention: {daily: 7}`, for instance, or another schedule")
                })?;
                lines.iter().map(|line| line.parse().map_err(Error::usage)).collect()
            }
        }
    }
}

fn daily(time: Time, days: Days) -> Result<Cron> {
    let line = format!("0 {} {} * * {}", time.minute(), time.hour(), days.cron_field());
    line.parse().map_err(Error::usage)
}
