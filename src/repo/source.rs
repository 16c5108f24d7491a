//! Everything one snapshot is made of, as the engine's lazy stream of entries: files of the site, dumps, and a manifest last.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Cursor, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use nix::fcntl::OFlag;
use rustic_core::repofile::{Metadata as NodeMeta, Node, NodeType};
use rustic_core::{ErrorKind, ReadSource, ReadSourceEntry, ReadSourceOpen, RusticError, RusticResult};

use super::ledger::{Ledger, Reading};
use super::manifest::{DUMPS, MANIFEST, Manifest, README, README_TEXT, VIRTUAL};
use super::walk::{Found, Walk};
use crate::dump::{DumpFile, Feed};
use crate::error::Error;

type Entry = ReadSourceEntry<Open>;
type Entries = Box<dyn Iterator<Item = Entry> + Send>;

/// The sources of one snapshot; read once.
pub(crate) struct Source {
    parts: Mutex<Option<Parts>>,
    ledger: Arc<Ledger>,
    expected_bytes: Option<u64>,
}

struct Parts {
    walk: Option<Walk>,
    virtual_part: Option<VirtualPart>,
    virtual_first: bool,
}

/// The dumps and the manifest that describes them.
pub(crate) struct VirtualPart {
    pub(crate) feeds: Vec<Box<dyn Feed>>,
    /// Directories of the feeds below the dump directory, in the same order; ascending.
    pub(crate) directories: Vec<PathBuf>,
    pub(crate) manifest: Arc<Mutex<Manifest>>,
    pub(crate) moment: Timestamp,
}

impl Source {
    /// `expected_bytes` is only the length of a progress bar.
    pub(crate) fn new(
        root: Option<&Path>,
        walk: Option<Walk>,
        virtual_part: Option<VirtualPart>,
        ledger: Arc<Ledger>,
        expected_bytes: Option<u64>,
    ) -> Self {
        // A tree wants its entries in order of their names: which of the two top directories comes first decides.
        let top = root.and_then(|root| root.components().nth(1)).map(|top| top.as_os_str().to_owned());
        let virtual_first = top.is_none_or(|top| OsStr::new(&VIRTUAL[1..]) < top.as_os_str());
        let parts = Parts { walk, virtual_part, virtual_first };
        Self { parts: Mutex::new(Some(parts)), ledger, expected_bytes }
    }
}

impl ReadSource for Source {
    type Open = Open;
    type Iter = Box<dyn Iterator<Item = RusticResult<Entry>> + Send>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(self.expected_bytes)
    }

    fn entries(&self) -> Self::Iter {
        let Some(parts) = self.parts.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            self.ledger.fatal(Error::failed("the sources were asked for twice"));
            return Box::new(std::iter::empty());
        };
        let ledger = &self.ledger;
        let files: Entries = match parts.walk {
            Some(walk) => Box::new(walk.at_pace().map(file_entry(Arc::clone(ledger)))),
            None => Box::new(std::iter::empty()),
        };
        let dumps: Entries = match parts.virtual_part {
            Some(part) => Box::new(Virtual::new(part, Arc::clone(ledger))),
            None => Box::new(std::iter::empty()),
        };
        let (first, second) = if parts.virtual_first { (dumps, files) } else { (files, dumps) };
        Box::new(Accounted { entries: first.chain(second), ledger: Arc::clone(ledger), done: false }.map(Ok))
    }
}

/// Counts what passes, stops on a cancel, and notes that the end was really reached.
struct Accounted<I> {
    entries: I,
    ledger: Arc<Ledger>,
    done: bool,
}

impl<I: Iterator<Item = Entry>> Iterator for Accounted<I> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if self.done {
            return None;
        }
        if let Err(cancelled) = self.ledger.cx().go_on() {
            self.ledger.fatal(cancelled);
            self.done = true;
            return None;
        }
        let entry = self.entries.next();
        match &entry {
            Some(entry) if !entry.node.is_dir() => self.ledger.offered(),
            Some(_) => {}
            None => {
                self.ledger.ended();
                self.done = true;
            }
        }
        entry
    }
}

fn file_entry(ledger: Arc<Ledger>) -> impl FnMut(Found) -> Entry + Send {
    move |Found { path, node }| {
        let open = node.is_file().then(|| Open::File {
            path: path.clone(),
            size: node.meta.size,
            inode: node.meta.inode,
            ledger: Arc::clone(&ledger),
            reading: ledger.reading(),
        });
        Entry { path, node, open }
    }
}

/// How the engine gets at the content of an entry.
pub(crate) enum Open {
    File { path: PathBuf, size: u64, inode: u64, ledger: Arc<Ledger>, reading: Option<Arc<Reading>> },
    Memory(Vec<u8>),
}

impl ReadSourceOpen for Open {
    type Reader = Box<dyn Read + Send>;

    fn open(self) -> RusticResult<Self::Reader> {
        match self {
            Self::Memory(data) => Ok(Box::new(Cursor::new(data))),
            Self::File { path, size, inode, ledger, reading } => match open_file(&path, inode) {
                Ok(file) => {
                    Ok(Box::new(Exactly { file, left: size, path, ledger, failed: false, _reading: reading }))
                }
                Err(error) => {
                    if error.kind() == io::ErrorKind::NotFound {
                        ledger.vanished();
                    } else {
                        ledger.dropped(&path.display().to_string(), &error.to_string());
                    }
                    Err(RusticError::with_source(ErrorKind::InputOutput, "not read", error))
                }
            },
        }
    }
}

/// Opens the very file that was listed: no link in its place, and not waiting for ever on a pipe in its place.
fn open_file(path: &Path, inode: u64) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.ino() != inode {
        // Its size and time are in the tree already. A file of this name was there all the time, so it is missing now.
        return Err(io::Error::other("it was replaced while the backup ran"));
    }
    // A directory above may have become a link: then this is not a file of the site. Without /proc nobody can tell.
    match std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) {
        Ok(real) if real != path => {
            Err(io::Error::other(format!("the way to it leads to {}", real.display())))
        }
        _ => Ok(file),
    }
}

/// Gives exactly as many bytes as were announced: the engine stores the announced size whatever comes.
///
/// A file that grew is saved up to the size it had; one that shrank cannot be right and is left out and named.
struct Exactly {
    file: File,
    left: u64,
    path: PathBuf,
    ledger: Arc<Ledger>,
    failed: bool,
    _reading: Option<Arc<Reading>>,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        if self.ledger.cx().is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = match self.file.read(&mut buffer[..most]) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read")),
            // `read` of the caller may be `read_to_end`, which repeats on EINTR by itself.
            other => other,
        };
        match read {
            Ok(count) => {
                self.left -= count as u64;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                if !std::mem::replace(&mut self.failed, true) {
                    self.ledger.dropped(&self.path.display().to_string(), &error.to_string());
                }
                Err(error)
            }
        }
    }
}

/// The virtual directory: the feeds' files as they come, then what describes them.
struct Virtual {
    part: VirtualPart,
    ledger: Arc<Ledger>,
    /// The directory the previous entry was in; new ones on the way to the next get an entry of their own.
    within: PathBuf,
    pending: Vec<Entry>,
    current: usize,
    previous: Option<PathBuf>,
    ended: bool,
}

impl Virtual {
    fn new(part: VirtualPart, ledger: Arc<Ledger>) -> Self {
        let mut start = Self {
            part,
            ledger,
            within: PathBuf::from("/"),
            pending: Vec::new(),
            current: 0,
            previous: None,
            ended: false,
        };
        let readme = start.file(Path::new(VIRTUAL).join(README), README_TEXT.as_bytes().to_vec());
        start.queue(readme);
        start
    }

    /// The entry, and before it the directories that lead to it.
    fn queue(&mut self, entry: Entry) {
        let parent = entry.path.parent().unwrap_or(Path::new("/")).to_owned();
        let mut missing: Vec<&Path> =
            parent.ancestors().take_while(|path| !self.within.starts_with(path)).collect();
        missing.reverse();
        let mut entries: Vec<Entry> = missing.into_iter().map(|path| self.directory(path)).collect();
        entries.push(entry);
        entries.reverse();
        self.pending = entries;
        self.within = parent;
    }

    /// The next file of the feeds, checked for what the tree cannot do without; `None` when all are whole.
    fn pull(&mut self) -> Result<Option<Entry>, Error> {
        while let Some(feed) = self.part.feeds.get_mut(self.current) {
            if let Some(DumpFile { path, data }) = feed.next(self.ledger.cx())? {
                let directory = Path::new(VIRTUAL).join(DUMPS).join(&self.part.directories[self.current]);
                let plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
                if !plain
                    || path.as_os_str().is_empty()
                    || self.previous.as_ref().is_some_and(|last| *last >= path)
                {
                    return Err(Error::failed(format!("the dump gave {} out of order", path.display())));
                }
                let moment = feed.moment();
                self.previous = Some(path.clone());
                return Ok(Some(self.file_of(directory.join(path), data, moment)));
            }
            let summary = feed.summary();
            for unsaved in &summary.unsaved {
                self.ledger.missed(&format!("{}: {}", summary.database, unsaved.what), &unsaved.why);
            }
            self.part.manifest.lock().unwrap_or_else(PoisonError::into_inner).databases.push(summary);
            self.current += 1;
            self.previous = None;
        }
        Ok(None)
    }

    fn manifest(&self) -> Result<Entry, Error> {
        let text =
            serde_json::to_vec_pretty(&*self.part.manifest.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(self.file(Path::new(VIRTUAL).join(MANIFEST), text))
    }

    fn file(&self, path: PathBuf, data: Vec<u8>) -> Entry {
        self.file_of(path, data, self.part.moment)
    }

    /// Size, mode and time are all there before the engine sees the entry: it would store a size of 0 and never correct it,
    /// and take two files without a time for the same.
    #[allow(clippy::unused_self)] // reads as the sibling of `directory`
    fn file_of(&self, path: PathBuf, data: Vec<u8>, moment: Timestamp) -> Entry {
        let meta = NodeMeta { size: data.len() as u64, mode: Some(0o600), links: 1, ..owned(moment) };
        let node = Node::new_node(path.file_name().unwrap_or_default(), NodeType::File, meta);
        Entry { path, node, open: Some(Open::Memory(data)) }
    }

    fn directory(&self, path: &Path) -> Entry {
        let meta = NodeMeta { mode: Some(0o700 | 1 << 31), ..owned(self.part.moment) };
        let node = Node::new_node(path.file_name().unwrap_or_default(), NodeType::Dir, meta);
        Entry { path: path.to_owned(), node, open: None }
    }
}

impl Iterator for Virtual {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if let Some(entry) = self.pending.pop() {
            return Some(entry);
        }
        if self.ended {
            return None;
        }
        let next = match self.pull() {
            Ok(None) => {
                self.ended = true;
                self.manifest()
            }
            Ok(Some(entry)) => Ok(entry),
            Err(error) => Err(error),
        };
        match next {
            Ok(entry) => self.queue(entry),
            Err(error) => {
                self.ledger.fatal(error);
                self.ended = true;
            }
        }
        self.pending.pop()
    }
}

fn owned(moment: Timestamp) -> NodeMeta {
    NodeMeta {
        mtime: Some(moment),
        atime: Some(moment),
        ctime: Some(moment),
        uid: Some(0),
        gid: Some(0),
        user: Some("root".to_owned()),
        group: Some("root".to_owned()),
        ..NodeMeta::default()
    }
}
