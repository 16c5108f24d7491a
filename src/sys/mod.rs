//! Leaf helpers over the operating system; they know nothing of backups.

pub mod fs;
pub mod process;
pub mod secret;
