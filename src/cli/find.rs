//! `lifeboat find`.

use super::args::Find;
use super::browse::name;
use super::output::{count, table};
use super::{Done, SUCCESS, Session};
use crate::event::Outcome;
use crate::repo::{FoundPath, Mode, Pattern, Search};
use crate::run::{self, Job};

pub(super) fn find(session: &Session<'_>, args: &Find) -> Done {
    let limit = usize::try_from(args.limit)?;
    let wanted = Search { pattern: Pattern::new(&args.pattern)?, path: args.path.clone(), limit };
    let job = session.repository_job()?;
    let cx = session.quiet_cx();
    let found = run::with_repo(&job, Mode::Shared, "find", &cx, |repo| run::find(repo, &job, &wanted, &cx))?;
    let code = if found.unreadable == 0 { SUCCESS } else { Outcome::Incomplete.exit_code() };
    session.output.result(code, &found, |out| {
        if !found.paths.is_empty() {
            let rows = found.paths.iter().flat_map(|path| rows(path, &job));
            let header = ["Path", "Kind", "Size", "Modified", "Snapshot", "Taken", ""];
            writeln!(out, "{}", table(&header, &[2], rows))?;
        }
        let all = found.paths.len() as u64 + found.left_out;
        writeln!(out, "{} in {}", count(all, "path"), count(found.snapshots as u64, "snapshot"))?;
        if found.left_out > 0 {
            let left_out = count(found.left_out, "path");
            writeln!(out, "{left_out} not listed: narrow the search with --path, or list more with --limit")?;
        }
        if found.unreadable > 0 {
            let text = "INCOMPLETE: directories are damaged; `lifeboat check` says what that means";
            writeln!(out, "{text} ({})", found.unreadable)?;
        }
        Ok(())
    })
}

/// A line for each version; what belongs to the path as a whole is in its first.
fn rows(found: &FoundPath, job: &Job) -> Vec<Vec<String>> {
    let row = |(at, version): (usize, &crate::repo::Version)| {
        let remark = match (at, found.in_newest) {
            (0, false) => "gone",
            _ if version.in_newest => "there now",
            _ => "",
        };
        vec![
            if at == 0 { name(&found.path) } else { String::new() },
            version.kind.clone(),
            version.size.to_string(),
            version.mtime.map(|time| job.local(time)).unwrap_or_default(),
            version.snapshot[..8].to_owned(),
            job.local(version.time),
            remark.to_owned(),
        ]
    };
    found.versions.iter().enumerate().map(row).collect()
}
