//! When: moments as people say them, what is due and what is done about it, and retention as reasons to keep or remove; pure
//! functions of their arguments.

pub mod agenda;
pub mod cron;
mod local;
mod moment;
mod retention;
mod task;
mod timetable;
pub mod window;

pub use moment::Wanted;
pub use retention::{
    Candidate, Elect, Level, Levels, Pin, Refusal, Retention, Rule, SAFETY, Verdict, Within, after_grace,
    decide, derived_cron, restrain,
};
pub use task::{Kind, Task};
pub use timetable::{Due, Occurrence, Timetable, share_of_jitter};
