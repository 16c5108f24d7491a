//! Reads `.env` files, in which frameworks keep their settings, as text: commands in them are not run.
//!
//! There is no one such format. What differs (`$`, escapes, comments) decides what a password is, so that each dialect is read by
//! the rules of its own library.

mod laravel;
mod symfony;

use std::collections::BTreeMap;

use super::tree::{Key, Map, Miss, Tree, Unreadable};

/// The longest value that is kept, in bytes.
const MAX_VALUE: usize = 4096;
/// The values of all files together, in bytes: a reference can multiply what it refers to.
const MAX_TOTAL: usize = 4 * 1024 * 1024;

/// Whose rules a file follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// `vlucas/phpdotenv` 5: Laravel and most others.
    #[default]
    Laravel,
    /// `symfony/dotenv`.
    Symfony,
}

/// Why a value cannot be told; goes after the name.
type Why = &'static str;

/// The variables of one or more files.
#[derive(Default)]
pub struct Dotenv {
    values: BTreeMap<String, Tree>,
    total: usize,
}

impl Dotenv {
    /// Takes a file in; what it sets counts instead of what files before it did. Whatever is in it, this ends soon and does not
    /// fail.
    pub fn read(&mut self, source: &[u8], dialect: Dialect) {
        match dialect {
            Dialect::Laravel => laravel::read(source, self),
            Dialect::Symfony => symfony::read(source, self),
        }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Result<&[u8], Miss> {
        match self.values.get(name) {
            Some(Tree::Text(text)) => Ok(text),
            Some(Tree::Unreadable(why)) => Err(Miss::Unreadable(why.clone())),
            _ => Err(Miss::Absent),
        }
    }

    /// All of it.
    pub fn tree(&self) -> Tree {
        Tree::Map(Map::of(
            self.values.iter().map(|(name, tree)| (Key::Text(name.clone().into_bytes()), tree.clone())),
        ))
    }

    fn set(&mut self, name: String, line: u32, value: Result<Vec<u8>, Why>) {
        let value = value.and_then(|text| {
            self.total += text.len();
            if text.len() > MAX_VALUE {
                Err("is longer than settings are")
            } else if self.total > MAX_TOTAL {
                Err("is in a file that sets too much")
            } else {
                Ok(Tree::Text(text))
            }
        });
        let tree = value
            .unwrap_or_else(|why| Tree::Unreadable(Unreadable { line: Some(line), why: why.to_owned() }));
        self.values.insert(name, tree);
    }

    /// What another variable stands for: the process's environment, which is not ours, could have it if the file has not.
    fn referred(&self, name: &[u8]) -> Result<&[u8], Why> {
        match std::str::from_utf8(name).ok().and_then(|name| self.values.get(name)) {
            Some(Tree::Text(text)) => Ok(text),
            Some(_) => Err("refers to a variable that cannot be read"),
            None => Err("refers to a variable that is not in the file"),
        }
    }
}
