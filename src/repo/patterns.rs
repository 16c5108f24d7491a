//! What of a site is left out.

use std::fs::read_dir;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::cache::{CACHEDIR_TAG, is_cache};
use crate::error::{Context, Error, Result};

/// Gitignore style patterns: what of a site is left out, or what of a snapshot is asked for.
#[derive(Clone, Debug)]
pub struct Patterns(Gitignore);

impl Patterns {
    /// `patterns` in gitignore style, relative to `root`.
    pub fn new(root: &Path, patterns: &[String]) -> Result<Self> {
        let mut builder = GitignoreBuilder::new(root);
        for pattern in patterns {
            builder
                .add_line(None, pattern)
                .map_err(|error| Error::usage(format!("`{pattern}` is no pattern: {error}")))
                .context("read a pattern")?;
        }
        Ok(Self(builder.build()?))
    }

    /// It, or a directory it is in.
    pub fn covers_below(&self, path: &Path, is_dir: bool) -> bool {
        self.0.matched_path_or_any_parents(path, is_dir).is_ignore()
    }

    pub fn covers(&self, path: &Path, is_dir: bool) -> bool {
        self.0.matched(path, is_dir).is_ignore()
    }
}

/// The topmost things below a root that a walk leaves out, relative to it: what the patterns cover, and what is in caches.
pub fn left_out(root: &Path, patterns: &[String]) -> Result<Vec<PathBuf>> {
    let patterns = Patterns::new(root, patterns)?;
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        let entries = match read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.with_context(|| format!("look into {}", directory.display()))?,
        };
        let entries = entries.collect::<std::io::Result<Vec<_>>>()?;
        let paths: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).collect();
        let cache = directory != root && is_cache(&paths);
        for entry in entries {
            let (path, is_dir) = (entry.path(), entry.file_type()?.is_dir());
            let cached = cache && entry.file_name() != CACHEDIR_TAG;
            if cached || patterns.covers(&path, is_dir) {
                found.extend(path.strip_prefix(root).ok().map(Path::to_owned));
            } else if is_dir {
                pending.push(path);
            }
        }
    }
    Ok(found)
}
