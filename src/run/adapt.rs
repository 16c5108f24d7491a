//! A restore into another site: that one keeps its own configuration and secrets, and its own name.

use std::fs::symlink_metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use super::Job;
use super::request::Source;
use crate::database::{DatabaseSpec, Rewrite};
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::repo::{Reader, Snapshot};
use crate::site::WordPress;

/// What a site's own settings and secrets are in, relative to its root.
const OWN: [&str; 3] = [CONFIG, ".env", ".env.local"];

const CONFIG: &str = "wp-config.php";

/// `WordPress` tells feed readers by this what they know already: it is no address, although it looks like one.
const EXCEPT: [(&str, &str); 1] = [("posts", "guid")];

/// Everything that can be known before: that it is another site, and that it would not end up with the first one's database.
pub(crate) fn check(
    job: &Job,
    source: &Source,
    reader: &Reader,
    snapshot: &Snapshot,
    saved: &Path,
) -> Result<()> {
    if source.job.site.root == job.site.root || source.job.state == job.state {
        return Err(Error::usage(format!("{} is the site that was saved", job.site.root.display()))
            .with_remedy("restore it without `--into`"));
    }
    for own in &source.keep {
        let plain =
            !own.as_os_str().is_empty() && own.components().all(|part| matches!(part, Component::Normal(_)));
        let meta = plain.then(|| symlink_metadata(job.site.root.join(own)));
        if !meta.is_some_and(|meta| meta.is_ok_and(|meta| meta.is_file())) {
            return Err(Error::usage(format!("{} has no file {}", job.site.root.display(), own.display()))
                .with_remedy("`--keep` names files of the target, relative to its root"));
        }
    }
    for own in OWN {
        let live = job.site.root.join(own);
        if reader.find(snapshot.tree, &saved.join(own))?.is_some() && symlink_metadata(&live).is_err() {
            let text = format!(
                "{} is not there, and the one in the snapshot leads to the first site's database",
                live.display()
            );
            return Err(Error::usage(text).with_remedy(format!(
                "put a {own} with the target's own settings there first, be it empty"
            )));
        }
    }
    if reader.find(snapshot.tree, &saved.join(CONFIG))?.is_some() { own_config(job) } else { Ok(()) }
}

/// The target's configuration, which must lead to the target's database.
fn own_config(job: &Job) -> Result<()> {
    let path = job.site.root.join(CONFIG);
    let config = WordPress::read(&path)?;
    let name = config.name()?;
    let named = |spec: &DatabaseSpec| matches!(spec, DatabaseSpec::Mysql(mysql) if mysql.schema == name);
    if !job.databases.iter().any(named) {
        let text = format!(
            "{} names the database {name:?}, which the target's configuration does not",
            path.display()
        );
        return Err(Error::usage(text).with_remedy("name in it the target's own database"));
    }
    Ok(())
}

/// Gives the fetched tree the target's own files. Nothing of it is live yet.
pub(crate) fn files(job: &Job, source: &Source, tree: &Path) -> Result<()> {
    same_prefix(job, tree)?;
    let own = OWN.iter().map(PathBuf::from).chain(source.keep.iter().cloned());
    for path in own {
        let live = job.site.root.join(&path);
        // A pipe would never end, a directory is no configuration.
        if symlink_metadata(&live).is_ok_and(|meta| meta.is_file() || meta.is_symlink()) {
            copy(&live, tree, &path).with_context(|| format!("keep {}", live.display()))?;
        }
    }
    Ok(())
}

/// Tables that begin otherwise than the configuration says are not found by the site.
fn same_prefix(job: &Job, tree: &Path) -> Result<()> {
    let (old, new) = (tree.join(CONFIG), job.site.root.join(CONFIG));
    if !(old.exists() && new.exists()) {
        return Ok(());
    }
    let (old, new) = (WordPress::read(&old)?.prefix(), WordPress::read(&new)?.prefix());
    match (old, new) {
        (Some(old), Some(new)) if old != new => Err(Error::usage(format!(
            "the tables of the saved site begin with {old:?}, {} says {new:?}",
            job.site.root.join(CONFIG).display()
        ))
        .with_remedy(format!("set $table_prefix = {old:?} there"))),
        _ => Ok(()),
    }
}

/// With owner, mode and time.
fn copy(from: &Path, tree: &Path, path: &Path) -> Result<()> {
    let meta = symlink_metadata(from)?;
    let to = &tree.join(path);
    // A link on the way came out of the snapshot, and could lead anywhere.
    let is_link = |above: &Path| symlink_metadata(tree.join(above)).is_ok_and(|meta| !meta.is_dir());
    if let Some(link) = path.ancestors().skip(1).find(|above| is_link(above)) {
        return Err(Error::failed(format!("{} is no directory in the snapshot", link.display())));
    }
    if symlink_metadata(to).is_ok() {
        std::fs::remove_file(to)?;
    }
    if let Some(above) = to.parent() {
        std::fs::create_dir_all(above)?;
    }
    if meta.is_symlink() {
        std::os::unix::fs::symlink(std::fs::read_link(from)?, to)?;
    } else {
        let mut new = crate::sys::fs::private_file(to)?;
        std::io::copy(&mut std::fs::File::open(from)?, &mut new)?;
        new.set_times(std::fs::FileTimes::new().set_modified(meta.modified()?))?;
        new.sync_all()?;
    }
    std::os::unix::fs::lchown(to, Some(meta.uid()), Some(meta.gid()))?;
    if !meta.is_symlink() {
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(meta.mode() & 0o7777))?;
    }
    Ok(())
}

/// The rule by which the loaded databases take the target's names.
pub(crate) fn names(source: &Source, change: &dyn Fn(&Rewrite<'_>) -> Result<u64>, cx: &Cx) -> Result<()> {
    if source.hosts.is_empty() {
        return Ok(());
    }
    let words = source.hosts.old().map(|old| old.split('/').next().unwrap_or(old).to_owned()).collect();
    let rule = Rewrite { words, change: &|value| source.hosts.rewrite(value), except: &EXCEPT };
    let changed = change(&rule)?;
    cx.note(format!("the site's name was changed in {changed} values"));
    Ok(())
}
