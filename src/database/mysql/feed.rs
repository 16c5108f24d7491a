//! The dump as a stream of finished files in path order, with a manifest at its end that exists only if all went well.

use std::collections::VecDeque;
use std::path::PathBuf;

use jiff::Timestamp;

use super::ahead::{Ahead, Coming};
use super::catalog::{Store, Table};
use super::cut::Cut;
use super::fault::{During, broken, changed};
use super::grants::{self, Account};
use super::manifest::{FORMAT, FileEntry, Manifest, NAME, TableEntry};
use super::names::encode;
use super::objects::{self, Object, ObjectKind};
use super::reader::Reader;
use super::snapshot::{Definitions, Snapshot};
use super::{readme, server, snapshot, views};
use crate::database::MysqlSpec;
use crate::database::former_cuts::FormerCuts;
use crate::dump::{DumpFile, Feed, Previous, Summary, Unsaved};
use crate::error::Result;
use crate::event::Cx;

pub(super) struct MysqlFeed {
    spec: MysqlSpec,
    directory: PathBuf,
    snapshot: Snapshot,
    stage: Stage,
    /// Tables in the order of their directories, which is not that of their names.
    waiting: VecDeque<Table>,
    /// How the dump before this one cut large tables.
    cuts: FormerCuts,
    reading: Option<(Rows, TableEntry)>,
    ahead: Ahead,
    definitions: VecDeque<DumpFile>,
    manifest: Manifest,
}

/// Who reads the rows of a table.
enum Rows {
    Here(Reader),
    Ahead(Coming),
}

/// In the order of paths.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Readme,
    Data,
    Definitions,
    Manifest,
    End,
}

impl MysqlFeed {
    pub(super) fn begin(
        spec: &MysqlSpec,
        directory: PathBuf,
        previous: Previous<'_>,
        cx: &Cx,
    ) -> Result<Self> {
        let mut snapshot = snapshot::begin(spec, cx)?;
        let mut waiting = snapshot.definitions.tables.clone();
        waiting.sort_by_cached_key(|table| encode(&table.name));
        let cuts = FormerCuts::of(previous, NAME, waiting.iter().map(|table| table.estimate));
        let definitions = definition_files(&snapshot.definitions, snapshot.accounts.as_deref())?;
        let manifest = empty_manifest(spec, &mut snapshot)?;
        let ahead = Ahead::new(&spec.schema, std::mem::take(&mut snapshot.readers));
        Ok(Self {
            spec: spec.clone(),
            directory,
            snapshot,
            stage: Stage::Readme,
            waiting: waiting.into(),
            cuts,
            reading: None,
            ahead,
            definitions: definitions.into(),
            manifest,
        })
    }

    /// The next file of rows; `None` when all tables are done.
    fn data(&mut self, cx: &Cx) -> Result<Option<DumpFile>> {
        loop {
            if let Some((reader, entry)) = &mut self.reading {
                let piece = match reader {
                    Rows::Here(reader) => reader.next(&mut self.snapshot.link, cx)?,
                    Rows::Ahead(coming) => coming.next(cx)?,
                };
                if let Some(piece) = piece {
                    let path = PathBuf::from(format!("data/{}/{}", encode(&entry.name), piece.name));
                    entry.add(FileEntry::of(&path, &piece.data, piece.rows));
                    return Ok(Some(DumpFile { path, data: piece.data }));
                }
                self.finish_table(cx)?;
            }
            self.ahead.begin(&self.waiting, |table| cut_of(table, &self.cuts), cx);
            let Some(table) = self.waiting.pop_front() else { return Ok(None) };
            self.start_table(table)?;
        }
    }

    fn start_table(&mut self, table: Table) -> Result<()> {
        let cut = cut_of(&table, &self.cuts);
        let definition = format!("schema/tables/{}.sql", encode(&table.name));
        let mut entry = TableEntry::new(&table, cut, definition);
        match table.store() {
            Store::Elsewhere(place) => {
                let what = format!("rows of table {}", table.name);
                self.lose(what, format!("engine {} keeps them {place}", table.engine));
                self.manifest.tables.push(entry);
                return Ok(());
            }
            Store::Nothing => {
                self.manifest.tables.push(entry);
                return Ok(());
            }
            Store::Plain => {
                entry.unlocked = !self.snapshot.holds_lock();
            }
            Store::Transactional => {}
        }
        if let Some(coming) = self.ahead.take(&table.name) {
            self.reading = Some((Rows::Ahead(coming), entry));
            return Ok(());
        }
        let link = &mut self.snapshot.link;
        link.run("SAVEPOINT table_begun").during("set a savepoint")?;
        let name = table.name.clone();
        let reader =
            Reader::start(link, &self.spec.schema, table, cut).map_err(|error| broken(&name, &error))?;
        self.reading = Some((Rows::Here(reader), entry));
        Ok(())
    }

    fn finish_table(&mut self, cx: &Cx) -> Result<()> {
        let Some((reader, mut entry)) = self.reading.take() else { return Ok(()) };
        let store = match reader {
            Rows::Here(reader) => {
                // Frees the table for whoever wants to change its definition.
                let link = &mut self.snapshot.link;
                link.run("ROLLBACK TO SAVEPOINT table_begun").during("go back to a savepoint")?;
                entry.row_sum = reader.sum();
                reader.table().store()
            }
            Rows::Ahead(coming) => {
                let (link, sum) = coming.finish()?;
                self.ahead.give_back(link);
                entry.row_sum = sum;
                Store::Transactional
            }
        };
        if store == Store::Plain {
            entry.unlocked |= !self.snapshot.holds_lock();
            if entry.unlocked {
                cx.warn(format!(
                    "table {:?} has an engine without snapshots and was read without a lock: its rows may be of \
                     different moments",
                    entry.name
                ));
            }
        }
        self.manifest.tables.push(entry);
        if self.waiting.iter().all(|table| table.store() != Store::Plain)
            && let Some(lock) = &mut self.snapshot.lock
        {
            lock.release();
        }
        Ok(())
    }

    /// It is told by whoever asks for the summary.
    fn lose(&mut self, what: String, why: String) {
        self.manifest.unsaved.push(Unsaved { what, why });
    }

    /// Compares the definitions with those of the beginning: a server shows a changed table with some changes only.
    fn prove_unchanged(&mut self) -> Result<()> {
        let link = &mut self.snapshot.link;
        link.run("COMMIT").during("end the snapshot")?;
        let now = snapshot::read(link, &self.spec.schema)?;
        match difference(&self.snapshot.definitions, &now) {
            Some(what) => Err(changed(&what)),
            None => Ok(()),
        }
    }

    fn known(&mut self, file: DumpFile) -> DumpFile {
        self.manifest.files.push(FileEntry::of(&file.path, &file.data, 0));
        file
    }
}

impl Feed for MysqlFeed {
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
            self.prove_unchanged()?;
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
            return Ok(Some(DumpFile {
                path: NAME.into(),
                data: serde_json::to_vec_pretty(&self.manifest)?,
            }));
        }
        Ok(None)
    }

    fn summary(&self) -> Summary {
        Summary {
            engine: "mysql".to_owned(),
            version: self.manifest.version.clone(),
            database: self.spec.schema.clone(),
            directory: self.directory.to_string_lossy().into_owned(),
            moment: Some(self.snapshot.moment),
            tables: self.manifest.tables.len() as u64,
            rows: self.manifest.rows(),
            bytes: self.manifest.bytes(),
            unsaved: self.manifest.unsaved.clone(),
        }
    }
}

fn cut_of(table: &Table, before: &FormerCuts) -> Cut {
    Cut::fit(table.integer_key, table.estimate, before.get("", &table.name))
}

/// The files below `schema/`, in path order.
fn definition_files(definitions: &Definitions, accounts: Option<&[Account]>) -> Result<Vec<DumpFile>> {
    let mut files = vec![DumpFile { path: "schema/database.sql".into(), data: definitions.database.clone() }];
    if let Some(accounts) = accounts {
        files.push(DumpFile { path: grants::NAME.into(), data: lines(accounts)? });
    }
    let objects = lines(&in_order(definitions))?;
    files.push(DumpFile { path: objects::NAME.into(), data: objects });
    let mut tables: Vec<_> = definitions
        .tables
        .iter()
        .map(|table| (format!("{}.sql", encode(&table.name)), table.ddl.clone()))
        .collect();
    tables.sort();
    files.extend(
        tables
            .into_iter()
            .map(|(name, data)| DumpFile { path: PathBuf::from("schema/tables").join(name), data }),
    );
    Ok(files)
}

/// As they can be created one after the other: each view after those it reads from.
fn in_order(definitions: &Definitions) -> Vec<&Object> {
    let list = &definitions.objects.list;
    let views: Vec<_> = list.iter().filter(|object| object.kind == ObjectKind::View).collect();
    let mut views = views::sorted(&views, &definitions.schema).into_iter();
    list.iter()
        .filter_map(|object| if object.kind == ObjectKind::View { views.next() } else { Some(object) })
        .collect()
}

/// One JSON document a line.
fn lines<T: serde::Serialize>(items: &[T]) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for item in items {
        serde_json::to_writer(&mut lines, item)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn empty_manifest(spec: &MysqlSpec, snapshot: &mut Snapshot) -> Result<Manifest> {
    let (character_set, collation) = server::schema_collation(&mut snapshot.link, &spec.schema)?;
    let locked = if snapshot.lock.is_some() { "+lock-tables" } else { "" };
    Ok(Manifest {
        format: FORMAT,
        engine: "mysql".to_owned(),
        version: snapshot.server.version.clone(),
        server_id: snapshot.server.server_id.clone(),
        schema: spec.schema.clone(),
        moment: snapshot.moment,
        consistency: format!("consistent-snapshot{locked}"),
        locked_ms: snapshot.held.map(|held| 1e3 * held.as_secs_f64()),
        binlog: snapshot.binlog.clone(),
        sql_mode: snapshot.server.sql_mode.clone(),
        character_set,
        collation,
        tables: Vec::new(),
        files: Vec::new(),
        objects: snapshot.definitions.objects.list.len() as u64,
        unsaved: snapshot.unsaved.clone(),
        complete: false,
    })
}

/// The first thing that is defined differently, in words.
fn difference(before: &Definitions, after: &Definitions) -> Option<String> {
    if before.database != after.database {
        return Some("the schema itself".to_owned());
    }
    let tables = |all: &Definitions| -> Vec<(String, Vec<u8>)> {
        all.tables.iter().map(|table| (table.name.clone(), without_counter(&table.ddl))).collect()
    };
    let objects = |all: &Definitions| -> Vec<(String, String)> {
        let list = all.objects.list.iter().map(|object| {
            let object = super::objects::Object { set_value: String::new(), ..object.clone() };
            (format!("{} {}", object.kind.sql().to_lowercase(), object.name), format!("{object:?}"))
        });
        list.collect()
    };
    first_difference(&tables(before), &tables(after))
        .map(|name| format!("table {name}"))
        .or_else(|| first_difference(&objects(before), &objects(after)))
        .or_else(|| first_difference(&before.births, &after.births).map(|name| format!("table {name}")))
}

fn first_difference<T: PartialEq>(before: &[(String, T)], after: &[(String, T)]) -> Option<String> {
    let changed = before.iter().zip(after).find(|(one, other)| one != other).map(|(one, _)| one.0.clone());
    changed.or_else(|| {
        let longer = if before.len() > after.len() { before } else { after };
        longer.get(before.len().min(after.len())).map(|(name, _)| name.clone())
    })
}

/// A definition without `AUTO_INCREMENT=n` in its last part: that number moves with every inserted row.
pub(super) fn without_counter(ddl: &[u8]) -> Vec<u8> {
    const WORD: &[u8] = b" AUTO_INCREMENT=";
    let Some(options) = ddl.windows(3).rposition(|window| window == b"\n) ") else { return ddl.to_vec() };
    let Some(at) = ddl[options..].windows(WORD.len()).position(|window| window == WORD) else {
        return ddl.to_vec();
    };
    let digits = options + at + WORD.len();
    let end = ddl[digits..]
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .map_or(ddl.len(), |length| digits + length);
    [&ddl[..options + at], &ddl[end..]].concat()
}
