//! How much room a file system has, and how much of it is to be left alone.

use std::io;
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Room that is kept free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserve {
    Bytes(u64),
    /// Of the file system's size.
    Percent(u8),
}

/// A file system as it is now, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub size: u64,
    /// What we may still use.
    pub free: u64,
}

impl Space {
    /// Of the file system that a path is on, or is going to be.
    pub fn at(path: &Path) -> io::Result<Self> {
        let existing = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let stat = statvfs(existing)?;
        #[allow(clippy::useless_conversion)] // 32 bit systems have smaller counts
        let bytes = |blocks| u64::from(blocks).saturating_mul(stat.fragment_size().into());
        Ok(Self { size: bytes(stat.blocks()), free: bytes(stat.blocks_available()) })
    }

    /// How many bytes would be missing from the reserve after so many more were written; `None` if it is kept.
    pub fn lacks(self, reserve: Reserve, more: u64) -> Option<u64> {
        let wanted = reserve.of(self.size).saturating_add(more);
        Some(wanted.saturating_sub(self.free)).filter(|lack| *lack > 0)
    }
}

impl Reserve {
    pub fn of(self, size: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => size / 100 * u64::from(percent),
        }
    }
}

impl std::fmt::Display for Reserve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} MiB", bytes >> 20),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_counts_before_it_is() {
        let space = Space { size: 1000, free: 100 };
        assert_eq!(space.lacks(Reserve::Percent(5), 50), None);
        assert_eq!(space.lacks(Reserve::Percent(5), 51), Some(1));
        assert_eq!(space.lacks(Reserve::Bytes(101), 0), Some(1));
    }

    #[test]
    fn a_path_that_is_not_there_yet_is_on_the_file_system_of_its_parent() {
        let space = Space::at(Path::new("/proc/self/nothing/at/all")).unwrap();
        assert_eq!(space, Space { size: 0, free: 0 });
    }
}
