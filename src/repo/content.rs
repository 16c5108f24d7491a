//! One file's content, put together from two sources: what the live tree has of it, and the rest from the repository.
//!
//! Whichever it comes from, every blob is compared with its hash: a live file is only ever a cheaper way to the same bytes.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustic_core::DataId;
use rustic_core::repofile::Node;
use sha2::{Digest, Sha256};

use super::engine_error;
use super::lock::hex;
use super::reader::Reader;
use crate::error::{Error, Result};

/// Zeroes in runs of this many bytes become holes.
const BLOCK: usize = 4096;

/// No program cuts files into larger blobs; an index that says so is not believed.
const LARGEST_BLOB: usize = 64 << 20;

/// Where the bytes of a blob came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Live,
    Repository,
}

/// What the live site has at a path. It may be altered while it is read, by anybody: that only makes it useless.
pub(crate) struct Live(File);

impl Live {
    /// `None` if there is no file, or one that cannot have anything in common with `node`.
    pub(crate) fn open(path: &Path, node: &Node) -> Option<Self> {
        let seen = std::fs::symlink_metadata(path).ok()?;
        let blobs = node.content.as_ref().map_or(0, Vec::len);
        let may_fit = seen.is_file() && blobs > 0 && (blobs > 1 || seen.len() == node.meta.size);
        if !may_fit {
            return None;
        }
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
        file.metadata().is_ok_and(|meta| meta.is_file()).then_some(Self(file))
    }
}

/// Fills a new, empty file with the content of `node`, and tells `took` of every piece. What is damaged in the repository
/// and not live is an error.
pub(crate) fn fill(
    reader: &Reader,
    node: &Node,
    file: &File,
    live: Option<&Live>,
    took: &mut dyn FnMut(Origin, u64) -> Result<()>,
) -> Result<()> {
    // Where the file system can, both files share their blocks, and only what differs is written.
    let shared = live.is_some_and(|live| rustix::fs::ioctl_ficlone(file, &live.0).is_ok());
    let mut offset = 0;
    for id in node.content.iter().flatten() {
        // What was shared is ours now: nobody else can alter it after it was compared.
        let known = if shared { Some(file) } else { live.map(|live| &live.0) };
        let (data, from) = match known.and_then(|known| blob_of(reader, known, offset, id)) {
            Some(data) => (data, Origin::Live),
            None => (reader.blob(id)?.to_vec(), Origin::Repository),
        };
        let size = data.len() as u64;
        if offset + size > node.meta.size {
            let most = node.meta.size;
            return Err(Error::failed(format!("the content has more than the {most} bytes the tree says")));
        }
        match (shared, from) {
            (true, Origin::Live) => {}
            (true, Origin::Repository) => file.write_all_at(&data, offset)?,
            (false, _) => write_sparse(file, &data, offset)?,
        }
        offset += size;
        took(from, size)?;
    }
    if offset != node.meta.size {
        let size = node.meta.size;
        return Err(Error::failed(format!("the content has {offset} bytes, the tree says {size}")));
    }
    Ok(file.set_len(offset)?)
}

/// The blob, if it is what the file has at this offset.
fn blob_of(reader: &Reader, file: &File, offset: u64, id: &DataId) -> Option<Vec<u8>> {
    let entry = reader.engine.get_index_entry(id).map_err(engine_error).ok()?;
    let length = entry.location.data_length() as usize;
    if length > LARGEST_BLOB {
        return None;
    }
    let mut data = vec![0; length];
    file.read_exact_at(&mut data, offset).ok()?;
    (hex(&Sha256::digest(&data)) == id.to_hex().as_str()).then_some(data)
}

/// Blocks of zeroes take no space.
fn write_sparse(file: &File, data: &[u8], offset: u64) -> std::io::Result<()> {
    // Runs of blocks that are alike in being zero or not are written or skipped as one.
    let (mut rest, mut at) = (data, offset);
    while !rest.is_empty() {
        let zero = is_zero(&rest[..rest.len().min(BLOCK)]);
        let run = rest.chunks(BLOCK).take_while(|block| is_zero(block) == zero).map(<[u8]>::len).sum();
        let (now, later) = rest.split_at(run);
        if !zero {
            file.write_all_at(now, at)?;
        }
        at += run as u64;
        rest = later;
    }
    Ok(())
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}
