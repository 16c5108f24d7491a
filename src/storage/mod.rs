//! Where backups live: a directory of this node or an NFS share, proven to be the right one before anybody writes to it.

pub mod identity;
mod local;
mod nfs;
mod probe;
mod trouble;

pub use crate::sys::watch::Watch;
pub use identity::{Identity, MARKER};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::event::Cx;

/// A storage as the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageSpec {
    Local(LocalSpec),
    Nfs(NfsSpec),
}

/// A directory that is simply there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSpec {
    pub path: PathBuf,
}

/// An `NFSv4` export and the directory it is mounted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NfsSpec {
    /// Host name or address.
    pub server: String,
    /// Path on the server, such as `/data`.
    pub export: String,
    pub mountpoint: PathBuf,
    /// Mount options after the safe defaults, as `mount -o` would take them (`vers=4.2,timeo=30`).
    pub options: Option<String>,
    pub mode: MountMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountMode {
    /// Mounted for a run and unmounted in every ending.
    OnDemand,
    /// Mounted by us if it is not, and left mounted.
    Permanent,
    /// Somebody else mounts it (fstab, autofs, the platform); we only verify.
    Present,
}

/// A storage ready to use. Plain data: `detach` works from it after a crash too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// The directory to work in.
    pub root: PathBuf,
    /// The mount point to unmount at the end, if it was us who mounted it for this run.
    pub unmount: Option<PathBuf>,
}

/// Makes a storage usable and gives it back.
pub trait Storage: Send + Sync {
    /// For people: `NFS 10.0.0.5:/data on /mnt/backup`.
    fn describe(&self) -> String;

    /// Mounts if need be and proves that this is the storage meant: mount type and source, reachable within a deadline,
    /// never a bare directory where a mount should be. On any error nothing stays mounted that was not before.
    fn attach(&self, cx: &Cx) -> Result<Attached>;

    /// Gives back what `attach` took. Harmless when called twice.
    fn detach(&self, attached: &Attached) -> Result<()>;
}

/// The storage a specification speaks of; touches nothing yet.
pub fn open(spec: &StorageSpec) -> Box<dyn Storage> {
    match spec {
        StorageSpec::Local(spec) => Box::new(local::Local::new(spec.clone())),
        StorageSpec::Nfs(spec) => Box::new(nfs::Nfs::new(spec.clone())),
    }
}

/// Finds what can never work in a specification, without touching anything; `attach` checks the same.
pub fn check(spec: &StorageSpec) -> Result<()> {
    match spec {
        StorageSpec::Local(spec) => local::check(spec),
        StorageSpec::Nfs(spec) => nfs::check(spec),
    }
}
