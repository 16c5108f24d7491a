//! Repository files in a directory of a mounted storage, written so that "written" means that they are there.
//!
//! `rustic_core` brings a local backend that neither syncs directories nor retries nor reads back. On the mounts we work on
//! a server may fail for seconds (`soft`), hand out stale handles, and acknowledge what it has not written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::sleep;
use std::time::Duration;

use bytes::Bytes;
use nix::errno::Errno;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use rustic_core::{BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};

use super::gate::{Gate, Pass};
use super::handles::Handles;
use crate::sys::fs::sync_directory;

/// Waits before the second and third attempt at one file; a soft mount reports an outage after some nine seconds.
const RETRY_AFTER: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(3)];

/// Where and how the files of one repository are kept.
pub(crate) struct Directory {
    root: PathBuf,
    gate: Arc<Gate>,
    medium: Medium,
    handles: Handles,
    /// Packs written here that no index file names yet. Writers share the lock, `discard_fresh` has it alone.
    fresh: RwLock<()>,
    unnamed: Mutex<Vec<Id>>,
}

/// What the directory lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A file system of this node: a synced file is on its disk.
    Local,
    /// A share: each file is read back from the server before it counts as written.
    Shared,
}

impl Directory {
    pub(crate) fn new(root: &Path, medium: Medium, gate: Arc<Gate>) -> Self {
        Self {
            root: root.to_owned(),
            gate,
            medium,
            handles: Handles::default(),
            fresh: RwLock::default(),
            unnamed: Mutex::default(),
        }
    }

    /// After a save that failed: its packs that no index names would only fill the storage, which may be why it failed.
    /// Nothing more is written afterwards.
    pub(crate) fn discard_fresh(&self) -> RusticResult<()> {
        self.gate.failed("the save has ended");
        let _alone = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
        let packs = std::mem::take(&mut *self.unnamed.lock().unwrap_or_else(PoisonError::into_inner));
        packs.iter().try_for_each(|id| self.remove(FileType::Pack, id, false))
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

    /// Repeats what a short outage of the storage can have broken; everything else fails at once.
    fn retry<T>(
        &self,
        what: &str,
        path: &Path,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> RusticResult<T> {
        let mut waits = RETRY_AFTER.iter();
        loop {
            match attempt() {
                Ok(done) => return Ok(done),
                Err(error) => match waits.next() {
                    Some(wait) if is_passing(&error) && !self.gate.is_cancelled() => {
                        log::warn!("{what} {} failed ({error}), trying again", path.display());
                        sleep(*wait);
                    }
                    _ => return Err(backend_error(what, path, error)),
                },
            }
        }
    }

    fn write(&self, directory: &Path, path: &Path, content: &BytesList) -> io::Result<()> {
        let beside = directory.join(format!(
            "{}-tmp-{}",
            path.file_name().and_then(|name| name.to_str()).unwrap_or("file"),
            std::process::id()
        ));
        let written = write_synced(&beside, content)
            .and_then(|()| if self.medium == Medium::Shared { read_back(&beside, content) } else { Ok(()) })
            .and_then(|()| std::fs::rename(&beside, path))
            .and_then(|()| File::open(directory)?.sync_all());
        if written.is_err() {
            // The temporary file is worthless; if even removing it fails, restic and we both ignore such names.
            drop(std::fs::remove_file(&beside));
        }
        written
    }
}

impl ReadBackend for Directory {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        if tpe == FileType::Config {
            let path = self.root.join("config");
            return match self.retry("look for", &path, || absent_is_none(path.metadata()))? {
                Some(meta) => Ok(vec![(Id::default(), size_of(&path, meta.len())?)]),
                None => Ok(Vec::new()),
            };
        }
        let top = self.root.join(tpe.dirname());
        let mut found = Vec::new();
        if tpe == FileType::Pack {
            for byte in 0..=255_u8 {
                let directory = top.join(format!("{byte:02x}"));
                self.retry("list", &directory, || list_into(&directory, tpe, &mut found))?;
            }
        } else {
            self.retry("list", &top, || list_into(&top, tpe, &mut found))?;
        }
        found.into_iter().map(|(id, size)| Ok((id, size_of(&top, size)?))).collect()
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        let path = self.path(tpe, id);
        self.retry("read", &path, || std::fs::read(&path)).map(Bytes::from)
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
        self.retry("read", &path, || {
            let mut data = vec![0; length as usize];
            let read =
                self.handles.open(*id, &path).and_then(|file| file.read_exact_at(&mut data, offset.into()));
            // A handle may have gone stale with the server that gave it: the next attempt opens the file anew.
            read.inspect_err(|_| self.handles.forget(id))?;
            Ok(data)
        })
        .map(Bytes::from)
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.path(tpe, id).display().to_string()
    }
}

impl WriteBackend for Directory {
    fn create(&self) -> RusticResult<()> {
        let mut private = std::fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        let mut directories: Vec<PathBuf> =
            ["snapshots", "index", "keys", "locks"].iter().map(|name| self.root.join(name)).collect();
        directories.extend((0..=255_u8).map(|byte| self.root.join("data").join(format!("{byte:02x}"))));
        for directory in directories {
            self.retry("create", &directory, || private.create(&directory))?;
        }
        for directory in [self.root.join("data"), self.root.clone()] {
            self.retry("sync", &directory, || File::open(&directory)?.sync_all())?;
        }
        Ok(())
    }

    fn write_bytes(&self, tpe: FileType, id: &Id, _cacheable: bool, content: BytesList) -> RusticResult<()> {
        let (directory, path) = (self.directory(tpe, id), self.path(tpe, id));
        let _writing = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
        match self.gate.admit(tpe) {
            Err(error) => return Err(backend_error("write", &path, io::Error::other(error.to_string()))),
            Ok(Pass::Swallow) => return Ok(()),
            Ok(Pass::Write) => {}
        }
        self.retry("write", &path, || match self.write(&directory, &path, &content) {
            // Other clients make the 256 directories of packs as they need them. Only this one level: a storage that is
            // gone from under us must stay an error.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tpe == FileType::Pack => {
                std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
                self.write(&directory, &path, &content)
            }
            written => written,
        })
        .inspect_err(|error| self.gate.failed(&super::one_line(error)))?;
        self.note_fresh(tpe, id);
        self.gate.written(tpe, id);
        Ok(())
    }

    fn remove(&self, tpe: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        let path = self.path(tpe, id);
        self.handles.forget(id);
        self.retry("remove", &path, || absent_is_none(std::fs::remove_file(&path)).map(|_| ()))?;
        sync_directory(&self.directory(tpe, id))
            .map_err(|error| backend_error("remove", &path, io::Error::other(error.to_string())))
    }
}

fn write_synced(path: &Path, content: &BytesList) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    for part in content.slice() {
        file.write_all(part)?;
    }
    file.sync_all()
}

/// Reads what was written from the storage itself, as far as the page cache can be told to forget it.
fn read_back(path: &Path, content: &BytesList) -> io::Result<()> {
    let mut file = File::open(path)?;
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    let mut buffer = vec![0; 256 << 10];
    for part in content.slice() {
        for expected in part.chunks(buffer.len()) {
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
fn list_into(directory: &Path, tpe: FileType, found: &mut Vec<(Id, u64)>) -> io::Result<()> {
    let before = found.len();
    let listed = (|| {
        let Some(entries) = absent_is_none(std::fs::read_dir(directory))? else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(id) =
                name.to_str().filter(|name| name.len() == 64).and_then(|name| Id::parse_some(name, tpe))
                && let Some(meta) = absent_is_none(entry.metadata())?
            {
                found.push((id, meta.len()));
            }
        }
        Ok(())
    })();
    if listed.is_err() {
        found.truncate(before);
    }
    listed
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

fn is_passing(error: &io::Error) -> bool {
    const PASSING: [Errno; 5] = [Errno::EIO, Errno::ESTALE, Errno::ETIMEDOUT, Errno::EAGAIN, Errno::EINTR];
    error.kind() == io::ErrorKind::InvalidData
        || error.raw_os_error().is_some_and(|code| PASSING.contains(&Errno::from_raw(code)))
}

fn backend_error(what: &str, path: &Path, error: io::Error) -> Box<RusticError> {
    RusticError::with_source(ErrorKind::Backend, format!("{what} {}: {error}", path.display()), error)
}
