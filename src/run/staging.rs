//! A private place beside the site, on the same file system, where the restored files wait for the swap, and the former
//! ones afterwards.

use std::fs::{DirBuilder, symlink_metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Context, Error, Result};
use crate::sys::fs::{exchange, sync_directory};

/// In the name of what a restore set aside.
const KEPT: &str = ".before-restore-";

/// Where one restore puts its files. Cloning shares it.
#[derive(Clone)]
pub struct Staging {
    root: PathBuf,
    /// Private (0700) directory beside the root: nobody reads half restored files, nor the former ones.
    place: PathBuf,
    /// Its name once it holds the former files.
    kept: PathBuf,
    done: Arc<Mutex<Done>>,
}

/// What was altered so far, so that it can be put back from any point.
#[derive(Default)]
struct Done {
    swapped: Vec<Swap>,
    /// Left-out things carried from the former tree into the restored one, relative to the root.
    carried: Vec<PathBuf>,
    renamed: bool,
}

/// One thing that changes places: the whole root, or one path of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Swap {
    /// Relative to the root; empty for the root itself.
    path: PathBuf,
    /// There was something live to exchange it with.
    exchanged: bool,
}

impl Staging {
    /// Makes the private directory. `token` keeps two restores apart, `stamp` names what is kept afterwards.
    pub fn beside(root: &Path, token: &str, stamp: &str) -> Result<Self> {
        let (Some(parent), Some(name)) = (root.parent(), root.file_name().and_then(|name| name.to_str()))
        else {
            return Err(Error::usage(format!("{} cannot be restored in place", root.display())));
        };
        let place = parent.join(format!(".{name}.lifeboat-{token}"));
        DirBuilder::new()
            .mode(0o700)
            .create(&place)
            .with_context(|| format!("make the directory {}", place.display()))
            .remedy(
                "a restore in place needs to write beside the site's root; `--to DIR` restores elsewhere",
            )?;
        let kept = parent.join(format!(".{name}{KEPT}{stamp}"));
        Ok(Self { root: root.to_owned(), place, kept, done: Arc::default() })
    }

    /// Where the restored root is built.
    pub fn tree(&self) -> PathBuf {
        self.place.join("tree")
    }

    /// Where the former files are after a committed swap.
    pub fn kept(&self) -> &Path {
        &self.kept
    }

    /// Removes what is not live; harmless after a committed swap, because then the former files have another name.
    pub fn remove(&self) -> Result<()> {
        match std::fs::remove_dir_all(&self.place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", self.place.display()))
            }
            _ => Ok(()),
        }
    }

    /// The restored tree becomes the live one in one step. `carry` lists what a snapshot leaves out (relative paths): it
    /// moves along from the former tree.
    pub fn swap_root(&self, carry: &[PathBuf]) -> Result<()> {
        self.swap(Path::new(""))?;
        for path in carry {
            self.carry(path)?;
        }
        self.keep()
    }

    /// Only these paths (relative to the root) become live; everything else stays untouched.
    pub fn swap_paths(&self, paths: &[PathBuf]) -> Result<()> {
        for path in paths {
            self.swap(path)?;
        }
        self.keep()
    }

    /// Puts everything back that was altered, in reverse; does nothing if nothing was.
    pub fn swap_back(&self) -> Result<()> {
        let mut done = self.lock();
        if done.renamed {
            std::fs::rename(&self.kept, &self.place)
                .with_context(|| format!("rename {}", self.kept.display()))?;
            done.renamed = false;
        }
        while let Some(path) = done.carried.last() {
            rename(&self.root.join(path), &self.tree().join(path))?;
            done.carried.pop();
        }
        while let Some(swap) = done.swapped.last() {
            let (live, staged) = (join(&self.root, &swap.path), join(&self.tree(), &swap.path));
            if swap.exchanged {
                exchange(&live, &staged)?;
            } else {
                rename(&live, &staged)?;
            }
            done.swapped.pop();
        }
        Ok(())
    }

    fn swap(&self, path: &Path) -> Result<()> {
        let (live, staged) = (join(&self.root, path), join(&self.tree(), path));
        let exchanged = symlink_metadata(&live).is_ok();
        if exchanged {
            exchange(&staged, &live)?;
        } else {
            rename(&staged, &live)?;
        }
        self.lock().swapped.push(Swap { path: path.to_owned(), exchanged });
        Ok(())
    }

    /// After the root was exchanged, `tree` is the former one.
    fn carry(&self, path: &Path) -> Result<()> {
        let (former, live) = (self.tree().join(path), self.root.join(path));
        // The snapshot has something by that name after all (the patterns changed since): then it stays.
        if symlink_metadata(&live).is_ok() || symlink_metadata(&former).is_err() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            like_directories(&self.tree(), &self.root, parent)?;
        }
        rename(&former, &live)?;
        self.lock().carried.push(path.to_owned());
        Ok(())
    }

    fn keep(&self) -> Result<()> {
        rename(&self.place, &self.kept)?;
        self.lock().renamed = true;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a path has the name that a restore gives to what it sets aside.
pub(crate) fn is_kept(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    path.is_absolute() && name.starts_with('.') && name.contains(KEPT)
}

/// `base/""` would be `base/`, which a rename of a directory does not like on every system.
fn join(base: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { base.to_owned() } else { base.join(path) }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).with_context(|| format!("rename {} to {}", from.display(), to.display()))?;
    to.parent().map_or(Ok(()), sync_directory)
}

/// Makes the directories of `path` below `to` that are missing, with the owner and mode of those below `from`.
fn like_directories(from: &Path, to: &Path, path: &Path) -> Result<()> {
    let mut so_far = PathBuf::new();
    for part in path {
        so_far.push(part);
        let (model, new) = (from.join(&so_far), to.join(&so_far));
        if symlink_metadata(&new).is_ok() {
            continue;
        }
        let meta = symlink_metadata(&model).with_context(|| format!("look at {}", model.display()))?;
        DirBuilder::new().mode(0o700).create(&new).with_context(|| format!("make {}", new.display()))?;
        std::os::unix::fs::lchown(&new, Some(meta.uid()), Some(meta.gid()))?;
        std::fs::set_permissions(&new, meta.permissions())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `site` with a file and a left-out cache, and a staged tree beside it.
    fn world() -> (tempfile::TempDir, PathBuf, Staging) {
        let world = tempfile::tempdir().unwrap();
        let root = world.path().join("site");
        std::fs::create_dir_all(root.join("var/cache")).unwrap();
        std::fs::write(root.join("index"), "old").unwrap();
        std::fs::write(root.join("var/cache/page"), "warm").unwrap();
        let stage = Staging::beside(&root, "tok12345", "now").unwrap();
        std::fs::create_dir(stage.tree()).unwrap();
        std::fs::write(stage.tree().join("index"), "new").unwrap();
        (world, root, stage)
    }

    fn read(path: PathBuf) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_swap_carries_what_was_left_out_and_keeps_the_former_tree() {
        let (_world, root, stage) = world();
        stage.swap_root(&[PathBuf::from("var/cache")]).unwrap();
        stage.remove().unwrap();
        assert_eq!(read(root.join("index")), "new");
        assert_eq!(read(root.join("var/cache/page")), "warm");
        assert_eq!(read(stage.kept().join("tree/index")), "old");
    }

    #[test]
    fn swapping_back_leaves_the_site_as_it_was() {
        let (world, root, stage) = world();
        stage.swap_root(&[PathBuf::from("var/cache")]).unwrap();
        stage.swap_back().unwrap();
        stage.swap_back().unwrap();
        stage.remove().unwrap();
        assert_eq!(read(root.join("index")), "old");
        assert_eq!(read(root.join("var/cache/page")), "warm");
        assert_eq!(std::fs::read_dir(world.path()).unwrap().count(), 1);
    }

    #[test]
    fn single_paths_swap_and_leave_their_neighbours_alone() {
        let (_world, root, stage) = world();
        std::fs::write(stage.tree().join("fresh"), "fresh").unwrap();
        stage.swap_paths(&[PathBuf::from("index"), PathBuf::from("fresh")]).unwrap();
        assert_eq!((read(root.join("index")), read(root.join("fresh"))), ("new".into(), "fresh".into()));
        assert_eq!(read(root.join("var/cache/page")), "warm");
        stage.swap_back().unwrap();
        assert_eq!(read(root.join("index")), "old");
        assert!(!root.join("fresh").exists());
    }
}
