//! `lifeboat ls` and `diff`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{Diff, Ls};
use super::output::{bytes, count, printable, table};
use super::{Done, SUCCESS, Session};
use crate::error::Result;
use crate::event::Cx;
use crate::repo::{ChangeKind, Difference, Entry, Mode, Repo, Snapshot};
use crate::run::{self, Job};
use crate::schedule::Wanted;

#[derive(Serialize)]
struct Listing {
    snapshot: Snapshot,
    entries: Vec<Entry>,
}

/// Two snapshots, and what differs.
#[derive(Serialize)]
struct Compared {
    old: Snapshot,
    new: Snapshot,
    #[serde(flatten)]
    difference: Difference,
}

pub(super) fn ls(session: &Session<'_>, args: &Ls) -> Done {
    let job = session.repository_job()?;
    let cx = session.quiet_cx();
    let listing = run::with_repo(&job, Mode::Shared, "ls", &cx, |repo| {
        let snapshot = chosen(repo, &args.snapshot, &job, &cx)?;
        let entries = repo.reader()?.list(&snapshot, &args.path, args.depth)?;
        Ok(Listing { snapshot, entries })
    })?;
    session.output.result(SUCCESS, &listing, |out| {
        if !args.long {
            return listing.entries.iter().try_for_each(|entry| writeln!(out, "{}", name(&entry.path)));
        }
        let rows = listing.entries.iter().map(|entry| {
            let time =
                entry.mtime.map(|at| at.to_zoned(job.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string());
            vec![
                entry.mode.clone(),
                entry.owner.clone(),
                entry.size.to_string(),
                time.unwrap_or_default(),
                name(&entry.path),
            ]
        });
        writeln!(out, "{}", table(&["Mode", "Owner", "Size", "Time", "Path"], &[2], rows))
    })
}

pub(super) fn diff(session: &Session<'_>, args: &Diff) -> Done {
    let job = session.repository_job()?;
    let cx = session.quiet_cx();
    let limit = args.limit.map(usize::try_from).transpose()?.unwrap_or(usize::MAX);
    let compared = run::with_repo(&job, Mode::Shared, "diff", &cx, |repo| {
        let (old, new) = (chosen(repo, &args.old, &job, &cx)?, chosen(repo, &args.new, &job, &cx)?);
        let difference = repo.reader()?.diff((&old, &new), &args.path, limit, &cx)?;
        Ok(Compared { old, new, difference })
    })?;
    let Difference { listed, counts, left_out } = &compared.difference;
    session.output.result(SUCCESS, &compared, |out| {
        for change in &listed.changes {
            writeln!(out, "{} {}", mark(change.kind), name(&PathBuf::from("/").join(&change.path)))?;
        }
        if *left_out > 0 {
            writeln!(out, "{} not listed", count(*left_out, "more change"))?;
        }
        writeln!(
            out,
            "{} added, {} removed, {} changed, {} with other attributes; {} new content",
            counts.added,
            counts.removed,
            counts.changed,
            count(counts.metadata, "entry").replace("entrys", "entries"),
            bytes(listed.bytes)
        )
    })
}

/// A path as it can be shown: one line, no control characters.
pub(super) fn name(path: &Path) -> String {
    printable(&path.display().to_string()).into_owned()
}

/// As restic marks them: `+` added, `-` removed, `M` content, `U` attributes.
pub(super) const fn mark(kind: ChangeKind) -> char {
    match kind {
        ChangeKind::Added => '+',
        ChangeKind::Removed => '-',
        ChangeKind::Changed => 'M',
        ChangeKind::Metadata => 'U',
    }
}

/// The snapshot that a person named in whatever way.
pub(super) fn chosen(repo: &Repo, text: &str, job: &Job, cx: &Cx) -> Result<Snapshot> {
    let wanted = Wanted::parse(text, jiff::Timestamp::now(), &job.zone)?;
    run::choose(repo, &wanted, job, cx)
}
