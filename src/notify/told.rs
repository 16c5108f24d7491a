//! What was told: which kinds of run fail at present, and which alerts are raised. Each is told once, and its end once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::occasion::{AlertName, Occasion, Streak};
use super::outbox::{Outbox, directory};
use super::spec::NotifySpec;
use super::watch::{Facts, watch};
use crate::error::{Context, Result};
use crate::event::{Outcome, RunKind, RunState};
use crate::sys::fs::write_atomic;

const FILE: &str = "told.json";

/// Ends of runs that are remembered, so that one that is told twice counts once.
const REMEMBERED: usize = 200;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// By the word for the kind of run.
    failing: BTreeMap<String, Streak>,
    alerts: BTreeMap<AlertName, Raised>,
    /// The newest runs that are counted above.
    runs: Vec<String>,
}

/// An alert that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    pub began: Timestamp,
    /// When it was told last.
    pub told: Timestamp,
}

impl Told {
    /// An unreadable memory only means that something may be told twice.
    pub fn recall(state: &Path) -> Self {
        let text = std::fs::read(place(state)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub fn keep(&self, state: &Path) -> Result<()> {
        write_atomic(&place(state), &serde_json::to_vec_pretty(self).context("write what was told")?, 0o600)
    }

    pub fn alert(&self, name: AlertName) -> Option<Raised> {
        self.alerts.get(&name).copied()
    }

    /// What the end of a run gives to tell: the end itself, and the recovery if it is the first success after failures.
    pub fn run_ended(&self, run: &RunState, now: Timestamp) -> Vec<Occasion> {
        let kind = run.kind.map_or("run", RunKind::name);
        let before = self.failing.get(kind).copied();
        let counted = self.runs.contains(&run.run);
        let ended = |streak| match run.outcome {
            Some(_) => Occasion::Ended { run: run.clone(), streak },
            None => Occasion::Crashed { run: run.clone(), streak },
        };
        match run.outcome {
            Some(Outcome::Success) => {
                let recovered = before.filter(|_| !counted);
                let recovered = recovered.map(|streak| Occasion::Recovered { run: run.clone(), streak });
                std::iter::once(ended(None)).chain(recovered).collect()
            }
            // Neither says anything about whether it works.
            Some(Outcome::Skipped | Outcome::Cancelled) => vec![ended(None)],
            Some(Outcome::Incomplete | Outcome::Failed) | None => {
                let since = run.started.unwrap_or(now);
                let streak = match before {
                    Some(streak) if counted => streak,
                    Some(streak) => Streak { count: streak.count.saturating_add(1), ..streak },
                    None => Streak { count: 1, since },
                };
                vec![ended(Some(streak))]
            }
        }
    }

    /// Remembers that this is told.
    pub fn note(&mut self, occasion: &Occasion) {
        match occasion {
            Occasion::Started(_) => {}
            Occasion::Ended { run, streak } | Occasion::Crashed { run, streak } => {
                if let Some(streak) = streak {
                    self.failing.insert(run.kind.map_or("run", RunKind::name).to_owned(), *streak);
                }
                if !self.runs.contains(&run.run) {
                    self.runs.push(run.run.clone());
                }
                let surplus = self.runs.len().saturating_sub(REMEMBERED);
                self.runs.drain(..surplus);
            }
            Occasion::Recovered { run, .. } => {
                self.failing.remove(run.kind.map_or("run", RunKind::name));
            }
            Occasion::Alert(alert) => {
                self.alerts.insert(alert.name, Raised { began: alert.began, told: alert.at });
            }
            Occasion::AlertOver(alert) => {
                self.alerts.remove(&alert.name);
            }
        }
    }

    /// Alerts that are no longer asked for end without a word.
    fn forget_unwatched(&mut self, spec: &NotifySpec) {
        let spec = &spec.alerts;
        self.alerts.retain(|name, _| match name {
            AlertName::NoSuccess => spec.no_success_for.is_some(),
            AlertName::DrillOverdue => spec.drill_overdue.is_some(),
            AlertName::StorageFull => spec.storage_full_within.is_some(),
            AlertName::StorageLow => spec.storage_free_below.is_some(),
        });
    }
}

/// Tells that a run has begun.
pub fn run_started(
    spec: &NotifySpec,
    state: &Path,
    site: &str,
    run: &RunState,
    now: Timestamp,
) -> Result<()> {
    Outbox::open(state)?.post(spec, site, &Occasion::Started(run.clone()), now).map(drop)
}

/// Tells how a run ended; one without an outcome is one that broke off. Telling the same end again changes nothing.
pub fn run_ended(spec: &NotifySpec, state: &Path, site: &str, run: &RunState, now: Timestamp) -> Result<()> {
    tell(spec, state, site, now, |told| told.run_ended(run, now))
}

/// Tells what the facts give to tell.
pub fn look(spec: &NotifySpec, state: &Path, site: &str, facts: &Facts) -> Result<()> {
    tell(spec, state, site, facts.now, |told| watch(&spec.alerts, facts, told))
}

/// Posted first and remembered then: a crash in between posts the same again, which changes nothing.
fn tell(
    spec: &NotifySpec,
    state: &Path,
    site: &str,
    now: Timestamp,
    what: impl FnOnce(&Told) -> Vec<Occasion>,
) -> Result<()> {
    let outbox = Outbox::open(state)?;
    let before = Told::recall(state);
    let mut told = before.clone();
    told.forget_unwatched(spec);
    for occasion in what(&told) {
        outbox.post(spec, site, &occasion, now)?;
        told.note(&occasion);
    }
    if told == before { Ok(()) } else { told.keep(state) }
}

fn place(state: &Path) -> PathBuf {
    directory(state).join(FILE)
}
