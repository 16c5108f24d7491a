//! All databases of a site as one: begun together, loaded together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::journal::{Aside, Journal, Phase};
use super::parts::{Dumped, Parts};
use super::request::{DatabasePlan, TablePlan};
use super::{Job, adopted};
use crate::database::{self, Database, DatabaseSpec, Means, MysqlSpec, Rewrite, SideCopy};
use crate::dump::{Feed, Shelf};
use crate::error::{Context, Error, Result};
use crate::event::{Cx, Step};
use crate::repo::{ChangeKind, Dump, Manifest, Reader, Repo, Snapshot};

/// Fixes the moment of each database; the dumps themselves are read while the snapshot is saved. `former` finds the dump
/// before, by the directory of the dumps.
pub(crate) fn begin_all(
    job: &Job,
    former: &dyn Fn(&Path) -> Option<Box<dyn Shelf>>,
    cx: &Cx,
) -> Result<Vec<(PathBuf, Box<dyn Feed>)>> {
    let begin = |spec| {
        let database = database::open(spec);
        let before = || former(&database.directory());
        let feed = database.begin(&before, cx).with_context(|| format!("dump {}", database.describe()))?;
        Ok((database.directory(), feed))
    };
    job.databases.iter().map(begin).collect()
}

/// The newest dump of a database. If it cannot be read, the next one is made as the first was.
pub(crate) fn previous(job: &Job, repo: &Repo, directory: &Path, cx: &Cx) -> Option<Box<dyn Shelf>> {
    let find = || -> Result<Option<Box<dyn Shelf>>> {
        let ours = |snapshot: &Snapshot| snapshot.site == job.site.name && snapshot.root.is_some();
        let Some(newest) = repo.snapshots()?.into_iter().rfind(ours) else { return Ok(None) };
        let reader = repo.reader()?;
        let dumps = reader.manifest(&newest)?.unwrap_or_default().databases;
        if !dumps.iter().any(|dump| Path::new(&dump.directory) == directory) {
            return Ok(None);
        }
        Ok(Some(Box::new(reader.shelf(&newest, directory)?)))
    };
    find().unwrap_or_else(|error| {
        cx.warn(format!("the dump before this one cannot be read: {error}"));
        None
    })
}

/// The databases of one restore and their dumps.
#[derive(Default)]
pub(crate) struct Databases {
    pairs: Vec<Pair>,
}

struct Pair {
    database: Box<dyn Database>,
    dump: Dump,
    rows: u64,
    means: Means,
    /// The tables that are restored; all if none is named.
    only: Vec<String>,
}

impl Pair {
    fn plan(&self) -> Result<DatabasePlan> {
        let mut live = self.database.tables()?.unwrap_or_default();
        let mut dumped = self.database.contents(&self.dump)?;
        // An adopted dump does not say beforehand.
        let mut rows = if self.rows == 0 { dumped.values().sum() } else { self.rows };
        if !self.only.is_empty() {
            dumped.retain(|name, _| self.only.contains(name));
            live.retain(|name| self.only.contains(name));
            rows = dumped.values().sum();
        }
        let mut tables: Vec<_> = dumped
            .iter()
            .map(|(name, rows)| {
                let kind = if live.contains(name) { ChangeKind::Changed } else { ChangeKind::Added };
                TablePlan { kind, name: name.clone(), rows: Some(*rows) }
            })
            .collect();
        if !dumped.is_empty() {
            let gone = live.into_iter().filter(|name| !dumped.contains_key(name));
            tables.extend(gone.map(|name| TablePlan { kind: ChangeKind::Removed, name, rows: None }));
            tables.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(DatabasePlan { database: self.database.describe(), means: self.means, rows, tables })
    }
}

impl Databases {
    /// Finds each database's dump. A database without one, or a dump without a database, is an error: half a site is no site,
    /// unless half of it was asked for.
    pub(crate) fn find(
        job: &Job,
        manifest: &Manifest,
        (reader, snapshot): (&Reader, &Snapshot),
        parts: &Parts,
    ) -> Result<Self> {
        if snapshot.adopted.is_some() {
            return Self::find_adopted(job, manifest, (reader, snapshot), parts);
        }
        let (mut pairs, mut called) = (Vec::new(), Vec::new());
        for spec in &job.databases {
            let database = database::open(spec);
            let directory = database.directory();
            let Some(dumped) = manifest.databases.iter().find(|dump| Path::new(&dump.directory) == directory)
            else {
                if !parts.is_everything() {
                    continue;
                }
                return Err(no_dump(snapshot, database.as_ref()));
            };
            let dump = reader.shelf(snapshot, &directory)?;
            called.push(dumped.database.as_str());
            pairs.push(Pair { dump, rows: dumped.rows, database, means: Means::Beside, only: Vec::new() });
        }
        if !parts.is_everything() {
            return Self::choose(pairs, &called, parts);
        }
        let named =
            |directory: &str| pairs.iter().any(|pair| pair.database.directory() == Path::new(directory));
        if let Some(orphan) = manifest.databases.iter().find(|dump| !named(&dump.directory)) {
            return Err(self::orphan(snapshot, &orphan.database));
        }
        Ok(Self { pairs })
    }

    /// The one dump of an adopted snapshot holds the schemas of the site; which, it says itself.
    fn find_adopted(
        job: &Job,
        manifest: &Manifest,
        (reader, snapshot): (&Reader, &Snapshot),
        parts: &Parts,
    ) -> Result<Self> {
        let dump = adopted::dump(snapshot, manifest)?;
        let (mut pairs, mut called) = (Vec::new(), Vec::new());
        for spec in &job.databases {
            let database = database::open(spec);
            let (Some(path), Some(schema)) = (dump, adopted::schema(spec)) else {
                if !parts.is_everything() {
                    continue;
                }
                return Err(no_dump(snapshot, database.as_ref()));
            };
            called.push(schema.schema.as_str());
            let dump = reader.lone(snapshot, path)?;
            pairs.push(Pair { dump, rows: 0, database, means: Means::Beside, only: Vec::new() });
        }
        if !parts.is_everything() {
            return Self::choose(pairs, &called, parts);
        }
        match dump {
            Some(path) if pairs.is_empty() => Err(orphan(snapshot, &path.display().to_string())),
            _ => Ok(Self { pairs }),
        }
    }

    /// Those that are asked for.
    fn choose(pairs: Vec<Pair>, names: &[&str], parts: &Parts) -> Result<Self> {
        let mut dumped = Vec::new();
        for (pair, name) in pairs.iter().zip(names) {
            let tables = pair.database.contents(&pair.dump)?.into_keys().collect();
            dumped.push(Dumped { name, tables });
        }
        let chosen = pairs.into_iter().zip(parts.choose(&dumped)?);
        Ok(Self { pairs: chosen.filter_map(|(pair, only)| Some(Pair { only: only?, ..pair })).collect() })
    }

    /// Pairs each dump of another site with a database of this one: the only ones of their kind, or those of the same name.
    pub(crate) fn find_for_another(
        job: &Job,
        manifest: &Manifest,
        reader: &Reader,
        snapshot: &Snapshot,
    ) -> Result<Self> {
        let kind = |directory: &Path| {
            // A file of an adopted snapshot, which are all of this kind.
            let own = if directory.is_absolute() { Path::new("mysql") } else { directory };
            own.components().next().map(|part| part.as_os_str().to_owned())
        };
        let mut databases: Vec<_> = job.databases.iter().map(database::open).collect();
        let alone = |databases: &[Box<dyn Database>], dumped: &Path| {
            let here =
                databases.iter().filter(|database| kind(&database.directory()) == kind(dumped)).count();
            let there =
                manifest.databases.iter().filter(|dump| kind(Path::new(&dump.directory)) == kind(dumped));
            here == 1 && there.count() == 1
        };
        let mut pairs = Vec::new();
        for dumped in &manifest.databases {
            let directory = Path::new(&dumped.directory);
            let only = alone(&databases, directory);
            let fits = |database: &dyn Database| {
                kind(&database.directory()) == kind(directory) && (only || database.directory() == directory)
            };
            let Some(at) = databases.iter().position(|database| fits(database.as_ref())) else {
                let text = format!(
                    "snapshot {} has a dump of {}, and the target's configuration names no database for it",
                    snapshot.short_id(),
                    dumped.database
                );
                return Err(Error::failed(text).with_remedy(
                    "name one under its `databases`, or restore the files alone with `--files`",
                ));
            };
            pairs.push(Pair {
                dump: if snapshot.adopted.is_some() {
                    reader.lone(snapshot, directory)?
                } else {
                    reader.shelf(snapshot, directory)?
                },
                rows: dumped.rows,
                database: databases.remove(at),
                means: Means::Beside,
                only: Vec::new(),
            });
        }
        Ok(Self { pairs })
    }

    /// Changes values in all loaded copies; says how many.
    pub(crate) fn rewrite(&self, copies: &[Aside], rule: &Rewrite<'_>, cx: &Cx) -> Result<u64> {
        let mut changed = 0;
        for pair in &self.pairs {
            let directory = pair.database.directory();
            for copy in copies.iter().filter(|copy| copy.directory == directory) {
                let what = || format!("change names in {}", pair.database.describe());
                changed += pair.database.rewrite(&copy.copy, rule, cx).with_context(what)?;
            }
        }
        Ok(changed)
    }

    /// What will become of each.
    pub(crate) fn plan(&self) -> Result<Vec<DatabasePlan>> {
        self.pairs.iter().map(Pair::plan).collect()
    }

    /// Rights are tried by making something on the servers: announced, so that it does not outlive a crash.
    pub(crate) fn preflight(&mut self, job: &Job, in_place: bool, cx: &Cx) -> Result<()> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        Journal::new(String::new(), Timestamp::now()).in_phase(Phase::Checking).write(&job.state)?;
        let checked = self.check(in_place, cx);
        let removed = Journal::remove(&job.state);
        checked.and(removed)
    }

    /// `in_place` says that the last way may be taken, where there is no other.
    fn check(&mut self, in_place: bool, cx: &Cx) -> Result<()> {
        for pair in &mut self.pairs {
            let means = if pair.only.is_empty() {
                match pair.database.preflight(&pair.dump, cx) {
                    Err(_) if in_place => pair.database.preflight_in_place(&pair.dump, cx),
                    other => other,
                }
            } else {
                pair.database.preflight_tables(&pair.dump, &pair.only, cx)
            };
            pair.means = means.with_context(|| format!("prepare to restore {}", pair.database.describe()))?;
        }
        Ok(())
    }

    /// Leaves those whose turn it is in this part of so many: each whole, and each once in all parts.
    pub(crate) fn take_turns(&mut self, part: u32, parts: u32) {
        let mut turn = (1..=parts).cycle();
        self.pairs.retain(|_| turn.next() == Some(part));
    }

    /// Takes out those that can be restored only inside of what is live: a drill loads them elsewhere. What is loaded as files, for a
    /// plugin, touches nothing that is live.
    pub(crate) fn split_off_inside(&mut self) -> Self {
        let (beside, inside) =
            std::mem::take(&mut self.pairs).into_iter().partition(|pair| pair.means != Means::SideTables);
        self.pairs = beside;
        Self { pairs: inside }
    }

    /// Each of them as it is on another server; an error names the one that cannot be there.
    pub(crate) fn move_to(
        &mut self,
        job: &Job,
        elsewhere: impl Fn(&MysqlSpec) -> DatabaseSpec,
    ) -> Result<()> {
        for pair in &mut self.pairs {
            let directory = pair.database.directory();
            let own = job.databases.iter().find(|spec| database::open(spec).directory() == directory);
            let Some(DatabaseSpec::Mysql(live)) = own else {
                let text =
                    format!("{} can be restored only inside of what is live", pair.database.describe());
                return Err(Error::failed(text));
            };
            pair.database = database::open(&elsewhere(live));
            pair.means = Means::Beside;
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Their dumps do not tell tables apart.
    pub(crate) fn are_files(&self) -> bool {
        let is_one = |directory: PathBuf| ["sqlite", "plugin"].iter().any(|kind| directory.starts_with(kind));
        self.pairs.iter().all(|pair| is_one(pair.database.directory()))
    }

    /// The tables of all dumps.
    pub(crate) fn tables(&self) -> Result<BTreeSet<String>> {
        let mut all = BTreeSet::new();
        for pair in &self.pairs {
            all.extend(pair.database.contents(&pair.dump)?.into_keys());
        }
        Ok(all)
    }

    /// One value of a loaded copy, from the first database that has the table.
    pub(crate) fn value(
        &self,
        copies: &[Aside],
        table: &str,
        which: (&str, &str),
        column: &str,
    ) -> Result<Option<Vec<u8>>> {
        for pair in &self.pairs {
            let directory = pair.database.directory();
            if let Some(aside) = copies.iter().find(|aside| aside.directory == directory)
                && pair.database.contents(&pair.dump)?.contains_key(table)
            {
                return pair.database.value(&aside.copy, table, which, column);
            }
        }
        Ok(None)
    }

    pub(crate) fn any_in_place(&self) -> bool {
        self.pairs.iter().any(|pair| pair.means == Means::InPlace)
    }

    /// The names of all side copies, before any is made.
    pub(crate) fn announce(&self, token: &str) -> Result<Vec<Aside>> {
        let announce = |pair: &Pair| {
            let names = pair.database.side_names(token, pair.means)?;
            let copy = SideCopy { only: pair.only.clone(), ..names };
            Ok(Aside { directory: pair.database.directory(), fresh: true, copy })
        };
        self.pairs.iter().map(announce).collect()
    }

    /// Loads every dump beside its live database, under the names that were announced; says what came of it, by the directory
    /// of the dumps.
    pub(crate) fn load(&self, announced: &[Aside], cx: &Cx) -> Result<Vec<(PathBuf, SideCopy)>> {
        let load = |pair: &Pair| {
            let (what, directory) =
                (|| format!("load {}", pair.database.describe()), pair.database.directory());
            let names = announced.iter().find(|aside| aside.directory == directory);
            let names = names.ok_or_else(|| Error::failed("it was not announced")).with_context(what)?;
            let copy = pair.database.load(&pair.dump, &names.copy, cx).with_context(what)?;
            cx.between(Step::Load)?;
            Ok((directory, copy))
        };
        self.pairs.iter().map(load).collect()
    }
}

fn no_dump(snapshot: &Snapshot, database: &dyn Database) -> Error {
    Error::failed(format!("snapshot {} has no dump of {}", snapshot.short_id(), database.describe()))
        .with_remedy("restore the files alone with `--files`, or what it has elsewhere with `--to DIR`")
}

fn orphan(snapshot: &Snapshot, dump: &str) -> Error {
    Error::failed(format!(
        "snapshot {} has a dump of {dump}, which this configuration does not name",
        snapshot.short_id()
    ))
    .with_remedy("name it under `databases`, or restore the files alone with `--files`")
}
