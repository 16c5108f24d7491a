//! What stock restic sees of the repository: the exit door, tried while it is not needed.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::Finding;
use crate::error::{Context, Error, Result};
use crate::repo::Repo;
use crate::run::Job;
use crate::sys::process::{self, How, Program};
use crate::sys::trust;

/// Where packages and administrators put it; the search path of whoever calls us may lead elsewhere.
const PLACES: [&str; 3] = ["/usr/bin/restic", "/usr/local/bin/restic", "/opt/restic/restic"];
const DEADLINE: Duration = Duration::from_mins(1);
/// Bytes of its list of snapshots; more is not asked for to be understood.
const KEEP: usize = 16 << 20;

#[derive(Deserialize)]
struct Seen {
    id: String,
}

#[derive(Deserialize)]
struct Config {
    id: String,
}

/// Without restic, or the password, nothing of ours is wrong.
pub(super) fn look(job: &Job, repo: &Repo, ours: &BTreeSet<String>) -> Finding {
    let what = "stock restic";
    let Some(program) = PLACES.iter().copied().find(|path| Path::new(path).exists()) else {
        return Finding::note(what, "is not installed here, so that it was not asked what it sees");
    };
    let Some(password) = &job.repo.password else {
        return Finding::note(what, "was not asked what it sees: it needs `repository.password`").at(program);
    };
    let ask = |arguments: &[&str]| asked(program, repo.directory(), arguments, password.reveal());
    compare(repo, ours, ask).at(program)
}

fn compare(repo: &Repo, ours: &BTreeSet<String>, ask: impl Fn(&[&str]) -> Result<Vec<u8>>) -> Finding {
    let what = "stock restic";
    let theirs = || -> Result<(String, BTreeSet<String>)> {
        let config: Config =
            serde_json::from_slice(&ask(&["cat", "config"])?).context("read restic's answer")?;
        let list: Vec<Seen> =
            serde_json::from_slice(&ask(&["snapshots", "--json"])?).context("read restic's answer")?;
        Ok((config.id, list.into_iter().map(|seen| seen.id).collect()))
    };
    match theirs() {
        Err(error) => Finding::warning(
            what,
            format!("cannot read the repository: {error}"),
            "restic 0.14 or newer reads it with `repository.password`; `lifeboat key list` shows the keys",
        ),
        Ok((id, _)) if id != repo.id() => Finding::error(
            what,
            format!("opens another repository there: {id}"),
            "find out what is mounted there, before anything is written",
        ),
        Ok((_, theirs)) if &theirs != ours => {
            let (missing, more) = (ours.difference(&theirs).count(), theirs.difference(ours).count());
            Finding::error(
                what,
                format!(
                    "sees snapshots: {}; {missing} of ours are missing, {more} are unknown to us",
                    theirs.len()
                ),
                "`lifeboat check` says which are damaged; look again if a backup was at work meanwhile",
            )
        }
        Ok((_, theirs)) => Finding::ok(
            what,
            format!("opens it with the password and sees the same snapshots: {}", theirs.len()),
        ),
    }
}

/// It reads the password from standard input, which nobody else can see.
fn asked(program: &str, repository: &Path, arguments: &[&str], password: &str) -> Result<Vec<u8>> {
    trust::check(Path::new(program))?;
    let repository = repository.display().to_string();
    let mut command = vec![program, "--no-cache", "--no-lock", "--quiet", "--repo", &repository];
    command.extend(arguments);
    let command: Vec<_> = command.into_iter().map(str::to_owned).collect();
    let ended = process::run_unless(
        &Program {
            command: &command,
            environment: &[],
            input: format!("{password}\n").as_bytes(),
            deadline: DEADLINE,
            keep: KEEP,
        },
        || false,
    )?;
    if ended.how == How::ByItself && ended.status.success() && !ended.cut {
        return Ok(ended.output.to_vec());
    }
    let said = String::from_utf8_lossy(&ended.errors).lines().last().unwrap_or_default().to_owned();
    Err(Error::failed(match ended.how {
        How::ByItself if ended.status.success() => "its answer is too long".to_owned(),
        How::ByItself => format!("{} ({said})", ended.status),
        How::Overdue | How::Stopped => format!("no answer within {DEADLINE:?}"),
    }))
}
