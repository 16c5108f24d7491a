//! Repository files in a directory of a mounted storage, written so that "written" means that they are there.
//!
//! `rustic_core` brings a local backend that neither syncs directories nor retries nor reads back. On the mounts we work on
//! a server may fail for seconds (`soft`), hand out stale handles, and acknowledge what it has not written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use rustic_core::{BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};

use super::access::{Access, Medium};
use super::gate::{Gate, Pass};
use super::key;
use super::limits::{self, Limits};
use crate::sys::fs::read_file;
use crate::sys::throttle::Throttle;
use crate::sys::watch::Pulse;

/// Where and how the files of one repository are kept.
pub(crate) struct Directory {
    root: PathBuf,
    gate: Arc<Gate>,
    medium: Medium,
    access: Arc<Access>,
    /// Packs written here that no index file names yet. Writers share the lock, `discard_fresh` has it alone.
    fresh: RwLock<()>,
    unnamed: Mutex<Vec<Id>>,
    /// Bytes that came from the storage.
    read: AtomicU64,
    /// The last snapshot file that did not pass the gate: the next pass of the same save compares with it.
    swallowed: Mutex<Option<(Id, Bytes)>>,
    limits: Limits,
    throttle: Option<Throttle>,
    /// A prune may use the room that a save may not: it makes more.
    saving: AtomicBool,
}

impl Directory {
    pub(crate) fn new(place: (&Path, Medium), gate: Arc<Gate>, access: Arc<Access>, limits: Limits) -> Self {
        let (root, medium) = place;
        Self {
            root: root.to_owned(),
            gate,
            medium,
            access,
            fresh: RwLock::default(),
            unnamed: Mutex::default(),
            read: AtomicU64::new(0),
            swallowed: Mutex::default(),
            throttle: limits.bandwidth.map(Throttle::new),
            limits,
            saving: AtomicBool::new(false),
        }
    }

    /// Bytes that came from the storage so far.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// While it saves, the storage keeps its reserve.
    pub(crate) fn saves(&self, saving: bool) {
        self.saving.store(saving, Ordering::Relaxed);
    }

    fn counted(&self, data: Vec<u8>) -> Bytes {
        limits::pay(self.throttle.as_ref(), data.len() as u64, &self.gate);
        self.read.fetch_add(data.len() as u64, Ordering::Relaxed);
        data.into()
    }

    /// After a save that failed: its packs that no index names would only fill the storage, which may be why it failed.
    /// Nothing more is written for it afterwards.
    pub(crate) fn discard_fresh(&self) -> RusticResult<()> {
        self.gate.end();
        let _alone = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
        let packs = std::mem::take(&mut *self.unnamed.lock().unwrap_or_else(PoisonError::into_inner));
        packs.iter().try_for_each(|id| self.remove(FileType::Pack, id, false))
    }

    fn swallowed(&self) -> MutexGuard<'_, Option<(Id, Bytes)>> {
        self.swallowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_fresh(&self, tpe: FileType, id: &Id) {
        let mut unnamed = self.unnamed.lock().unwrap_or_else(PoisonError::into_inner);
        match tpe {
            FileType::Pack => unnamed.push(*id),
            // It may name any of them.
            FileType::Index => unnamed.clear(),
            _ => {}
        }
    }

    fn directory(&self, tpe: FileType, id: &Id) -> PathBuf {
        match tpe {
            FileType::Config => self.root.clone(),
            FileType::Pack => self.root.join("data").join(&id.to_hex().as_str()[..2]),
            other => self.root.join(other.dirname()),
        }
    }

    fn path(&self, tpe: FileType, id: &Id) -> PathBuf {
        match tpe {
            FileType::Config => self.root.join("config"),
            other => self.directory(other, id).join(id.to_hex().as_str()),
        }
    }

    fn retry<T: Send + 'static>(
        &self,
        what: &'static str,
        path: &Path,
        attempt: impl FnMut(&Path, &Pulse<'_>) -> io::Result<T> + Send + 'static,
    ) -> RusticResult<T> {
        self.access.retry(what, path, attempt).map_err(|error| backend_error(what, path, error))
    }
}

impl ReadBackend for Directory {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        if tpe == FileType::Config {
            let path = self.root.join("config");
            return match self.retry("look for", &path, |path, _| absent_is_none(path.metadata()))? {
                Some(meta) => Ok(vec![(Id::default(), size_of(&path, meta.len())?)]),
                None => Ok(Vec::new()),
            };
        }
        let top = self.root.join(tpe.dirname());
        let mut found = Vec::new();
        if tpe == FileType::Pack {
            for byte in 0..=255_u8 {
                let directory = top.join(format!("{byte:02x}"));
                found.extend(self.retry("list", &directory, move |path, pulse| list(path, tpe, pulse))?);
            }
        } else {
            found = self.retry("list", &top, move |path, pulse| list(path, tpe, pulse))?;
        }
        found.into_iter().map(|(id, size)| Ok((id, size_of(&top, size)?))).collect()
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        if tpe == FileType::Snapshot
            && let Some((_, file)) = self.swallowed().as_ref().filter(|(known, _)| known == id)
        {
            return Ok(file.clone());
        }
        let path = self.path(tpe, id);
        let data = self.retry("read", &path, |path, _| read_file(path))?;
        if tpe == FileType::Key {
            key::bearable(&data).map_err(|error| backend_error("open", &path, error))?;
        }
        Ok(self.counted(data))
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let path = self.path(tpe, id);
        let (handles, id) = (self.access.handles(), *id);
        self.retry("read", &path, move |path, pulse| {
            let mut data = vec![0; length as usize];
            let file = handles.open(id, path)?;
            pulse.beat()?;
            file.read_exact_at(&mut data, offset.into())?;
            Ok(data)
        })
        .map(|data| self.counted(data))
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.path(tpe, id).display().to_string()
    }
}

impl WriteBackend for Directory {
    fn create(&self) -> RusticResult<()> {
        let mut directories: Vec<PathBuf> =
            ["snapshots", "index", "keys", "locks"].iter().map(|name| self.root.join(name)).collect();
        directories.extend((0..=255_u8).map(|byte| self.root.join("data").join(format!("{byte:02x}"))));
        for directory in directories {
            self.retry("create", &directory, |path, _| {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
            })?;
        }
        for directory in [self.root.join("data"), self.root.clone()] {
            self.retry("sync", &directory, |path, _| File::open(path)?.sync_all())?;
        }
        Ok(())
    }

    fn write_bytes(&self, tpe: FileType, id: &Id, _cacheable: bool, content: BytesList) -> RusticResult<()> {
        let (root, directory, path) = (self.root.clone(), self.directory(tpe, id), self.path(tpe, id));
        let (medium, size) = (self.medium, content.size() as u64);
        // What is read back passes a second time.
        let passes = if medium == Medium::Shared { 2 * size } else { size };
        limits::pay(self.throttle.as_ref(), passes, &self.gate);
        let _writing = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
        match self.gate.admit(tpe) {
            Err(error) => return Err(backend_error("write", &path, io::Error::other(error.to_string()))),
            Ok(Pass::Swallow) => {
                *self.swallowed() = Some((*id, content.slice().concat().into()));
                return Ok(());
            }
            Ok(Pass::Write) => {}
        }
        let reserve =
            (tpe == FileType::Pack && self.saving.load(Ordering::Relaxed)).then(|| self.limits.clone());
        let attempt = move |path: &Path, pulse: &Pulse<'_>| {
            reserve.as_ref().map_or(Ok(()), |limits| limits.has_room(&root, size))?;
            match write(&directory, path, medium, &content, pulse) {
                // Other clients make the 256 directories of packs as they need them. Only this one level: a storage that is
                // gone from under us must stay an error.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tpe == FileType::Pack => {
                    std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
                    write(&directory, path, medium, &content, pulse)
                }
                written => written,
            }
        };
        self.retry("write", &path, attempt)
            .inspect_err(|error| self.gate.failed(&super::one_line(error), super::remedy_of(error)))?;
        self.note_fresh(tpe, id);
        self.gate.written(tpe, id);
        Ok(())
    }

    fn remove(&self, tpe: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        let path = self.path(tpe, id);
        let directory = self.directory(tpe, id);
        let (handles, id) = (self.access.handles(), *id);
        self.retry("remove", &path, move |path, pulse| {
            handles.forget(&id);
            absent_is_none(std::fs::remove_file(path))?;
            pulse.beat()?;
            File::open(&directory)?.sync_all()
        })
    }
}

/// One attempt: beside its place, synced, read back, renamed, and the directory synced.
fn write(
    directory: &Path,
    path: &Path,
    medium: Medium,
    content: &BytesList,
    pulse: &Pulse<'_>,
) -> io::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let beside = directory.join(format!("{name}-tmp-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let finish = || {
        write_synced(file, content, pulse)?;
        if medium == Medium::Shared {
            read_back(&beside, content, pulse)?;
        }
        pulse.beat()?;
        std::fs::rename(&beside, path)?;
        pulse.beat()?;
        File::open(directory)?.sync_all()
    };
    let written = finish();
    if written.is_err() {
        // The temporary file is worthless; if even removing it fails, restic and we both ignore such names.
        drop(std::fs::remove_file(&beside));
    }
    written
}

fn write_synced(mut file: File, content: &BytesList, pulse: &Pulse<'_>) -> io::Result<()> {
    for part in content.slice() {
        pulse.beat()?;
        file.write_all(part)?;
    }
    pulse.beat()?;
    file.sync_all()
}

/// Reads what was written from the storage itself, as far as the page cache can be told to forget it.
fn read_back(path: &Path, content: &BytesList, pulse: &Pulse<'_>) -> io::Result<()> {
    pulse.beat()?;
    let mut file = File::open(path)?;
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    let mut buffer = vec![0; 256 << 10];
    for part in content.slice() {
        for expected in part.chunks(buffer.len()) {
            pulse.beat()?;
            let got = &mut buffer[..expected.len()];
            file.read_exact(got)?;
            if got != expected {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the storage gave back other bytes than were written",
                ));
            }
        }
    }
    match file.read(&mut buffer)? {
        0 => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the storage gave back more bytes than were written",
        )),
    }
}

/// Names that are no ids (temporary files, editors' leftovers) are not ours to judge.
fn list(directory: &Path, tpe: FileType, pulse: &Pulse<'_>) -> io::Result<Vec<(Id, u64)>> {
    let mut found = Vec::new();
    let Some(entries) = absent_is_none(std::fs::read_dir(directory))? else { return Ok(found) };
    for entry in entries {
        pulse.beat()?;
        let entry = entry?;
        let name = entry.file_name();
        if let Some(id) =
            name.to_str().filter(|name| name.len() == 64).and_then(|name| Id::parse_some(name, tpe))
            && let Some(meta) = absent_is_none(entry.metadata())?
        {
            found.push((id, meta.len()));
        }
    }
    Ok(found)
}

fn size_of(path: &Path, size: u64) -> RusticResult<u32> {
    u32::try_from(size).map_err(|error| backend_error("list", path, io::Error::other(error)))
}

/// Only "it is not there" means absent; an outage or a stale handle stays an error.
fn absent_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn backend_error(what: &str, path: &Path, error: io::Error) -> Box<RusticError> {
    RusticError::with_source(ErrorKind::Backend, format!("{what} {}: {error}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::watch::Watch;

    #[test]
    fn other_bytes_than_were_written_are_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pack");
        let verdict = |stored: &'static [u8]| {
            std::fs::write(&path, stored).unwrap();
            let path = path.clone();
            Watch::nothing()
                .steps(move |pulse| read_back(&path, &BytesList::from(b"written".to_vec()), pulse))
        };
        verdict(b"written").unwrap();
        assert_eq!(verdict(b"writteM").unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(verdict(b"written and more").unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(verdict(b"writ").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
