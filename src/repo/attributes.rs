//! Owner, mode, times and extended attributes of what was restored.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{FchmodatFlags, Mode, UtimensatFlags, fchmodat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Group, Uid, User, fchownat};
use rustic_core::repofile::Node;

use super::walk::unix_mode;
use crate::event::Cx;

/// Sets attributes; remembers how names of owners translate here.
pub(crate) struct Attributes<'a> {
    cx: &'a Cx,
    users: Mutex<HashMap<String, Option<u32>>>,
    groups: Mutex<HashMap<String, Option<u32>>>,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(cx: &'a Cx) -> Self {
        Self { cx, users: Mutex::default(), groups: Mutex::default() }
    }

    /// Owner first, because changing it clears set-id bits; times last, because everything else changes them.
    ///
    /// What the system refuses is a `Missed` event: the content is there, and the reader must know what is not.
    pub(crate) fn set(&self, path: &Path, node: &Node) {
        let told = |what: &str, result: Result<(), String>| {
            if let Err(error) = result {
                self.cx.missed(path.display().to_string(), format!("{what} not set: {error}"));
            }
        };
        told("owner", self.owner(path, node));
        for attribute in &node.meta.extended_attributes {
            if let Some(value) = &attribute.value {
                let set = xattr::set(path, &attribute.name, value).map_err(|error| error.to_string());
                told(&format!("attribute {}", attribute.name), set);
            }
        }
        if !node.is_symlink() {
            told("mode", mode(path, node).map_err(|error| error.to_string()));
        }
        told("times", times(path, node).map_err(|error| error.to_string()));
    }

    /// By name where this system knows the name, else by number: a site moved to another node keeps its owner.
    fn owner(&self, path: &Path, node: &Node) -> Result<(), String> {
        let uid = known(&self.users, node.meta.user.as_deref(), |name| {
            User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
        });
        let gid = known(&self.groups, node.meta.group.as_deref(), |name| {
            Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
        });
        let (uid, gid) = (uid.or(node.meta.uid).map(Uid::from_raw), gid.or(node.meta.gid).map(Gid::from_raw));
        fchownat(AT_FDCWD, path, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(|error| error.to_string())
    }
}

fn known(
    cache: &Mutex<HashMap<String, Option<u32>>>,
    name: Option<&str>,
    look_up: impl FnOnce(&str) -> Option<u32>,
) -> Option<u32> {
    let name = name.filter(|name| !name.is_empty())?;
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    *cache.entry(name.to_owned()).or_insert_with_key(|name| look_up(name))
}

fn mode(path: &Path, node: &Node) -> Result<(), Errno> {
    let Some(go) = node.meta.mode else { return Ok(()) };
    fchmodat(AT_FDCWD, path, Mode::from_bits_truncate(unix_mode(go)), FchmodatFlags::FollowSymlink)
}

fn times(path: &Path, node: &Node) -> Result<(), Errno> {
    let Some(mtime) = node.meta.mtime else { return Ok(()) };
    let spec = |at: jiff::Timestamp| TimeSpec::new(at.as_second(), at.subsec_nanosecond().into());
    let atime = node.meta.atime.unwrap_or(mtime);
    utimensat(AT_FDCWD, path, &spec(atime), &spec(mtime), UtimensatFlags::NoFollowSymlink)
}
