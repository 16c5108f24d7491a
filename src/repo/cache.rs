//! Directories that say of themselves that their content can be made again: <https://bford.info/cachedir/>

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

pub(crate) const CACHEDIR_TAG: &str = "CACHEDIR.TAG";
const CACHEDIR_SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Whether a directory with this content is marked.
pub(crate) fn is_cache(content: &[PathBuf]) -> bool {
    let tag = content.iter().find(|path| path.file_name() == Some(CACHEDIR_TAG.as_ref()));
    tag.is_some_and(|tag| {
        // The site's owner decides what lies under this name: a pipe there must not keep us waiting.
        let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
        let mut start = Vec::new();
        let mut read = || -> std::io::Result<bool> {
            let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(tag)?;
            let regular = file.metadata()?.is_file();
            file.take(64).read_to_end(&mut start)?;
            Ok(regular)
        };
        read().is_ok_and(|regular| regular) && start.starts_with(CACHEDIR_SIGNATURE)
    })
}
