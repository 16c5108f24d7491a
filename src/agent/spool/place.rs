//! The directories in which requests lie: our own, and such as strangers write to, whom nothing is believed.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::fcntl::OFlag;

use crate::error::{Context, Result};
use crate::sys::fs::{Spot, list};

/// Requests that are looked at one by one; a flood is as good as one.
const MANY: usize = 10_000;

/// And of all that lies in a spool, so much is looked at.
const MOST_ENTRIES: usize = 10 * MANY;

/// Of a request, so many bytes are shown.
const SHOWN: u64 = 1000;

pub(super) fn new_name() -> String {
    format!("{}-{:08x}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"), rand::random::<u32>())
}

/// What could be requests; hidden files are how others write before they rename.
pub(super) fn files(directory: &Path) -> Result<BTreeSet<PathBuf>> {
    list(directory)?.map_or(Ok(BTreeSet::new()), |entries| requests_among(entries, directory))
}

fn requests_among(entries: fs::ReadDir, directory: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for entry in entries.take(MOST_ENTRIES) {
        let entry = entry.with_context(|| format!("list {}", directory.display()))?;
        let told = entry.file_name().into_string().is_ok_and(|name| !name.starts_with('.'));
        if told && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            files.insert(directory.join(entry.file_name()));
        }
        if files.len() == MANY {
            break;
        }
    }
    Ok(files)
}

/// In a directory that others write to. No link on the way to it is followed: whoever owns the way could lead us to any other
/// directory, and have its files removed as requests.
pub(super) fn strangers_files(directory: &Path) -> Result<BTreeSet<PathBuf>> {
    let listed = || format!("list {}", directory.display());
    let opened = spot(directory)?.open(OFlag::O_DIRECTORY).with_context(listed)?;
    let entries = fs::read_dir(format!("/proc/self/fd/{}", opened.as_raw_fd())).with_context(listed)?;
    requests_among(entries, directory)
}

fn spot(path: &Path) -> Result<Spot> {
    Spot::below(Path::new("/"), path.strip_prefix("/").unwrap_or(path))
}

pub(super) fn remove_strangers(path: &Path) -> Result<bool> {
    removed(path, spot(path)?.remove_file())
}

pub(super) fn strangers_reason(path: &Path) -> String {
    spot(path).ok().and_then(|spot| spot.open(OFlag::O_NONBLOCK).ok()).and_then(beginning).unwrap_or_default()
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub(super) fn reason(path: &Path) -> String {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    file.ok().and_then(beginning).unwrap_or_default()
}

fn beginning(file: File) -> Option<String> {
    let mut text = Vec::new();
    file.take(SHOWN).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).trim().to_owned())
}

pub(super) fn remove(path: &Path) -> Result<bool> {
    removed(path, fs::remove_file(path))
}

fn removed(path: &Path, removed: std::io::Result<()>) -> Result<bool> {
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("remove {}", path.display())),
    }
}
