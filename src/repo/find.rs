//! Looks for files in many snapshots at once, each directory that several of them share only once.
//!
//! All snapshots are walked side by side, path by path: what is in memory is one directory on each level, not a snapshot.

use std::collections::btree_map::{self, BTreeMap};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use jiff::Timestamp;
use rustic_core::TreeId;
use rustic_core::repofile::Node;
use serde::Serialize;

use super::engine_error;
use super::entry::kind;
use super::list::Snapshot;
use super::manifest::VIRTUAL;
use super::reader::{DEEPEST, Reader, is_plain};
use crate::error::{Context, Error, Result};
use crate::event::Cx;

/// Nobody types more, and a glob's machine grows with it.
const LONGEST: usize = 1000;

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Pattern {
    matcher: Matcher,
    only_directories: bool,
}

#[derive(Clone, Debug)]
enum Matcher {
    /// In small letters, somewhere in the name.
    Within(String),
    Name(GlobMatcher),
    /// Of the whole path.
    Path(GlobMatcher),
}

impl Pattern {
    /// Text without wildcards (`*`, `?`, `[`) and without `/` is looked for within names, whatever the case. Anything else is a
    /// glob as in a .gitignore: of the name or, if there is a `/` in it, of the path or of its end. A `/` at the end means a
    /// directory.
    pub fn new(text: &str) -> Result<Self> {
        let plain = text.trim_end_matches('/');
        if plain.is_empty() || text.len() > LONGEST {
            return Err(Error::usage(format!("a pattern has 1 to {LONGEST} bytes"))
                .with_remedy("write a part of a name, such as invoice, or a pattern such as '*.php'"));
        }
        let matcher = if plain.contains('/') {
            let anchored = if plain.starts_with('/') { plain.to_owned() } else { format!("/**/{plain}") };
            Matcher::Path(glob(&anchored, text)?)
        } else if plain.contains(['*', '?', '[']) {
            Matcher::Name(glob(plain, text)?)
        } else {
            Matcher::Within(plain.to_lowercase())
        };
        Ok(Self { matcher, only_directories: plain.len() < text.len() })
    }

    fn matches(&self, path: &Path, name: &OsStr, is_dir: bool) -> bool {
        if self.only_directories && !is_dir {
            return false;
        }
        match &self.matcher {
            Matcher::Within(part) => name.to_string_lossy().to_lowercase().contains(part),
            Matcher::Name(glob) => glob.is_match(name),
            Matcher::Path(glob) => glob.is_match(path),
        }
    }
}

fn glob(pattern: &str, typed: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
    let glob = glob.map_err(|error| {
        Error::usage(format!("`{typed}` is no pattern: {}", error.kind()))
            .with_remedy("put a backslash before a wildcard (*, ?, [, {) that is meant as it stands")
    })?;
    Ok(glob.compile_matcher())
}

/// What to look for, and where.
#[derive(Clone, Debug)]
pub struct Search {
    pub pattern: Pattern,
    /// Only below this path of the snapshots, or the one file there; left out: everything but what is no file of a site.
    pub path: Option<PathBuf>,
    /// So many paths are listed; the others are counted.
    pub limit: usize,
}

/// Paths that match, in path order.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// By its id; nothing where there is none.
    pub newest: Option<String>,
    /// How many were looked through.
    pub snapshots: usize,
    pub paths: Vec<FoundPath>,
    /// Paths that match as well and are not listed.
    pub left_out: u64,
    /// Directories that are damaged: what is in them is not known.
    pub unreadable: u64,
}

/// A path, and what was there at different times.
#[derive(Clone, Debug, Serialize)]
pub struct FoundPath {
    #[serde(serialize_with = "crate::sys::fs::shown")]
    pub path: PathBuf,
    /// The newest snapshot has something of this path.
    pub in_newest: bool,
    /// Different in kind, content, size or modification time; the newest first.
    pub versions: Vec<Version>,
}

/// What was at a path, and the newest snapshot that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    pub snapshot: String,
    /// Of the snapshot.
    pub time: Timestamp,
    /// `file`, `dir`, `symlink`, …: restic's names.
    pub kind: String,
    pub size: u64,
    pub mtime: Option<Timestamp>,
    /// It is what the newest snapshot has.
    pub in_newest: bool,
}

impl Reader {
    /// Looks through `snapshots`, the newest of which come first; `newest` is the id of the one that shows what a site has now.
    pub fn search(
        &self,
        snapshots: &[Snapshot],
        newest: Option<&str>,
        wanted: &Search,
        cx: &Cx,
    ) -> Result<Found> {
        let mut found =
            Found { newest: newest.map(str::to_owned), snapshots: snapshots.len(), ..Found::default() };
        let mut roots = Trees::default();
        for (at, snapshot) in snapshots.iter().enumerate() {
            roots.add(snapshot.tree, at, Some(snapshot.id.as_str()) == newest);
        }
        let looking = Looking { reader: self, snapshots, wanted, way: way(wanted.path.as_deref()), cx };
        let mut open = vec![looking.directory(PathBuf::new(), &roots, 0, &mut found)?];
        while let Some(level) = open.last_mut() {
            let Some((name, place)) = level.names.next() else {
                open.pop();
                continue;
            };
            let path = level.path.join(name);
            if !place.versions.is_empty() {
                note(&mut found, &path, &place, wanted.limit);
            }
            if place.trees.0.is_empty() {
                continue;
            }
            if open.len() >= DEEPEST {
                return Err(Error::failed(format!("the directory {} has no end", path.display())));
            }
            let depth = open.len();
            open.push(looking.directory(path, &place.trees, depth, &mut found)?);
        }
        Ok(found)
    }
}

fn note(found: &mut Found, path: &Path, place: &Place, limit: usize) {
    if found.paths.len() >= limit {
        found.left_out += 1;
        return;
    }
    let versions: Vec<Version> = place.versions.iter().map(|(version, _)| version.clone()).collect();
    let in_newest = versions.iter().any(|version| version.in_newest);
    found.paths.push(FoundPath { path: Path::new("/").join(path), in_newest, versions });
}

/// The names that lead to where is looked.
fn way(path: Option<&Path>) -> Vec<OsString> {
    let names = path.into_iter().flat_map(Path::components);
    names
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            _ => None,
        })
        .collect()
}

/// The different directories that snapshots have at one path.
#[derive(Default)]
struct Trees(Vec<Shared>);

struct Shared {
    tree: TreeId,
    /// The first snapshot that has it.
    snapshot: usize,
    in_newest: bool,
}

impl Trees {
    fn add(&mut self, tree: TreeId, snapshot: usize, in_newest: bool) {
        match self.0.iter_mut().find(|known| known.tree == tree) {
            Some(known) => known.in_newest |= in_newest,
            None => self.0.push(Shared { tree, snapshot, in_newest }),
        }
    }
}

/// What all snapshots have at one path.
#[derive(Default)]
struct Place {
    /// With what tells their content apart; none if the path is not one that is looked for.
    versions: Vec<(Version, blake3::Hash)>,
    trees: Trees,
}

/// One directory, and how far its names were gone through. Paths are relative to the root of the snapshots.
struct Level {
    path: PathBuf,
    names: btree_map::IntoIter<OsString, Place>,
}

struct Looking<'a> {
    reader: &'a Reader,
    snapshots: &'a [Snapshot],
    wanted: &'a Search,
    way: Vec<OsString>,
    cx: &'a Cx,
}

impl Looking<'_> {
    /// Reads each of the trees once; one that is damaged is told and counted, so that it does not hide what others have.
    fn directory(&self, path: PathBuf, trees: &Trees, depth: usize, found: &mut Found) -> Result<Level> {
        let mut names: BTreeMap<OsString, Place> = BTreeMap::new();
        for shared in &trees.0 {
            self.cx.go_on()?;
            let nodes = match self.reader.engine.get_tree(&shared.tree).map_err(engine_error) {
                Ok(tree) => tree.nodes,
                Err(error) => {
                    found.unreadable += 1;
                    let snapshot = self.snapshots[shared.snapshot].short_id();
                    self.cx
                        .warn(format!("/{} of snapshot {snapshot} cannot be read: {error}", path.display()));
                    continue;
                }
            };
            for node in nodes {
                let name = node.name().into_owned();
                if !is_plain(Path::new(&name)) {
                    return Err(Error::failed(format!("an entry has the impossible name {:?}", node.name)))
                        .with_context(|| format!("look into /{}", path.display()));
                }
                if self.leads_there(depth, &name) {
                    self.take(&path, name, &node, shared, depth, &mut names);
                }
            }
        }
        // Most of what was read is not looked for, and leads nowhere.
        names.retain(|_, place| !place.versions.is_empty() || !place.trees.0.is_empty());
        Ok(Level { path, names: names.into_iter() })
    }

    /// Dumps are in hundreds of files with names of their own: only who asks for them means them.
    fn leads_there(&self, depth: usize, name: &OsStr) -> bool {
        match self.way.get(depth) {
            Some(wanted) => name == wanted,
            None => depth > 0 || Path::new("/").join(name) != Path::new(VIRTUAL),
        }
    }

    fn take(
        &self,
        directory: &Path,
        name: OsString,
        node: &Node,
        shared: &Shared,
        depth: usize,
        names: &mut BTreeMap<OsString, Place>,
    ) {
        // On the way to where is looked, there is nothing to find but a file at its end.
        let inside = depth >= self.way.len() || (depth + 1 == self.way.len() && !node.is_dir());
        let path = Path::new("/").join(directory).join(&name);
        let matches = inside && self.wanted.pattern.matches(&path, &name, node.is_dir());
        let deeper = node.subtree.filter(|_| node.is_dir());
        if !matches && deeper.is_none() {
            return;
        }
        let place = names.entry(name).or_default();
        if let Some(tree) = deeper {
            place.trees.add(tree, shared.snapshot, shared.in_newest);
        }
        if matches {
            place.add(node, shared, &self.snapshots[shared.snapshot]);
        }
    }
}

impl Place {
    fn add(&mut self, node: &Node, shared: &Shared, snapshot: &Snapshot) {
        let content = content(node);
        let same = |version: &Version| (version.size, version.mtime) == (node.meta.size, node.meta.mtime);
        let known = self.versions.iter_mut().find(|(version, known)| *known == content && same(version));
        if let Some((version, _)) = known {
            version.in_newest |= shared.in_newest;
            return;
        }
        let version = Version {
            snapshot: snapshot.id.clone(),
            time: snapshot.time,
            kind: kind(&node.node_type).1.to_owned(),
            size: node.meta.size,
            mtime: node.meta.mtime,
            in_newest: shared.in_newest,
        };
        self.versions.push((version, content));
    }
}

/// What it is and holds; what is in a directory tells by itself.
fn content(node: &Node) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{:?}", node.node_type).as_bytes());
    for id in node.content.iter().flatten() {
        hasher.update(id.to_hex().as_str().as_bytes());
    }
    hasher.finalize()
}
