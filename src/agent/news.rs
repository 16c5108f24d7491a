//! Tells others how the runs of a site went, whoever began them, and what no run tells.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::event::{Outcome, RunKind, RunState};
use crate::history::{self, Past, Standing};
use crate::metrics::{Site, Totals};
use crate::notify::{self, Facts, NotifySpec, Outbox, Report, Sample};
use crate::run::last_passed;
use crate::schedule::agenda::WRONG_CLOCK;
use crate::sys::fs::write_atomic;

const FILE: &str = "news.json";

/// What must not be told twice, and what alerts are judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Memory {
    first_seen: Timestamp,
    /// The end of the newest complete backup.
    last_success: Option<Timestamp>,
    /// Runs whose end was told, or that are older than this file.
    told: BTreeSet<String>,
    /// Runs whose beginning was told.
    begun: BTreeSet<String>,
    /// All runs that are in `told`, each counted once, with it.
    #[serde(default)]
    totals: Totals,
    /// Of the storage.
    #[serde(default)]
    space: Option<(u64, u64)>,
}

pub(super) struct News {
    state: PathBuf,
    site: String,
    spec: NotifySpec,
    memory: Memory,
    /// When the outbox is to be emptied; nothing while that goes on.
    deliver_at: Option<Timestamp>,
    /// Two at once would be in each other's way.
    sending: bool,
    watched: Option<Timestamp>,
}

/// Something to send, on a thread of its own: servers may be slow.
pub(super) struct Delivery {
    pub(super) state: PathBuf,
    spec: NotifySpec,
}

impl Delivery {
    pub(super) fn send(&self) -> Result<Report> {
        Outbox::open(&self.state)?.deliver(&self.spec, Timestamp::now())
    }
}

impl News {
    pub(super) fn open(state: &Path, site: &str, spec: NotifySpec, now: Timestamp) -> Result<Self> {
        let news = Self {
            state: state.to_owned(),
            site: site.to_owned(),
            spec,
            // What ended before there was anybody to tell it is not told now.
            memory: Memory::recall(state, now)?,
            deliver_at: Some(now),
            sending: false,
            watched: None,
        };
        news.keep()?;
        Ok(news)
    }

    pub(super) fn reload(&mut self, spec: NotifySpec, now: Timestamp) {
        self.spec = spec;
        self.deliver_at = Some(now);
    }

    /// Looks through the history for what is new in it, and at what no run tells.
    pub(super) fn look(&mut self, now: Timestamp) -> Result<()> {
        let directory = history::directory(&self.state);
        let names = history::names(&directory)?;
        let before = self.memory.clone();
        let known = |run: &String| names.binary_search_by(|name| run.cmp(name)).is_ok();
        self.memory.told.retain(known);
        self.memory.begun.retain(known);
        let fresh: Vec<_> =
            names.iter().rev().filter(|run| !self.memory.told.contains(*run)).cloned().collect();
        // One run that cannot be read or told is no reason to say nothing of the others.
        let mut told = Ok(());
        for run in fresh {
            let this = history::read(&directory, &run)
                .and_then(|past| past.map_or(Ok(()), |past| self.tell(&past, now)));
            told = told.and(this);
        }
        if self.memory != before {
            self.deliver_at = Some(now);
            self.keep()?;
        }
        told?;
        self.watch(now)
    }

    fn tell(&mut self, past: &Past, now: Timestamp) -> Result<()> {
        let Past { id, standing, state } = past;
        if *standing == Standing::Running {
            // Its first event may still be on the way.
            if state.kind.is_some() && self.memory.begun.insert(id.clone()) {
                notify::run_started(&self.spec, &self.state, &self.site, state, now)?;
            }
            return Ok(());
        }
        notify::run_ended(&self.spec, &self.state, &self.site, state, now)?;
        self.memory.told.insert(id.clone());
        self.memory.begun.remove(id);
        self.learn(state)
    }

    fn learn(&mut self, run: &RunState) -> Result<()> {
        self.memory.learn(run);
        if let Some(((free, total), at)) = run.space.zip(run.started) {
            notify::add_sample(&self.state, Sample { at, free, total })?;
        }
        Ok(())
    }

    /// Once a minute is often enough for what takes hours.
    fn watch(&mut self, now: Timestamp) -> Result<()> {
        let minute = SignedDuration::from_mins(1);
        if self.watched.is_some_and(|last| now.duration_since(last).abs() < minute) {
            return Ok(());
        }
        self.watched = Some(now);
        self.doubt_the_future(now)?;
        let facts = Facts {
            now,
            first_seen: self.memory.first_seen,
            last_success: self.memory.last_success,
            last_proven: last_passed(&self.state)?,
            storage: notify::samples(&self.state),
        };
        notify::look(&self.spec, &self.state, &self.site, &facts)?;
        // An alert may have been posted, which does not wait for the next try of another message.
        let soon = now.checked_add(minute).unwrap_or(now);
        let late = self.deliver_at.is_none_or(|then| then > soon) && !self.sending;
        if late && !Outbox::open(&self.state)?.list()?.waiting.is_empty() {
            self.deliver_at = Some(self.deliver_at.map_or(now, |_| soon));
        }
        Ok(())
    }

    /// What is said to lie far ahead was written by a clock that was wrong. It was some time before now, and must not keep alerts away
    /// until then.
    fn doubt_the_future(&mut self, now: Timestamp) -> Result<()> {
        let ahead = |time: Timestamp| time.duration_since(now) > WRONG_CLOCK;
        let memory = &mut self.memory;
        if !ahead(memory.first_seen) && !memory.last_success.is_some_and(ahead) {
            return Ok(());
        }
        memory.first_seen = memory.first_seen.min(now);
        memory.last_success = memory.last_success.map(|time| time.min(now));
        self.keep()
    }

    /// Something to send, if it is time; nothing more until `delivered` is called.
    pub(super) fn delivery(&mut self, now: Timestamp) -> Option<Delivery> {
        self.deliver_at.filter(|then| *then <= now && !self.sending)?;
        self.deliver_at = None;
        if self.spec.channels.is_empty() {
            return None;
        }
        self.sending = true;
        Some(Delivery { state: self.state.clone(), spec: self.spec.clone() })
    }

    /// What was posted meanwhile is due at once.
    pub(super) fn delivered(&mut self, next_try: Option<Timestamp>) {
        self.sending = false;
        self.deliver_at = self.deliver_at.into_iter().chain(next_try).min();
    }

    pub(super) fn next_look(&self) -> Option<Timestamp> {
        self.deliver_at.filter(|_| !self.sending)
    }

    fn keep(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.memory).context("write down what was told")?;
        write_atomic(&self.state.join(FILE), &text, 0o600)
    }
}

impl Memory {
    /// What was written down; else what the history knows.
    fn recall(state: &Path, now: Timestamp) -> Result<Self> {
        let text = fs::read(state.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).map_or_else(|_| Self::of_history(state, now), Ok)
    }

    fn of_history(state: &Path, now: Timestamp) -> Result<Self> {
        let mut memory = Self {
            first_seen: now,
            last_success: None,
            told: BTreeSet::new(),
            begun: BTreeSet::new(),
            totals: Totals::default(),
            space: None,
        };
        memory.catch_up(state)?;
        Ok(memory)
    }

    /// Takes in the runs that ended since, and tells nobody. One that cannot be read is complained of where it would be told.
    fn catch_up(&mut self, state: &Path) -> Result<()> {
        let directory = history::directory(state);
        let fresh = history::names(&directory)?.into_iter().filter(|run| !self.told.contains(run));
        let mut pasts: Vec<_> =
            fresh.filter_map(|run| history::read(&directory, &run).ok().flatten()).collect();
        // The names tell no order within a second.
        pasts.sort_by_key(|past| past.state.started);
        for past in pasts.into_iter().filter(|past| past.standing != Standing::Running) {
            self.learn(&past.state);
            self.told.insert(past.id);
        }
        Ok(())
    }

    fn learn(&mut self, run: &RunState) {
        if run.kind == Some(RunKind::Backup) && run.outcome == Some(Outcome::Success) {
            self.last_success = self.last_success.max(run.finished);
        }
        self.totals.count(run);
        self.space = run.space.or(self.space);
    }
}

/// What there is to say of a site in numbers, from what is on the disk.
pub(super) fn numbers(state: &Path, name: &str, now: Timestamp) -> Result<Site> {
    let mut memory = Memory::recall(state, now)?;
    // There may be no agent to do so.
    memory.catch_up(state)?;
    Ok(Site {
        name: name.to_owned(),
        totals: memory.totals,
        last_success: memory.last_success,
        last_proven: last_passed(state)?,
        space: memory.space,
        notifications_waiting: Outbox::open(state)?.list()?.waiting.len() as u64,
        ..Site::default()
    })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::notify::AlertSpec;

    fn nobody() -> NotifySpec {
        NotifySpec {
            channels: Vec::new(),
            alerts: AlertSpec::default(),
            zone: TimeZone::UTC,
            config: PathBuf::new(),
            patience: NotifySpec::PATIENCE,
        }
    }

    #[test]
    fn a_clock_that_was_years_ahead_keeps_no_alert_away() {
        let state = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let later = |hours| now + SignedDuration::from_hours(hours);
        let mut news = News::open(state.path(), "demo", nobody(), later(100_000)).unwrap();
        news.memory.last_success = Some(later(100_000));
        news.look(now).unwrap();
        assert_eq!((news.memory.first_seen, news.memory.last_success), (now, Some(now)));
        news.memory.last_success = Some(later(2));
        news.look(later(1)).unwrap();
        assert_eq!(news.memory.last_success, Some(later(2)), "an hour is the work of a time server");
    }

    #[test]
    fn one_run_that_cannot_be_read_does_not_silence_the_others() {
        let state = tempfile::tempdir().unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut news = News::open(state.path(), "demo", nobody(), now).unwrap();
        let directory = history::directory(state.path());
        fs::create_dir_all(directory.join("20260101T000000Z-backup-0001.jsonl")).unwrap();
        drop(history::Recorder::begin(&directory, "20260102T000000Z-backup-0002").unwrap());
        assert!(news.look(now).is_err());
        assert!(news.memory.told.contains("20260102T000000Z-backup-0002"));
    }
}
