//! Files that came after a snapshot: which of them move along into the restored tree, and which are set aside with a list.

use std::collections::HashSet;
use std::fmt::Write;
use std::fs::symlink_metadata;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::journal::Files;
use crate::error::{Context, Result};
use crate::repo::{self, ChangeKind, Changes, Patterns};
use crate::sys::fs::write_atomic;

/// Paths that a result names; the count is always exact.
const NAMED: usize = 100;

/// Names what was set aside, beside it.
const LIST: &str = "set-aside.txt";

/// How many there are, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Listing {
    pub count: u64,
    #[serde(serialize_with = "crate::sys::fs::all_shown")]
    pub first: Vec<PathBuf>,
}

impl Listing {
    pub(crate) fn of(paths: Vec<PathBuf>) -> Self {
        let count = paths.len() as u64;
        Self { count, first: paths.into_iter().take(NAMED).collect() }
    }
}

/// What a comparison with the snapshot says will be carried, and what will be set aside.
pub(crate) fn foresee(root: &Path, changes: &Changes, patterns: &[String]) -> Result<(Listing, Listing)> {
    let wanted = Patterns::new(root, patterns)?;
    let gone = changes.changes.iter().filter(|change| change.kind == ChangeKind::Removed);
    let (mut carried, mut aside) = (Vec::<PathBuf>::new(), Vec::new());
    for change in gone {
        let path = root.join(&change.path);
        let is_dir = symlink_metadata(&path).is_ok_and(|meta| meta.is_dir());
        if carried.iter().any(|above| change.path.starts_with(above)) {
            continue;
        }
        let list = if wanted.covers_below(&path, is_dir) { &mut carried } else { &mut aside };
        list.push(change.path.clone());
    }
    Ok((Listing::of(carried), Listing::of(aside)))
}

/// The topmost things of the live tree that match and are not in the one that replaces it. A directory moves as a whole.
pub(crate) fn to_carry(files: &Files, patterns: &[String]) -> Result<Vec<PathBuf>> {
    let mut carry: Vec<PathBuf> = files.came.iter().map(|path| path.0.clone()).collect();
    carry.retain(|path| symlink_metadata(files.root.join(path)).is_ok() && files.has_place_for(path));
    if patterns.is_empty() {
        return Ok(carry);
    }
    let wanted = Patterns::new(&files.root, patterns)?;
    let mut skip: HashSet<PathBuf> = left_out(files)?.into_iter().collect();
    skip.extend(carry.iter().cloned());
    only_in(&files.root, &files.tree(), &skip, &mut |path, is_dir| {
        let carried = wanted.covers_below(&files.root.join(path), is_dir) && files.has_place_for(path);
        if carried {
            carry.push(path.to_owned());
        }
        !carried
    })?;
    carry.sort();
    Ok(carry)
}

/// What belongs to the site and to no snapshot, as long as it is live.
pub(crate) fn left_out(files: &Files) -> Result<Vec<PathBuf>> {
    repo::left_out(&files.root, &files.excluded)
}

/// After the swap of a whole tree: what only the former one has.
pub(crate) fn set_aside(files: &Files) -> Result<Vec<PathBuf>> {
    let mut aside = Vec::new();
    if files.is_whole() && symlink_metadata(files.tree()).is_ok() {
        only_in(&files.tree(), &files.root, &HashSet::new(), &mut |path, _| {
            aside.push(path.to_owned());
            true
        })?;
    }
    aside.sort();
    Ok(aside)
}

/// All names of what was set aside, in a file beside it.
pub(crate) fn write_list(files: &Files) -> Result<()> {
    let aside = set_aside(files)?;
    let mut text = String::new();
    for path in &aside {
        // Writing to a `String` cannot fail. A line break in a name must not look like two names.
        let _infallible = writeln!(text, "{}", path.display().to_string().replace('\n', "\\n"));
    }
    write_atomic(&files.place.join(LIST), text.as_bytes(), 0o600)
}

/// Calls `found` with each path (and whether it is a directory) that `one` has and `other` has not; it says whether to look
/// below.
fn only_in(
    one: &Path,
    other: &Path,
    skip: &HashSet<PathBuf>,
    found: &mut dyn FnMut(&Path, bool) -> bool,
) -> Result<()> {
    let is_dir = |path: &Path| symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    // With each directory whether the other tree has it too: a link there would lead elsewhere.
    let mut pending = vec![(PathBuf::new(), is_dir(other))];
    while let Some((directory, shared)) = pending.pop() {
        let entries = match std::fs::read_dir(one.join(&directory)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.with_context(|| format!("look into {}", one.join(&directory).display()))?,
        };
        for entry in entries {
            let entry = entry?;
            let path = directory.join(entry.file_name());
            let below = entry.file_type()?.is_dir();
            if skip.contains(&path) {
                continue;
            }
            let in_both = shared && symlink_metadata(other.join(&path)).is_ok();
            if (in_both || found(&path, below)) && below {
                let shared = in_both && is_dir(&other.join(&path));
                pending.push((path, shared));
            }
        }
    }
    Ok(())
}
