//! Everything that can be known before a restore changes anything: that it will find room, rights and whole data.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::databases::Databases;
use super::journal::{Files, Journal};
use super::newer;
use super::pace::Pace;
use super::request::{Preview, RestoreRequest, Target};
use super::selection::Selection;
use super::{Job, adapt, adopted, choose, limits};
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::repo::{Fetched, Manifest, Reader, Repo, Snapshot};
use crate::sys::mount;
use crate::sys::space::Reserve;

/// Left free on the file system a restore writes to, if nothing else is said: a full disk stops the site that is meant to come back.
const RESERVE_BYTES: u64 = 64 << 20;

/// A restore in place that can work.
pub(crate) struct Plan<'a> {
    pub(crate) preview: Preview,
    pub(crate) databases: Databases,
    job: &'a Job,
    reader: Reader,
    files: Option<Selection>,
    excluded: Vec<String>,
}

impl<'a> Plan<'a> {
    /// Chooses the snapshot, proves that all of it can be read, and that there is room and right to put it in place.
    pub(crate) fn make(job: &'a Job, request: &RestoreRequest<'_>, repo: &Repo, cx: &Cx) -> Result<Self> {
        let (snapshot, reader, manifest) = find(repo, request, job, cx)?;
        whole(repo, &reader, &snapshot, cx)?;
        let Target::InPlace { files, databases } = request.target else {
            return Err(Error::failed("a plan is for a restore in place"));
        };
        let saved = saved_root(job, request, &snapshot, &manifest)?;
        if files {
            adopted::has_files(&snapshot, &manifest)?;
        }
        let files = if files { Some(select(job, request, &reader, &snapshot, saved)?) } else { None };
        if let (Some(source), Some(_)) = (request.source, &files) {
            adapt::check(job, source, &reader, &snapshot, saved)?;
        }
        // A part of the site is files alone: the databases of another time would not fit to the rest.
        let mut databases = if databases && request.include.is_empty() {
            match request.source {
                Some(_) if !request.parts.is_everything() => {
                    return Err(Error::usage("another site's databases come as a whole")
                        .with_remedy("name no single database or table with `--into`"));
                }
                Some(_) => Databases::find_for_another(job, &manifest, &reader, &snapshot)?,
                None => Databases::find(job, &manifest, (&reader, &snapshot), &request.parts)?,
            }
        } else {
            Databases::default()
        };
        databases.preflight(job, request.in_place_database, cx)?;
        if databases.any_in_place() && !request.safety {
            return Err(Error::usage("a database is replaced in place only after it was saved")
                .with_remedy("restore without `--no-safety`"));
        }

        let mut excluded = job.excluded();
        excluded.extend(manifest.exclude.iter().cloned());
        let bytes = files.as_ref().map_or(Ok(0), |files| files.bytes(&reader))?;
        let compare = |files: &Selection| {
            let covers = |path: &Path| files.covers(path);
            reader.diff_live((&job.site.root, &excluded), files.node(), &covers, cx)
        };
        let changes = files.as_ref().map(compare).transpose()?;
        if let (Some(_), Some(beside)) = (&files, job.site.root.parent()) {
            space(job, beside, bytes)?;
        }
        let (carried, aside) = match &changes {
            Some(changes) => newer::foresee(&job.site.root, changes, &request.keep_newer)?,
            None => Default::default(),
        };
        let databases_plan = databases.plan()?;
        let rows = databases_plan.iter().map(|database| database.rows).sum();
        let preview = Preview {
            fetch: changes.as_ref().map_or(bytes, |changes| changes.bytes),
            files: changes,
            carried,
            aside,
            databases: databases_plan,
            time: Pace::of(job).estimate(bytes, rows),
            ..Preview::of(snapshot, bytes)
        };
        Ok(Self { preview, databases, job, reader, files, excluded })
    }

    /// Announces all that this restore will make.
    pub(crate) fn journal(&self, token: String, stamp: &str, safety: Option<String>) -> Result<Journal> {
        let mut journal = Journal::new(token, Timestamp::now());
        journal.snapshot = Some(self.preview.snapshot.id.clone());
        journal.safety = safety;
        if self.files.is_some() {
            let (root, excluded) = (&self.job.site.root, self.excluded.clone());
            journal.files = Some(Files::beside(root, &journal.token, stamp, excluded)?);
        }
        journal.databases = self.databases.announce(&journal.token)?;
        Ok(journal)
    }

    pub(crate) fn has_databases(&self) -> bool {
        !self.preview.databases.is_empty()
    }

    pub(crate) fn fetch(&self, tree: &Path, cx: &Cx) -> Result<Fetched> {
        let places = (tree, Some(&*self.job.site.root));
        self.files.as_ref().map_or(Ok(Fetched::default()), |files| files.fetch(&self.reader, places, cx))
    }

    /// What takes its place in the live tree, relative to the root.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        self.files.as_ref().map(|files| files.places(&self.job.site.root)).unwrap_or_default()
    }
}

/// The snapshot that is meant, and what it says about itself; one of another program says nothing.
pub(crate) fn find(
    repo: &Repo,
    request: &RestoreRequest<'_>,
    job: &Job,
    cx: &Cx,
) -> Result<(Snapshot, Reader, Manifest)> {
    let saved = request.source.map_or(job, |source| &source.job);
    let snapshot = choose::snapshot(repo, &request.wanted, saved, cx)?;
    let reader = repo.reader()?;
    let manifest = adopted::manifest(&reader, &snapshot, saved)?;
    Ok((snapshot, reader, manifest))
}

/// Damage in the repository is found before the site is touched, and named.
pub(crate) fn whole(repo: &Repo, reader: &Reader, snapshot: &Snapshot, cx: &Cx) -> Result<()> {
    let report = repo.verify_by(reader.clone(), snapshot, cx)?;
    let Some(damage) = report.damages.first() else { return Ok(()) };
    let path = damage.affects.values().flat_map(|affected| &affected.paths).next();
    let path = path.map(|path| format!(", needed for {}", path.display())).unwrap_or_default();
    Err(Error::failed(format!(
        "snapshot {} cannot be restored whole: {} is damaged ({}){path}",
        snapshot.short_id(),
        damage.file,
        damage.what
    ))
    .with_remedy("choose another snapshot; `lifeboat check` names everything that is damaged"))
}

/// Where the site was when it was saved: where it is now, unless it is another one.
fn saved_root<'a>(
    job: &'a Job,
    request: &RestoreRequest<'a>,
    snapshot: &Snapshot,
    manifest: &'a Manifest,
) -> Result<&'a Path> {
    let root = request.source.map_or(job, |source| &source.job).site.root.as_path();
    if manifest.root.is_empty() {
        return Ok(root);
    }
    let saved = Path::new(&manifest.root);
    // The node that an adopted one was made on may be gone.
    if saved != root && request.source.is_none() && snapshot.adopted.is_none() {
        return Err(Error::usage(format!(
            "snapshot {} is of {}, not of {}",
            snapshot.short_id(),
            saved.display(),
            root.display()
        ))
        .with_remedy("restore it elsewhere with `--to DIR`"));
    }
    Ok(saved)
}

fn select(
    job: &Job,
    request: &RestoreRequest<'_>,
    reader: &Reader,
    snapshot: &Snapshot,
    saved: &Path,
) -> Result<Selection> {
    let root = &job.site.root;
    let node = reader.node(snapshot, saved)?;
    if !node.is_dir() {
        return Err(Error::failed(format!("{} is no directory in the snapshot", saved.display())));
    }
    movable(root)?;
    let selection = Selection::new(reader, node, Path::new(""), &request.include)?;
    selection.reachable(root)?;
    Ok(selection)
}

/// A mount point cannot change places with a directory, and what is mounted below would go with the former tree.
fn movable(root: &Path) -> Result<()> {
    let mounted = mount::at_or_below(root)?;
    let Some(first) = mounted.first() else { return Ok(()) };
    Err(Error::failed(format!(
        "{} is a mount point, so {} cannot be exchanged",
        first.display(),
        root.display()
    ))
    .with_remedy("restore elsewhere with `--to DIR`, or unmount it for the time of the restore"))
}

/// Room for the files, before the first byte, and for what is to stay free.
pub(crate) fn space(job: &Job, place: &Path, bytes: u64) -> Result<()> {
    let reserve = job.limits.free_node.unwrap_or(Reserve::Bytes(RESERVE_BYTES));
    limits::room(place, reserve, bytes)
        .with_context(|| format!("the restore needs {bytes} bytes"))
        .map_err(|error| error.with_remedy("make room there, or restore elsewhere with `--to DIR`"))
}

/// Nothing of anybody's is overwritten by a restore elsewhere.
pub(crate) fn fresh_directory(target: &Path) -> Result<()> {
    match std::fs::read_dir(target) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("look into {}", target.display())),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::usage(format!("{} is not empty", target.display()))
                .with_remedy("name a directory that does not exist yet")),
        },
    }
}
