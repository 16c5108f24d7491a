//! What a plugin dumps, handed out as files while it comes; the manifest only if all of it came and the plugin ended well.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::call::{Call, Verb};
use super::describe::Description;
use super::frame::{Frames, Record};
use super::hold::Hold;
use super::manifest::{Manifest, NAME, PartEntry, README, README_TEXT, piece_path};
use super::pieces::Pieces;
use crate::database::PluginSpec;
use crate::database::entry::FileEntry;
use crate::dump::{DumpFile, Feed, Summary};
use crate::error::{Context, Error, Result};
use crate::event::Cx;
use crate::sys::fs::{create_private_directory, private_file};

/// Files of one dump: about 300 GiB. Their list is held in memory, and what has no end must come to one.
const MOST_PIECES: usize = 1 << 17;

pub(super) struct PluginFeed {
    directory: PathBuf,
    frames: Frames<Box<dyn Read + Send>>,
    /// Until its end was seen.
    call: Option<Call>,
    /// Until the moment is fixed.
    hold: Option<Hold>,
    /// What was read ahead, to find the moment.
    ahead: Option<Record>,
    pieces: Pieces,
    /// Of the part that is being read.
    in_part: bool,
    total: usize,
    buffer: Vec<u8>,
    stage: Stage,
    manifest: Manifest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Readme,
    Parts,
    End,
}

impl PluginFeed {
    /// Returns once the content is fixed: with the `moment` record or the first part, or for a database that must be held still
    /// meanwhile and has no such record, once all of it is on this machine.
    pub(super) fn begin(spec: &PluginSpec, directory: PathBuf, cx: &Cx) -> Result<Self> {
        let description = Description::ask(spec, cx)?;
        let hold = description.quiesce.then(|| Hold::begin(spec, cx)).transpose()?;
        let mut call = Call::start(spec, Verb::Dump, cx)?;
        let begun = call.ask(spec).map(drop).and_then(|()| {
            let output = call.output();
            match &hold {
                Some(_) if !description.moment => keep(output, &spec.scratch).map(|file| (file, true)),
                _ => Ok((output, false)),
            }
        });
        let (output, is_kept) = match begun {
            Ok(begun) => begun,
            Err(error) => return Err(call.fail(error)),
        };
        let mut feed = Self {
            directory,
            frames: Frames::new(output),
            call: Some(call),
            hold,
            ahead: None,
            pieces: Pieces::new(),
            in_part: false,
            total: 0,
            buffer: vec![0; 256 << 10],
            stage: Stage::Readme,
            manifest: Manifest::begin(&spec.name, description, Timestamp::now()),
        };
        if is_kept {
            feed.end_call()?;
            feed.release()?;
        } else {
            feed.find_moment().map_err(|error| feed.why(error))?;
        }
        if let Some(call) = &feed.call {
            call.hide_progress();
        }
        Ok(feed)
    }

    fn find_moment(&mut self) -> Result<()> {
        match self.frames.record()? {
            Record::Moment => {
                self.manifest.moment = Timestamp::now();
                self.release()
            }
            _ if self.manifest.database.moment => Err(Error::failed(
                "the dump stream has no moment record before its first part, and the plugin said it would",
            )),
            other => {
                self.ahead = Some(other);
                Ok(())
            }
        }
    }

    fn release(&mut self) -> Result<()> {
        self.hold.take().map_or(Ok(()), Hold::end)
    }

    fn end_call(&mut self) -> Result<()> {
        self.call.take().map_or(Ok(()), Call::end)
    }

    /// What a plugin ended with says more than what is missing from its stream.
    fn why(&mut self, error: Error) -> Error {
        match self.call.take() {
            Some(call) => call.fail(error),
            None => error,
        }
    }

    /// The next piece; `None` at the end of all parts.
    fn piece(&mut self) -> Result<Option<DumpFile>> {
        loop {
            if self.in_part {
                if let Some(piece) = self.pieces.next() {
                    return self.file(piece).map(Some);
                }
                let read = self.frames.data(&mut self.buffer)?;
                if read > 0 {
                    self.pieces.push(&self.buffer[..read]);
                    continue;
                }
                self.in_part = false;
                let rest = self.pieces.rest().map(|piece| self.file(piece)).transpose()?;
                self.end_part();
                if rest.is_some() {
                    return Ok(rest);
                }
            }
            match self.ahead.take().map_or_else(|| self.frames.record(), Ok)? {
                Record::Moment => self.release()?,
                Record::Part { name, .. } => {
                    let (bytes, sha256, pieces) = (0, String::new(), Vec::new());
                    self.manifest.parts.push(PartEntry { name, bytes, sha256, pieces });
                    self.in_part = true;
                }
                Record::End => return Ok(None),
            }
        }
    }

    fn file(&mut self, data: Vec<u8>) -> Result<DumpFile> {
        self.total += 1;
        if self.total > MOST_PIECES {
            return Err(Error::failed(format!("the dump is longer than {MOST_PIECES} pieces"))
                .with_remedy("dump a database of this size in several entries"));
        }
        let part = self.manifest.parts.last_mut().ok_or_else(|| Error::failed("a piece has no part"))?;
        let path = PathBuf::from(piece_path(&part.name, part.pieces.len()));
        part.pieces.push(FileEntry::of(&path, &data, 0));
        part.bytes += data.len() as u64;
        self.manifest.bytes += data.len() as u64;
        Ok(DumpFile { path, data })
    }

    fn end_part(&mut self) {
        if let Some(part) = self.manifest.parts.last_mut() {
            self.frames.last_sum().clone_into(&mut part.sha256);
        }
    }

    fn advance(&mut self) -> Result<Option<DumpFile>> {
        match self.stage {
            Stage::Readme => {
                self.stage = Stage::Parts;
                Ok(Some(DumpFile { path: README.into(), data: README_TEXT.as_bytes().to_vec() }))
            }
            Stage::Parts => {
                if let Some(piece) = self.piece()? {
                    return Ok(Some(piece));
                }
                // It is whole; that it also ended well is what it says of it.
                self.end_call()?;
                self.release()?;
                self.stage = Stage::End;
                self.manifest.complete = true;
                let data = serde_json::to_vec_pretty(&self.manifest)?;
                Ok(Some(DumpFile { path: NAME.into(), data }))
            }
            Stage::End => Ok(None),
        }
    }
}

impl Feed for PluginFeed {
    fn moment(&self) -> Timestamp {
        self.manifest.moment
    }

    fn next(&mut self, cx: &Cx) -> Result<Option<DumpFile>> {
        cx.go_on()?;
        self.advance().map_err(|error| self.why(error))
    }

    fn summary(&self) -> Summary {
        let Manifest { name, database, moment, bytes, .. } = &self.manifest;
        Summary {
            engine: database.engine.clone(),
            version: database.server.clone(),
            database: name.clone(),
            directory: self.directory.to_string_lossy().into_owned(),
            moment: Some(*moment),
            // Only the plugin knows what is in it.
            tables: 0,
            rows: 0,
            bytes: *bytes,
            unsaved: Vec::new(),
        }
    }
}

/// The whole stream in a file without a name: nothing waits for whoever reads it later.
fn keep(mut stream: Box<dyn Read + Send>, scratch: &Path) -> Result<Box<dyn Read + Send>> {
    create_private_directory(scratch)?;
    let path = scratch.join(format!("stream-{:016x}", rand::random::<u64>()));
    let create = || -> io::Result<File> {
        drop(private_file(&path)?);
        let file = File::options().read(true).write(true).open(&path);
        std::fs::remove_file(&path).and(file)
    };
    let mut file = create().with_context(|| format!("create a file in {}", scratch.display()))?;
    io::copy(&mut stream, &mut file)
        .with_context(|| format!("keep the dump stream in {}", scratch.display()))?;
    file.rewind()?;
    Ok(Box::new(file))
}
