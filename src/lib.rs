//! Lifeboat backs up a web site (files and databases) as one encrypted snapshot and brings it back as it was at a given time.
//!
//! Read `run::backup` and `run::restore` first: each tells its whole story in one function.

// Who asks, and what was asked.
pub mod access;
pub mod agent;
pub mod api;
pub mod cli;
pub mod client;
pub mod config;
// What happens.
pub mod run;
// What it happens with; these do not know each other.
pub mod database;
pub mod hook;
pub mod notify;
pub mod repo;
pub mod site;
pub mod storage;
// What they share.
pub mod dump;
pub mod error;
pub mod event;
pub mod history;
pub mod metrics;
pub mod schedule;
pub mod sys;
