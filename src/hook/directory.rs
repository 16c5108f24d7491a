//! Hooks that are files: `hooks.d/POINT/NAME` for every site, `hooks.d/sites/SITE/POINT/NAME` for one.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{HookSpec, Origin, points};
use crate::error::{Context, Error, Result};
use crate::sys::{fs, trust};

/// Below it is a directory for each site that has hooks of its own.
const SITES: &str = "sites";

/// What a directory of hooks holds for one site.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order in which they run.
    pub hooks: Vec<HookSpec>,
    pub ignored: Vec<Ignored>,
}

/// Something that is not run, although somebody may think that it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ignored {
    #[serde(serialize_with = "crate::sys::fs::shown")]
    pub path: PathBuf,
    pub why: &'static str,
}

/// Looks what is there for a site: what is for all sites first, each in the order of the names' bytes.
pub fn find(directory: &Path, site: &str) -> Result<Found> {
    let mut found = Found::default();
    look(directory, Origin::AllSites, &mut found)?;
    look(&directory.join(SITES).join(site), Origin::Site, &mut found)?;
    Ok(found)
}

fn look(directory: &Path, origin: Origin, found: &mut Found) -> Result<()> {
    let known = points();
    for path in entries(directory)? {
        let name = path.file_name().unwrap_or_default();
        let point = name.to_str().filter(|name| known.iter().any(|point| point == name));
        match point {
            Some(point) if path.is_dir() => look_at(&path, point, origin, found)?,
            Some(_) => found.ignored.push(Ignored { path, why: "is no directory with hooks in it" }),
            None if name == SITES && origin == Origin::AllSites => {}
            None if path.is_dir() && is_taken(&path) => {
                return Err(Error::usage(format!("{} is for no point that there is", path.display()))
                    .with_remedy("name it by its point, such as before-dump or on-failure; `lifeboat hooks schema` and hooks/README.md know them all"));
            }
            None => found.ignored.push(Ignored { path, why: "is not in the directory of a point" }),
        }
    }
    Ok(())
}

fn look_at(directory: &Path, point: &str, origin: Origin, found: &mut Found) -> Result<()> {
    for path in entries(directory)? {
        let why = match path.to_str() {
            _ if path.is_dir() => "is a directory",
            Some(program) if is_taken(&path) => {
                let command = vec![program.to_owned()];
                found.hooks.push(HookSpec { origin, ..HookSpec::new(point, command) });
                continue;
            }
            _ => "has a name with something else than letters, digits, - and _ in it",
        };
        found.ignored.push(Ignored { path, why });
    }
    Ok(())
}

/// As `run-parts` takes them: what editors and package managers leave behind has another name.
fn is_taken(path: &Path) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().copied().all(plain))
}

/// Whoever could write to the directory could add hooks, or take away one that we rely on.
fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let Some(entries) = fs::list(directory)? else { return Ok(Vec::new()) };
    trust::check_directory(directory).context("look for hooks")?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<_> =
        paths.collect::<std::io::Result<_>>().with_context(|| format!("list {}", directory.display()))?;
    paths.sort_by(|one, other| one.as_os_str().as_encoded_bytes().cmp(other.as_os_str().as_encoded_bytes()));
    Ok(paths)
}
