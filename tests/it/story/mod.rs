//! The main job, from the outside: back up, damage, restore, and prove that everything is as it was.

mod files;
mod guest;
mod nfs;
pub(crate) mod wordpress;
