mod config;
mod hooks;
mod schedule;
mod site;
mod storage;
mod tidy;
