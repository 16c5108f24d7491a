//! Leaf helpers over the operating system; they know nothing of backups.

pub mod claim;
pub mod fs;
pub mod secret;
