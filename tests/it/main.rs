mod config;
mod schedule;
mod site;
mod storage;
mod database;
mod mariadb;
mod tidy;
