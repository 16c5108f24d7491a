//! Which snapshot a person means, said back so that a wrong reading is seen before it hurts.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Job;
use crate::error::{Error, Kind, Result};
use crate::event::Cx;
use crate::repo::{Repo, Snapshot};
use crate::schedule::{SAFETY, Wanted};

/// Finds it among the snapshots of this site; an id may also name another one.
pub fn snapshot(repo: &Repo, wanted: &Wanted, job: &Job, cx: &Cx) -> Result<Snapshot> {
    let chosen = match wanted {
        Wanted::Id(prefix) => repo.snapshot_by_id(prefix)?,
        Wanted::Stamp(stamp) => stamped(repo, job, stamp, cx)?,
        Wanted::Latest => newest(repo, job, None, cx)?,
        Wanted::AtOrBefore { ts, said, note } => {
            if let Some(note) = note {
                cx.note(note.clone());
            }
            newest(repo, job, Some((*ts, said)), cx)?
        }
    };
    let complete = if chosen.complete { "" } else { ", incomplete" };
    cx.note(format!("chose snapshot {} of {}{complete}", chosen.short_id(), job.local(chosen.time)));
    if chosen.site != job.site.name && chosen.adopted.is_none() {
        cx.warn(format!("this snapshot was made as {}, not as {}", chosen.site, job.site.name));
    }
    if !chosen.complete {
        cx.warn("something could not be read when this snapshot was made; it is not in it");
    }
    Ok(chosen)
}

/// The one that a form of the former add-ons would list under this name; two of one second are told apart by their ids alone.
fn stamped(repo: &Repo, job: &Job, stamp: &str, cx: &Cx) -> Result<Snapshot> {
    let mut found = of_site(repo.snapshots()?, job);
    found.retain(|one| one.stamp().eq_ignore_ascii_case(stamp) && !one.has_tag(SAFETY));
    let Some(chosen) = found.pop() else {
        let text = format!("{} has no snapshot {stamp}", job.site.name);
        return Err(Error::new(Kind::NotFound, text)
            .with_remedy("`lifeboat snapshots --get-backups` lists their names"));
    };
    if !found.is_empty() {
        let others: Vec<_> = found.iter().map(Snapshot::short_id).collect();
        cx.warn(format!(
            "{} has the same name {stamp} as {}: name one by its id",
            chosen.short_id(),
            others.join(", ")
        ));
    }
    Ok(chosen)
}

fn newest(repo: &Repo, job: &Job, limit: Option<(Timestamp, &String)>, cx: &Cx) -> Result<Snapshot> {
    let ours = of_site(repo.snapshots()?, job);
    // What a restore saved before it began is the state that somebody wanted to leave: only its id chooses it.
    let within = |snapshot: &&Snapshot| {
        limit.is_none_or(|(limit, _)| snapshot.time <= limit) && !snapshot.has_tag(SAFETY)
    };
    let Some(chosen) = ours.iter().rev().filter(within).find(|snapshot| snapshot.complete) else {
        let when = limit.map(|(_, said)| format!(" at or before {said}")).unwrap_or_default();
        let first = ours.iter().find(|snapshot| snapshot.complete && !snapshot.has_tag(SAFETY));
        let remedy = match first {
            Some(first) => format!("the first one is {} of {}", first.short_id(), job.local(first.time)),
            None => "`lifeboat snapshots` lists what there is".to_owned(),
        };
        return Err(Error::new(Kind::NotFound, format!("{} has no complete snapshot{when}", job.site.name))
            .with_remedy(remedy));
    };
    let skipped = ours.iter().rev().filter(within).take_while(|snapshot| snapshot.id != chosen.id).count();
    if skipped > 0 {
        cx.warn(format!(
            "passed over {skipped} newer incomplete snapshots; name one by its id to restore it"
        ));
    }
    let same_second =
        |other: &&Snapshot| other.time.as_second() == chosen.time.as_second() && other.id != chosen.id;
    let twins: Vec<_> = ours.iter().filter(same_second).map(Snapshot::short_id).collect();
    if !twins.is_empty() {
        cx.warn(format!(
            "in the second of {} there are others, {}: name one by its id, or by a fraction of the second",
            chosen.short_id(),
            twins.join(", ")
        ));
    }
    Ok(chosen.clone())
}

/// Those of this site, with what an adopted repository had before, and those that another program made of its root. Many nodes have their site at the same path: a
/// snapshot of ours says by its name whose it is, and of other programs' ones only a single host's can be meant.
pub fn of_site(all: Vec<Snapshot>, job: &Job) -> Vec<Snapshot> {
    let foreign = |snapshot: &Snapshot| snapshot.root.is_none() && snapshot.paths.contains(&job.site.root);
    let hosts: BTreeSet<String> =
        all.iter().filter(|snapshot| foreign(snapshot)).map(|snapshot| snapshot.site.clone()).collect();
    let ours = |snapshot: &Snapshot| {
        let single = hosts.len() == 1 && foreign(snapshot);
        snapshot.site == job.site.name || snapshot.adopted.is_some() || single
    };
    all.into_iter().filter(ours).collect()
}
