//! What people say about time, and which snapshots stay.

mod agenda;
mod cron;
mod moment;
mod retention;
mod timetable;
