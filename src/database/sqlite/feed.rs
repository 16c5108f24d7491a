//! The copy handed out piece by piece.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use jiff::Timestamp;

use super::copy;
use super::manifest::{FORMAT, Manifest, NAME, Piece, README, README_TEXT, piece_path, piece_size};
use crate::database::SqliteSpec;
use crate::dump::{DumpFile, Feed, Summary};
use crate::error::{Context, Error, Result};
use crate::event::Cx;

pub(super) struct SqliteFeed {
    directory: PathBuf,
    file: File,
    piece_size: u64,
    whole: blake3::Hasher,
    done: u64,
    stage: Stage,
    manifest: Manifest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Readme,
    Pieces,
    End,
}

impl SqliteFeed {
    pub(super) fn begin(spec: &SqliteSpec, directory: PathBuf, cx: &Cx) -> Result<Self> {
        let original =
            std::fs::metadata(&spec.path).with_context(|| format!("look at {}", spec.path.display()))?;
        let copy = copy::take(&spec.path, &spec.scratch, cx)?;
        let bytes = copy.file.metadata().context("look at the copy of the database")?.len();
        let moment: Timestamp =
            copy.moment.parse().with_context(|| format!("read the time {:?}", copy.moment))?;
        let manifest = Manifest {
            format: FORMAT,
            engine: "sqlite".to_owned(),
            version: rusqlite::version().to_owned(),
            path: spec.path.to_string_lossy().into_owned(),
            moment,
            bytes,
            page_size: copy.page_size,
            tables: copy.tables,
            mode: original.mode() & 0o7777,
            uid: original.uid(),
            gid: original.gid(),
            blake3: String::new(),
            pieces: Vec::new(),
            complete: false,
        };
        Ok(Self {
            directory,
            file: copy.file,
            piece_size: piece_size(bytes),
            whole: blake3::Hasher::new(),
            done: 0,
            stage: Stage::Readme,
            manifest,
        })
    }

    fn piece(&mut self) -> Result<Option<DumpFile>> {
        let mut data = Vec::new();
        (&self.file).take(self.piece_size).read_to_end(&mut data).context("read the copy of the database")?;
        if data.is_empty() {
            return Ok(None);
        }
        self.whole.update(&data);
        self.done += data.len() as u64;
        let path = piece_path(self.manifest.pieces.len() as u64);
        let blake3 = blake3::hash(&data).to_hex().to_string();
        self.manifest.pieces.push(Piece { path: path.clone(), bytes: data.len() as u64, blake3 });
        Ok(Some(DumpFile { path: path.into(), data }))
    }

    fn last(&mut self) -> Result<DumpFile> {
        if self.done != self.manifest.bytes {
            return Err(Error::failed(format!(
                "the copy of the database has {} bytes and should have {}",
                self.done, self.manifest.bytes
            )));
        }
        self.manifest.blake3 = self.whole.finalize().to_hex().to_string();
        self.manifest.complete = true;
        Ok(DumpFile { path: NAME.into(), data: serde_json::to_vec_pretty(&self.manifest)? })
    }
}

impl Feed for SqliteFeed {
    fn moment(&self) -> Timestamp {
        self.manifest.moment
    }

    fn next(&mut self, cx: &Cx) -> Result<Option<DumpFile>> {
        cx.go_on()?;
        match self.stage {
            Stage::Readme => {
                self.stage = Stage::Pieces;
                Ok(Some(DumpFile { path: README.into(), data: README_TEXT.as_bytes().to_vec() }))
            }
            Stage::Pieces => {
                if let Some(piece) = self.piece()? {
                    return Ok(Some(piece));
                }
                self.stage = Stage::End;
                self.last().map(Some)
            }
            Stage::End => Ok(None),
        }
    }

    fn summary(&self) -> Summary {
        Summary {
            engine: "sqlite".to_owned(),
            version: format!("SQLite {}", self.manifest.version),
            database: self.manifest.path.clone(),
            directory: self.directory.to_string_lossy().into_owned(),
            moment: Some(self.manifest.moment),
            tables: self.manifest.tables,
            // Pages are copied; nobody counts rows.
            rows: 0,
            bytes: self.manifest.bytes,
            unsaved: Vec::new(),
        }
    }
}
