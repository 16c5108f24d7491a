//! The list that proves a plugin's dump whole, and what lies beside it for who has only stock tools.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::describe::Description;
use super::frame::hex;
use crate::database::entry::{self, FileEntry, compare_lists, unfit};
use crate::dump::Shelf;
use crate::error::Result;
use crate::event::Cx;

/// Its name sorts behind everything else, so that it cannot exist unless everything else came before.
pub(super) const NAME: &str = "zz-manifest.json";

pub(super) const README: &str = "README.txt";

pub(super) const README_TEXT: &str = "\
This directory is one dump of a database that a plugin of Lifeboat made. It consists of parts, each cut into pieces.

To have a part again:      cat data/NAME/*/*.piece > NAME
To check it:               sha256sum NAME

zz-manifest.json has the kind of the database, and the names, sizes and SHA-256 hashes of the parts.
";

const FORMAT: u32 = 1;

/// How a manifest of this form calls itself, whatever kind of database it is of.
const ENGINE: &str = "plugin";

/// Files per directory.
const PER_DIRECTORY: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub format: u32,
    pub engine: String,
    /// As the configuration calls the database.
    pub name: String,
    /// What the plugin said of it.
    pub database: Description,
    pub moment: Timestamp,
    pub readme: FileEntry,
    pub parts: Vec<PartEntry>,
    pub bytes: u64,
    pub complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartEntry {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
    pub pieces: Vec<FileEntry>,
}

impl Manifest {
    pub(super) fn begin(name: &str, database: Description, moment: Timestamp) -> Self {
        Self {
            format: FORMAT,
            engine: ENGINE.to_owned(),
            name: name.to_owned(),
            database,
            moment,
            readme: FileEntry::of(README.as_ref(), README_TEXT.as_bytes(), 0),
            parts: Vec::new(),
            bytes: 0,
            complete: false,
        }
    }

    /// The one of a dump whose files all have the sizes it says.
    pub(super) fn read(shelf: &dyn Shelf) -> Result<Self> {
        let manifest: Self = entry::manifest(shelf, NAME, FORMAT, ENGINE)?;
        let pieces = manifest.parts.iter().flat_map(|part| &part.pieces);
        compare_lists(shelf, pieces.chain([&manifest.readme]), NAME)?;
        let adds_up =
            |part: &PartEntry| part.pieces.iter().map(|piece| piece.bytes).sum::<u64>() == part.bytes;
        let whole = manifest.parts.iter().map(|part| part.bytes).sum::<u64>() == manifest.bytes;
        if !whole || !manifest.parts.iter().all(adds_up) {
            return Err(unfit("its files and its manifest do not fit together"));
        }
        Ok(manifest)
    }

    /// Every byte is what the plugin wrote.
    pub(super) fn verify(&self, dump: &dyn Shelf, cx: &Cx) -> Result<()> {
        for part in &self.parts {
            let mut sum = Sha256::new();
            for piece in &part.pieces {
                cx.go_on()?;
                sum.update(piece.verified(dump)?);
            }
            if hex(&sum.finalize()) != part.sha256 {
                return Err(unfit(&format!("the pieces of {} do not make what was dumped", part.name)));
            }
        }
        Ok(())
    }

    /// Names and hashes of the parts: equal for equal dumps.
    pub(super) fn sums(&self) -> Vec<(&str, &str)> {
        self.parts.iter().map(|part| (part.name.as_str(), part.sha256.as_str())).collect()
    }
}

pub(super) fn piece_path(part: &str, number: usize) -> String {
    format!("data/{part}/{:06}/{number:06}.piece", number / PER_DIRECTORY)
}
