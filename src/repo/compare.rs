//! What differs: between two snapshots, or between a snapshot and the live site.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::symlink_metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustic_core::repofile::{Node, NodeType};
use serde::Serialize;

use super::ledger::Ledger;
use super::list::Snapshot;
use super::patterns::Patterns;
use super::reader::{Below, Reader};
use super::walk::{Walk, unix_mode};
use crate::error::{Error, Kind, Result};
use crate::event::Cx;

/// The differences, in path order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    pub changes: Vec<Change>,
    pub unchanged: u64,
    /// Bytes of the files that are new or have other content.
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub kind: ChangeKind,
    #[serde(serialize_with = "crate::sys::fs::shown")]
    pub path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    Added,
    Removed,
    Changed,
    /// Same content, other owner, mode, time or attributes.
    Metadata,
}

impl Changes {
    fn push(&mut self, kind: ChangeKind, path: PathBuf, bytes: u64) {
        self.bytes += bytes;
        self.changes.push(Change { kind, path });
    }

    pub fn count(&self, kind: ChangeKind) -> usize {
        self.changes.iter().filter(|change| change.kind == kind).count()
    }
}

/// What differs between two snapshots: all of it counted, not all of it listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    #[serde(flatten)]
    pub listed: Changes,
    pub counts: Counts,
    /// Changes that are counted and not listed.
    pub left_out: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub added: u64,
    pub removed: u64,
    pub changed: u64,
    pub metadata: u64,
}

impl Counts {
    const fn add(&mut self, kind: ChangeKind) {
        match kind {
            ChangeKind::Added => self.added += 1,
            ChangeKind::Removed => self.removed += 1,
            ChangeKind::Changed => self.changed += 1,
            ChangeKind::Metadata => self.metadata += 1,
        }
    }
}

impl Difference {
    fn note(&mut self, limit: usize, old: Option<(PathBuf, Node)>, new: Option<(PathBuf, Node)>) {
        let before = self.listed.changes.len();
        note(&mut self.listed, old, new);
        let changes = &mut self.listed.changes;
        if let Some(change) = changes.get(before) {
            self.counts.add(change.kind);
            if before >= limit {
                changes.truncate(before);
                self.left_out += 1;
            }
        }
    }
}

impl Reader {
    /// From `old` to `new` below a path, which one of them must have; so many changes at most are listed.
    pub fn diff(
        &self,
        (old, new): (&Snapshot, &Snapshot),
        path: &Path,
        limit: usize,
        cx: &Cx,
    ) -> Result<Difference> {
        let path = path.strip_prefix("/").unwrap_or(path);
        let nodes = (self.find(old.tree, path)?, self.find(new.tree, path)?);
        if matches!(nodes, (None, None)) {
            let text = format!("neither snapshot has /{}", path.display());
            return Err(Error::new(Kind::NotFound, text).with_remedy("`lifeboat ls` shows what they have"));
        }
        let below = |node: Option<Node>| node.map(|node| self.below(&node)).transpose();
        let full =
            |below: PathBuf| if below.as_os_str().is_empty() { path.to_owned() } else { path.join(below) };
        let all = |below: Option<Below>| {
            below.into_iter().flatten().map(|item| item.map(|(below, node)| (full(below), node)))
        };
        let (mut old, mut new) = (all(below(nodes.0)?), all(below(nodes.1)?));
        let mut difference = Difference::default();
        let (mut left, mut right) = (old.next().transpose()?, new.next().transpose()?);
        loop {
            cx.go_on()?;
            let order = match (&left, &right) {
                (None, None) => return Ok(difference),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((left, _)), Some((right, _))) => left.cmp(right),
            };
            let old_item =
                if order.is_le() { std::mem::replace(&mut left, old.next().transpose()?) } else { None };
            let new_item =
                if order.is_ge() { std::mem::replace(&mut right, new.next().transpose()?) } else { None };
            difference.note(limit, old_item, new_item);
        }
    }

    /// From the live tree at `root` to what the snapshot has below `node`, as far as it is covered: what a restore in place
    /// would do.
    pub fn diff_live(
        &self,
        (root, exclude): (&Path, &[String]),
        node: &Node,
        covers: &dyn Fn(&Path) -> bool,
        cx: &Cx,
    ) -> Result<Changes> {
        let mut live = BTreeMap::new();
        if symlink_metadata(root).is_ok() {
            // A live file that cannot be read is missing from this comparison, not from what is restored.
            let ledger = Arc::new(Ledger::new(&Cx::silent()));
            for found in Walk::new(root, Patterns::new(root, exclude)?, ledger)? {
                cx.go_on()?;
                if let Ok(relative) = found.path.strip_prefix(root)
                    && !relative.as_os_str().is_empty()
                    && covers(relative)
                {
                    live.insert(relative.to_owned(), found.node);
                }
            }
        }
        let mut changes = Changes::default();
        for item in self.below(node)? {
            let (path, wanted) = item?;
            if !covers(&path) {
                continue;
            }
            let present = live.remove(&path).map(|node| (path.clone(), node));
            note_live(&mut changes, present, (path, wanted));
        }
        for path in live.into_keys() {
            changes.push(ChangeKind::Removed, path, 0);
        }
        changes.changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }
}

fn note(changes: &mut Changes, old: Option<(PathBuf, Node)>, new: Option<(PathBuf, Node)>) {
    match (old, new) {
        (Some((path, old)), Some((_, new))) => {
            if old.node_type != new.node_type || old.content != new.content {
                changes.push(ChangeKind::Changed, path, new.meta.size);
            } else if !same_attributes(&old, &new) {
                changes.push(ChangeKind::Metadata, path, 0);
            } else {
                changes.unchanged += 1;
            }
        }
        (Some((path, _)), None) => changes.push(ChangeKind::Removed, path, 0),
        (None, Some((path, node))) => changes.push(ChangeKind::Added, path, node.meta.size),
        (None, None) => {}
    }
}

/// A live file is not read: size and modification time stand for its content.
fn note_live(changes: &mut Changes, live: Option<(PathBuf, Node)>, (path, wanted): (PathBuf, Node)) {
    let Some((_, live)) = live else {
        return changes.push(ChangeKind::Added, path, wanted.meta.size);
    };
    let file = wanted.node_type == NodeType::File;
    let other = live.node_type != wanted.node_type
        || (file && (live.meta.size != wanted.meta.size || live.meta.mtime != wanted.meta.mtime));
    if other {
        changes.push(ChangeKind::Changed, path, wanted.meta.size);
    } else if same_attributes(&live, &wanted) {
        changes.unchanged += 1;
    } else {
        changes.push(ChangeKind::Metadata, path, 0);
    }
}

fn same_attributes(one: &Node, other: &Node) -> bool {
    let of = |node: &Node| {
        let meta = &node.meta;
        let mut attributes = meta.extended_attributes.clone();
        attributes.sort();
        (meta.mode.map(unix_mode), meta.uid, meta.gid, meta.mtime, attributes)
    };
    of(one) == of(other)
}
