//! Which storage this is: a marker written once and remembered, so that an emptied, exchanged or foreign directory shows.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use rand::random;
use serde::{Deserialize, Serialize};

use super::probe;
use crate::error::{Context, Error, Result};
use crate::sys::fs::{create_private_directory, read_file, write_atomic};

/// Name of the marker file in a storage's root.
pub const MARKER: &str = ".lifeboat-storage";

const REMEMBERED: &str = "identity.json";

/// Which storage and repository this was when we last looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The id in the marker file of the storage's root.
    pub storage: String,
    /// The `id` in the repository's config file.
    pub repository: String,
}

/// What `verify` found where nothing contradicts the memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The storage we remember.
    Known,
    /// A marked storage (its id is given) that this node has no memory of: a new or reinstalled node.
    Unremembered(String),
    /// No marker and no memory: only an explicit act of a person may begin a repository here.
    Blank,
}

#[derive(Serialize, Deserialize)]
struct Marker {
    version: u32,
    id: String,
    created: Timestamp,
}

/// Writes the marker if the storage has none yet and returns the id in it; call it only where a person asked for a new storage.
pub fn mark(root: &Path) -> Result<String> {
    if let Some(id) = marker(root)? {
        return Ok(id);
    }
    let fresh = Marker { version: 1, id: format!("{:032x}", random::<u128>()), created: Timestamp::now() };
    let text = serde_json::to_vec(&fresh).context("write the marker")?;
    let directory = root.to_owned();
    probe::ask(&place(root), move || place_once(&directory, &fresh.id, &text))?;
    marker(root)?
        .ok_or_else(|| Error::failed(format!("{}: the marker just written is not there", place(root))))
}

/// The id in a storage's marker file, or `None` if there is no such file.
pub fn marker(root: &Path) -> Result<Option<String>> {
    let path = root.join(MARKER);
    let text = probe::ask(&place(root), move || match read_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    })?;
    let Some(text) = text else { return Ok(None) };
    let marker: Marker = serde_json::from_slice(&text)
        .with_context(|| format!("read the storage's marker {}", root.join(MARKER).display()))
        .remedy("the file is damaged: check the storage's disk; its content is JSON with an id, as in the agent's state directory")?;
    Ok(Some(marker.id))
}

/// Compares a storage with the memory of it; `repository` is the id of the repository just opened, or `None` before that.
pub fn verify(root: &Path, remembered: Option<&Identity>, repository: Option<&str>) -> Result<Standing> {
    let found = marker(root)?;
    let Some(remembered) = remembered else {
        return Ok(found.map_or(Standing::Blank, Standing::Unremembered));
    };
    match found {
        None => Err(Error::failed(format!("{} is not marked any more, though backups were kept there", place(root)))
            .with_remedy(
                "most likely the disk or share is not mounted, or the directory was emptied: mount or bring it back; \
                 only if it is lost for good, begin a new repository explicitly (init)",
            )),
        Some(id) if id != remembered.storage => {
            Err(Error::failed(format!("{} is another storage: its marker is {id}, expected {}", place(root), remembered.storage))
                .with_remedy("check which disk or share is mounted there; if the change is meant, forget the old identity explicitly (init)"))
        }
        Some(_) => match repository {
            Some(id) if id != remembered.repository => Err(Error::failed(format!(
                "the repository in {} is another one than before: its id is {id}, expected {}",
                place(root),
                remembered.repository
            ))
            .with_remedy("somebody created it anew or replaced it: look where the old snapshots went; if the change is meant, adopt it explicitly (init)")),
            _ => Ok(Standing::Known),
        },
    }
}

/// Keeps an identity in the site's state directory, which is created if need be.
pub fn remember(state: &Path, identity: &Identity) -> Result<()> {
    create_private_directory(state)?;
    let text = serde_json::to_vec_pretty(identity).context("write the storage's identity")?;
    write_atomic(&state.join(REMEMBERED), &text, 0o600)
}

/// What `remember` kept, or `None` if nothing was; a damaged memory is an error, since it must not pass for none.
pub fn recall(state: &Path) -> Result<Option<Identity>> {
    let path = state.join(REMEMBERED);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("read {}", path.display()))?,
    };
    let identity = serde_json::from_slice(&text)
        .with_context(|| format!("read {}", path.display()))
        .remedy("the remembered identity of the storage is damaged: see that the right storage is mounted, then remove this file")?;
    Ok(Some(identity))
}

/// Links the finished file into place, so that there never is half a marker and of two writers one wins.
fn place_once(root: &Path, id: &str, text: &[u8]) -> io::Result<()> {
    let beside = root.join(format!("{MARKER}.{id}.tmp"));
    let target = root.join(MARKER);
    let linked = write_new(&beside, text).and_then(|()| match fs::hard_link(&beside, &target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Some file systems know no hard links.
        Err(_) => write_new(&target, text),
        Ok(()) => Ok(()),
    });
    let removed = fs::remove_file(&beside);
    linked.and(removed)?;
    File::open(root)?.sync_all()
}

fn write_new(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn place(root: &Path) -> String {
    format!("storage {}", root.display())
}
