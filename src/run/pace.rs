//! How fast restores have been on this node, so that the next one can say how long it will take.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Job;
use crate::database::SideCopy;
use crate::error::Result;
use crate::event::{RunState, Step};
use crate::sys::fs::write_atomic;

const FILE: &str = "pace.json";

/// What is over sooner tells nothing.
const SHORTEST: SignedDuration = SignedDuration::from_millis(200);

/// Used until one was measured: a small node with a slow share.
const GUESS: Pace = Pace { bytes_per_second: 20e6, rows_per_second: 20e3, measured: false };

/// Of files that are brought back (taken from the site or from the storage), and of rows that are loaded and verified.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pace {
    bytes_per_second: f64,
    rows_per_second: f64,
    /// Here, and not guessed.
    #[serde(skip, default = "yes")]
    measured: bool,
}

const fn yes() -> bool {
    true
}

/// How long something will take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    pub seconds: f64,
    /// From what was measured on this node; else it is a guess.
    pub measured: bool,
}

impl Pace {
    /// What is known here; a file that cannot be read is as good as none.
    pub(crate) fn of(job: &Job) -> Self {
        let text = std::fs::read(job.state.join(FILE)).unwrap_or_default();
        let known = serde_json::from_slice(&text).ok();
        known
            .filter(|pace: &Self| pace.bytes_per_second >= 1.0 && pace.rows_per_second >= 1.0)
            .unwrap_or(GUESS)
    }

    /// What is assumed until it was measured.
    #[cfg(test)]
    pub(crate) const fn guess() -> Self {
        GUESS
    }

    #[allow(clippy::cast_precision_loss)] // an estimate
    pub(crate) fn estimate(&self, bytes: u64, rows: u64) -> Estimate {
        let seconds = bytes as f64 / self.bytes_per_second + rows as f64 / self.rows_per_second;
        Estimate { seconds, measured: self.measured }
    }
}

/// Learns from a restore, or a drill: from how long its steps took that brought the files and loaded the rows.
#[allow(clippy::cast_precision_loss)] // an estimate
pub(crate) fn learn(job: &Job, state: &RunState, bytes: u64, copies: &[SideCopy]) -> Result<()> {
    let rows = copies.iter().map(|copy| copy.rows).sum();
    let known = Pace::of(job);
    let rate = |count: u64, step: Step, known: f64| {
        let time = state.took(step).unwrap_or_default();
        if count > 0 && time >= SHORTEST { count as f64 / time.as_secs_f64() } else { known }
    };
    let now = Pace {
        bytes_per_second: rate(bytes, Step::Fetch, known.bytes_per_second),
        rows_per_second: rate(rows, Step::Load, known.rows_per_second),
        measured: true,
    };
    if (now.bytes_per_second, now.rows_per_second) == (known.bytes_per_second, known.rows_per_second) {
        return Ok(());
    }
    write_atomic(&job.state.join(FILE), &serde_json::to_vec_pretty(&now)?, 0o600)
}
