//! The main job, from the outside: back up, damage, restore, and prove that everything is as it was.

mod browse;
mod demo;
mod files;
mod guest;
mod init;
mod moved;
mod nasty;
mod nfs;
mod parts;
mod plan;
mod postgres;
mod quiet;
mod restic;
mod reuse;
pub(crate) mod wordpress;
