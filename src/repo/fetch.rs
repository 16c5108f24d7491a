//! Bringing files back: into a directory that was not there before, every blob verified, nothing that fails kept quiet.
//!
//! `rustic_core`'s own restore panics when a write fails and only logs what owner, mode or time it could not set.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::stat::{Mode, SFlag, mknod};
use rustic_core::repofile::{Node, NodeType};
use serde::Serialize;

use super::attributes::Attributes;
use super::content::{self, Live, Origin};
use super::reader::Reader;
use crate::error::{Context, Error, Result};
use crate::event::{Cx, Unit};

/// Two readers keep two cores and a share busy; more only fill the memory.
const WORKERS: usize = 2;
const QUEUED: usize = 64;

/// What a fetch brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fetched {
    pub files: u64,
    pub directories: u64,
    pub links: u64,
    /// Of all files.
    pub bytes: u64,
    /// Those of them that the live site had.
    pub reused: u64,
}

/// Which paths below the fetched directory are wanted; directories on the way are always made.
pub(crate) type Wanted<'a> = dyn Fn(&Path, bool) -> bool + Sync + 'a;

impl Reader {
    /// Fills `target`, which must not exist yet or be empty, with what is below `node`; a failure leaves nothing there. Content that is damaged or cannot be written is an error;
    /// an owner, mode, time or attribute that cannot be set is a `Missed` event. What `live` has under the same path below it
    /// need not come from the storage.
    pub(crate) fn fetch(
        &self,
        node: &Node,
        (target, live): (&Path, Option<&Path>),
        wanted: &Wanted<'_>,
        cx: &Cx,
    ) -> Result<Fetched> {
        let total = self.size_below(node, wanted)?;
        let mut ours = false;
        if node.is_dir() && !is_empty_directory(target)? {
            make_directory(target)?;
            ours = true;
        }
        let fetch = Fetch {
            reader: self,
            target,
            live,
            cx,
            total,
            attributes: Attributes::new(cx),
            bytes: AtomicU64::new(0),
            reused: AtomicU64::new(0),
            failure: Mutex::new(None),
        };
        let fetched = catch_unwind(AssertUnwindSafe(|| fetch.run(node, wanted)));
        if !matches!(fetched, Ok(Ok(_)))
            && node.is_dir()
            && let Err(error) = clear(target, ours)
        {
            cx.warn(format!("what was fetched is left behind: {error}"));
        }
        fetched.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Bytes of the wanted files below a node.
    pub(crate) fn size_below(&self, node: &Node, wanted: &Wanted<'_>) -> Result<u64> {
        let mut total = 0;
        for item in self.below(node)? {
            let (path, node) = item?;
            if node.is_file() && wanted(&path, false) {
                total += node.meta.size;
            }
        }
        Ok(total)
    }
}

struct Fetch<'a> {
    reader: &'a Reader,
    target: &'a Path,
    live: Option<&'a Path>,
    cx: &'a Cx,
    total: u64,
    attributes: Attributes<'a>,
    bytes: AtomicU64,
    reused: AtomicU64,
    failure: Mutex<Option<Error>>,
}

/// What is left to do once all files are there.
#[derive(Default)]
struct Later {
    directories: Vec<(PathBuf, Node)>,
    /// Further names of a file that was fetched under its first.
    hard_links: Vec<(PathBuf, PathBuf)>,
    first_names: HashMap<(u64, u64), (PathBuf, Node)>,
    done: Fetched,
}

impl Fetch<'_> {
    fn run(&self, node: &Node, wanted: &Wanted<'_>) -> Result<Fetched> {
        let mut later = Later::default();
        if node.is_dir() {
            later.directories.push((self.target.to_owned(), node.clone()));
        }
        let walked = std::thread::scope(|scope| {
            let (files, queue) = sync_channel::<(PathBuf, Node)>(QUEUED);
            let queue = Arc::new(Mutex::new(queue));
            for _ in 0..WORKERS {
                let queue = Arc::clone(&queue);
                scope.spawn(move || self.work(&queue));
            }
            // Only the workers receive: should they all be gone, the walk must not wait for them.
            drop(queue);
            let walked = self.walk(node, wanted, &files, &mut later);
            drop(files);
            // The workers end when the queue is empty; the scope waits for them.
            walked
        });
        // A worker's failure is why the walk stopped early, not the other way round.
        if let Some(failure) = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(failure);
        }
        walked?;
        for (first, name) in &later.hard_links {
            std::fs::hard_link(first, name)
                .with_context(|| format!("link {} to {}", name.display(), first.display()))?;
        }
        for (path, node) in later.directories.iter().rev() {
            self.attributes.set(path, node);
        }
        later.done.bytes = self.bytes.load(Ordering::Relaxed);
        later.done.reused = self.reused.load(Ordering::Relaxed);
        self.cx.progress(later.done.bytes, Some(later.done.bytes), Unit::Bytes);
        sync_file_system(self.target)?;
        Ok(later.done)
    }

    fn walk(
        &self,
        node: &Node,
        wanted: &Wanted<'_>,
        files: &SyncSender<(PathBuf, Node)>,
        later: &mut Later,
    ) -> Result<()> {
        for item in self.reader.below(node)? {
            self.cx.go_on()?;
            let (path, node) = item?;
            if !wanted(&path, node.is_dir()) {
                continue;
            }
            let path =
                if path.as_os_str().is_empty() { self.target.to_owned() } else { self.target.join(path) };
            self.place(path, node, files, later)?;
        }
        Ok(())
    }

    fn place(
        &self,
        path: PathBuf,
        node: Node,
        files: &SyncSender<(PathBuf, Node)>,
        later: &mut Later,
    ) -> Result<()> {
        match &node.node_type {
            NodeType::Dir => {
                make_directory(&path)?;
                later.done.directories += 1;
                later.directories.push((path, node));
            }
            NodeType::File => {
                later.done.files += 1;
                if node.meta.links > 1 && node.meta.inode != 0 {
                    let same = (node.meta.device_id, node.meta.inode);
                    match later.first_names.get(&same) {
                        Some((first, known)) if known.content == node.content => {
                            later.hard_links.push((first.clone(), path));
                            return Ok(());
                        }
                        // The number was given to another file in between: two files are two files.
                        Some(_) => {}
                        None => drop(later.first_names.insert(same, (path.clone(), node.clone()))),
                    }
                }
                // The only receivers are the workers; they are gone only after a failure, which `run` reports.
                files.send((path, node)).map_err(|_| Error::failed("a worker stopped"))?;
            }
            NodeType::Symlink { .. } => {
                later.done.links += 1;
                std::os::unix::fs::symlink(node.node_type.to_link(), &path)
                    .with_context(|| format!("make the link {}", path.display()))?;
                self.attributes.set(&path, &node);
            }
            NodeType::Dev { device } => self.special(&path, &node, SFlag::S_IFBLK, *device),
            NodeType::Chardev { device } => self.special(&path, &node, SFlag::S_IFCHR, *device),
            NodeType::Fifo => self.special(&path, &node, SFlag::S_IFIFO, 0),
            // A socket belongs to the process that listens on it.
            NodeType::Socket => {}
        }
        Ok(())
    }

    fn special(&self, path: &Path, node: &Node, kind: SFlag, device: u64) {
        match mknod(path, kind, Mode::S_IRUSR | Mode::S_IWUSR, device) {
            Ok(()) => self.attributes.set(path, node),
            Err(error) => {
                self.cx.missed(path.display().to_string(), format!("special file not made: {error}"));
            }
        }
    }

    fn work(&self, queue: &Mutex<Receiver<(PathBuf, Node)>>) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((path, node)) = next else { return };
            if self.failed() {
                continue; // drain, so that the walk is never stuck on a full queue
            }
            let done = self.cx.go_on_at_pace().and_then(|()| self.file(&path, &node));
            if let Err(error) = done.with_context(|| format!("restore {}", path.display())) {
                self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    }

    fn failed(&self) -> bool {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn file(&self, path: &Path, node: &Node) -> Result<()> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        content::fill(self.reader, node, &file, self.live(path, node).as_ref(), &mut |from, size| {
            self.took(from, size)
        })?;
        self.attributes.set(path, node);
        Ok(())
    }

    /// What is live in the place that `path` is to take.
    fn live(&self, path: &Path, node: &Node) -> Option<Live> {
        Live::open(&self.live?.join(path.strip_prefix(self.target).ok()?), node)
    }

    /// Reports progress as bytes arrive, and stops between two blobs.
    fn took(&self, from: Origin, size: u64) -> Result<()> {
        self.cx.go_on()?;
        if from == Origin::Live {
            self.reused.fetch_add(size, Ordering::Relaxed);
        }
        let done = self.bytes.fetch_add(size, Ordering::Relaxed) + size;
        self.cx.progress(done, Some(self.total), Unit::Bytes);
        Ok(())
    }
}

fn is_empty_directory(path: &Path) -> Result<bool> {
    match std::fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("look into {}", path.display())),
        // If there is something, making the directory fails and says so.
        Ok(mut entries) => Ok(entries.next().is_none()),
    }
}

/// Removes what a fetch put into a directory, and the directory itself if the fetch made it.
fn clear(target: &Path, ours: bool) -> std::io::Result<()> {
    if ours {
        return std::fs::remove_dir_all(target);
    }
    for entry in std::fs::read_dir(target)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Private until its real mode is set at the end: nobody looks into a half restored site.
fn make_directory(path: &Path) -> Result<()> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .with_context(|| format!("make the directory {}", path.display()))
}

/// Everything of this file system is on its disk afterwards; one call instead of one per file.
fn sync_file_system(target: &Path) -> Result<()> {
    let place = if target.is_dir() { target } else { target.parent().unwrap_or(Path::new("/")) };
    let directory = File::open(place).with_context(|| format!("open {}", place.display()))?;
    nix::unistd::syncfs(&directory)
        .with_context(|| format!("sync the file system of {}", OsStr::new(place).display()))
}
