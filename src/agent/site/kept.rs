//! What is kept on disk of a site: the claim on it, its configuration as it was accepted, and what must not be forgotten.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Site;
use crate::agent::order::Order;
use crate::agent::roster::accepted;
use crate::error::{Context, Result};
use crate::sys::claim::{Claim, claim};
use crate::sys::fs::write_atomic;

const LOCK: &str = "agent.lock";

pub(super) fn claim_of(state: &Path) -> Result<Claim> {
    claim(&state.join(LOCK), "agent")
}

impl Site {
    /// Runs read what was accepted, and not what somebody is just editing.
    pub(super) fn keep_config(&self) -> Result<()> {
        write_atomic(&self.accepted(), &self.text, 0o600)
    }

    /// The configuration as it was accepted.
    pub(in crate::agent) fn accepted(&self) -> PathBuf {
        accepted(&self.state)
    }

    /// Somebody who tidies up must not end the backups: what was removed is written again, from what this process knows.
    pub(super) fn look_after_place(&mut self, now: Timestamp, _orders: &mut Vec<Order>) -> Result<()> {
        if self.accepted().exists() && self.state.join(LOCK).exists() {
            return Ok(());
        }
        if !self.state.join(LOCK).exists() {
            self.claim = claim_of(&self.state).context("take the site on again")?;
        }
        self.keep_config()?;
        self.keep(now);
        self.complain(format!(
            "{} was removed and is written anew; its history may be gone",
            self.state.display()
        ));
        Ok(())
    }

    /// Writes down what must not be forgotten. A disk that is full is no reason to do nothing: what is due is then begun all the same,
    /// and might be begun once more by the next agent.
    pub(super) fn keep(&mut self, now: Timestamp) {
        if let Err(error) = self.memory.keep(&self.state) {
            self.complain_sometimes(format!("{error}: a run may happen twice if the agent ends now"), now);
        }
    }
}
