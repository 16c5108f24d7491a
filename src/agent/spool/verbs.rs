//! What people do with requests: leave, list, try again, discard.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::place::{
    files, name_of, new_name, reason, remove, remove_strangers, strangers_files, strangers_reason,
};
use super::{DEAD, OWN};
use crate::error::{Context, Error, Result};
use crate::sys::fs::{create_private, create_private_directory};

/// A request, or one that was given up.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    pub name: String,
    pub reason: String,
    pub dead: bool,
}

/// Leaves a request in the spool of a site, durably.
pub fn leave(state: &Path, reason: &str) -> Result<String> {
    let own = state.join(OWN);
    create_private_directory(&own)?;
    let name = new_name();
    create_private(&own.join(&name), reason.as_bytes())?;
    Ok(name)
}

/// All that waits, also in a spool that others write to, and all that was given up.
pub fn list(state: &Path, also: Option<&Path>) -> Result<Vec<Request>> {
    let request = |path: &Path, reason: String, dead| Request { name: name_of(path), reason, dead };
    let mut requests = Vec::new();
    requests.extend(files(&state.join(OWN))?.iter().map(|path| request(path, reason(path), false)));
    if let Some(also) = also {
        let theirs = strangers_files(also)?;
        requests.extend(theirs.iter().map(|path| request(path, strangers_reason(path), false)));
    }
    requests.extend(files(&state.join(DEAD))?.iter().map(|path| request(path, reason(path), true)));
    Ok(requests)
}

/// Gives dead letters another chance: the one of this name, or all.
pub fn retry(state: &Path, name: Option<&str>) -> Result<usize> {
    let own = state.join(OWN);
    create_private_directory(&own)?;
    let mut count = 0;
    for path in files(&state.join(DEAD))?.iter().filter(|path| name.is_none_or(|name| name == name_of(path)))
    {
        fs::rename(path, own.join(name_of(path))).context("put a request back")?;
        count += 1;
    }
    match name {
        Some(name) if count == 0 => Err(Error::usage(format!("no request {name} was given up"))
            .with_remedy("see `lifeboat request --list`")),
        _ => Ok(count),
    }
}

/// Forgets a request, also one that was given up.
pub fn discard(state: &Path, also: Option<&Path>, name: &str) -> Result<()> {
    for place in [state.join(OWN), state.join(DEAD)] {
        if let Some(path) = files(&place)?.iter().find(|path| name_of(path) == name) {
            return remove(path).map(drop);
        }
    }
    if let Some(also) = also
        && let Some(path) = strangers_files(also)?.iter().find(|path| name_of(path) == name)
    {
        return remove_strangers(path).map(drop);
    }
    Err(Error::usage(format!("there is no request {name}")).with_remedy("see `lifeboat request --list`"))
}
