mod database;
mod mariadb;
mod tidy;
