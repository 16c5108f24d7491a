//! Which files of a snapshot a restore brings back, and how they take their places.

use std::collections::HashSet;
use std::fs::symlink_metadata;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::event::Cx;
use crate::repo::{Fetched, Node, Patterns, Reader};
use crate::sys::fs::Spot;

/// A directory of the snapshot, whole or in part.
pub(crate) struct Selection {
    node: Node,
    part: Option<Part>,
}

/// What was included by patterns.
struct Part {
    /// Everything wanted and the directories on the way there.
    wanted: HashSet<PathBuf>,
    /// The topmost entries that were included as such.
    tops: Vec<PathBuf>,
}

impl Selection {
    /// `include` is in gitignore style, relative to `base` (a path below the node); nothing means everything.
    pub(crate) fn new(reader: &Reader, node: Node, base: &Path, include: &[String]) -> Result<Self> {
        if include.is_empty() {
            return Ok(Self { node, part: None });
        }
        let patterns = Patterns::new(base, include)?;
        let mut part = Part { wanted: HashSet::new(), tops: Vec::new() };
        for item in reader.below(&node)? {
            let (path, entry) = item?;
            let within = path.ancestors().skip(1).any(|above| part.tops.iter().any(|top| top == above));
            let top = !within && path.starts_with(base) && patterns.covers(&path, entry.is_dir());
            if top {
                part.wanted.extend(path.ancestors().map(Path::to_owned));
                part.tops.push(path);
            } else if within {
                part.wanted.insert(path);
            }
        }
        if part.tops.is_empty() {
            return Err(Error::usage(format!(
                "the snapshot has nothing that matches {}",
                include.join(", ")
            ))
            .with_remedy("patterns are relative to the site's root; `lifeboat ls` shows what there is"));
        }
        Ok(Self { node, part: Some(part) })
    }

    pub(crate) fn wants(&self, path: &Path, _is_dir: bool) -> bool {
        self.part.as_ref().is_none_or(|part| part.wanted.contains(path))
    }

    /// Whether what is live here is replaced.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        self.part.as_ref().is_none_or(|part| part.tops.iter().any(|top| path.starts_with(top)))
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.part.is_none()
    }

    pub(crate) fn bytes(&self, reader: &Reader) -> Result<u64> {
        reader.size_below(&self.node, &|path, is_dir| self.wants(path, is_dir))
    }

    /// `live` is what has the place now that the files of `target` are to take.
    pub(crate) fn fetch(
        &self,
        reader: &Reader,
        (target, live): (&Path, Option<&Path>),
        cx: &Cx,
    ) -> Result<Fetched> {
        reader.fetch(&self.node, (target, live), &|path, is_dir| self.wants(path, is_dir), cx)
    }

    /// A link on the way to a wanted path could lead out of the site: known before anything is fetched.
    pub(crate) fn reachable(&self, root: &Path) -> Result<()> {
        let parts = if self.is_whole() { Vec::new() } else { self.places(root) };
        parts.iter().try_for_each(|place| Spot::below(root, place).map(drop))
    }

    /// What takes its place in the live tree; an empty path is the root itself.
    pub(crate) fn places(&self, root: &Path) -> Vec<PathBuf> {
        let Some(part) = &self.part else { return vec![PathBuf::new()] };
        let mut places: Vec<PathBuf> = part.tops.iter().map(|top| highest_missing(root, top)).collect();
        places.sort();
        places.dedup();
        places
    }
}

/// Where the live site lacks directories on the way, or has a file in the place of one, the topmost of them takes its place
/// as a whole.
fn highest_missing(root: &Path, path: &Path) -> PathBuf {
    let mut way: Vec<&Path> =
        path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()).collect();
    way.reverse();
    // A link is no place to be taken: what it leads to is somebody's, and `Spot` refuses to go through it.
    let leads_on = |above: &Path| {
        symlink_metadata(root.join(above)).is_ok_and(|meta| meta.is_dir() || meta.is_symlink())
    };
    way.into_iter().find(|above| !leads_on(above)).unwrap_or(path).to_owned()
}
