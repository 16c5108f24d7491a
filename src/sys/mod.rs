//! Leaf helpers over the operating system; they know nothing of backups.

pub mod deadline;
pub mod fs;
pub mod mount;
pub mod process;
pub mod secret;
