//! What the agent must not forget about a site, in one file that is written before anything is begun.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::spool;
use super::wish::Wish;
use crate::error::{Context, Result};
use crate::schedule::Kind;
use crate::schedule::agenda;
use crate::sys::fs::write_atomic;

const FILE: &str = "agent.json";

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    #[serde(default)]
    pub(super) tasks: BTreeMap<Kind, agenda::Memory>,
    #[serde(default)]
    pub(super) requests: spool::Memory,
    /// The run for requests that was decided on and has not come to its end.
    #[serde(default)]
    pub(super) requested: Option<String>,
    /// Runs that somebody asked for and that did not come to their end, by their names.
    #[serde(default)]
    pub(super) asked: BTreeMap<String, Wish>,
    /// The configuration that was accepted last, by its own name.
    #[serde(default)]
    pub(super) config_file: Option<PathBuf>,
    /// The run that the agent asked to unwind on its own way out.
    #[serde(default)]
    pub(super) interrupted: Option<String>,
}

impl Memory {
    /// What was remembered; nothing of a site that is new, or whose memory cannot be read: then the second part says why.
    pub(super) fn recall(state: &Path) -> (Self, Option<String>) {
        let place = place(state);
        let text = match fs::read(&place) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (Self::default(), None),
            Err(error) => {
                return (Self::default(), Some(format!("{} cannot be read: {error}", place.display())));
            }
        };
        match serde_json::from_slice(&text) {
            Ok(memory) => (memory, None),
            Err(error) => (Self::default(), Some(format!("{} is damaged: {error}", place.display()))),
        }
    }

    pub(super) fn keep(&self, state: &Path) -> Result<()> {
        let place = place(state);
        let text = serde_json::to_vec_pretty(self).context("write down the agent's memory")?;
        write_atomic(&place, &text, 0o600)
    }
}

fn place(state: &Path) -> PathBuf {
    state.join(FILE)
}
