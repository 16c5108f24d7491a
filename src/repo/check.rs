//! Is everything there and unchanged? Every damage is named by its file, and by the snapshots and paths it takes along.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use rustic_core::repofile::{IndexFile, Node};
use rustic_core::{FileType, Id, ReadBackend, TreeId};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::list::Snapshot;
use super::lock::hex;
use super::reader::{DEEPEST, Reader, root_node};
use super::{Repo, engine_error};
use crate::error::Result;
use crate::event::{Cx, RepositorySize, Unit};

/// Paths named per damage and snapshot; the rest is counted.
const NAMED: usize = 20;

/// How deep a check looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckSpec {
    pub read: ReadData,
}

/// How much of the stored data is read and hashed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadData {
    /// Lists, sizes, indexes, snapshots and trees only.
    #[default]
    None,
    /// One of equal parts.
    Part(Part),
    All,
}

/// Some of all packs: those whose ids lie in one of equal ranges. An id is a hash, so that the parts are alike in size, and a
/// pack is in the same part for as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub part: u32,
    pub parts: u32,
}

impl Part {
    fn holds(self, pack: &Id) -> bool {
        let digits = &pack.to_hex();
        let number = u64::from_str_radix(&digits.as_str()[..16], 16).unwrap_or_default();
        let range = (u128::from(number) * u128::from(self.parts)) >> 64;
        range + 1 == u128::from(self.part)
    }
}

/// What a check found; no damages means that everything looked at is as it was written.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CheckReport {
    pub snapshots: u64,
    pub packs: u64,
    pub bytes_read: u64,
    /// Packs that no index knows: left behind by an interrupted run, harmless.
    pub unreferenced: u64,
    /// By the index; nothing where a part of it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<RepositorySize>,
    pub damages: Vec<Damage>,
}

/// One damaged or missing file of the repository.
#[derive(Clone, Debug, Serialize)]
pub struct Damage {
    pub kind: DamageKind,
    /// Its name below the repository's directory.
    pub file: String,
    pub what: String,
    /// Snapshot id (short) and paths that cannot be restored because of it.
    pub affects: BTreeMap<String, Affected>,
    #[serde(skip)]
    pub(crate) id: Option<Id>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DamageKind {
    Key,
    Snapshot,
    Index,
    Pack,
    MissingPack,
    /// A snapshot refers to something that no index knows.
    Missing,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Affected {
    pub count: u64,
    #[serde(serialize_with = "crate::sys::fs::all_shown")]
    pub paths: Vec<PathBuf>,
}

impl Repo {
    /// Looks at everything the spec asks for; an error only if the storage itself does not answer.
    pub fn check(&self, spec: &CheckSpec, cx: &Cx) -> Result<CheckReport> {
        let mut report = CheckReport::default();
        for (tpe, kind) in [
            (FileType::Key, DamageKind::Key),
            (FileType::Snapshot, DamageKind::Snapshot),
            (FileType::Index, DamageKind::Index),
        ] {
            self.check_names(tpe, kind, &mut report, cx)?;
        }
        let packs = self.check_packs(&mut report)?;
        self.read_packs(spec.read, packs, &mut report, cx)?;
        let bad: HashSet<Id> = report.damages.iter().filter_map(|damage| damage.id).collect();
        // Without its indexes nothing can be looked up: the damage named above is the thing to mend first.
        if !report.damages.iter().any(|damage| damage.kind == DamageKind::Index) {
            let snapshots = self.snapshots()?;
            report.snapshots = snapshots.len() as u64;
            check_trees(self.reader()?, &snapshots, (&bad, &mut report), cx)?;
        }
        Ok(report)
    }

    /// Is everything this snapshot refers to in the index, and every pack it needs there with its right size?
    pub fn verify(&self, snapshot: &Snapshot, cx: &Cx) -> Result<CheckReport> {
        self.verify_by(self.reader()?, snapshot, cx)
    }

    /// The same by a reader that goes on to restore it: directories are read once for both.
    pub fn verify_by(&self, reader: Reader, snapshot: &Snapshot, cx: &Cx) -> Result<CheckReport> {
        let mut report = CheckReport::default();
        self.check_packs(&mut report)?;
        let bad: HashSet<Id> = report.damages.iter().filter_map(|damage| damage.id).collect();
        check_trees(reader, std::slice::from_ref(snapshot), (&bad, &mut report), cx)?;
        // Damage that this snapshot does not touch is the check's to tell.
        report.damages.retain(|damage| !damage.affects.is_empty());
        report.snapshots = 1;
        Ok(report)
    }

    /// Each file's name is the SHA-256 of its content.
    fn check_names(&self, tpe: FileType, kind: DamageKind, report: &mut CheckReport, cx: &Cx) -> Result<()> {
        for id in self.backend.list(tpe).map_err(engine_error)? {
            cx.go_on()?;
            let data = self.backend.read_full(tpe, &id).map_err(engine_error)?;
            report.bytes_read += data.len() as u64;
            if hex(&Sha256::digest(&data)) != id.to_hex().as_str() {
                report.damages.push(damage(kind, tpe, id, "its content is not what was written"));
            }
        }
        Ok(())
    }

    /// Compares the packs that the indexes know with those that are there; returns the ones worth reading.
    fn check_packs(&self, report: &mut CheckReport) -> Result<Vec<(Id, u32)>> {
        let Known { packs: mut expected, whole } = self.known_packs()?;
        report.packs = expected.len() as u64;
        report.size = whole.then(|| size_of(&expected));
        let mut readable = Vec::new();
        for (id, size) in self.backend.list_with_size(FileType::Pack).map_err(engine_error)? {
            match expected.remove(&id) {
                None => report.unreferenced += 1,
                Some(known) if known == size => readable.push((id, size)),
                Some(known) => {
                    let text = format!("it has {size} bytes instead of {known}");
                    report.damages.push(damage(DamageKind::Pack, FileType::Pack, id, &text));
                }
            }
        }
        for (id, _) in expected {
            report.damages.push(damage(DamageKind::MissingPack, FileType::Pack, id, "it is not there"));
        }
        Ok(readable)
    }

    /// How large the repository is, by its index alone; nothing where a part of that cannot be read.
    pub fn size(&self) -> Result<Option<RepositorySize>> {
        let known = self.known_packs()?;
        Ok(known.whole.then(|| size_of(&known.packs)))
    }

    fn known_packs(&self) -> Result<Known> {
        let mut known = Known { packs: HashMap::new(), whole: true };
        let engine = self.engine()?;
        for id in self.backend.list(FileType::Index).map_err(engine_error)? {
            // A damaged index is named by `check_names`; `verify` meets it when it opens the index.
            let Ok(index) = engine.get_file::<IndexFile>(&id.into()) else {
                known.whole = false;
                continue;
            };
            for pack in index.packs.iter().chain(&index.packs_to_delete) {
                known.packs.insert(*pack.id, pack.pack_size());
            }
        }
        Ok(known)
    }

    fn read_packs(
        &self,
        read: ReadData,
        mut packs: Vec<(Id, u32)>,
        report: &mut CheckReport,
        cx: &Cx,
    ) -> Result<()> {
        match read {
            ReadData::None => return Ok(()),
            ReadData::All => {}
            ReadData::Part(part) => packs.retain(|(id, _)| part.holds(id)),
        }
        let all: u64 = packs.iter().map(|(_, size)| u64::from(*size)).sum();
        let mut done = 0;
        for (id, size) in packs {
            cx.go_on_at_pace()?;
            let data = self.backend.read_full(FileType::Pack, &id).map_err(engine_error)?;
            if hex(&Sha256::digest(&data)) != id.to_hex().as_str() {
                report.damages.push(damage(
                    DamageKind::Pack,
                    FileType::Pack,
                    id,
                    "its content is not what was written",
                ));
            }
            done += u64::from(size);
            cx.progress(done, Some(all), Unit::Bytes);
        }
        report.bytes_read += done;
        Ok(())
    }
}

/// Packs by the index, those that are marked for deletion among them, with their sizes in bytes.
struct Known {
    packs: HashMap<Id, u32>,
    /// No part of the index is damaged.
    whole: bool,
}

fn size_of(packs: &HashMap<Id, u32>) -> RepositorySize {
    RepositorySize { packs: packs.len() as u64, bytes: packs.values().map(|size| u64::from(*size)).sum() }
}

fn check_trees(
    reader: Reader,
    snapshots: &[Snapshot],
    (bad, report): (&HashSet<Id>, &mut CheckReport),
    cx: &Cx,
) -> Result<()> {
    let mut walk = References { reader, bad, seen: HashSet::new(), report };
    for snapshot in snapshots {
        cx.go_on()?;
        walk.snapshot(snapshot, cx)?;
    }
    Ok(())
}

/// Follows what snapshots refer to; a tree that several of them share is walked once if nothing in it is damaged.
struct References<'a> {
    reader: Reader,
    bad: &'a HashSet<Id>,
    seen: HashSet<TreeId>,
    report: &'a mut CheckReport,
}

impl References<'_> {
    fn snapshot(&mut self, snapshot: &Snapshot, cx: &Cx) -> Result<()> {
        let mut pending = vec![(PathBuf::from("/"), root_node(snapshot.tree))];
        // A tree with damage below it is walked again for the next snapshot, so that this one is named too.
        let mut walked = Vec::new();
        let before = self.report.damages.iter().map(|damage| damage.affects.len()).sum::<usize>();
        while let Some((path, node)) = pending.pop() {
            cx.go_on()?;
            let Some(tree) = node.subtree.filter(|tree| !self.seen.contains(tree)) else { continue };
            if path.components().count() > DEEPEST {
                self.missing(snapshot, &path, "a directory that leads into itself");
                continue;
            }
            if !self.reference(
                snapshot,
                &path,
                self.reader.engine.get_index_entry(&tree).ok().map(|at| *at.pack),
            ) {
                continue;
            }
            match self.reader.engine.get_tree(&tree) {
                Ok(content) => {
                    walked.push(tree);
                    self.nodes(snapshot, &path, content.nodes, &mut pending);
                }
                Err(error) => self.missing(snapshot, &path, &engine_error(error).to_string()),
            }
        }
        if before == self.report.damages.iter().map(|damage| damage.affects.len()).sum::<usize>() {
            self.seen.extend(walked);
        }
        Ok(())
    }

    fn nodes(
        &mut self,
        snapshot: &Snapshot,
        path: &Path,
        nodes: Vec<Node>,
        pending: &mut Vec<(PathBuf, Node)>,
    ) {
        for node in nodes {
            let path = path.join(node.name());
            for id in node.content.iter().flatten() {
                let pack = self.reader.engine.get_index_entry(id).ok().map(|at| *at.pack);
                if !self.reference(snapshot, &path, pack) {
                    break;
                }
            }
            if node.is_dir() {
                pending.push((path, node));
            }
        }
    }

    /// Notes it where the pack of a reference is damaged or unknown; `true` if all is well.
    fn reference(&mut self, snapshot: &Snapshot, path: &Path, pack: Option<Id>) -> bool {
        match pack {
            None => self.missing(snapshot, path, "no index knows its content"),
            Some(pack) if self.bad.contains(&pack) => {
                for damage in &mut self.report.damages {
                    if damage.id == Some(pack) {
                        damage.affect(snapshot, path);
                    }
                }
            }
            Some(_) => return true,
        }
        false
    }

    fn missing(&mut self, snapshot: &Snapshot, path: &Path, what: &str) {
        let file = format!("snapshots/{}", snapshot.id);
        let damages = &mut self.report.damages;
        let known =
            damages.iter().position(|damage| damage.kind == DamageKind::Missing && damage.file == file);
        let at = known.unwrap_or_else(|| {
            let (kind, what) = (DamageKind::Missing, what.to_owned());
            damages.push(Damage { kind, file, what, affects: BTreeMap::new(), id: None });
            damages.len() - 1
        });
        damages[at].affect(snapshot, path);
    }
}

impl Damage {
    fn affect(&mut self, snapshot: &Snapshot, path: &Path) {
        let affected = self.affects.entry(snapshot.short_id().to_owned()).or_default();
        affected.count += 1;
        if affected.paths.len() < NAMED {
            affected.paths.push(path.to_owned());
        }
    }
}

fn damage(kind: DamageKind, tpe: FileType, id: Id, what: &str) -> Damage {
    let name = id.to_hex();
    let file = match tpe {
        FileType::Pack => format!("data/{}/{}", &name.as_str()[..2], name.as_str()),
        other => format!("{}/{}", other.dirname(), name.as_str()),
    };
    Damage { kind, file, what: what.to_owned(), affects: BTreeMap::new(), id: Some(id) }
}
