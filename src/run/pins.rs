//! Holding a snapshot back from rotation, by a tag on the snapshot itself: stock restic shows it, and a node that lost its state
//! knows it.

use serde::Serialize;

use super::{Job, choose, with_repo};
use crate::error::Result;
use crate::event::Cx;
use crate::repo::{Mode, Repo, Snapshot};
use crate::schedule::{Pin, Wanted};

/// A snapshot with its new tags, and so with its new id.
#[derive(Clone, Debug, Serialize)]
pub struct Pinned {
    pub snapshot: Snapshot,
    /// Its id until now; the same if nothing had to be changed.
    pub former_id: String,
}

/// Holds a snapshot; the pin takes the place of one that it has.
pub fn pin(job: &Job, wanted: &Wanted, pin: Pin, cx: &Cx) -> Result<Pinned> {
    retag(job, wanted, Some(pin), "pin", cx)
}

/// Lets the rules decide on it again; the tag `keep` is not a pin, and stays.
pub fn unpin(job: &Job, wanted: &Wanted, cx: &Cx) -> Result<Pinned> {
    retag(job, wanted, None, "unpin", cx)
}

fn retag(job: &Job, wanted: &Wanted, pin: Option<Pin>, purpose: &str, cx: &Cx) -> Result<Pinned> {
    with_repo(job, Mode::Exclusive, purpose, cx, |repo| {
        let snapshot = choose(repo, wanted, job, cx)?;
        let tag = pin.map(Pin::tag).unwrap_or_default();
        let former_id = snapshot.id.clone();
        let snapshot = if has_just(&snapshot, &tag) { snapshot } else { change(repo, &snapshot, &tag)? };
        Ok(Pinned { snapshot, former_id })
    })
}

fn has_just(snapshot: &Snapshot, wanted: &str) -> bool {
    let ours: Vec<_> = snapshot.tags.iter().filter(|tag| Pin::is_ours(tag)).collect();
    if wanted.is_empty() { ours.is_empty() } else { ours == [wanted] }
}

fn change(repo: &Repo, snapshot: &Snapshot, tag: &str) -> Result<Snapshot> {
    repo.retag(snapshot, |tag| !Pin::is_ours(tag), tag)
}
