//! A private place beside the site, on the same file system, where the restored files wait for the swap, and the former
//! ones afterwards.

use std::fs::{DirBuilder, symlink_metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Context, Error, Result};
use crate::sys::fs::Spot;

/// In the name of a private place while a restore is at work.
const PRIVATE: &str = ".lifeboat-";
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
        let place = parent.join(format!(".{name}{PRIVATE}{token}"));
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

    /// Removes what is not live; harmless after a committed swap, because then the former files have another name. After a
    /// swap that could not be undone the place holds the only copy of what was live: then it stays.
    pub fn remove(&self) -> Result<()> {
        let done = self.lock();
        if !done.swapped.is_empty() && !done.renamed {
            return Err(Error::failed(format!(
                "{} still holds files that were live before the restore, so it is not removed",
                self.place.display()
            ))
            .with_remedy("move them back by hand, then remove it"));
        }
        match std::fs::remove_dir_all(&self.place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", self.place.display()))
            }
            _ => Ok(()),
        }
    }

    /// The restored tree becomes the live one in one step. `carry` lists what a snapshot leaves out (relative paths): it
    /// moves along from the former tree. Returns those that had to stay with the former tree.
    pub fn swap_root(&self, carry: &[PathBuf]) -> Result<Vec<PathBuf>> {
        self.swap(Path::new(""))?;
        let mut stayed = Vec::new();
        for path in carry {
            if !self.carry(path)? {
                stayed.push(path.clone());
            }
        }
        self.keep()?;
        Ok(stayed)
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
        // A directory that cannot be synced is no reason to stop half way.
        let mut synced = Ok(());
        if done.renamed {
            let (kept, place) =
                (Spot::below(&self.kept, Path::new(""))?, Spot::below(&self.place, Path::new(""))?);
            kept.rename(&place)?;
            done.renamed = false;
            synced = place.sync();
        }
        while let Some(path) = done.carried.last() {
            let (live, former) = (Spot::below(&self.root, path)?, Spot::below(&self.tree(), path)?);
            live.rename(&former)?;
            done.carried.pop();
            synced = synced.and(live.sync()).and(former.sync());
        }
        while let Some(swap) = done.swapped.last() {
            let (live, staged) =
                (Spot::below(&self.root, &swap.path)?, Spot::below(&self.tree(), &swap.path)?);
            if swap.exchanged {
                live.exchange(&staged)?;
            } else {
                live.rename(&staged)?;
            }
            done.swapped.pop();
            synced = synced.and(live.sync()).and(staged.sync());
        }
        synced
    }

    fn swap(&self, path: &Path) -> Result<()> {
        let (live, staged) = (Spot::below(&self.root, path)?, Spot::below(&self.tree(), path)?);
        let exchanged = live.exists()?;
        if exchanged {
            staged.exchange(&live)?;
        } else {
            staged.rename(&live)?;
        }
        // Noted before anything else can fail: what is not noted would be neither undone nor kept.
        self.lock().swapped.push(Swap { path: path.to_owned(), exchanged });
        live.sync()?;
        staged.sync()
    }

    /// After the root was exchanged, `tree` is the former one. `false` if the restored tree has no place for it.
    fn carry(&self, path: &Path) -> Result<bool> {
        let Ok(former) = Spot::below(&self.tree(), path) else { return Ok(false) };
        if !former.exists()? {
            return Ok(true);
        }
        let parent = path.parent().unwrap_or(Path::new(""));
        if !like_directories(&self.tree(), &self.root, parent)? {
            return Ok(false);
        }
        let live = Spot::below(&self.root, path)?;
        // The snapshot has something by that name after all (the patterns changed since): then it stays.
        if live.exists()? {
            return Ok(false);
        }
        former.rename(&live)?;
        self.lock().carried.push(path.to_owned());
        live.sync()?;
        Ok(true)
    }

    fn keep(&self) -> Result<()> {
        let (place, kept) =
            (Spot::below(&self.place, Path::new(""))?, Spot::below(&self.kept, Path::new(""))?);
        place.rename(&kept)?;
        self.lock().renamed = true;
        kept.sync()
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

/// Whether a path is the private place of a restore of this root.
pub(crate) fn is_unfinished(root: &Path, path: &Path) -> bool {
    let name =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    root.parent() == path.parent() && name(path).starts_with(&format!(".{}{PRIVATE}", name(root)))
}

/// Makes the directories of `path` below `to` that are missing, with the owner and mode of those below `from`. `false` if
/// something else (a file, a link to who knows where) has the name of one of them.
fn like_directories(from: &Path, to: &Path, path: &Path) -> Result<bool> {
    let mut so_far = PathBuf::new();
    for part in path {
        so_far.push(part);
        let (model, new) = (from.join(&so_far), to.join(&so_far));
        match symlink_metadata(&new) {
            Ok(meta) if meta.is_dir() => continue,
            Ok(_) => return Ok(false),
            Err(_) => {}
        }
        let meta = symlink_metadata(&model).with_context(|| format!("look at {}", model.display()))?;
        DirBuilder::new().mode(0o700).create(&new).with_context(|| format!("make {}", new.display()))?;
        std::os::unix::fs::lchown(&new, Some(meta.uid()), Some(meta.gid()))?;
        std::fs::set_permissions(&new, meta.permissions())?;
    }
    Ok(true)
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
    fn a_swap_that_cannot_be_undone_never_costs_the_former_files() {
        let (world, root, stage) = world();
        stage.swap_root(&[]).unwrap();
        // Somebody moves the live tree away, so that nothing can change places with it.
        std::fs::rename(&root, world.path().join("gone")).unwrap();
        assert!(stage.swap_back().is_err());
        assert!(stage.remove().unwrap_err().to_string().contains("not removed"));
        assert_eq!(read(stage.tree().join("index")), "old");
    }

    #[test]
    fn a_link_in_the_live_tree_leads_nobody_out_of_it() {
        let (world, root, stage) = world();
        let outside = world.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("passwd"), "theirs").unwrap();
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        std::fs::create_dir(stage.tree().join("link")).unwrap();
        std::fs::write(stage.tree().join("link/passwd"), "mine").unwrap();
        let refused = stage.swap_paths(&[PathBuf::from("index"), PathBuf::from("link/passwd")]).unwrap_err();
        assert!(refused.to_string().contains("link or no directory"), "{refused}");
        stage.swap_back().unwrap();
        assert_eq!((read(outside.join("passwd")), read(root.join("index"))), ("theirs".into(), "old".into()));
    }

    #[test]
    fn what_finds_no_place_in_the_restored_tree_stays_with_the_former_one() {
        let (world, root, stage) = world();
        let outside = world.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, stage.tree().join("var")).unwrap();
        let stayed = stage.swap_root(&[PathBuf::from("var/cache")]).unwrap();
        assert_eq!(stayed, [PathBuf::from("var/cache")]);
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        assert_eq!(read(stage.kept().join("tree/var/cache/page")), "warm");
        assert_eq!(read(root.join("index")), "new");
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
