//! A dump as plain files on this machine, for a restore that must have both sides at hand: whole, or not there under its name.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use crate::dump::{DumpFile, Shelf};
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::sys::fs::{private_directory, private_file, sibling, sync_directory};

/// In the name of one that is being written.
const PART: &str = ".part";

#[derive(Clone, Debug)]
pub(super) struct Spool(PathBuf);

impl Spool {
    pub(super) fn at(path: &str) -> Self {
        Self(PathBuf::from(path))
    }

    pub(super) fn is_whole(&self) -> bool {
        self.0.is_dir()
    }

    /// Writes all files that come; on disk, with its name, when this returns.
    pub(super) fn fill(&self, cx: &Cx, mut next: impl FnMut() -> Result<Option<DumpFile>>) -> Result<()> {
        let part = sibling(&self.0, PART);
        let what = || format!("keep a dump in {}", part.display());
        remove(&part)?;
        private_directory(&part).with_context(what)?;
        while let Some(file) = next()? {
            cx.go_on()?;
            if !file.path.components().all(|name| matches!(name, Component::Normal(_))) {
                return Err(Error::failed(format!("a dump has no place for a file {}", file.path.display())));
            }
            let path = part.join(&file.path);
            let write = || -> std::io::Result<()> {
                private_directory(path.parent().unwrap_or(&part))?;
                let mut target = private_file(&path)?;
                target.write_all(&file.data)?;
                target.sync_all()
            };
            write().with_context(|| format!("write {}", path.display()))?;
        }
        for directory in directories(&part)? {
            sync_directory(&directory)?;
        }
        fs::rename(&part, &self.0).with_context(what)?;
        sync_directory(self.0.parent().unwrap_or(Path::new("/")))
    }

    /// Nothing happens if there is none.
    pub(super) fn remove(&self) -> Result<()> {
        // Half of it under its own name would look like all of it.
        let part = sibling(&self.0, PART);
        remove(&part)?;
        match fs::rename(&self.0, &part) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.with_context(|| format!("rename {}", self.0.display()))?,
        }
        remove(&part)
    }
}

impl Shelf for Spool {
    fn list(&self) -> Result<Vec<(PathBuf, u64)>> {
        let mut all = Vec::new();
        for directory in directories(&self.0)? {
            for entry in
                fs::read_dir(&directory).with_context(|| format!("look into {}", directory.display()))?
            {
                let (path, meta) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
                if meta.is_file() {
                    let relative = path.strip_prefix(&self.0).unwrap_or(&path).to_owned();
                    all.push((relative, meta.len()));
                }
            }
        }
        all.sort();
        Ok(all)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read + Send>> {
        let path = self.0.join(path);
        let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        Ok(Box::new(file))
    }
}

/// With itself.
fn directories(root: &Path) -> Result<Vec<PathBuf>> {
    let mut all = vec![root.to_owned()];
    let mut at = 0;
    while at < all.len() {
        let entries = fs::read_dir(&all[at]).with_context(|| format!("look into {}", all[at].display()))?;
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                all.push(entry.path());
            }
        }
        at += 1;
    }
    Ok(all)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::from(error)).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
