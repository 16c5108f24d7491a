//! A run that is to be, and the queue in which it waits.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::schedule::{Kind, Task};

/// What a run is to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Work {
    /// Puts right what a process that died left behind.
    Recover,
    Task(Task),
    /// A backup that somebody asked for.
    Requested,
}

/// One run of one site.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    /// The site, by where it is remembered: names are chosen by many people.
    pub(super) site: PathBuf,
    /// The run's name in the history.
    pub(super) run: String,
    pub(super) work: Work,
}

impl Work {
    /// The word in the run's name.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Recover => "recover",
            Self::Task(task) => task.kind.name(),
            Self::Requested => "backup",
        }
    }

    /// The smaller, the sooner: a site that stands still first, and what only looks behind what saves.
    const fn rank(&self) -> u8 {
        match self {
            Self::Recover => 0,
            Self::Task(Task { kind: Kind::Backup, .. }) | Self::Requested => 1,
            Self::Task(Task { kind: Kind::Check, .. }) => 2,
            Self::Task(Task { kind: Kind::Drill, .. }) => 3,
        }
    }

    pub(super) const fn is_backup(&self) -> bool {
        self.rank() == 1
    }
}

impl Order {
    pub(super) fn is_rescue(&self) -> bool {
        self.work == Work::Recover
    }

    /// The command line of the run.
    pub(super) fn arguments(&self, config: &Path) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec!["--config".into(), config.into(), "--json".into()];
        line.extend(["--run-id".into(), self.run.clone().into()]);
        let mut add = |words: &[&str]| line.extend(words.iter().map(OsString::from));
        match &self.work {
            Work::Recover => add(&["recover"]),
            Work::Requested => add(&["backup", "--requested"]),
            Work::Task(task) => {
                add(&[task.kind.name(), "--scheduled"]);
                let share = task.share.map(|share| format!("{share}%"));
                match (task.kind, share) {
                    (Kind::Check, Some(share)) => add(&["--read-data-subset", &share]),
                    (Kind::Drill, Some(share)) => add(&["--sample", &share]),
                    _ => {}
                }
                if let Some(minutes) = task.max_minutes {
                    add(&["--max-minutes", &minutes.to_string()]);
                }
            }
        }
        line
    }
}

/// What waits for its turn: one run at a time, or they would slow each other and the sites down.
#[derive(Default)]
pub(super) struct Queue(Vec<Order>);

impl Queue {
    pub(super) fn add(&mut self, order: Order) {
        if !self.has(&order.run) {
            self.0.push(order);
        }
    }

    pub(super) fn has(&self, run: &str) -> bool {
        self.0.iter().any(|order| order.run == run)
    }

    /// The most urgent one of those that fit; of them the one that waits longest.
    pub(super) fn next(&mut self, fits: impl Fn(&Order) -> bool) -> Option<Order> {
        let fitting = (0..self.0.len()).filter(|at| fits(&self.0[*at]));
        let first = fitting.min_by_key(|at| self.0[*at].work.rank())?;
        Some(self.0.remove(first))
    }

    /// Forgets what is no longer wanted, such as the runs of a site that is gone.
    pub(super) fn retain(&mut self, wanted: impl Fn(&Order) -> bool) {
        self.0.retain(wanted);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
