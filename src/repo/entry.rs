//! What a snapshot holds, entry by entry, for people and programs to look at.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustic_core::repofile::{Node, NodeType};
use serde::Serialize;

use super::list::Snapshot;
use super::reader::{DEEPEST, Reader};
use super::walk::unix_mode;
use crate::error::Result;

/// One entry of a snapshot.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Absolute, as in the snapshot.
    #[serde(serialize_with = "crate::sys::fs::shown")]
    pub path: PathBuf,
    /// `file`, `dir`, `symlink`, …: restic's names.
    pub kind: String,
    /// As `ls -l` shows it.
    pub mode: String,
    /// `user:group`, by number where no name was saved.
    pub owner: String,
    pub size: u64,
    pub mtime: Option<Timestamp>,
}

impl Reader {
    /// What is below a path of the snapshot, down to so many levels or all of it; or the one file there. Nothing is read but
    /// the trees on the way to it and those that are listed.
    pub fn list(&self, snapshot: &Snapshot, path: &Path, levels: Option<usize>) -> Result<Vec<Entry>> {
        let node = self.node(snapshot, path)?;
        self.levels_below(&node, levels.unwrap_or(DEEPEST))?
            .map(|item| {
                let (below, node) = item?;
                let full = if below.as_os_str().is_empty() { path.to_owned() } else { path.join(below) };
                Ok(Entry::of(full, &node))
            })
            .collect()
    }
}

impl Entry {
    fn of(path: PathBuf, node: &Node) -> Self {
        let meta = &node.meta;
        let named = |name: &Option<String>, id: Option<u32>| {
            let number = || id.map_or_else(|| "?".to_owned(), |id| id.to_string());
            name.clone().filter(|name| !name.is_empty()).unwrap_or_else(number)
        };
        Self {
            path,
            kind: kind(&node.node_type).1.to_owned(),
            mode: permissions(kind(&node.node_type).0, meta.mode.map_or(0, unix_mode)),
            owner: format!("{}:{}", named(&meta.user, meta.uid), named(&meta.group, meta.gid)),
            size: meta.size,
            mtime: meta.mtime,
        }
    }
}

pub(super) const fn kind(node_type: &NodeType) -> (char, &'static str) {
    match node_type {
        NodeType::File => ('-', "file"),
        NodeType::Dir => ('d', "dir"),
        NodeType::Symlink { .. } => ('l', "symlink"),
        NodeType::Dev { .. } => ('b', "dev"),
        NodeType::Chardev { .. } => ('c', "chardev"),
        NodeType::Fifo => ('p', "fifo"),
        NodeType::Socket => ('s', "socket"),
    }
}

fn permissions(kind: char, mode: u32) -> String {
    let mut text = String::from(kind);
    for (shift, special, set, unset) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => set,
            (false, true) => unset,
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::permissions;

    #[test]
    fn modes_read_as_ls_shows_them() {
        assert_eq!(permissions('-', 0o644), "-rw-r--r--");
        assert_eq!(permissions('d', 0o1777), "drwxrwxrwt");
        assert_eq!(permissions('-', 0o4750), "-rwsr-x---");
        assert_eq!(permissions('-', 0o2640), "-rw-r-S---");
    }
}
