//! The files of a site in the order a tree wants them, each with everything a restore must bring back.

use std::collections::HashMap;
use std::fs::{FileType, Metadata, read_dir, read_link, symlink_metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::{SignedDuration, Timestamp};
use nix::unistd::{Gid, Group, Uid, User};
use rustic_core::repofile::{Metadata as NodeMeta, Node, NodeType};

use super::cache::{CACHEDIR_TAG, is_cache};
use super::ledger::Ledger;
use super::patterns::Patterns;
use crate::error::{Context, Error, Result};

/// Examples of what a walk left out, in what it says at its end.
const EXAMPLES: usize = 3;

/// As coarse as the clock of a file system may be.
const TICK: SignedDuration = SignedDuration::from_secs(2);

/// Walks one directory tree depth first, names in byte order; what cannot be read goes into the ledger, never silently away.
pub(crate) struct Walk {
    root: PathBuf,
    excludes: Patterns,
    /// Device and inode of the root.
    identity: (u64, u64),
    /// An empty root is not believed.
    expect_some: bool,
    doubt_young: bool,
    below: u64,
    caches: Vec<PathBuf>,
    finished: bool,
    ledger: Arc<Ledger>,
    names: Names,
    /// Directories above the root, so that they keep their owner and mode; then the root itself.
    above: Vec<PathBuf>,
    /// Entries still to come, the next one last, one level per open directory.
    open: Vec<Vec<PathBuf>>,
}

/// An entry with what is needed to read it.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) node: Node,
}

impl Walk {
    pub(crate) fn new(root: &Path, excludes: Patterns, ledger: Arc<Ledger>) -> Result<Self> {
        let meta =
            symlink_metadata(root).with_context(|| format!("look at the site's root {}", root.display()))?;
        if !meta.is_dir() {
            return Err(Error::usage(format!("the site's root {} is no directory", root.display()))
                .with_remedy("`site.root` must name the directory itself, not a link to it"));
        }
        let above: Vec<PathBuf> =
            root.ancestors().filter(|path| path.parent().is_some()).map(Path::to_owned).collect();
        Ok(Self {
            root: root.to_owned(),
            excludes,
            identity: (meta.dev(), meta.ino()),
            expect_some: false,
            doubt_young: false,
            below: 0,
            caches: Vec::new(),
            finished: false,
            ledger,
            names: Names::default(),
            above,
            open: Vec::new(),
        })
    }

    /// There was something before: a root without anything in it is then more likely one that is not mounted.
    pub(crate) fn expect_some(self, expect_some: bool) -> Self {
        Self { expect_some, ..self }
    }

    /// A file that was changed just now may change again within the same tick of its clock, which nobody could tell from its
    /// times: it gets one that no file has, so that the next pass reads it again.
    pub(crate) fn doubt_young(self, doubt_young: bool) -> Self {
        Self { doubt_young, ..self }
    }

    /// What only the end can tell.
    fn finish(&mut self) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let root = self.root.display().to_string();
        if self.expect_some && self.below == 0 {
            self.ledger.missed(&root, "it is empty and was not before: is something not mounted?");
        }
        if !symlink_metadata(&self.root).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.identity) {
            self.ledger.missed(&root, "it was replaced or removed while it was saved");
        }
        if !self.caches.is_empty() {
            let some: Vec<String> =
                self.caches.iter().take(EXAMPLES).map(|path| path.display().to_string()).collect();
            let more = if self.caches.len() > EXAMPLES { ", …" } else { "" };
            self.ledger.cx().note(format!(
                "not saved: the content of {} directories that {CACHEDIR_TAG} marks as caches ({}{more})",
                self.caches.len(),
                some.join(", ")
            ));
        }
    }

    /// The sorted content of a directory that belongs to this walk.
    fn list(&mut self, directory: &Path) -> Vec<PathBuf> {
        let listed = (|| -> std::io::Result<Vec<PathBuf>> {
            let mut paths =
                read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
            if directory != self.root && is_cache(&paths) {
                self.caches.push(directory.to_owned());
                paths.retain(|path| path.file_name() == Some(CACHEDIR_TAG.as_ref()));
            }
            paths.sort_unstable_by(|a, b| b.file_name().cmp(&a.file_name()));
            Ok(paths)
        })();
        listed.unwrap_or_else(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                return Vec::new();
            }
            self.ledger.missed(&directory.display().to_string(), &format!("directory not readable: {error}"));
            Vec::new()
        })
    }

    /// The node of a path, with the directory opened if it is one of ours; `None` if it is left out, missed or gone.
    fn visit(&mut self, path: &Path) -> Option<Node> {
        let meta = match symlink_metadata(path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.ledger.missed(&path.display().to_string(), &error.to_string());
                return None;
            }
        };
        if path != self.root && self.excludes.covers(path, meta.is_dir()) {
            return None;
        }
        let node_type = match node_type(path, &meta) {
            Ok(node_type) => node_type,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.ledger.missed(&path.display().to_string(), &format!("link not readable: {error}"));
                return None;
            }
        };
        if meta.is_dir() {
            if meta.dev() == self.identity.0 {
                let content = self.list(path);
                self.open.push(content);
            } else {
                let text = format!("{} is another file system, its content is not saved", path.display());
                self.ledger.cx().warn(text);
            }
        }
        self.node(path, &meta, node_type)
    }

    fn node(&mut self, path: &Path, meta: &Metadata, node_type: NodeType) -> Option<Node> {
        // The engine does not export the type of an attribute; it can be made from its serialised form.
        let found = match extended_attributes(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            found => found,
        };
        let attributes = found
            .and_then(|found| serde_json::from_value(serde_json::Value::Array(found)).map_err(Into::into));
        let extended_attributes = attributes.unwrap_or_else(|error| {
            self.ledger.missed(&path.display().to_string(), &format!("extended attributes: {error}"));
            Vec::new()
        });
        let linked = meta.nlink() > 1 && !meta.is_dir();
        let young = self.doubt_young && meta.is_file() && is_young(meta);
        let mtime = if young { no_time() } else { timestamp(meta.mtime(), meta.mtime_nsec()) };
        let meta = NodeMeta {
            mode: Some(go_mode(meta)),
            mtime,
            // Reading a file must not make its directory a new one in the repository.
            atime: mtime,
            ctime: timestamp(meta.ctime(), meta.ctime_nsec()),
            uid: Some(meta.uid()),
            gid: Some(meta.gid()),
            user: self.names.user(meta.uid()),
            group: self.names.group(meta.gid()),
            inode: meta.ino(),
            device_id: if linked { meta.dev() } else { 0 },
            size: if meta.is_file() { meta.len() } else { 0 },
            links: if meta.is_dir() { 0 } else { meta.nlink() },
            extended_attributes,
        };
        Some(Node::new_node(path.file_name()?, node_type, meta))
    }
}

impl Walk {
    /// Rests between two files while the machine is busy with other things. Dumps do not: a database keeps a moment for them.
    pub(crate) fn at_pace(self) -> impl Iterator<Item = Found> + Send {
        let ledger = Arc::clone(&self.ledger);
        // A cancel is seen by who takes the files.
        self.inspect(move |_| drop(ledger.cx().go_on_at_pace()))
    }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if let Some(path) = self.above.pop() {
            let node = if path == self.root {
                self.visit(&path)
            } else {
                symlink_metadata(&path).ok().and_then(|meta| self.node(&path, &meta, NodeType::Dir))
            };
            if node.is_none() {
                // Without it nothing below would be found, and nothing would be missed.
                let text = format!("{} vanished while it was saved", path.display());
                self.ledger.fatal(Error::failed(text).with_remedy("back up again"));
            }
            return node.map(|node| Found { path, node });
        }
        loop {
            let Some(level) = self.open.last_mut() else {
                self.finish();
                return None;
            };
            let Some(path) = level.pop() else {
                self.open.pop();
                continue;
            };
            if let Some(node) = self.visit(&path) {
                self.below += 1;
                return Some(Found { path, node });
            }
        }
    }
}

/// Sum of the sizes of all regular files below a root, for the length of a progress bar only.
pub(crate) fn total_size(root: &Path, excludes: &Patterns) -> u64 {
    let mut total = 0;
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in read_dir(&directory).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type());
            let is_dir = kind.as_ref().is_ok_and(FileType::is_dir);
            if excludes.covers(&path, is_dir) {
                continue;
            }
            if is_dir {
                pending.push(path);
            } else if kind.is_ok_and(|kind| kind.is_file()) {
                total += entry.metadata().map_or(0, |meta| meta.len());
            }
        }
    }
    total
}

fn node_type(path: &Path, meta: &Metadata) -> std::io::Result<NodeType> {
    let kind = meta.file_type();
    Ok(if kind.is_dir() {
        NodeType::Dir
    } else if kind.is_symlink() {
        NodeType::from_link(&read_link(path)?)
    } else if kind.is_block_device() {
        NodeType::Dev { device: meta.rdev() }
    } else if kind.is_char_device() {
        NodeType::Chardev { device: meta.rdev() }
    } else if kind.is_fifo() {
        NodeType::Fifo
    } else if kind.is_socket() {
        NodeType::Socket
    } else {
        NodeType::File
    })
}

/// Name and value of each, as JSON; ACLs are extended attributes too (`system.posix_acl_*`).
fn extended_attributes(path: &Path) -> std::io::Result<Vec<serde_json::Value>> {
    let names = match xattr::list(path) {
        Err(error) if error.raw_os_error() == Some(nix::libc::ENOTSUP) => return Ok(Vec::new()),
        names => names?,
    };
    let mut found = Vec::new();
    for name in names {
        let text = name.to_str().ok_or_else(|| {
            std::io::Error::other(format!("the name {:?} cannot be stored", name.as_bytes()))
        })?;
        // Removed between the list and the look: then it is not there.
        if let Some(value) = xattr::get(path, &name)? {
            found.push(serde_json::json!({ "name": text, "value": BASE64_STANDARD.encode(value) }));
        }
    }
    Ok(found)
}

/// Restic stores modes as Go's `os.FileMode`: <https://pkg.go.dev/io/fs#FileMode>.
fn go_mode(meta: &Metadata) -> u32 {
    let kind = meta.file_type();
    let mode = meta.mode();
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    let type_bits = if kind.is_dir() {
        1 << 31
    } else if kind.is_symlink() {
        1 << 27
    } else if kind.is_block_device() {
        1 << 26
    } else if kind.is_char_device() {
        1 << 26 | 1 << 21
    } else if kind.is_fifo() {
        1 << 25
    } else if kind.is_socket() {
        1 << 24
    } else {
        0
    };
    special
        .iter()
        .filter(|(unix, _)| mode & unix != 0)
        .fold(mode & 0o777 | type_bits, |go, (_, bit)| go | bit)
}

/// The permission bits of a Go mode as `chmod` takes them.
pub(crate) fn unix_mode(go: u32) -> u32 {
    let special = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];
    special.iter().filter(|(bit, _)| go & bit != 0).fold(go & 0o777, |mode, (_, unix)| mode | unix)
}

fn is_young(meta: &Metadata) -> bool {
    let changed = timestamp(meta.ctime(), meta.ctime_nsec());
    changed.is_none_or(|changed| Timestamp::now().duration_since(changed) < TICK)
}

/// Long before any file system, and yet a time that every reader of the format can read.
fn no_time() -> Option<Timestamp> {
    timestamp(-62_135_596_800, 1)
}

fn timestamp(seconds: i64, nanoseconds: i64) -> Option<Timestamp> {
    Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()
}

/// Names of users and groups, looked up once each.
#[derive(Default)]
struct Names {
    users: HashMap<u32, Option<String>>,
    groups: HashMap<u32, Option<String>>,
}

impl Names {
    fn user(&mut self, uid: u32) -> Option<String> {
        let look_up = || User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
        self.users.entry(uid).or_insert_with(look_up).clone()
    }

    fn group(&mut self, gid: u32) -> Option<String> {
        let look_up = || Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name);
        self.groups.entry(gid).or_insert_with(look_up).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Cx;

    /// Between two passes it may be written once more within the same tick, with the same size: its times would not tell.
    #[test]
    fn a_file_that_changed_just_now_gets_a_time_that_no_file_has() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("young"), "x").unwrap();
        let time = |doubt| {
            let patterns = Patterns::new(directory.path(), &[]).unwrap();
            let walk = Walk::new(directory.path(), patterns, Arc::new(Ledger::new(&Cx::silent()))).unwrap();
            let found = walk.doubt_young(doubt).find(|found| found.path.ends_with("young")).unwrap();
            found.node.meta.mtime
        };
        let real = time(false);
        assert!(real.is_some() && time(true) != real && time(true) == no_time());
        // Once it is older, its times tell all.
        std::thread::sleep(TICK.unsigned_abs() + std::time::Duration::from_millis(100));
        assert_eq!(time(true), real);
    }
}
