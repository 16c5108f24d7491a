mod config;
mod schedule;
mod site;
mod tidy;
