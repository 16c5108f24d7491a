//! A restore by a plugin, which has no copy to swap: both what comes and what was live lie on this machine as dumps, so that
//! either can be given to it, whatever happens.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::call::{Call, Verb, end_forgotten};
use super::describe::Description;
use super::feed::PluginFeed;
use super::frame::FrameWriter;
use super::manifest::{Manifest, NAME, README};
use crate::database::filename::encode;
use crate::database::spool::Spool;
use crate::database::{Means, PluginSpec, SideCopy};
use crate::dump::{DumpFile, Feed, Shelf};
use crate::error::{Context, Error, Result};
use crate::event::{Cx, Step, Unit};
use crate::sys::space::Space;

/// What comes, and about as much that is live.
const TIMES: u64 = 2;

/// Where both dumps of a restore are kept.
pub(super) fn names(spec: &PluginSpec, token: &str) -> SideCopy {
    let at = |purpose: &str| {
        let name = format!("{}.plugin.{purpose}-{token}", encode(&spec.name));
        spec.scratch.join(name).to_string_lossy().into_owned()
    };
    SideCopy {
        live: spec.name.clone(),
        side: at("restore"),
        former: at("former"),
        means: Means::ByPlugin,
        only: Vec::new(),
        tables: 0,
        rows: 0,
    }
}

/// The dump fits the plugin, which answers, and there is room for both sides.
pub(super) fn preflight(spec: &PluginSpec, shelf: &dyn Shelf, cx: &Cx) -> Result<Means> {
    cx.go_on()?;
    let manifest = Manifest::read(shelf)?;
    let found = Description::ask(spec, cx)?;
    if found.engine != manifest.database.engine {
        return Err(Error::failed(format!(
            "the dump is of {}, and the plugin is for {}",
            manifest.database.engine, found.engine
        ))
        .with_remedy("choose the plugin of this kind of database under `databases`"));
    }
    let place = &spec.scratch;
    let free = Space::at(place).with_context(|| format!("look at {}", place.display()))?.free;
    let wanted = manifest.bytes.saturating_mul(TIMES);
    if free < wanted {
        return Err(Error::failed(format!(
            "{} has {free} bytes free, and the dumps of both sides may take {wanted}",
            place.display()
        ))
        .with_remedy("make room on that file system"));
    }
    Ok(Means::ByPlugin)
}

/// Brings the whole dump to this machine, every byte compared with its hash.
pub(super) fn load(shelf: &dyn Shelf, names: &SideCopy, cx: &Cx) -> Result<SideCopy> {
    let manifest = Manifest::read(shelf)?;
    let mut files = shelf.list()?.into_iter();
    let mut done = 0;
    let next = || {
        let Some((path, size)) = files.next() else { return Ok(None) };
        let data = shelf.read(&path)?;
        done += if path == Path::new(NAME) || path == Path::new(README) { 0 } else { size };
        cx.progress(done, Some(manifest.bytes), Unit::Bytes);
        Ok(Some(DumpFile { path, data }))
    };
    let side = Spool::at(&names.side);
    let filled = side.fill(cx, next).and_then(|()| Manifest::read(&side)?.verify(&side, cx));
    filled.inspect_err(|_| {
        if let Err(stuck) = side.remove() {
            cx.warn(stuck.to_string());
        }
    })?;
    Ok(names.clone())
}

/// What is live is dumped first, unless an earlier call has done that.
pub(super) fn swap_in(spec: &PluginSpec, copy: &SideCopy, directory: PathBuf, cx: &Cx) -> Result<()> {
    let (side, former) = (Spool::at(&copy.side), Spool::at(&copy.former));
    if !side.is_whole() {
        return Err(Error::failed(format!("{} does not hold a dump", copy.side)));
    }
    cx.between(Step::SwapDatabase)?;
    if !former.is_whole() {
        let mut feed =
            PluginFeed::begin(spec, directory, cx).context("dump what is live before it is replaced")?;
        former.fill(cx, || feed.next(cx)).context("dump what is live before it is replaced")?;
    }
    cx.between(Step::SwapDatabase)?;
    cx.note(format!("{} is replaced by its plugin", copy.live));
    restore(spec, &side, cx)?;
    cx.between(Step::SwapDatabase)
}

/// Nothing was changed as long as what was live is not on this machine as a whole.
pub(super) fn swap_back(spec: &PluginSpec, copy: &SideCopy, cx: &Cx) -> Result<()> {
    let former = Spool::at(&copy.former);
    end_forgotten(spec)?;
    if former.is_whole() {
        restore(spec, &former, cx)?;
        cx.between(Step::Recover)?;
    }
    former.remove()
}

pub(super) fn revive(spec: &PluginSpec, copy: &SideCopy, token: &str) -> Result<Option<SideCopy>> {
    let kept = Spool::at(&copy.former);
    if !kept.is_whole() {
        return Ok(None);
    }
    Manifest::read(&kept)?;
    Ok(Some(SideCopy { side: copy.former.clone(), ..names(spec, token) }))
}

pub(super) fn discard(copy: &SideCopy) -> Result<()> {
    Spool::at(&copy.former).remove()?;
    Spool::at(&copy.side).remove()
}

/// Gives a dump to the plugin, which is told that it is whole only after every byte was compared with its hash.
fn restore(spec: &PluginSpec, spool: &Spool, cx: &Cx) -> Result<()> {
    let manifest = Manifest::read(spool)?;
    manifest.verify(spool, cx)?;
    end_forgotten(spec)?;
    let mut call = Call::start(spec, Verb::Restore, cx)?;
    call.ignore_output();
    let sent = call.ask(spec).and_then(|input| {
        let mut writer = FrameWriter::begin(BufWriter::new(input))?;
        send(&mut writer, &manifest, spool, cx)?;
        writer.end().map(drop)
    });
    match sent {
        Ok(()) => call.end(),
        Err(error) => Err(call.fail(error)),
    }
}

/// All parts, without the end.
pub(super) fn send<W: std::io::Write>(
    writer: &mut FrameWriter<W>,
    manifest: &Manifest,
    shelf: &dyn Shelf,
    cx: &Cx,
) -> Result<()> {
    for part in &manifest.parts {
        let mut pieces = part.pieces.iter();
        writer.part(&part.name, part.bytes, || {
            cx.go_on()?;
            pieces.next().map(|piece| piece.verified(shelf)).transpose()
        })?;
    }
    Ok(())
}
