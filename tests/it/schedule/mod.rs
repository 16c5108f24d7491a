//! What people say about time, and which snapshots stay.

mod agenda;
mod brake;
mod cron;
mod levels;
mod moment;
mod policies;
mod retention;
mod timetable;
