mod config;
mod schedule;
mod site;
mod storage;
mod tidy;
