//! Which files of a snapshot a restore brings back, and how they take their places.

use std::collections::HashSet;
use std::fs::symlink_metadata;
use std::path::{Path, PathBuf};

use super::Job;
use super::staging::Staging;
use crate::error::{Error, Result};
use crate::event::Cx;
use crate::repo::{Fetched, Node, Patterns, Reader, left_out};

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

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.part.is_none()
    }

    pub(crate) fn bytes(&self, reader: &Reader) -> Result<u64> {
        reader.size_below(&self.node, &|path, is_dir| self.wants(path, is_dir))
    }

    pub(crate) fn fetch(&self, reader: &Reader, target: &Path, cx: &Cx) -> Result<Fetched> {
        reader.fetch(&self.node, target, &|path, is_dir| self.wants(path, is_dir), cx)
    }

    /// Makes what was staged live. `excluded` is what the snapshot left out: it stays with the site.
    pub(crate) fn swap(&self, job: &Job, excluded: &[String], stage: &Staging) -> Result<()> {
        match &self.part {
            None => stage.swap_root(&left_out(&job.site.root, excluded)?),
            Some(part) => {
                let mut places: Vec<PathBuf> =
                    part.tops.iter().map(|top| highest_missing(&job.site.root, top)).collect();
                places.sort();
                places.dedup();
                stage.swap_paths(&places)
            }
        }
    }
}

/// Where the live site lacks directories on the way, the topmost of them takes its place as a whole.
fn highest_missing(root: &Path, path: &Path) -> PathBuf {
    let missing =
        |above: &&Path| !above.as_os_str().is_empty() && symlink_metadata(root.join(above)).is_err();
    path.ancestors().skip(1).take_while(missing).last().unwrap_or(path).to_owned()
}
