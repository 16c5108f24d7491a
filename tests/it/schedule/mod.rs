//! What people say about time, and which snapshots stay.

mod cron;
mod moment;
mod retention;
