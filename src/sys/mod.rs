//! Leaf helpers over the operating system; they know nothing of backups.

pub mod claim;
pub mod deadline;
pub mod fs;
pub mod local_time;
pub mod mount;
pub mod pressure;
pub mod process;
pub mod raw_path;
pub mod secret;
pub mod signal;
pub mod space;
pub mod throttle;
pub mod trust;
pub mod watch;
