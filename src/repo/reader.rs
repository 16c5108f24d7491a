//! Reading what a snapshot holds: its tree, its files blob by blob, and its dumps as a database restores them.

use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustic_core::repofile::{BlobType, Node, NodeType};
use rustic_core::{BlobId, DataId, IndexedFullStatus, Repository, TreeId};
use sha2::{Digest, Sha256};

use super::limits::TO_READ;
use super::list::Snapshot;
use super::manifest::{DUMPS, MANIFEST, Manifest, VIRTUAL};
use super::{REPAIR, Repo, engine_error};
use crate::dump::Shelf;
use crate::error::{Context, Error, Kind, Result};

/// The highest manifest format this program can read.
const FORMAT: u32 = 1;
/// A manifest lists databases, not their content; one that is larger was made to fill our memory.
const LARGEST_MANIFEST: u64 = 64 << 20;
/// No system has paths with more parts; a tree that is deeper leads into itself.
pub(crate) const DEEPEST: usize = 4096;

/// A repository with its whole index in memory, for reading content.
#[derive(Clone)]
pub struct Reader {
    pub(crate) engine: Arc<Repository<IndexedFullStatus>>,
}

impl Repo {
    /// Reads the index; what it says is what the storage has now.
    pub fn reader(&self) -> Result<Reader> {
        self.fits(TO_READ)?;
        let engine = self
            .reading_engine()?
            .to_indexed()
            .map_err(engine_error)
            .context("read the index")
            .remedy(REPAIR)?;
        Ok(Reader { engine: Arc::new(engine) })
    }
}

impl Reader {
    /// What the snapshot says about itself; `None` for a snapshot of another program.
    pub fn manifest(&self, snapshot: &Snapshot) -> Result<Option<Manifest>> {
        let path = Path::new(VIRTUAL).join(MANIFEST);
        let Some(node) = self.find(snapshot.tree, &path)? else { return Ok(None) };
        if node.meta.size > LARGEST_MANIFEST {
            return Err(Error::failed(format!("the snapshot's manifest has {} bytes", node.meta.size)));
        }
        let mut text = Vec::new();
        self.write(&node, &mut text)?;
        let manifest: Manifest = serde_json::from_slice(&text).context("read the snapshot's manifest")?;
        if manifest.format > FORMAT {
            return Err(Error::failed(format!(
                "the snapshot's manifest has format {}, this program knows {FORMAT}",
                manifest.format
            ))
            .with_remedy("use a newer lifeboat to restore it"));
        }
        Ok(Some(manifest))
    }

    /// The node at an absolute path of the snapshot; `None` if there is none.
    pub fn find(&self, tree: TreeId, path: &Path) -> Result<Option<Node>> {
        let mut node = root_node(tree);
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let Some(subtree) = node.subtree else { return Ok(None) };
            let tree = self.engine.get_tree(&subtree).map_err(engine_error)?;
            match tree.nodes.into_iter().find(|node| node.name() == name) {
                Some(found) => node = found,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// The whole of a snapshot.
    pub fn top(&self, snapshot: &Snapshot) -> Node {
        root_node(snapshot.tree)
    }

    /// The node at a path that must be there.
    pub fn node(&self, snapshot: &Snapshot, path: &Path) -> Result<Node> {
        self.find(snapshot.tree, path)?.ok_or_else(|| {
            Error::new(Kind::NotFound, format!("snapshot {} has no {}", snapshot.short_id(), path.display()))
                .with_remedy(format!("`lifeboat ls {}` shows what it has", snapshot.short_id()))
        })
    }

    /// Everything below a directory node, parents before their content, with paths relative to it; a lone file is itself.
    ///
    /// The tree comes from the repository and is hostile until proven: a name that could lead elsewhere is an error.
    pub fn below(&self, node: &Node) -> Result<Below> {
        self.levels_below(node, DEEPEST)
    }

    /// The same for so many levels alone: 1 is what is in the directory itself. No tree of a deeper level is read.
    pub fn levels_below(&self, node: &Node, levels: usize) -> Result<Below> {
        let first = match (node.is_dir(), node.subtree) {
            (true, Some(tree)) => self.engine.get_tree(&tree).map_err(engine_error)?.nodes,
            (true, None) => return Err(Error::failed("a directory of the snapshot has no content")),
            (false, _) => vec![node.clone()],
        };
        Ok(Below {
            reader: self.clone(),
            open: vec![(PathBuf::new(), first.into_iter())],
            levels,
            lone: !node.is_dir(),
        })
    }

    /// One blob; its bytes are proven to be what the tree refers to.
    pub(crate) fn blob(&self, id: &DataId) -> Result<Bytes> {
        let data = self.engine.get_blob_cached(&BlobId::from(**id), BlobType::Data).map_err(engine_error)?;
        let expected = id.to_hex();
        if super::lock::hex(&Sha256::digest(&data)) != expected.as_str() {
            return Err(Error::failed(format!("blob {} is damaged", expected.as_str())));
        }
        Ok(data)
    }

    /// Writes a file's content; fails, with nothing more written, at the first blob that is not what it should be.
    pub fn write(&self, node: &Node, to: &mut impl Write) -> Result<()> {
        let mut size = 0;
        for id in node.content.iter().flatten() {
            let data = self.blob(id)?;
            size += data.len() as u64;
            if size > node.meta.size {
                return Err(Error::failed(format!(
                    "the content has more than the {} bytes the tree says",
                    node.meta.size
                )));
            }
            to.write_all(&data)?;
        }
        if size != node.meta.size {
            return Err(Error::failed(format!(
                "the content has {size} bytes, the tree says {}",
                node.meta.size
            )));
        }
        Ok(())
    }

    /// A dump of the snapshot, as a database restores it. `directory` is the one the manifest names.
    pub fn shelf(&self, snapshot: &Snapshot, directory: &Path) -> Result<Dump> {
        let node = self.node(snapshot, &Path::new(VIRTUAL).join(DUMPS).join(directory))?;
        Ok(Dump { reader: self.clone(), node, lone: None })
    }

    /// A dump that is one file, under that file's name.
    pub fn lone(&self, snapshot: &Snapshot, path: &Path) -> Result<Dump> {
        let node = self.node(snapshot, path)?;
        let name = path.file_name().map(PathBuf::from);
        if !node.is_file() || name.is_none() {
            return Err(Error::failed(format!("{} is no file in the snapshot", path.display())));
        }
        Ok(Dump { reader: self.clone(), node, lone: name })
    }
}

/// A directory's content, depth first, in the order of its trees.
pub struct Below {
    reader: Reader,
    open: Vec<(PathBuf, std::vec::IntoIter<Node>)>,
    levels: usize,
    /// A single file, known by the empty path.
    lone: bool,
}

impl Iterator for Below {
    type Item = Result<(PathBuf, Node)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (directory, nodes) = self.open.last_mut()?;
            let Some(node) = nodes.next() else {
                self.open.pop();
                continue;
            };
            if self.lone {
                return Some(Ok((PathBuf::new(), node)));
            }
            let name = node.name();
            if !is_plain(Path::new(&name)) {
                let text = format!("the snapshot has an entry with the impossible name {:?}", node.name);
                return Some(Err(Error::failed(text)));
            }
            let path = directory.join(name);
            if node.is_dir() {
                let Some(tree) = node.subtree.filter(|_| self.open.len() < DEEPEST) else {
                    let text =
                        format!("the directory {} of the snapshot has no content or no end", path.display());
                    return Some(Err(Error::failed(text)));
                };
                if self.open.len() >= self.levels {
                    return Some(Ok((path, node)));
                }
                match self.reader.engine.get_tree(&tree) {
                    Ok(tree) => self.open.push((path.clone(), tree.nodes.into_iter())),
                    Err(error) => {
                        let error = Err(engine_error(error));
                        return Some(error.with_context(|| format!("read the directory {}", path.display())));
                    }
                }
            }
            return Some(Ok((path, node)));
        }
    }
}

/// A dump's directory inside a snapshot, or a file that is one.
pub struct Dump {
    reader: Reader,
    node: Node,
    /// The name of that file.
    lone: Option<PathBuf>,
}

impl Shelf for Dump {
    fn list(&self) -> Result<Vec<(PathBuf, u64)>> {
        if let Some(name) = &self.lone {
            return Ok(vec![(name.clone(), self.node.meta.size)]);
        }
        let mut files = Vec::new();
        for item in self.reader.below(&self.node)? {
            let (path, node) = item?;
            if node.is_file() {
                files.push((path, node.meta.size));
            }
        }
        Ok(files)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>> {
        let node = match (&self.lone, self.node.subtree) {
            (Some(name), _) => (name == path).then(|| self.node.clone()),
            (None, Some(tree)) => self.reader.find(tree, path)?,
            (None, None) => return Err(Error::failed("the dump is no directory")),
        };
        let node = node
            .filter(Node::is_file)
            .ok_or_else(|| Error::failed(format!("the dump has no file {}", path.display())))?;
        let left = node.content.unwrap_or_default().into_iter();
        Ok(Box::new(Blobs { reader: self.reader.clone(), left, current: Bytes::new() }))
    }
}

/// The content of a file as a stream, one blob in memory at a time.
struct Blobs {
    reader: Reader,
    left: std::vec::IntoIter<DataId>,
    current: Bytes,
}

impl Read for Blobs {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.left.next() {
                None => return Ok(0),
                Some(id) => {
                    self.current =
                        self.reader.blob(&id).map_err(|error| io::Error::other(error.to_string()))?;
                }
            }
        }
        let count = self.current.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}

/// The directory that a tree stands for.
pub(crate) fn root_node(tree: TreeId) -> Node {
    Node { node_type: NodeType::Dir, subtree: Some(tree), ..Node::default() }
}

/// One name that, joined to a directory, stays inside: not empty, no `.` or `..`, no `/` in it.
pub(super) fn is_plain(name: &Path) -> bool {
    let mut parts = name.components();
    matches!(parts.next(), Some(Component::Normal(part)) if part == name.as_os_str())
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        for name in ["", ".", "..", "/", "/etc", "a/b", "a/", "../a", "./a"] {
            assert!(!is_plain(Path::new(name)), "{name:?}");
        }
        for name in ["a", "...", ".a", "a\nb", "-"] {
            assert!(is_plain(Path::new(name)), "{name:?}");
        }
    }
}
