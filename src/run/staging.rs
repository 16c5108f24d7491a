//! Trees that change places with the live one, and back: every step reads off the disk what has happened, and does the rest.

use std::fs::{DirBuilder, symlink_metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::journal::{Files, Swap, SwapKind};
use crate::error::{Context, Error, Result};
use crate::event::{Cx, Step};
use crate::sys::fs::{Spot, sync_directory};
use crate::sys::raw_path::RawPath;

/// In the name of a private place while a restore is at work.
const PRIVATE: &str = ".lifeboat-";
/// In the name of what a restore set aside.
const KEPT: &str = ".before-restore-";

impl Files {
    /// A new private place beside the root. `token` keeps two restores apart, `stamp` names what is kept afterwards.
    pub(crate) fn beside(root: &Path, token: &str, stamp: &str, excluded: Vec<String>) -> Result<Self> {
        let (Some(parent), Some(name)) = (root.parent(), root.file_name().and_then(|name| name.to_str()))
        else {
            return Err(Error::usage(format!("{} cannot be restored in place", root.display())));
        };
        Ok(Self {
            root: root.into(),
            place: RawPath(parent.join(format!(".{name}{PRIVATE}{token}"))),
            kept: RawPath(free_name(&parent.join(format!(".{name}{KEPT}{stamp}")))),
            fresh: true,
            excluded,
            swaps: Vec::new(),
            carried: Vec::new(),
            came: Vec::new(),
            times: Vec::new(),
        })
    }

    /// What an earlier restore kept, about to be live again.
    pub(crate) fn again(earlier: &Self, stamp: &str) -> Result<Self> {
        let new = Self::beside(&earlier.root, "", stamp, earlier.excluded.clone())?;
        Ok(Self { place: earlier.kept.clone(), fresh: false, came: earlier.came.clone(), ..new })
    }

    /// What becomes live waits here, and what was live afterwards.
    pub(crate) fn tree(&self) -> PathBuf {
        self.place.join("tree")
    }

    /// The root itself changes places, not only some paths of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.swaps.iter().any(|swap| swap.path.as_os_str().is_empty())
    }

    /// Makes the place, which only we can enter: nobody reads half restored files, nor the former ones.
    pub(crate) fn make(&self) -> Result<()> {
        if !self.fresh {
            return Ok(());
        }
        DirBuilder::new()
            .mode(0o700)
            .create(&*self.place)
            .with_context(|| format!("make the directory {}", self.place.display()))
            .remedy("a restore in place needs to write beside the site's root; `--to DIR` restores elsewhere")
    }

    /// Plans what changes places at these paths, and what moves along. Nothing is altered; the answer is to be announced.
    pub(crate) fn plan(&mut self, paths: &[PathBuf], carry: &[PathBuf]) -> Result<()> {
        for path in paths {
            let (live, staged) = (Spot::below(&self.root, path)?, Spot::below(&self.tree(), path)?);
            let kind = match (staged.inode()?, live.inode()?) {
                (Some(staged), Some(former)) => SwapKind::Exchange { staged, former },
                (Some(_), None) => SwapKind::Come,
                (None, Some(_)) => SwapKind::Go,
                (None, None) => continue,
            };
            if !path.as_os_str().is_empty() {
                self.note_time(path)?;
            }
            if let Some(time) = live.time()? {
                self.times.push((path.as_path().into(), time));
            }
            self.swaps.push(Swap { path: path.as_path().into(), kind });
        }
        for path in carry {
            self.note_time(path)?;
            self.carried.push(path.as_path().into());
        }
        Ok(())
    }

    /// The time of the live directory that a path is in.
    fn note_time(&mut self, path: &Path) -> Result<()> {
        let parent = RawPath(path.parent().unwrap_or(Path::new("")).to_owned());
        if !self.times.iter().any(|(known, _)| *known == parent) {
            let time = Spot::below(&self.root, path)?.directory_time()?;
            self.times.push((parent, time));
        }
        Ok(())
    }

    /// Whether the restored tree has a place for something that moves along: its name is free, and no file and no link is in
    /// the way.
    pub(crate) fn has_place_for(&self, path: &Path) -> bool {
        let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
        above.reverse();
        let staged = |path: &Path| symlink_metadata(self.tree().join(path));
        // What is missing on the way is made.
        let missing = above.iter().position(|path| staged(path).is_err()).unwrap_or(above.len());
        above[..missing].iter().all(|path| staged(path).is_ok_and(|meta| meta.is_dir()))
            && staged(path).is_err()
    }

    /// Does what was announced.
    pub(crate) fn swap(&self, cx: &Cx) -> Result<()> {
        for Swap { path, kind } in &self.swaps {
            let (live, staged) = self.spots(path)?;
            match kind {
                SwapKind::Exchange { .. } => staged.exchange(&live)?,
                SwapKind::Come => staged.rename(&live)?,
                SwapKind::Go => live.rename(&staged)?,
            }
            live.sync()?;
            staged.sync()?;
            cx.between(Step::SwapFiles)?;
        }
        for path in &self.carried {
            self.carry(path)?;
            cx.between(Step::SwapFiles)?;
        }
        Ok(())
    }

    /// Puts everything back that was altered, in reverse; does nothing where nothing was.
    pub(crate) fn swap_back(&self) -> Result<()> {
        if self.swaps.is_empty() {
            return Ok(());
        }
        if self.is_whole() && !self.carried.is_empty() {
            let tree = self.tree();
            let (old, new) =
                if self.happened(&self.swaps[0])? { (&*tree, &*self.root) } else { (&*self.root, &*tree) };
            for path in self.carried.iter().rev() {
                carry_back(new, old, path)?;
            }
        }
        for swap in self.swaps.iter().rev() {
            if self.happened(swap)? {
                let (live, staged) = self.spots(&swap.path)?;
                match swap.kind {
                    SwapKind::Exchange { .. } => live.exchange(&staged)?,
                    SwapKind::Come => live.rename(&staged)?,
                    SwapKind::Go => staged.rename(&live)?,
                }
                live.sync()?;
                staged.sync()?;
            }
        }
        for (directory, time) in &self.times {
            Spot::below(&self.root, &directory.join("x"))?.set_directory_time(*time)?;
        }
        Ok(())
    }

    /// Read off the private place, where nobody but us changes anything.
    fn happened(&self, swap: &Swap) -> Result<bool> {
        let (_, staged) = self.spots(&swap.path)?;
        let there = staged.inode()?;
        match swap.kind {
            SwapKind::Come => Ok(there.is_none()),
            SwapKind::Go => Ok(there.is_some()),
            SwapKind::Exchange { staged, .. } if there == Some(staged) => Ok(false),
            SwapKind::Exchange { former, .. } if there == Some(former) => Ok(true),
            SwapKind::Exchange { .. } => Err(Error::failed(format!(
                "{} is neither what was live before the restore nor what was restored",
                self.tree().join(&*swap.path).display()
            ))
            .with_remedy(
                "somebody else changed it: look into it, put the site right by hand, then remove it",
            )),
        }
    }

    fn spots(&self, path: &Path) -> Result<(Spot, Spot)> {
        Ok((Spot::below(&self.root, path)?, Spot::below(&self.tree(), path)?))
    }

    /// From the former tree into the live one.
    fn carry(&self, path: &Path) -> Result<()> {
        // A cache or a session may have ended since it was planned.
        if !Spot::below(&self.tree(), path)?.exists()? {
            return Ok(());
        }
        like_directories(&self.tree(), &self.root, path.parent().unwrap_or(Path::new("")))?;
        let (live, former) = self.spots(path)?;
        move_quietly(&former, &live)
    }

    /// Removes the place of a restore that failed; only ever after everything was put back.
    pub(crate) fn remove(&self) -> Result<()> {
        if !self.fresh {
            return Ok(());
        }
        self.remove_place(&self.place)
    }

    /// Removes a directory that a restore, or a drill, announced to make beside the root.
    pub(crate) fn remove_place(&self, place: &Path) -> Result<()> {
        if !is_unfinished(&self.root, place) {
            return Err(Error::failed(format!("{} is not the place of a restore", place.display())));
        }
        match std::fs::remove_dir_all(place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", place.display()))
            }
            _ => Ok(()),
        }
    }

    /// What was live gets the name under which it is kept. Harmless when called twice.
    pub(crate) fn keep(&self) -> Result<()> {
        let (place, kept) =
            (Spot::below(&self.place, Path::new(""))?, Spot::below(&self.kept, Path::new(""))?);
        if place.exists()? {
            place.rename(&kept)?;
        }
        kept.sync()
    }

    /// Whether what a restore kept is all there, so that an undo needs nothing else.
    pub(crate) fn is_kept_whole(&self) -> bool {
        let there = |path: &Path| symlink_metadata(self.kept.join("tree").join(path)).is_ok();
        symlink_metadata(&*self.kept).is_ok_and(|meta| meta.is_dir())
            && self.swaps.iter().all(|swap| there(&swap.path) != (swap.kind == SwapKind::Come))
    }
}

/// Both directories keep the time they have: one was restored with it, the other may be live again.
fn move_quietly(from: &Spot, to: &Spot) -> Result<()> {
    let times = (from.directory_time()?, to.directory_time()?);
    from.rename(to)?;
    from.set_directory_time(times.0)?;
    to.set_directory_time(times.1)?;
    from.sync()?;
    to.sync()
}

/// To the former tree, wherever that is by now, if it is not there and came from it.
fn carry_back(new: &Path, old: &Path, path: &Path) -> Result<()> {
    let former = Spot::below(old, path)?;
    let Ok(carried) = Spot::below(new, path) else { return Ok(()) };
    if former.exists()? || !carried.exists()? {
        return Ok(());
    }
    move_quietly(&carried, &former)
}

/// Two restores in one second keep two trees.
fn free_name(wanted: &Path) -> PathBuf {
    let numbered = |number: u32| {
        let mut name = wanted.as_os_str().to_owned();
        name.push(format!("-{number}"));
        PathBuf::from(name)
    };
    let all = std::iter::once(wanted.to_owned()).chain((2..).map(numbered));
    all.into_iter().find(|path| symlink_metadata(path).is_err()).unwrap_or_else(|| wanted.to_owned())
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

/// Makes the directories of `path` below `to` that are missing, with owner, mode and time of those below `from`.
fn like_directories(from: &Path, to: &Path, path: &Path) -> Result<()> {
    let mut so_far = PathBuf::new();
    for part in path {
        so_far.push(part);
        let (model, new) = (from.join(&so_far), to.join(&so_far));
        if symlink_metadata(&new).is_ok() {
            continue;
        }
        let meta = symlink_metadata(&model).with_context(|| format!("look at {}", model.display()))?;
        let spot = Spot::below(to, &so_far)?;
        let time = spot.directory_time()?;
        DirBuilder::new().mode(0o700).create(&new).with_context(|| format!("make {}", new.display()))?;
        std::os::unix::fs::lchown(&new, Some(meta.uid()), Some(meta.gid()))?;
        std::fs::set_permissions(&new, meta.permissions())?;
        Spot::below(to, &so_far.join("x"))?.set_directory_time((meta.mtime(), meta.mtime_nsec()))?;
        spot.set_directory_time(time)?;
        sync_directory(&new)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `site` with two files and a left-out cache, and a staged tree beside it.
    fn world() -> (tempfile::TempDir, PathBuf, Files) {
        let world = tempfile::tempdir().unwrap();
        let root = world.path().join("site");
        std::fs::create_dir_all(root.join("var/cache")).unwrap();
        for (name, text) in
            [("index", "old"), ("gone", "gone"), ("var/cache/page", "warm"), ("var/log", "log")]
        {
            std::fs::write(root.join(name), text).unwrap();
        }
        let files = Files::beside(&root, "tok12345", "now", Vec::new()).unwrap();
        files.make().unwrap();
        std::fs::create_dir(files.tree()).unwrap();
        std::fs::write(files.tree().join("index"), "new").unwrap();
        std::fs::write(files.tree().join("fresh"), "fresh").unwrap();
        (world, root, files)
    }

    fn read(path: PathBuf) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// Every path with its content and time.
    fn all(root: &Path) -> Vec<String> {
        let (mut found, mut pending) = (Vec::new(), vec![root.to_owned()]);
        while let Some(path) = pending.pop() {
            let meta = symlink_metadata(&path).unwrap();
            found.push(format!(
                "{} {}.{} {}",
                path.display(),
                meta.mtime(),
                meta.mtime_nsec(),
                read(path.clone())
            ));
            if meta.is_dir() {
                pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        found.sort();
        found
    }

    fn carry() -> Vec<PathBuf> {
        vec!["var/cache".into(), "var/log".into()]
    }

    fn whole(files: &mut Files) {
        files.plan(&[PathBuf::new()], &carry()).unwrap();
    }

    #[test]
    fn a_swap_carries_what_was_left_out_and_keeps_the_former_tree() {
        let (world, root, mut files) = world();
        whole(&mut files);
        files.swap(&Cx::silent()).unwrap();
        assert_eq!((read(root.join("index")), read(root.join("gone"))), ("new".into(), String::new()));
        assert_eq!(
            (read(root.join("var/cache/page")), read(root.join("var/log"))),
            ("warm".into(), "log".into())
        );
        files.keep().unwrap();
        files.keep().unwrap();
        assert!(files.is_kept_whole());
        assert_eq!(read(files.kept.join("tree/index")), "old");
        assert_eq!(std::fs::read_dir(world.path()).unwrap().count(), 2);
    }

    /// Power may go at any moment, and what was renamed last need not be on disk first: whichever of the announced changes
    /// have happened, the way back leads to the same site.
    #[test]
    fn any_part_of_a_whole_swap_is_put_back() {
        for happened in 0..8_u32 {
            let (world, root, mut files) = world();
            let before = all(&root);
            whole(&mut files);
            let swapped = happened & 1 != 0;
            if swapped {
                let (live, staged) = files.spots(Path::new("")).unwrap();
                staged.exchange(&live).unwrap();
            }
            let tree = files.tree();
            let (old, new) = if swapped { (&tree, &root) } else { (&root, &tree) };
            for (bit, path) in carry().iter().enumerate() {
                if happened & (2 << bit) != 0 {
                    std::fs::create_dir_all(new.join("var")).unwrap();
                    std::fs::rename(old.join(path), new.join(path)).unwrap();
                }
            }
            files.swap_back().unwrap();
            files.swap_back().unwrap();
            assert_eq!(all(&root), before, "{happened:b}");
            files.remove().unwrap();
            files.remove().unwrap();
            assert_eq!(std::fs::read_dir(world.path()).unwrap().count(), 1);
        }
    }

    /// One path that changes places, one that comes, one that goes.
    #[test]
    fn any_part_of_a_swap_of_single_paths_is_put_back() {
        for happened in 0..8_u32 {
            let (_world, root, mut files) = world();
            let before = all(&root);
            files.plan(&["fresh".into(), "gone".into(), "index".into()], &[]).unwrap();
            let kinds: Vec<_> = files.swaps.iter().map(|swap| swap.kind).collect();
            assert!(matches!(kinds[..], [SwapKind::Come, SwapKind::Go, SwapKind::Exchange { .. }]));
            let whole = files.clone();
            for bit in (0..3).rev().filter(|bit| happened & (1 << bit) == 0) {
                files.swaps.remove(bit);
            }
            files.swap(&Cx::silent()).unwrap();
            whole.swap_back().unwrap();
            whole.swap_back().unwrap();
            assert_eq!(all(&root), before, "{happened:b}");
        }
    }

    #[test]
    fn single_paths_swap_and_leave_their_neighbours_alone() {
        let (_world, root, mut files) = world();
        files.plan(&["index".into(), "fresh".into()], &[]).unwrap();
        files.swap(&Cx::silent()).unwrap();
        assert_eq!((read(root.join("index")), read(root.join("fresh"))), ("new".into(), "fresh".into()));
        assert_eq!(
            (read(root.join("var/cache/page")), read(root.join("gone"))),
            ("warm".into(), "gone".into())
        );
    }

    #[test]
    fn a_swap_that_cannot_be_undone_never_costs_the_former_files() {
        let (world, root, mut files) = world();
        whole(&mut files);
        files.swap(&Cx::silent()).unwrap();
        // Somebody moves the live tree away, so that nothing can change places with it.
        std::fs::rename(&root, world.path().join("gone")).unwrap();
        assert!(files.swap_back().is_err());
        assert_eq!(read(files.tree().join("index")), "old");
    }

    #[test]
    fn what_is_neither_the_one_nor_the_other_is_left_to_a_person() {
        let (_world, root, mut files) = world();
        whole(&mut files);
        files.swap(&Cx::silent()).unwrap();
        std::fs::rename(files.tree(), files.place.join("elsewhere")).unwrap();
        std::fs::create_dir(files.tree()).unwrap();
        assert!(files.swap_back().unwrap_err().to_string().contains("is neither"));
        assert_eq!(read(root.join("index")), "new");
    }

    #[test]
    fn a_link_in_the_live_tree_leads_nobody_out_of_it() {
        let (world, root, mut files) = world();
        let outside = world.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("passwd"), "theirs").unwrap();
        std::os::unix::fs::symlink(&outside, root.join("link")).unwrap();
        std::fs::create_dir(files.tree().join("link")).unwrap();
        std::fs::write(files.tree().join("link/passwd"), "mine").unwrap();
        let refused = files.plan(&["index".into(), "link/passwd".into()], &[]).unwrap_err();
        assert!(refused.to_string().contains("link or no directory"), "{refused}");
        assert_eq!((read(outside.join("passwd")), read(root.join("index"))), ("theirs".into(), "old".into()));
    }

    #[test]
    fn what_finds_no_place_in_the_restored_tree_stays_with_the_former_one() {
        let (world, _root, files) = world();
        std::os::unix::fs::symlink(world.path(), files.tree().join("var")).unwrap();
        assert!(!files.has_place_for(Path::new("var/cache")));
        assert!(!files.has_place_for(Path::new("index")));
        assert!(!files.has_place_for(Path::new("index/below")));
        assert!(files.has_place_for(Path::new("a/new/one")) && files.has_place_for(Path::new("one")));
    }

    #[test]
    fn two_restores_in_a_second_keep_two_trees() {
        let (_world, root, files) = world();
        std::fs::create_dir(&*files.kept).unwrap();
        let second = Files::beside(&root, "tok54321", "now", Vec::new()).unwrap();
        assert_ne!(files.kept, second.kept);
        assert!(is_kept(&second.kept));
    }
}
