//! What the runs of a site come to: totals that only grow, and how the last run of each kind went.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Outcome, RepositorySize, Rotation, RunState, Saved};

/// The outcome of a run that has none.
const CRASHED: &str = "crashed";

/// The fold over all runs of a site that came to an end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// By kind, and by outcome in that.
    pub(super) runs: BTreeMap<String, BTreeMap<String, u64>>,
    /// By kind.
    pub(super) last: BTreeMap<String, Last>,
    pub(super) saved: Saved,
    /// Of the last backup that has its snapshot.
    pub(super) last_saved: Option<Saved>,
    pub(super) held_seconds: f64,
    pub(super) rotated: Rotated,
    /// As the last rotation left the snapshots.
    pub(super) rotation: Option<Rotation>,
    /// As the last run found it that looked at its index.
    pub(super) repository: Option<RepositorySize>,
    /// Of the last run that reached the storage.
    pub(super) probe_seconds: Option<f64>,
}

/// How the last run of a kind went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Last {
    pub(super) ended: Option<Timestamp>,
    pub(super) succeeded: bool,
    pub(super) seconds: f64,
    /// By the step's name.
    pub(super) steps: BTreeMap<String, f64>,
    pub(super) missed: u64,
    pub(super) held_seconds: Option<f64>,
}

/// What all rotations came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Rotated {
    pub(super) rotations: u64,
    /// Rotations that removed nothing of what was to go.
    pub(super) refused: u64,
    /// Snapshots.
    pub(super) removed: u64,
}

impl Totals {
    /// Takes in the end of a run; one without an outcome is a crash.
    pub fn count(&mut self, run: &RunState) {
        let Some(kind) = run.kind else { return };
        let outcome = run.outcome.map_or(CRASHED, Outcome::name);
        *self.runs.entry(kind.name().to_owned()).or_default().entry(outcome.to_owned()).or_default() += 1;
        if let Some(saved) = &run.saved {
            self.saved.add(saved);
            self.last_saved = Some(*saved);
        }
        self.held_seconds += run.held_seconds.unwrap_or_default();
        if let Some(rotation) = &run.rotation {
            self.rotated.add(rotation);
        }
        self.rotation = run.rotation.or(self.rotation);
        self.repository = run.repository.or(self.repository);
        self.probe_seconds = run.probe_seconds.or(self.probe_seconds);
        self.last.insert(kind.name().to_owned(), Last::of(run));
    }
}

impl Last {
    fn of(run: &RunState) -> Self {
        let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
        let mut steps = BTreeMap::new();
        for step in &run.steps {
            if let Some(ended) = step.ended {
                *steps.entry(step.step.name().to_owned()).or_default() += seconds(step.started, ended);
            }
        }
        Self {
            ended: run.finished.or(run.started),
            succeeded: run.outcome == Some(Outcome::Success),
            seconds: run.started.zip(run.finished).map_or(0.0, |(from, to)| seconds(from, to)),
            steps,
            missed: run.missed_count,
            held_seconds: run.held_seconds,
        }
    }
}

impl Rotated {
    fn add(&mut self, rotation: &Rotation) {
        self.rotations += 1;
        self.refused += u64::from(rotation.refused > 0);
        self.removed += rotation.removed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RunKind;

    /// As it was written before there were numbers of rotations, of the repository and of the storage's probe.
    const FORMER: &str = r#"{
        "runs": {"backup": {"success": 2}},
        "last": {"backup": {"ended": "2026-01-01T00:00:00Z", "succeeded": true, "seconds": 1.5, "saved": null}},
        "saved": {"files": 7, "files_new": 0, "files_changed": 0, "bytes": 5, "bytes_added": 3, "bytes_stored": 2},
        "held_seconds": 0.5
    }"#;

    #[test]
    fn what_was_counted_before_goes_on_and_what_a_run_does_not_tell_stays() {
        let mut totals: Totals = serde_json::from_str(FORMER).unwrap();
        assert_eq!((totals.rotation, totals.repository, totals.probe_seconds), (None, None, None));
        let rotation = Rotation { snapshots: 3, removed: 2, ..Rotation::default() };
        let size = RepositorySize { packs: 4, bytes: 100 };
        let backup = RunState {
            kind: Some(RunKind::Backup),
            outcome: Some(Outcome::Success),
            saved: Some(Saved { files: 1, ..Saved::default() }),
            rotation: Some(rotation),
            repository: Some(size),
            probe_seconds: Some(0.25),
            ..RunState::default()
        };
        totals.count(&backup);
        totals.count(&RunState { kind: Some(RunKind::Backup), ..RunState::default() });
        let refused = Rotation { snapshots: 9, refused: 6, ..Rotation::default() };
        let forget = RunState { kind: Some(RunKind::Forget), rotation: Some(refused), ..RunState::default() };
        totals.count(&forget);
        assert_eq!(totals.runs["backup"]["success"], 3);
        assert_eq!(totals.runs["backup"]["crashed"], 1);
        assert_eq!((totals.saved.files, totals.last_saved.map(|saved| saved.files)), (8, Some(1)));
        assert_eq!((totals.rotation, totals.repository), (Some(refused), Some(size)));
        assert_eq!(totals.probe_seconds, Some(0.25));
        assert_eq!(totals.rotated, Rotated { rotations: 2, refused: 1, removed: 2 });
        let written = serde_json::to_string(&totals).unwrap();
        assert_eq!(serde_json::from_str::<Totals>(&written).unwrap(), totals);
    }
}
