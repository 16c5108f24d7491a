//! How full a storage was, over time: a short log from which can be told when it will be full.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outbox::directory;
use crate::error::{Context, Result};
use crate::sys::fs::{create_private_directory, write_atomic};

const FILE: &str = "storage.json";

/// Samples are kept so far apart; of more, the newest stands for all.
const APART: Duration = Duration::from_mins(50);

/// With the distance between them, a month and more.
const MOST: usize = 900;

/// The room on a storage at one moment, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub at: Timestamp,
    pub free: u64,
    pub total: u64,
}

/// All that is known of a site's storage, the oldest first. What cannot be read is taken as nothing: it comes again.
pub fn samples(state: &Path) -> Vec<Sample> {
    let text = std::fs::read(place(state)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Adds a sample and returns them all.
pub fn add_sample(state: &Path, sample: Sample) -> Result<Vec<Sample>> {
    let mut known = samples(state);
    // A clock that was set back: what it said before is not comparable.
    known.retain(|other| other.at < sample.at);
    if let [.., before, last] = known[..]
        && last.total == sample.total
        && Duration::try_from(last.at.duration_since(before.at)).is_ok_and(|apart| apart < APART)
    {
        known.pop();
    }
    known.push(sample);
    let surplus = known.len().saturating_sub(MOST);
    known.drain(..surplus);
    create_private_directory(&directory(state))?;
    write_atomic(&place(state), &serde_json::to_vec(&known).context("write samples")?, 0o600)?;
    Ok(known)
}

fn place(state: &Path) -> PathBuf {
    directory(state).join(FILE)
}
