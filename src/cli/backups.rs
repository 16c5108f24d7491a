//! Snapshots in the shape in which the forms of the platform's former add-ons ask for them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::repo::Snapshot;
use crate::schedule::SAFETY;

/// The answer of `getBackups`: environments, and the names of their snapshots, newest first.
#[derive(Default, Serialize)]
pub(super) struct Backups {
    /// The platform's word for success.
    result: u8,
    envs: Vec<String>,
    #[serde(rename = "backups")]
    stamps: BTreeMap<String, Vec<String>>,
    /// What is not among them, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    unreadable: BTreeMap<String, String>,
}

impl Backups {
    /// Those of `snapshots`, oldest first, that a form may offer: whole ones, and none that a restore made of what it replaced.
    pub(super) fn add(&mut self, environment: &str, snapshots: &[Snapshot]) {
        let offered = snapshots.iter().filter(|one| one.complete && !one.has_tag(SAFETY));
        let mut stamps: Vec<_> = offered.rev().map(Snapshot::stamp).collect();
        stamps.dedup();
        self.envs.push(environment.to_owned());
        self.stamps.insert(environment.to_owned(), stamps);
    }

    pub(super) fn unreadable(&mut self, environment: &str, why: &str) {
        self.unreadable.insert(environment.to_owned(), why.to_owned());
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        writeln!(out)
    }
}
