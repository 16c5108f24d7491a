//! When: moments as people say them, and retention as reasons to keep or remove; pure functions of their arguments.

pub mod cron;
mod local;
mod moment;
mod retention;

pub use moment::Wanted;
pub use retention::{Candidate, Retention, SAFETY, Verdict, decide};
