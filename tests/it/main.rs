//! All tests that look at Lifeboat from the outside, as one binary.

mod adopt;
mod agent;
mod api;
mod browser;
mod config;
mod database;
mod hardship;
mod hooks;
mod lab;
mod manifest;
mod mariadb;
mod notify;
mod packages;
mod plugin;
mod postgres;
mod recipes;
mod schedule;
mod schemathesis;
mod site;
mod stage;
mod storage;
mod story;
mod tidy;
mod tools;
mod world;
