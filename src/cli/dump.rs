//! `lifeboat dump`: a file of a snapshot, or one of its databases as SQL.

use std::io::{BufWriter, Write};
use std::path::Path;

use super::args::Dump;
use super::browse::chosen;
use super::{Done, SUCCESS, Session};
use crate::database;
use crate::error::{Error, Result};
use crate::event::{Cx, Outcome};
use crate::repo::{Mode, Reader, Snapshot};
use crate::run;

/// More than the statements that are written piece by piece.
const BUFFER: usize = 64 << 10;

pub(super) fn dump(session: &Session<'_>, args: &Dump) -> Done {
    let job = session.repository_job()?;
    let cx = session.quiet_cx();
    let done = run::with_repo(&job, Mode::Shared, "dump", &cx, |repo| {
        let snapshot = chosen(repo, &args.snapshot, &job, &cx)?;
        let reader = repo.reader()?;
        let mut out = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
        let code = match (&args.path, args.sql) {
            (path, true) => sql(&reader, &snapshot, args, path.as_deref(), &mut out, &cx)?,
            (Some(path), false) => file(&reader, &snapshot, path, &mut out)?,
            (None, false) => return Err(Error::usage("dump needs the path of a file, or `--sql`")),
        };
        out.flush()?;
        Ok(code)
    });
    match done {
        // A reader that went away (`| head`) has seen enough.
        Err(error) if error.os_error() == Some(nix::errno::Errno::EPIPE as i32) => Ok(SUCCESS),
        other => other,
    }
}

fn file(reader: &Reader, snapshot: &Snapshot, path: &Path, out: &mut impl Write) -> Done {
    let node = reader.node(snapshot, path)?;
    if !node.is_file() {
        return Err(Error::usage(format!(
            "{} is not a file in snapshot {}",
            path.display(),
            snapshot.short_id()
        ))
        .with_remedy("`lifeboat restore --to DIR --include PATTERN` brings back directories"));
    }
    reader.write(&node, out)?;
    Ok(SUCCESS)
}

fn sql(
    reader: &Reader,
    snapshot: &Snapshot,
    args: &Dump,
    table: Option<&Path>,
    out: &mut impl Write,
    cx: &Cx,
) -> Done {
    let (directory, engine) = wanted(reader, snapshot, args.database.as_deref())?;
    let shelf = reader.shelf(snapshot, Path::new(&directory))?;
    let table = table.map(|table| table.to_string_lossy());
    let whole = database::render_sql(&engine, &shelf, table.as_deref(), out, cx)?;
    if !whole {
        cx.warn("the SQL does not hold everything the database had: its comments say what is missing");
    }
    Ok(if whole { SUCCESS } else { Outcome::Incomplete.exit_code() })
}

/// The directory and the engine of the database that is meant.
fn wanted(reader: &Reader, snapshot: &Snapshot, name: Option<&str>) -> Result<(String, String)> {
    let manifest = reader.manifest(snapshot)?;
    let all = manifest.map(|manifest| manifest.databases).unwrap_or_default();
    let meant: Vec<_> = all.iter().filter(|dump| name.is_none_or(|name| dump.database == name)).collect();
    match meant.as_slice() {
        [dump] => Ok((dump.directory.clone(), dump.engine.clone())),
        [] => Err(Error::usage(format!("snapshot {} has no such database", snapshot.short_id()))),
        several => {
            let names: Vec<_> = several.iter().map(|dump| dump.database.as_str()).collect();
            Err(Error::usage(format!(
                "snapshot {} has several databases: {}",
                snapshot.short_id(),
                names.join(", ")
            ))
            .with_remedy("say which one with `--database NAME`"))
        }
    }
}
