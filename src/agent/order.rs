//! A run that is to be, and the queue in which it waits.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::wish::Wish;
use crate::event::RunKind;
use crate::schedule::{Kind, Task};

/// What a run is to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Work {
    /// Puts right what a process that died left behind.
    Recover,
    Task(Task),
    /// A backup for the requests that wait.
    Requested,
    /// A run that somebody asked for.
    Asked(Wish),
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
            Self::Asked(wish) => wish.word(),
        }
    }

    /// What the run will be in the history.
    pub(super) fn kind(&self) -> Option<RunKind> {
        let word = if matches!(self, Self::Asked(Wish::Undo)) { "restore" } else { self.word() };
        RunKind::ALL.into_iter().find(|kind| kind.name() == word)
    }

    /// The smaller, the sooner: a site that stands still first, and what only looks behind what saves.
    const fn rank(&self) -> u8 {
        match self {
            Self::Recover => 0,
            // Somebody is looking on.
            Self::Asked(_) => 1,
            Self::Task(Task { kind: Kind::Backup, .. }) | Self::Requested => 2,
            Self::Task(Task { kind: Kind::Check, .. }) => 3,
            Self::Task(Task { kind: Kind::Drill, .. }) => 4,
        }
    }

    pub(super) const fn is_backup(&self) -> bool {
        matches!(
            self,
            Self::Requested | Self::Task(Task { kind: Kind::Backup, .. }) | Self::Asked(Wish::Backup { .. })
        )
    }
}

impl Order {
    /// A site that stands still, or that somebody waits for, waits for no other site's run.
    pub(super) const fn is_rescue(&self) -> bool {
        match &self.work {
            Work::Recover => true,
            Work::Asked(wish) => wish.is_urgent(),
            Work::Task(_) | Work::Requested => false,
        }
    }

    /// The command line of the run.
    pub(super) fn arguments(&self, config: &Path) -> Vec<OsString> {
        let mut line: Vec<OsString> = vec!["--config".into(), config.into(), "--json".into()];
        line.extend(["--run-id".into(), self.run.clone().into()]);
        let mut add = |words: &[&str]| line.extend(words.iter().map(OsString::from));
        match &self.work {
            Work::Recover => add(&["recover"]),
            Work::Requested => add(&["backup", "--requested"]),
            Work::Asked(wish) => line.extend(wish.arguments()),
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

    /// Takes one out that is not wanted any more.
    pub(super) fn take(&mut self, site: &Path, run: &str) -> Option<Order> {
        let at = self.0.iter().position(|order| order.site == site && order.run == run)?;
        Some(self.0.remove(at))
    }

    /// What waits for a site, in the order in which it will have its turn.
    pub(super) fn of(&self, site: &Path) -> Vec<&Order> {
        let mut found: Vec<_> = self.0.iter().filter(|order| order.site == site).collect();
        found.sort_by_key(|order| order.work.rank());
        found
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
