//! A repository that is too large to be read at once is read part by part, one at each check, until everything was read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Job;
use crate::error::Result;
use crate::repo::Part;
use crate::sys::fs::write_atomic;

const FILE: &str = "check.json";

/// How far the reading has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    repository: String,
    /// The part that is next, or was just read, from 1.
    pub part: u32,
    pub parts: u32,
    /// When the first part of this round was read.
    pub round_began: Timestamp,
    /// When everything was last read once, with what came into it meanwhile left for the next round.
    pub all_read: Option<Timestamp>,
}

impl Walk {
    /// The part that is next. A walk in other steps, of another repository, or one that nobody remembers begins anew.
    pub(crate) fn next(job: &Job, repository: &str, percent: f64) -> Self {
        let parts = parts(percent);
        let text = std::fs::read(job.state.join(FILE)).unwrap_or_default();
        let known: Option<Self> = serde_json::from_slice(&text).ok();
        let known = known.filter(|walk| walk.repository == repository);
        let all_read = known.as_ref().and_then(|walk| walk.all_read);
        match known.filter(|walk| walk.parts == parts && (1..=parts).contains(&walk.part)) {
            Some(walk) => walk,
            None => Self {
                repository: repository.to_owned(),
                part: 1,
                parts,
                round_began: Timestamp::now(),
                all_read,
            },
        }
    }

    pub(crate) const fn slice(&self) -> Part {
        Part { part: self.part, parts: self.parts }
    }

    /// This part was read to its end: the next check takes the one behind it.
    pub(crate) fn advance(&mut self, job: &Job) -> Result<()> {
        let now = Timestamp::now();
        let mut next = Self { part: self.part + 1, ..self.clone() };
        if self.part == self.parts {
            self.all_read = Some(now);
            next = Self { part: 1, round_began: now, ..self.clone() };
        }
        write_atomic(&job.state.join(FILE), &serde_json::to_vec_pretty(&next)?, 0o600)
    }
}

/// How many checks it takes to read everything once.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and 100,000
pub fn parts(percent: f64) -> u32 {
    (100.0 / percent).ceil().clamp(1.0, 100_000.0) as u32
}
