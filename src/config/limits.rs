//! Reads what a run may take from the machine.

use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;

use super::walk::{At, optional};
use super::{duration, size};
use crate::sys::pressure::{self, Resource};
use crate::sys::space::Reserve;
use crate::{repo, run};

const MAX_WAIT: Duration = Duration::from_hours(24);
const LONGEST: Duration = Duration::from_mins(30);

/// What a run may take from the machine; whatever is left out is not limited.
#[derive(Clone, Copy, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Limits {
    /// How far a run stands back for others, from 0 to 19; disk accesses follow it.
    #[schemars(range(min = 0, max = 19))]
    pub nice: Option<u8>,
    /// Bytes a second to and from the storage, such as `20MiB`.
    #[schemars(with = "Option<String>")]
    pub bandwidth: Option<u64>,
    /// Refuse what by the size of the index would need more memory, such as `256MiB`.
    #[schemars(with = "Option<String>")]
    pub memory: Option<u64>,
    pub pause_under_load: Option<PauseUnderLoad>,
    #[schemars(default)]
    pub free_space: FreeSpace,
}

/// A run waits while somebody waits for the machine for more than these shares of time, in percent.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PauseUnderLoad {
    #[schemars(range(min = 1, max = 99))]
    pub cpu: Option<u8>,
    #[schemars(range(min = 1, max = 99))]
    pub io: Option<u8>,
    #[schemars(range(min = 1, max = 99))]
    pub memory: Option<u8>,
    /// How long a run waits in all before it goes on in any case; default `30m`.
    #[schemars(with = "Option<String>")]
    pub longest: Duration,
}

/// What a run leaves free: bytes, such as `512MiB`, or a share of the file system, such as `5%`.
#[derive(Clone, Copy, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FreeSpace {
    /// Where the node keeps its state, and where a restore writes to.
    #[schemars(with = "Option<String>")]
    pub node: Option<Reserve>,
    /// Where the backups are.
    #[schemars(with = "Option<String>")]
    pub storage: Option<Reserve>,
}

impl Limits {
    pub(super) fn of_run(&self) -> run::Limits {
        let pause = self.pause_under_load.map(|pause| {
            let limits =
                [(Resource::Cpu, pause.cpu), (Resource::Io, pause.io), (Resource::Memory, pause.memory)];
            run::Pause {
                above: limits.into_iter().filter_map(|(resource, limit)| Some((resource, limit?))).collect(),
                longest: pause.longest,
                directory: pressure::DIRECTORY.into(),
            }
        });
        run::Limits { nice: self.nice, pause, free_node: self.free_space.node }
    }

    pub(super) fn of_repository(&self, state: &Path) -> repo::Limits {
        repo::Limits {
            bandwidth: self.bandwidth,
            free: self.free_space.storage,
            free_node: self.free_space.node.map(|reserve| (state.to_owned(), reserve)),
            memory: self.memory,
        }
    }
}

pub(super) fn read(at: &At<'_>) -> Option<Limits> {
    let table = at.table(&["nice", "bandwidth", "memory", "pause_under_load", "free_space"])?;
    let nice = optional(&table, "nice", |at| {
        at.whole_number(0..=19, "write 10 to stand back, 19 to stand back for everything")
    });
    let bandwidth = optional(&table, "bandwidth", |at| size::read(at, 16 << 10, "20MiB"));
    let memory = optional(&table, "memory", |at| size::read(at, 64 << 20, "256MiB"));
    let pause = optional(&table, "pause_under_load", pause);
    let free_space = optional(&table, "free_space", free_space);
    Some(Limits {
        nice: nice.ok()?.and_then(|nice| u8::try_from(nice).ok()),
        bandwidth: bandwidth.ok()?,
        memory: memory.ok()?,
        pause_under_load: pause.ok()?,
        free_space: free_space.ok()?.unwrap_or_default(),
    })
}

fn pause(at: &At<'_>) -> Option<PauseUnderLoad> {
    let table = at.table(&["cpu", "io", "memory", "longest"])?;
    let share = |key| {
        let read = |at: &At<'_>| at.whole_number(1..=99, "write the share of time in percent, such as 60");
        optional(&table, key, |at| read(at).and_then(|share| u8::try_from(share).ok()))
    };
    let (cpu, io, memory) = (share("cpu"), share("io"), share("memory"));
    let longest = optional(&table, "longest", |at| {
        duration::between(at, (Duration::from_secs(1)..=MAX_WAIT, "1s to 24h"), "write it like 30m or 2h")
    });
    let pause = PauseUnderLoad {
        cpu: cpu.ok()?,
        io: io.ok()?,
        memory: memory.ok()?,
        longest: longest.ok()?.unwrap_or(LONGEST),
    };
    if pause.cpu.or(pause.io).or(pause.memory).is_none() {
        at.complain("does not say for what", "add cpu, io or memory with a share of time, such as cpu: 60");
        return None;
    }
    Some(pause)
}

fn free_space(at: &At<'_>) -> Option<FreeSpace> {
    let table = at.table(&["node", "storage"])?;
    let (node, storage) =
        (optional(&table, "node", size::reserve), optional(&table, "storage", size::reserve));
    Some(FreeSpace { node: node.ok()?, storage: storage.ok()? })
}
