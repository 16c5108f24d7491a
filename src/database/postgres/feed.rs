//! The dump as a stream of finished files in path order, with a manifest at its end that exists only if all went well.

use std::collections::VecDeque;
use std::path::PathBuf;

use jiff::Timestamp;

use super::cut::Cut;
use super::definitions::Definitions;
use super::fault::{During, broken, changed};
use super::manifest::{
    AFTER, BEFORE, ENGINE, FORMAT, FileEntry, Manifest, NAME, OBJECTS, SEQUENCES, TableEntry,
};
use super::names::encode;
use super::reader::Reader;
use super::snapshot::{self, Snapshot};
use super::table::Table;
use super::{catalog, objects, readme};
use crate::database::PostgresSpec;
use crate::database::former_cuts::FormerCuts;
use crate::dump::{DumpFile, Feed, Previous, Summary};
use crate::error::Result;
use crate::event::Cx;

pub(super) struct PostgresFeed {
    spec: PostgresSpec,
    directory: PathBuf,
    snapshot: Snapshot,
    stage: Stage,
    /// Tables in the order of their directories, which is not that of their names.
    waiting: VecDeque<Table>,
    /// How the dump before this one cut large tables.
    cuts: FormerCuts,
    reading: Option<(Reader, PathBuf, TableEntry)>,
    definitions: VecDeque<DumpFile>,
    manifest: Manifest,
}

/// In the order of paths.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Readme,
    Data,
    LargeObjects,
    Definitions,
    Manifest,
    End,
}

fn directory(table: &Table) -> PathBuf {
    PathBuf::from("data").join(encode(&table.schema)).join(encode(&table.name))
}

impl PostgresFeed {
    pub(super) fn begin(
        spec: &PostgresSpec,
        directory_: PathBuf,
        previous: Previous<'_>,
        cx: &Cx,
    ) -> Result<Self> {
        let snapshot = snapshot::begin(spec, cx)?;
        let mut waiting = snapshot.tables.clone();
        waiting.sort_by_cached_key(directory);
        let cuts = FormerCuts::of(previous, NAME, waiting.iter().map(|table| table.estimate));
        let definitions = definition_files(&snapshot)?;
        let manifest = empty_manifest(spec, &snapshot);
        Ok(Self {
            spec: spec.clone(),
            directory: directory_,
            snapshot,
            stage: Stage::Readme,
            waiting: waiting.into(),
            cuts,
            reading: None,
            definitions: definitions.into(),
            manifest,
        })
    }

    /// The next file of rows; `None` when all tables are done.
    fn data(&mut self, cx: &Cx) -> Result<Option<DumpFile>> {
        loop {
            if let Some(file) = self.piece(cx)? {
                return Ok(Some(file));
            }
            if let Some((reader, _, mut entry)) = self.reading.take() {
                entry.row_sum = reader.sum();
                self.manifest.tables.push(entry);
            }
            let Some(table) = self.waiting.pop_front() else { return Ok(None) };
            let before = self.cuts.get(&table.schema, &table.name);
            let cut = Cut::fit(table.digits, table.estimate, before);
            let sql = table.copy_out(&self.manifest.database.encoding);
            self.start(&sql, directory(&table), table, cut, cx)?;
        }
    }

    /// The next file of parts of large objects.
    fn large_objects(&mut self, cx: &Cx) -> Result<Option<DumpFile>> {
        if self.reading.is_none() {
            let cut = self.manifest.large_objects.cut;
            self.start(&objects::copy_out(), "large-objects".into(), objects::as_table(), cut, cx)?;
        }
        let file = self.piece(cx)?;
        if file.is_none()
            && let Some((_, _, mut entry)) = self.reading.take()
        {
            entry.target = objects::parts_target();
            self.manifest.large_objects = entry;
        }
        Ok(file)
    }

    fn start(&mut self, sql: &str, directory: PathBuf, table: Table, cut: Cut, cx: &Cx) -> Result<()> {
        let entry = TableEntry::new(&table, cut);
        let reader = Reader::start(&mut self.snapshot.link, sql, table, cut, cx)?
            .map_err(|error| broken(format!("read {}", entry.shown()), &error))?;
        self.reading = Some((reader, directory, entry));
        Ok(())
    }

    /// The next file of the table that is being read.
    fn piece(&mut self, cx: &Cx) -> Result<Option<DumpFile>> {
        let Some((reader, directory, entry)) = &mut self.reading else { return Ok(None) };
        let Some(piece) = reader.next(&mut self.snapshot.link, cx)? else { return Ok(None) };
        let path = directory.join(piece.name);
        entry.add(FileEntry::of(&path, &piece.data, piece.rows));
        Ok(Some(DumpFile { path, data: piece.data }))
    }

    /// While tables could not be altered, types, functions and names could, and the text of values depends on them: what
    /// there is now must read as what there was before, and tables must look as the snapshot saw them.
    fn prove_unchanged(&mut self, cx: &Cx) -> Result<()> {
        // First, so that whoever waits to empty a table can do so and go.
        self.snapshot.link.run("COMMIT").during("end the snapshot")?;
        let now = Definitions::read(&self.snapshot.program, &self.spec, &self.spec.name, cx)?;
        let then = &self.snapshot.definitions;
        for (now, then) in [(&now.before, &then.before), (&now.after, &then.after)] {
            if now != then {
                return Err(changed(&first_difference(then, now)));
            }
        }
        let seen = &self.snapshot.tables;
        if catalog::tables(&mut self.snapshot.link)?
            .iter()
            .map(Table::shape)
            .ne(seen.iter().map(Table::shape))
        {
            return Err(changed("a column or a key of a table"));
        }
        Ok(())
    }

    fn known(&mut self, file: DumpFile) -> DumpFile {
        self.manifest.files.push(FileEntry::of(&file.path, &file.data, 0));
        file
    }
}

impl Feed for PostgresFeed {
    fn moment(&self) -> Timestamp {
        self.snapshot.moment
    }

    fn next(&mut self, cx: &Cx) -> Result<Option<DumpFile>> {
        cx.go_on()?;
        if self.stage == Stage::Readme {
            self.stage = Stage::Data;
            let file = DumpFile { path: readme::NAME.into(), data: readme::TEXT.as_bytes().to_vec() };
            return Ok(Some(self.known(file)));
        }
        if self.stage == Stage::Data {
            if let Some(file) = self.data(cx)? {
                return Ok(Some(file));
            }
            self.stage = Stage::LargeObjects;
        }
        if self.stage == Stage::LargeObjects {
            if let Some(file) = self.large_objects(cx)? {
                return Ok(Some(file));
            }
            self.prove_unchanged(cx)?;
            self.stage = Stage::Definitions;
        }
        if self.stage == Stage::Definitions {
            if let Some(file) = self.definitions.pop_front() {
                return Ok(Some(self.known(file)));
            }
            self.stage = Stage::Manifest;
        }
        if self.stage == Stage::Manifest {
            self.stage = Stage::End;
            self.manifest.complete = true;
            let data = serde_json::to_vec_pretty(&self.manifest)?;
            return Ok(Some(DumpFile { path: NAME.into(), data }));
        }
        Ok(None)
    }

    fn summary(&self) -> Summary {
        Summary {
            engine: ENGINE.to_owned(),
            version: format!("PostgreSQL {}", self.manifest.version),
            database: self.spec.name.clone(),
            directory: self.directory.to_string_lossy().into_owned(),
            moment: Some(self.snapshot.moment),
            tables: self.manifest.tables.len() as u64,
            rows: self.manifest.rows(),
            bytes: self.manifest.bytes(),
            unsaved: self.manifest.unsaved.clone(),
        }
    }
}

/// The files below `schema/`, in path order.
fn definition_files(snapshot: &Snapshot) -> Result<Vec<DumpFile>> {
    let file = |path: &str, data: Vec<u8>| DumpFile { path: path.into(), data };
    Ok(vec![
        file(AFTER, snapshot.definitions.after.clone()),
        file(BEFORE, snapshot.definitions.before.clone()),
        file(OBJECTS, objects::lines(&snapshot.objects)?),
        file(SEQUENCES, snapshot.sequences.0.clone()),
    ])
}

fn empty_manifest(spec: &PostgresSpec, snapshot: &Snapshot) -> Manifest {
    Manifest {
        format: FORMAT,
        engine: ENGINE.to_owned(),
        version: snapshot.version.clone(),
        version_number: snapshot.version_number,
        name: spec.name.clone(),
        moment: snapshot.moment,
        snapshot: snapshot.name.clone(),
        database: snapshot.settings.clone(),
        tables: Vec::new(),
        large_objects: TableEntry::new(&objects::as_table(), Cut::fit(None, 0, None)),
        sequences: snapshot.sequences.1,
        filled_views: snapshot.filled_views.clone(),
        needs: snapshot.needs.clone(),
        files: Vec::new(),
        unsaved: snapshot.unsaved.clone(),
        complete: false,
    }
}

/// The first line that reads differently.
fn first_difference(then: &[u8], now: &[u8]) -> String {
    let lines = |text: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(text).lines().map(ToOwned::to_owned).collect()
    };
    let (then, now) = (lines(then), lines(now));
    let at = then.iter().zip(&now).take_while(|(one, other)| one == other).count();
    let line = now.get(at).or_else(|| then.get(at)).map_or("", String::as_str);
    line.chars().take(100).collect()
}
