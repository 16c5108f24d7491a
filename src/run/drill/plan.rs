//! What one drill restores: which snapshot, which part of its files, and what its databases are loaded into.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::databases::Databases;
use super::super::journal::{Aside, Files, Journal};
use super::super::pace::Pace;
use super::super::restore::{stamp, token};
use super::super::work::Work;
use super::super::{Estimate, Job, adopted, choose, parts::Parts, preflight};
use super::DrillRequest;
use super::inspect;
use super::record::{Drill, Failure, begun_walk, drills, next_part};
use super::stand_in::StandIn;
use crate::database;
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::repo::{ChangeKind, Fetched, Manifest, Node, Reader, Repo, Snapshot, VIRTUAL};
use crate::sys::fs::sibling;
use crate::sys::raw_path::RawPath;

/// However small the budget: a drill that restores nothing proves nothing.
const MOST_PARTS: u64 = 1000;

pub(super) struct Plan<'a> {
    job: &'a Job,
    snapshot: Snapshot,
    manifest: Manifest,
    reader: Reader,
    databases: Databases,
    /// Those that can be loaded only into a server of our own.
    inside: Databases,
    /// The site's root in the snapshot.
    root: Node,
    slice: Slice,
    bytes: u64,
}

/// One part of all files: which, is decided by their names, so that it is the same in every snapshot.
#[derive(Clone, Copy)]
struct Slice {
    part: u32,
    parts: u32,
}

impl Slice {
    fn holds(self, path: &Path) -> bool {
        let hash = blake3::hash(path.as_os_str().as_encoded_bytes());
        let number =
            hash.as_bytes().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        number % u64::from(self.parts) == u64::from(self.part - 1)
    }
}

impl<'a> Plan<'a> {
    /// Chooses; nothing is read but the index and directories.
    pub(super) fn make(job: &'a Job, request: &DrillRequest, repo: &Repo, cx: &Cx) -> Result<Self> {
        let snapshot = choose::snapshot(repo, &request.wanted, job, cx)?;
        let reader = repo.reader()?;
        let manifest = adopted::manifest(&reader, &snapshot, job)?;
        adopted::has_files(&snapshot, &manifest)?;
        let saved =
            if manifest.root.is_empty() { job.site.root.clone() } else { PathBuf::from(&manifest.root) };
        let root = reader.node(&snapshot, &saved)?;
        let bytes = reader.size_below(&root, &|_, _| true)?;
        let before = drills(job)?;
        let dumps = &manifest.databases;
        let size = Size {
            files: bytes,
            dumps: dumps.iter().map(|dump| dump.bytes).sum(),
            rows: dumps.iter().map(|dump| dump.rows).sum(),
        };
        let parts = parts(request, size, Pace::of(job), begun_walk(&before));
        let slice = Slice { part: next_part(&before, parts), parts };
        if parts > 1 {
            cx.note(format!("part {} of {parts}: all files are restored once in {parts} drills", slice.part));
        }
        let mut databases = Databases::find(job, &manifest, (&reader, &snapshot), &Parts::default())?;
        if request.max_bytes.is_some() || request.max_seconds.is_some() {
            databases.take_turns(slice.part, parts);
        }
        let inside = Databases::default();
        Ok(Self { job, snapshot, manifest, reader, databases, inside, root, slice, bytes })
    }

    /// Of a drill that begins now.
    pub(super) fn begin(&self) -> Drill {
        Drill {
            begun: Timestamp::now(),
            ended: None,
            snapshot: self.snapshot.id.clone(),
            first_id: self.snapshot.first_id().to_owned(),
            tree: self.snapshot.tree(),
            time: self.snapshot.time,
            part: self.slice.part,
            parts: self.slice.parts,
            files: 0,
            bytes: 0,
            rows: 0,
            seconds: 0.0,
            server: None,
            failures: Vec::new(),
        }
    }

    /// A lack of room ends a drill before its first byte, or it would take the live site's.
    pub(super) fn room(&self) -> Result<()> {
        let beside = self.job.site.root.parent().unwrap_or(Path::new("/"));
        preflight::space(self.job, beside, self.bytes / u64::from(self.slice.parts))
            .remedy("make room there, or drill a part: `--sample` or `--max-bytes`")
    }

    /// Everything that the snapshot refers to is there.
    pub(super) fn whole(&self, repo: &Repo, cx: &Cx) -> Result<()> {
        preflight::whole(repo, &self.reader, &self.snapshot, cx)
    }

    /// There is room and right to load the databases. Those for which there is not must not be tried: what is not beside
    /// the live ones would be inside of them.
    pub(super) fn prepare(&mut self, cx: &Cx) -> Result<()> {
        let ready = self.databases.preflight(self.job, false, cx);
        ready.inspect_err(|_| self.databases = Databases::default())?;
        self.inside = self.databases.split_off_inside();
        Ok(())
    }

    /// The storage and the site's servers are there to be asked: else what failed is no fault of the snapshot.
    pub(super) fn answers(&self, repo: &Repo) -> Result<()> {
        repo.snapshots()?;
        for database in self.job.databases.iter().map(database::open) {
            database.tables().with_context(|| format!("ask {}", database.describe()))?;
        }
        Ok(())
    }

    /// All that a drill makes, so that a killed one is cleared away by whatever runs next.
    pub(super) fn journal(&self) -> Result<Journal> {
        let mut journal = Journal::new(token(), Timestamp::now());
        journal.snapshot = Some(self.snapshot.id.clone());
        journal.files = Some(Files::beside(&self.job.site.root, &journal.token, &stamp(), Vec::new())?);
        journal.databases = self.databases.announce(&journal.token)?;
        let place = journal.files.as_ref().map(|files| files.place.0.clone()).unwrap_or_default();
        let of_files = journal.databases.iter_mut().filter(|aside| aside.directory.starts_with("sqlite"));
        for (number, aside) in of_files.enumerate() {
            // Beside the live file would be inside the live root.
            aside.copy.side = place.join(format!("sqlite-{number}")).to_string_lossy().into_owned();
        }
        if !self.inside.is_empty() {
            journal.server = Some(RawPath(sibling(&place, "-server")));
        }
        Ok(journal)
    }

    /// Loads what is left into that server, and says under which names.
    pub(super) fn load_inside(&mut self, server: &StandIn, cx: &Cx) -> Result<Vec<Aside>> {
        self.inside.move_to(self.job, |live| server.spec(live))?;
        let mut announced = self.inside.announce(&token())?;
        for (directory, copy) in self.inside.load(&announced, cx)? {
            for aside in announced.iter_mut().filter(|aside| aside.directory == directory) {
                aside.copy = copy.clone();
            }
        }
        Ok(announced)
    }

    /// From the storage alone, every blob compared with its hash; then looked at once more, as it lies there.
    pub(super) fn fetch(&self, tree: &Path, cx: &Cx) -> Result<Fetched> {
        let slice = self.slice;
        let wanted = |path: &Path, is_dir: bool| is_dir || slice.holds(path);
        let fetched = self.reader.fetch(&self.root, (tree, None), &wanted, cx)?;
        let covers = |path: &Path| slice.holds(path);
        let changes = self.reader.diff_live((tree, &[]), &self.root, &covers, cx)?;
        let tree_id = self.root.subtree.unwrap_or_default();
        for change in changes.changes.iter().filter(|change| change.kind != ChangeKind::Metadata) {
            // A socket is not restored: it belongs to a process.
            let is_file = self.reader.find(tree_id, &change.path)?.is_none_or(|node| node.is_file());
            if is_file {
                let text = format!("{} is not there as the snapshot has it", change.path.display());
                return Err(Error::failed(text));
            }
        }
        Ok(fetched)
    }

    pub(super) fn load(&self, work: &Work<'_>, cx: &Cx) -> Result<()> {
        work.load(&self.databases, cx)?;
        self.read_the_rest(cx)
    }

    /// What a restore does not need, but whoever has only stock tools does.
    fn read_the_rest(&self, cx: &Cx) -> Result<()> {
        let beside = Path::new(VIRTUAL);
        let Some(node) = self.reader.find(self.snapshot.tree, beside)? else { return Ok(()) };
        for item in self.reader.below(&node)? {
            cx.go_on()?;
            let (path, node) = item?;
            // Rows were read to load them.
            if node.is_file() && !path.iter().any(|part| part == "data") {
                let what = || format!("read {}", beside.join(&path).display());
                self.reader.write(&node, &mut std::io::sink()).with_context(what)?;
            }
        }
        Ok(())
    }

    /// What the site itself needs to run.
    pub(super) fn inspect(&self, beside: &[Aside], inside: &[Aside], cx: &Cx) -> Result<Vec<Failure>> {
        let loaded = [(&self.databases, beside), (&self.inside, inside)];
        inspect::wordpress(&self.reader, &self.root, &loaded, cx)
    }

    pub(super) fn whole_site(&self) -> Estimate {
        let rows = self.manifest.databases.iter().map(|dump| dump.rows).sum();
        Pace::of(self.job).estimate(self.bytes, rows)
    }
}

/// A server for what the site's own does not let us load; `None` if there is no need.
pub(super) fn server(work: &Work<'_>, cx: &Cx) -> Result<Option<StandIn>> {
    work.server().map(|place| StandIn::start(&place, cx)).transpose()
}

/// In how many parts a site is restored. A walk that a budget began goes on in its own steps while they about fit: the site
/// grows and the pace is measured anew each time, and a walk that began again each time would never see the rest.
fn parts(request: &DrillRequest, size: Size, pace: Pace, begun: Option<u32>) -> u32 {
    let whole = pace.estimate(size.files, size.rows).seconds;
    let by_bytes = request.max_bytes.map(|most| (size.files + size.dumps).div_ceil(most.max(1)));
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // an estimate
    let by_time = request.max_seconds.map(|most| (whole / most.max(1) as f64).ceil() as u64);
    let needed = by_bytes.into_iter().chain(by_time).max().unwrap_or(1).clamp(1, MOST_PARTS);
    let asked = u64::from(request.parts).clamp(1, MOST_PARTS);
    let fits = |parts: &u64| needed <= parts + parts / 4 && *parts <= 2 * needed && *parts >= asked;
    let goes_on = begun.map(u64::from).filter(|parts| needed > asked && fits(parts));
    u32::try_from(goes_on.unwrap_or(needed.max(asked))).unwrap_or(u32::MAX)
}

/// Of a whole site: bytes of its files and of its dumps, and rows.
#[derive(Clone, Copy)]
struct Size {
    files: u64,
    dumps: u64,
    rows: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Wanted;

    fn needs(max_bytes: u64, asked: u32, begun: Option<u32>) -> u32 {
        let request = DrillRequest {
            wanted: Wanted::Latest,
            parts: asked,
            max_bytes: Some(max_bytes),
            max_seconds: None,
        };
        parts(&request, Size { files: 900, dumps: 100, rows: 0 }, Pace::guess(), begun)
    }

    #[test]
    fn a_walk_keeps_its_steps_while_they_about_fit_the_budget() {
        assert_eq!(needs(100, 1, None), 10);
        for begun in [8, 9, 11, 20] {
            assert_eq!(needs(100, 1, Some(begun)), begun, "begun in {begun}");
        }
        // Much too large or too small ones.
        assert_eq!(needs(100, 1, Some(7)), 10);
        assert_eq!(needs(100, 1, Some(21)), 10);
        // What was asked for by number is what was asked for.
        assert_eq!(needs(1000, 4, Some(5)), 4);
        assert_eq!(needs(100, 12, Some(10)), 12);
        assert_eq!(needs(0, 1, None), 1000);
    }
}
