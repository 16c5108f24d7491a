//! The fold of a run's events: what has happened so far, and at the end the report.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Event, Outcome, Phase, RunKind, Step, Unit, What};

/// How many missed paths and warnings the report lists by name; the counts are always exact.
const LISTED: usize = 100;

/// Everything there is to say about one run; each view of a run is made from this alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunState {
    pub run: String,
    pub kind: Option<RunKind>,
    pub site: String,
    pub cause: String,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub steps: Vec<StepState>,
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
    pub warning_count: u64,
    pub missed: Vec<(String, String)>,
    pub missed_count: u64,
    /// Releases and reverts that failed: a person must look.
    pub stuck: Vec<(Step, String)>,
    /// What a drill brought back, as long as it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch: Option<Scratch>,
    /// Of the storage, in bytes: free, and in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<(u64, u64)>,
    /// How long it took to reach the storage and to prove that it is the one meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_seconds: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositorySize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// Of a backup that holds the site still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// How long a backup held the site still, in all; nothing if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_seconds: Option<f64>,
    /// Of a backup that has its snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<Saved>,
    /// What hooks had left out of the files, besides what the configuration says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// What hooks want the snapshot to be found by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    pub outcome: Option<Outcome>,
    pub snapshot: Option<String>,
    pub error: Option<String>,
    pub remedy: Option<String>,
}

/// What a snapshot holds, and what of it is new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Saved {
    pub files: u64,
    pub files_new: u64,
    pub files_changed: u64,
    pub bytes: u64,
    /// New data before compression.
    pub bytes_added: u64,
    /// What the repository grew by.
    pub bytes_stored: u64,
}

impl Saved {
    pub fn add(&mut self, more: &Self) {
        self.files += more.files;
        self.files_new += more.files_new;
        self.files_changed += more.files_changed;
        self.bytes += more.bytes;
        self.bytes_added += more.bytes_added;
        self.bytes_stored += more.bytes_stored;
    }
}

/// What a repository holds by its own index, packs that are marked for deletion among it. What an interrupted run left on the
/// storage is in no index, and not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepositorySize {
    pub packs: u64,
    pub bytes: u64,
}

/// What a rotation came to, in snapshots of the site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rotation {
    /// Those that are there at its end.
    pub snapshots: u64,
    /// Those of them in which nothing is missing.
    pub complete: u64,
    /// Those of them that no rule keeps any more, and whose grace is not over.
    pub held: u64,
    pub removed: u64,
    /// Those that no rule keeps any more, and that stay because the brake, the clock or an emptied site had all of them stay.
    pub refused: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scratch {
    pub files: PathBuf,
    /// Each live database, and the name of its copy.
    pub databases: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepState {
    pub step: Step,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub failed: Option<String>,
    pub released: bool,
    pub reverted: bool,
    pub done: u64,
    pub total: Option<u64>,
    pub unit: Option<Unit>,
}

impl RunState {
    pub fn apply(&mut self, event: &Event) {
        match &event.what {
            What::RunStarted { kind, site, cause } => {
                self.run.clone_from(&event.run);
                self.kind = Some(*kind);
                self.site.clone_from(site);
                self.cause.clone_from(cause);
                self.started = Some(event.at);
            }
            What::StepStarted { step } => self.steps.push(StepState {
                step: *step,
                started: event.at,
                ended: None,
                failed: None,
                released: false,
                reverted: false,
                done: 0,
                total: None,
                unit: None,
            }),
            What::StepDone { step } | What::StepSkipped { step, .. } => self.end(*step, event.at, None),
            What::StepFailed { step, error, remedy } => {
                self.end(*step, event.at, Some(error.clone()));
                self.remedy.clone_from(remedy);
            }
            What::Progress { done, total, unit } => {
                if let Some(step) = self.steps.last_mut() {
                    (step.done, step.total, step.unit) = (*done, *total, Some(*unit));
                }
            }
            What::Note { text } => self.notes.push(text.clone()),
            What::Warning { path, text } => {
                self.warning_count += 1;
                if self.warnings.len() < LISTED {
                    self.warnings
                        .push(path.as_ref().map_or_else(|| text.clone(), |path| format!("{path}: {text}")));
                }
            }
            What::Missed { path, why } => {
                self.missed_count += 1;
                if self.missed.len() < LISTED {
                    self.missed.push((path.clone(), why.clone()));
                }
            }
            What::HookRan { .. } => {}
            What::HookAnswered { exclude, tags, .. } => {
                self.exclude.extend(exclude.iter().cloned());
                self.tags.extend(tags.iter().cloned());
            }
            What::Scratch { files, databases } => {
                self.scratch = Some(Scratch { files: files.clone(), databases: databases.clone() });
            }
            What::Space { free, total, probe_seconds } => {
                (self.space, self.probe_seconds) = (Some((*free, *total)), *probe_seconds);
            }
            What::RepositorySize(size) => self.repository = Some(*size),
            What::Rotated(rotation) => self.rotation = Some(*rotation),
            What::Saved(saved) => self.saved = Some(*saved),
            What::PhaseBegun { phase } => self.phase = Some(*phase),
            What::GivenBack { seconds } => {
                self.held_seconds = Some(self.held_seconds.unwrap_or_default() + seconds);
            }
            What::Released { step } => self.mark(*step, |step| step.released = true),
            What::Reverted { step } => self.mark(*step, |step| step.reverted = true),
            What::Stuck { step, error } => self.stuck.push((*step, error.clone())),
            What::RunFinished { outcome, snapshot, error } => {
                self.finished = Some(event.at);
                self.outcome = Some(*outcome);
                self.snapshot.clone_from(snapshot);
                self.error.clone_from(error);
            }
        }
    }

    /// Nothing is missing and nothing was left behind so far.
    pub fn is_whole(&self) -> bool {
        self.missed_count == 0 && self.stuck.is_empty() && self.steps.iter().all(|step| step.failed.is_none())
    }

    /// How long a step took that is at its end; the last one, if there were several.
    pub fn took(&self, step: Step) -> Option<SignedDuration> {
        let state = self.steps.iter().rev().find(|state| state.step == step)?;
        Some(state.ended?.duration_since(state.started))
    }

    /// From when the site was stopped to when it went on, if it did.
    pub fn downtime(&self) -> Option<SignedDuration> {
        let last = |step: Step| self.steps.iter().rev().find(|state| state.step == step);
        let (stopped, resumed) = (last(Step::Quiesce)?.started, last(Step::Resume)?.ended?);
        Some(resumed.duration_since(stopped))
    }

    fn end(&mut self, step: Step, at: Timestamp, failed: Option<String>) {
        self.mark(step, |state| {
            state.ended = Some(at);
            state.failed = failed;
        });
    }

    fn mark(&mut self, step: Step, change: impl FnOnce(&mut StepState)) {
        if let Some(state) = self.steps.iter_mut().rev().find(|state| state.step == step) {
            change(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_former_versions_are_still_read() {
        let said = r#"{"run":"r","seq":1,"at":"2026-01-01T00:00:00Z","event":"space","free":1,"total":2}"#;
        let mut state = RunState::default();
        state.apply(&serde_json::from_str(said).unwrap());
        assert_eq!((state.space, state.probe_seconds), (Some((1, 2)), None));
    }

    #[test]
    fn what_a_rotation_and_an_index_tell_comes_through_the_history() {
        let rotation = Rotation { snapshots: 5, complete: 4, held: 1, removed: 2, refused: 0 };
        let size = RepositorySize { packs: 3, bytes: 4096 };
        let space = What::Space { free: 1, total: 2, probe_seconds: Some(0.5) };
        let mut state = RunState::default();
        for what in [What::Rotated(rotation), What::RepositorySize(size), space] {
            let event = Event { run: "r".to_owned(), seq: 1, at: Timestamp::UNIX_EPOCH, what };
            state.apply(&serde_json::from_str(&serde_json::to_string(&event).unwrap()).unwrap());
        }
        assert_eq!((state.rotation, state.repository), (Some(rotation), Some(size)));
        assert_eq!(state.probe_seconds, Some(0.5));
    }
}
