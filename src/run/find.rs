//! A search through everything that was saved of a site.

use super::{Job, choose};
use crate::error::Result;
use crate::event::Cx;
use crate::repo::{Found, Repo, Search, Snapshot};
use crate::schedule::SAFETY;

/// Looks through all snapshots of this site. The newest is the one that `latest` means, if there is a complete one.
pub fn find(repo: &Repo, job: &Job, wanted: &Search, cx: &Cx) -> Result<Found> {
    let mut snapshots = choose::of_site(repo.snapshots()?, job);
    snapshots.reverse();
    let usual = |snapshot: &&Snapshot| snapshot.complete && !snapshot.has_tag(SAFETY);
    let newest = snapshots.iter().find(usual).or_else(|| snapshots.first()).map(|newest| newest.id.clone());
    repo.reader()?.search(&snapshots, newest.as_deref(), wanted, cx)
}
