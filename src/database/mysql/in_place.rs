//! The last way, where nothing can be made beside what is live: the schema is emptied and filled again. Before that, both what
//! comes and what was live lie on this machine as dumps, so that either can be loaded whatever happens.

use std::path::Path;

use super::aside;
use super::fault::During;
use super::feed::MysqlFeed;
use super::intake;
use super::link::Link;
use super::names::{encode, quote};
use super::objects::{self, Object, ObjectKind};
use super::place::{Place, drop_any, live};
use super::preflight::PROBE;
use super::record::Record;
use super::session::{Patience, pin_for_loading};
use super::{look, recreate, server, swap};
use crate::database::spool::Spool;
use crate::database::{Means, MysqlSpec, SideCopy};
use crate::dump::{DumpFile, Feed, Shelf, no_previous};
use crate::error::{Context, Error, Result};
use crate::event::{Cx, Step};

const PATIENCE: Patience = Patience(60);

/// Where both dumps of a restore are kept.
pub(super) fn names(spec: &MysqlSpec, token: &str) -> SideCopy {
    let at = |purpose: &str| {
        let name = format!("{}.{purpose}-{token}", encode(&spec.schema));
        spec.scratch.join(name).to_string_lossy().into_owned()
    };
    SideCopy {
        live: spec.schema.clone(),
        side: at("restore"),
        former: at("former"),
        means: Means::InPlace,
        only: Vec::new(),
        tables: 0,
        rows: 0,
    }
}

/// Brings the whole dump to this machine.
pub(super) fn load(shelf: &dyn Shelf, names: &SideCopy, cx: &Cx) -> Result<SideCopy> {
    let manifest = intake::read(shelf)?.manifest;
    let mut files = shelf.list()?.into_iter();
    let next = || {
        let Some((path, _)) = files.next() else { return Ok(None) };
        let data = shelf.read(&path)?;
        Ok(Some(DumpFile { path, data }))
    };
    let side = Spool::at(&names.side);
    side.fill(cx, next).inspect_err(|_| {
        if let Err(stuck) = side.remove() {
            cx.warn(stuck.to_string());
        }
    })?;
    Ok(SideCopy { tables: manifest.tables.len() as u64, rows: manifest.rows(), ..names.clone() })
}

/// What is live is dumped first, unless an earlier call has done that.
pub(super) fn swap_in(spec: &MysqlSpec, copy: &SideCopy, directory: &Path, cx: &Cx) -> Result<()> {
    let (side, former) = (Spool::at(&copy.side), Spool::at(&copy.former));
    if !side.is_whole() {
        return Err(Error::failed(format!("{} does not hold a dump", copy.side)));
    }
    cx.between(Step::SwapDatabase)?;
    if !former.is_whole() {
        let mut feed = MysqlFeed::begin(spec, directory.to_owned(), &no_previous, cx)
            .context("dump what is live before it is replaced")?;
        former.fill(cx, || feed.next(cx))?;
        if let Some(lost) = feed.summary().unsaved.first() {
            former.remove()?;
            return Err(Error::failed(format!("{} could not be brought back: {}", lost.what, lost.why))
                .with_remedy("restore with a database user that has all rights"));
        }
    }
    for (spool, what) in [(&side, "what is to come"), (&former, "what is live")] {
        try_tables(spec, spool, cx).with_context(|| format!("{what} could not be loaded"))?;
    }
    cx.between(Step::SwapDatabase)?;
    cx.warn(format!(
        "schema {:?} is replaced in place: the site is without it until it is loaded",
        copy.live
    ));
    replace(spec, &side, cx)
}

/// There is no second try once the schema is empty. The names of `MySQL`'s checks let no table be made twice.
fn try_tables(spec: &MysqlSpec, spool: &Spool, cx: &Cx) -> Result<()> {
    let mut link = Link::open(spec, None)?;
    pin_for_loading(&mut link, PATIENCE)?;
    if !server::facts(&mut link)?.is_mariadb() {
        return Ok(());
    }
    let place = Place::inside(&spec.schema, PROBE, &format!("{:08x}", rand::random::<u32>()));
    aside::try_tables(&mut link, &place, intake::read(spool)?, cx)
}

/// Nothing was changed as long as what was live is not on this machine as a whole.
pub(super) fn swap_back(spec: &MysqlSpec, copy: &SideCopy, cx: &Cx) -> Result<()> {
    let cx = &cx.shielded();
    // What was tried before anything was dropped may have been left.
    look::sweep(spec)?;
    let former = Spool::at(&copy.former);
    if former.is_whole() {
        replace(spec, &former, cx)?;
        cx.between(Step::Recover)?;
    }
    former.remove()
}

pub(super) fn revive(spec: &MysqlSpec, copy: &SideCopy, token: &str) -> Result<Option<SideCopy>> {
    let kept = Spool::at(&copy.former);
    if !kept.is_whole() {
        return Ok(None);
    }
    let tables = intake::read(&kept)?.manifest.tables.len() as u64;
    Ok(Some(SideCopy { side: copy.former.clone(), tables, ..names(spec, token) }))
}

pub(super) fn discard(copy: &SideCopy) -> Result<()> {
    Spool::at(&copy.former).remove()?;
    Spool::at(&copy.side).remove()
}

/// Empties the schema and loads a dump into it, from wherever an earlier call stopped.
fn replace(spec: &MysqlSpec, spool: &Spool, cx: &Cx) -> Result<()> {
    let mut intake = intake::read(spool)?;
    let schema = &spec.schema;
    let place = Place::Live(schema.clone());
    intake.put_in(&place);
    let mut link = Link::open(spec, None)?;
    pin_for_loading(&mut link, PATIENCE)?;
    if server::schema_exists(&mut link, schema)? {
        empty(&mut link, schema)?;
    }
    let options = server::database_options(&intake.database, &intake.manifest.schema);
    let record = Record::new(Some(&options), Vec::new(), Vec::new());
    swap::put_schema(&mut link, schema, &record)?;
    cx.between(Step::SwapDatabase)?;
    aside::fill(spec, &mut link, (&place, &record), spool, &intake, cx)?;
    cx.between(Step::SwapDatabase)?;
    link.run(format!("USE {}", quote(schema))).during(format!("use schema {schema:?}"))?;
    // The rest is there by now.
    let late = |object: &&Object| matches!(object.kind, ObjectKind::Trigger | ObjectKind::Event);
    let late: Vec<_> = intake.objects.iter().filter(late).collect();
    recreate::create(&mut link, schema, &late, cx)
}

/// Drops everything but what other restores keep there.
fn empty(link: &mut Link, schema: &str) -> Result<()> {
    let names = objects::names(link, schema).during(format!("list the objects of schema {schema:?}"))?;
    for named in names.iter().filter(|named| named.kind != ObjectKind::Sequence) {
        recreate::drop_object(link, schema, named.kind, &named.name)?;
    }
    for table in live(link, schema, false)? {
        drop_any(link, schema, &table)?;
    }
    Ok(())
}
