//! How it is kept: a repository in restic's format; the only code that knows `rustic_core`, and no thin wrapper over it.
//!
//! What `rustic_core` 0.13 lacks is here: the commit gate (`gate`), storage that is synced, retried and read back (`backend`),
//! locks (`lock`), sources whose every error counts (`source`, `walk`), a restore that reports instead of panicking (`fetch`).

mod access;
mod adopted;
mod attributes;
mod backend;
mod cache;
mod check;
mod compare;
mod content;
mod entry;
mod fetch;
mod find;
mod gate;
mod handles;
mod key;
mod ledger;
mod limits;
mod list;
mod lock;
mod manifest;
mod passes;
mod patterns;
mod progress;
mod prune;
mod reader;
mod repair;
mod seal;
mod snapshot;
mod source;
mod tags;
mod trees;
mod walk;

pub use access::{Medium, Place};
pub use adopted::{Adopted, Adoption, stamp};
pub use check::{CheckReport, CheckSpec, Damage, DamageKind, Part, ReadData};
pub use compare::{Change, ChangeKind, Changes, Counts, Difference};
pub use entry::Entry;
pub use fetch::Fetched;
pub use find::{Found, FoundPath, Pattern, Search, Version};
pub use key::KeyInfo;
pub use limits::Limits;
pub use list::{COMPLETE, INCOMPLETE, Snapshot, Stats};
pub use lock::{Held, Lock, Mode};
pub use manifest::{DUMPS, Manifest, VIRTUAL};
pub use passes::{Ahead, Seen};
pub use patterns::{Patterns, left_out};
pub use prune::Pruned;
pub use reader::{Dump, Reader};
pub use snapshot::Contents;

pub use rustic_core::repofile::Node;

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use rustic_core::repofile::MasterKey;
use rustic_core::{
    ConfigOptions, Credentials, FileType, OpenStatus, ReadBackend, Repository, RepositoryBackends,
    RepositoryOptions, RusticError, WriteBackend,
};

use self::access::Access;
use self::backend::Directory;
use self::gate::Gate;
use self::lock::Locks;
use self::progress::Bars;
use self::seal::Seal;
use self::trees::Trees;
use crate::error::{Context, Error, Kind, Result};
use crate::event::Cx;
use crate::sys::secret::Secret;

/// For an index that cannot be read.
const REPAIR: &str =
    "`lifeboat check` names the damaged index file, `lifeboat check --repair` rebuilds it from the packs";

/// For a storage that is full, or as full as it may be.
const MAKE_ROOM: &str = "make the storage larger, or remove old snapshots (`lifeboat forget --prune`): what was saved before is not affected";

/// Where the repository is inside its storage, and what opens it.
#[derive(Clone, Debug)]
pub struct RepoSpec {
    /// Relative to the storage's root.
    pub path: PathBuf,
    /// Opens the repository for people and for stock restic; needed only where the key file is missing.
    pub password: Option<Secret>,
    /// Master key kept on the node (0600), so that no start pays for scrypt.
    pub key_file: PathBuf,
    /// It was another program's before: what that left in it belongs to the site.
    pub adopted: Option<Adoption>,
    pub limits: Limits,
}

/// An open repository.
pub struct Repo {
    directory: PathBuf,
    backend: Arc<Directory>,
    gate: Arc<Gate>,
    access: Arc<Access>,
    master: MasterKey,
    locks: Arc<Locks>,
    id: String,
    adopted: bool,
    limits: Limits,
    cx: Cx,
}

impl Repo {
    /// Creates a repository where nothing is yet; an explicit act of a person, never a side effect.
    pub fn create(place: &Place, spec: &RepoSpec, cx: &Cx) -> Result<Self> {
        let directory = place.root.join(&spec.path);
        let password =
            spec.password.as_ref().ok_or_else(|| Error::usage("a new repository needs a password"))?;
        let files = Files::new(place, spec, cx);
        if !files.backend.list(FileType::Config).map_err(engine_error)?.is_empty() {
            return Err(Error::usage(format!("there is a repository in {} already", directory.display()))
                .with_remedy(
                    "point `repository.path` elsewhere, or use the one that is there without `init`",
                ));
        }
        vacant(&files, &spec.key_file)?;
        let engine = connect(Arc::clone(&files.backend) as Arc<_>, cx)?
            .init(&Credentials::password(password.reveal()), &key::key_options(), &ConfigOptions::default())
            .map_err(engine_error)
            .with_context(|| format!("create a repository in {}", directory.display()))?;
        key::store_master(&spec.key_file, &engine.key())?;
        Self::with(files, &engine, spec, cx)
    }

    /// Opens what is there, by the node's master key or, where that is missing, by the password (and keeps the key then).
    pub fn open(place: &Place, spec: &RepoSpec, cx: &Cx) -> Result<Self> {
        let directory = place.root.join(&spec.path);
        let known = key::load_master(&spec.key_file)?;
        let credentials = match (&known, &spec.password) {
            (Some(master), _) => Credentials::Masterkey(master.clone()),
            (None, Some(password)) => Credentials::password(password.reveal()),
            (None, None) => {
                return Err(Error::new(
                    Kind::WrongPassword,
                    format!("nothing opens the repository in {}", directory.display()),
                )
                .with_remedy(format!(
                    "set `repository.password`, or bring back the key file {}",
                    spec.key_file.display()
                )));
            }
        };
        let (files, engine) = Files::open(place, spec, &credentials, cx)?;
        if known.is_none() {
            key::store_master(&spec.key_file, &engine.key())?;
        }
        Self::with(files, &engine, spec, cx)
    }

    /// Opens it by this password, whatever key the node has; keeps nothing.
    pub fn open_by(place: &Place, spec: &RepoSpec, password: &Secret, cx: &Cx) -> Result<Self> {
        let (files, engine) = Files::open(place, spec, &Credentials::password(password.reveal()), cx)?;
        Self::with(files, &engine, spec, cx)
    }

    fn with(files: Files, engine: &Repository<OpenStatus>, spec: &RepoSpec, cx: &Cx) -> Result<Self> {
        let Files { directory, backend, gate, access } = files;
        let master = engine.key();
        let locks = Locks::new(&directory, Seal::new(&master)?, Arc::clone(&access), Arc::clone(&gate));
        let locks = Arc::new(locks);
        let id = engine.config().id.to_hex().as_str().to_owned();
        Ok(Self {
            directory,
            backend,
            gate,
            access,
            master,
            locks,
            id,
            adopted: spec.adopted.is_some(),
            limits: spec.limits.clone(),
            cx: cx.clone(),
        })
    }

    /// The repository's own id, from its config file: what tells this repository from one made anew in its place.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What was read from the storage since the repository was opened.
    pub fn bytes_read(&self) -> u64 {
        self.backend.bytes_read()
    }

    /// The locks that are there now, of whatever program.
    pub fn locks(&self) -> Result<Vec<Held>> {
        self.locks.standing()
    }

    /// Takes a lock that restic and other agents honour.
    pub fn lock(&self, mode: Mode) -> Result<Lock> {
        self.locks.take(mode, &self.cx)
    }

    /// A fresh engine on the same files: what it reads is what the storage has now.
    fn engine(&self) -> Result<Repository<OpenStatus>> {
        self.engine_on(Arc::clone(&self.backend) as Arc<_>)
    }

    /// The same that remembers directories, for as long as it is read with.
    fn reading_engine(&self) -> Result<Repository<OpenStatus>> {
        self.engine_on(Arc::new(Trees::of(&self.backend)))
    }

    fn engine_on(&self, files: Arc<dyn WriteBackend>) -> Result<Repository<OpenStatus>> {
        connect(files, &self.cx)?.open(&Credentials::Masterkey(self.master.clone())).map_err(engine_error)
    }
}

/// What an interrupted `init` left, or anybody's files, must not be mixed with a new repository's keys.
fn vacant(files: &Files, key_file: &Path) -> Result<()> {
    let first = |directory: &Path| match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        entries => Ok(entries?.next().transpose()?.map(|entry| entry.file_name())),
    };
    let directory = &files.directory;
    let found = files.access.retry("look into", directory, move |path, _| first(path));
    if let Some(name) = found.with_context(|| format!("look into {}", directory.display()))? {
        return Err(Error::usage(format!(
            "{} is not empty, there is {}",
            directory.display(),
            name.display()
        ))
        .with_remedy("point `repository.path` elsewhere, or remove what an interrupted `init` left there"));
    }
    if key_file.exists() {
        return Err(Error::usage(format!("{} is the key of another repository", key_file.display()))
            .with_remedy("name another `repository.key_file`; without it nobody but its password opens that repository"));
    }
    Ok(())
}

/// A repository's files, before it is opened.
struct Files {
    directory: PathBuf,
    backend: Arc<Directory>,
    gate: Arc<Gate>,
    access: Arc<Access>,
}

impl Files {
    fn new(place: &Place, spec: &RepoSpec, cx: &Cx) -> Self {
        let directory = place.root.join(&spec.path);
        let gate = Arc::new(Gate::new(cx));
        let access = Arc::new(Access::new(place.watch.clone(), Arc::clone(&gate)));
        let at = (&*directory, place.medium);
        let backend = Directory::new(at, Arc::clone(&gate), Arc::clone(&access), spec.limits.clone());
        let backend = Arc::new(backend);
        Self { directory, backend, gate, access }
    }

    fn open(
        place: &Place,
        spec: &RepoSpec,
        credentials: &Credentials,
        cx: &Cx,
    ) -> Result<(Self, Repository<OpenStatus>)> {
        let files = Self::new(place, spec, cx);
        let directory = files.directory.display();
        if files.backend.list(FileType::Config).map_err(engine_error)?.is_empty() {
            return Err(Error::new(Kind::NoRepository, format!("there is no repository in {directory}"))
                .with_remedy("if this is the right storage and nothing was ever saved here, create one with `lifeboat init`"));
        }
        let engine = connect(Arc::clone(&files.backend) as Arc<_>, cx)?
            .open(credentials)
            .map_err(opening_error)
            .with_context(|| format!("open the repository in {directory}"))?;
        Ok((files, engine))
    }
}

fn connect(files: Arc<dyn WriteBackend>, cx: &Cx) -> Result<Repository<()>> {
    let backends = RepositoryBackends::new(files, None);
    // A cache of what lies on a mounted directory would only fill the node's disk.
    let options = RepositoryOptions::default().no_cache(true);
    Repository::new_with_progress(&options, &backends, Bars(cx.clone())).map_err(engine_error)
}

/// The engine's error in one line of ours.
#[allow(clippy::boxed_local, clippy::needless_pass_by_value)] // the shape in which `map_err` hands it over
fn engine_error(error: Box<RusticError>) -> Error {
    let plain = Error::failed(one_line(&error));
    match remedy_of(&error) {
        Some(remedy) => plain.with_remedy(remedy),
        None => plain,
    }
}

/// What to do where the operating system's own error is behind the engine's.
fn remedy_of(error: &RusticError) -> Option<&'static str> {
    const AWAY: [Errno; 3] = [Errno::EIO, Errno::ESTALE, Errno::ETIMEDOUT];
    const FULL: [Errno; 2] = [Errno::ENOSPC, Errno::EDQUOT];
    let mut cause = error.source()?;
    let system = loop {
        if cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::StorageFull)
        {
            break Errno::ENOSPC;
        }
        let number = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        match number {
            Some(number) => break Errno::from_raw(number),
            None => cause = cause.source()?,
        }
    };
    if AWAY.contains(&system) {
        Some(
            "look at the storage, its network and its disks, then try again: what was saved before is not affected",
        )
    } else if FULL.contains(&system) {
        Some(MAKE_ROOM)
    } else {
        None
    }
}

/// The same, while opening: there a checksum that does not match (C001) or a key that does not fit (C002) has its own kind.
#[allow(clippy::needless_pass_by_value)] // the shape in which `map_err` hands it over
fn opening_error(error: Box<RusticError>) -> Error {
    if error.is_incorrect_password() {
        return Error::new(Kind::WrongPassword, "the password opens no key of this repository")
            .with_remedy("look at `repository.password`; `lifeboat key list` on a node that still has the key shows who made which key");
    }
    if has_code(&error, "C001") {
        return Error::new(
            Kind::WrongPassword,
            "the key file does not belong to this repository, or its config file is damaged",
        )
        .with_remedy("move the key file away to open the repository by its password");
    }
    engine_error(error)
}

/// The engine's code of an error, of itself or of what caused it.
fn has_code(error: &RusticError, code: &str) -> bool {
    error.is_code(code)
        || error.source().is_some_and(|cause| cause.to_string().contains(&format!("errors/{code}")))
}

/// The engine writes pages, with backtraces of its own; a line has to do.
fn one_line(error: &RusticError) -> String {
    let text = error.display_log().split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.strip_prefix("Error: ").unwrap_or(&text);
    let end = ["For more information, see", "Some additional details", "Backtrace:", ": (source:"]
        .iter()
        .filter_map(|noise| text.find(noise))
        .min()
        .unwrap_or(text.len());
    let mut line = text[..end].trim().to_owned();
    while let Some((before, after)) = line.split_once(" (kind: related to ") {
        line = format!("{before}{}", after.split_once(')').map_or("", |(_, rest)| rest));
    }
    line.replace("`rustic_core` experienced an error related to ", "")
        .trim_end_matches([':', ' ', '.'])
        .to_owned()
}
