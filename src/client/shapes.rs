//! What an agent says of itself, its sites and their runs. What is missing has its default; what is new is passed on as it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How the agent itself is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Health {
    /// `ok` or `trouble`.
    pub status: String,
    pub version: String,
    /// What it complains of, by site.
    pub troubles: Vec<String>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A site that the agent looks after.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Site {
    pub name: String,
    pub work: Vec<Work>,
    /// The next one first.
    pub queue: Vec<Queued>,
    /// The run that the agent has at work.
    pub at_work: Option<String>,
    pub troubles: Vec<String>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One kind of scheduled work.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Work {
    pub work: String,
    pub next: Option<Timestamp>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A run that waits.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Queued {
    pub run: String,
    pub what: String,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A run: one that waits, is at work, or was.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Run {
    pub id: String,
    pub site: String,
    pub kind: Option<String>,
    /// `waiting`, `running`, `ended` or `crashed`.
    pub standing: String,
    pub cause: String,
    pub started: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub phase: Option<String>,
    /// The step at work.
    pub step: Option<String>,
    pub progress: Option<Progress>,
    pub steps: Vec<Step>,
    pub outcome: Option<String>,
    pub error: Option<String>,
    pub remedy: Option<String>,
    pub snapshot: Option<String>,
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
    pub missed: Vec<String>,
    pub missed_count: u64,
    pub stuck: Vec<String>,
    pub saved: Option<Saved>,
    /// For how long a backup held the site still.
    pub held_seconds: Option<f64>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// How far the step at work is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Progress {
    pub done: u64,
    pub total: Option<u64>,
    /// `bytes`, `files` or `rows`.
    pub unit: String,
    pub percent: Option<f64>,
    pub seconds_left: Option<f64>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Step {
    pub step: String,
    pub started: Timestamp,
    /// How long it took, once it is over.
    pub seconds: Option<f64>,
    pub failed: Option<String>,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What a snapshot holds, and what of it is new.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Saved {
    pub files: u64,
    pub files_new: u64,
    pub files_changed: u64,
    pub bytes: u64,
    pub bytes_added: u64,
    pub bytes_stored: u64,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One thing that was said in a run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Happened {
    pub seq: u32,
    pub at: Timestamp,
    /// Such as `step-started`.
    pub event: String,
    pub text: String,
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Run {
    pub fn is_over(&self) -> bool {
        matches!(self.standing.as_str(), "ended" | "crashed")
    }

    /// How long it took.
    pub fn seconds(&self) -> Option<f64> {
        Some(self.finished?.duration_since(self.started?).as_secs_f64())
    }

    /// How it stands, in one word.
    pub fn word(&self) -> &str {
        match self.standing.as_str() {
            "crashed" => "CRASHED",
            "ended" => self.outcome.as_deref().unwrap_or("CRASHED"),
            standing => standing,
        }
    }
}

impl Progress {
    /// At its pace so far, per second.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // shown to people
    pub fn rate(&self) -> Option<u64> {
        let left = self.total?.checked_sub(self.done)?;
        let seconds = self.seconds_left.filter(|seconds| *seconds > 0.0)?;
        // At the end nothing is left to go by.
        Some((left as f64 / seconds) as u64).filter(|rate| *rate > 0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn additions_are_passed_on_and_what_is_missing_is_no_error() {
        let said = json!({"id": "r", "standing": "running", "new": {"deep": 1}, "progress": {"done": 1, "unit": "stars", "x": 2}});
        let run: Run = serde_json::from_value(said).unwrap();
        let passed = serde_json::to_value(&run).unwrap();
        assert_eq!((&passed["new"]["deep"], &passed["progress"]["x"]), (&json!(1), &json!(2)));
        assert_eq!(run.word(), "running");
        let site: Site = serde_json::from_value(json!({"name": "s"})).unwrap();
        assert!(site.queue.is_empty() && site.at_work.is_none());
    }

    #[test]
    fn the_pace_is_what_is_left_over_the_time_left() {
        let progress =
            Progress { done: 50, total: Some(150), seconds_left: Some(10.0), ..Progress::default() };
        assert_eq!(progress.rate(), Some(10));
        let stuck = Progress { seconds_left: Some(0.0), ..progress };
        assert_eq!(stuck.rate(), None);
    }
}
