//! Mounts as the kernel lists them, and the two system calls that change them; no helper program.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, mount as mount2, umount2};

pub use nix::mount::MsFlags as Flags;

use crate::error::{Context, Error, Result};

const TABLE: &str = "/proc/self/mountinfo";

/// One line of `/proc/self/mountinfo` (proc(5)), unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub mountpoint: PathBuf,
    /// Per-mount options, such as `rw,nosuid`.
    pub options: String,
    pub fstype: String,
    /// What is mounted, such as `10.0.0.5:/data`.
    pub source: String,
    /// Options of the file system itself, such as `rw,vers=4.2,addr=10.0.0.5`.
    pub super_options: String,
}

impl Entry {
    /// The value of an option of the file system: `addr` of `rw,addr=10.0.0.5`.
    pub fn super_option(&self, name: &str) -> Option<&str> {
        self.super_options.split(',').find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
    }

    pub fn is_read_only(&self) -> bool {
        [&self.options, &self.super_options].iter().any(|list| list.split(',').any(|option| option == "ro"))
    }

    pub fn is_nfs(&self) -> bool {
        matches!(self.fstype.as_str(), "nfs" | "nfs4")
    }
}

/// All mounts this process sees, in the order they were made.
pub fn table() -> Result<Vec<Entry>> {
    parse(&std::fs::read(TABLE).with_context(|| format!("read {TABLE}"))?)
}

/// What is mounted on a directory: mounts may be stacked, and the last one is what everybody sees.
pub fn top<'a>(table: &'a [Entry], mountpoint: &Path) -> Option<&'a Entry> {
    table.iter().rev().find(|entry| entry.mountpoint == mountpoint)
}

/// The mount a path lies on.
pub fn covering<'a>(table: &'a [Entry], path: &Path) -> Option<&'a Entry> {
    path.ancestors().find_map(|directory| top(table, directory))
}

/// Mount points at a path and below it.
pub fn at_or_below(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(table()?
        .into_iter()
        .map(|entry| entry.mountpoint)
        .filter(|mounted| mounted.starts_with(path))
        .collect())
}

pub fn mount(source: &str, target: &Path, fstype: &str, flags: Flags, data: &str) -> io::Result<()> {
    Ok(mount2(Some(source), target, Some(fstype), flags, Some(data))?)
}

/// Unmounts, which fails with `EBUSY` while somebody uses it.
pub fn unmount(target: &Path) -> io::Result<()> {
    Ok(umount2(target, MntFlags::UMOUNT_NOFOLLOW)?)
}

/// Makes every request that waits for the server fail with `EIO`; unmounts only what nobody uses any more, else `EBUSY`.
pub fn abort(target: &Path) -> io::Result<()> {
    Ok(umount2(target, MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_FORCE)?)
}

/// Aborts what waits for the server and takes the mount out of the tree at once, used or not.
pub fn force_away(target: &Path) -> io::Result<()> {
    let flags = MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_FORCE | MntFlags::MNT_DETACH;
    Ok(umount2(target, flags)?)
}

fn parse(text: &[u8]) -> Result<Vec<Entry>> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse_line).collect()
}

/// `id parent major:minor root mountpoint options [tag...] - fstype source super-options`
fn parse_line(line: &[u8]) -> Result<Entry> {
    let bad = || Error::failed(format!("{TABLE} has an unknown form: {}", String::from_utf8_lossy(line)));
    let mut fields = line.split(|byte| *byte == b' ');
    let mountpoint = fields.nth(4).ok_or_else(bad)?;
    let options = fields.next().ok_or_else(bad)?;
    // The optional tags before the dash vary in number.
    fields.find(|field| *field == b"-").ok_or_else(bad)?;
    let fstype = fields.next().ok_or_else(bad)?;
    let source = fields.next().ok_or_else(bad)?;
    let super_options = fields.next().ok_or_else(bad)?;
    let text = |field: &[u8]| unescape(field).to_string_lossy().into_owned();
    Ok(Entry {
        mountpoint: unescape(mountpoint).into(),
        options: text(options),
        fstype: text(fstype),
        source: text(source),
        super_options: text(super_options),
    })
}

/// The kernel writes space, tab, newline, backslash and hash as `\` and three octal digits.
fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), tail)
            }
            _ => (*first, tail),
        };
        plain.push(byte);
        rest = tail;
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &[u8] = b"\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:20 / /mnt/with\\040space\\134 rw,nosuid - tmpfs tmp\\043fs rw,size=1k
30 22 0:31 / /mnt/backup rw,relatime shared:7 master:2 - autofs /etc/autofs.jelastic rw,fd=6,direct
31 30 0:40 / /mnt/backup rw,relatime - nfs4 10.0.0.5:/data rw,vers=4.2,soft,clientaddr=10.0.0.9,addr=10.0.0.5
";

    #[test]
    fn fields_are_unescaped_and_tags_are_skipped() {
        let table = parse(SAMPLE).unwrap();
        assert_eq!(table.len(), 4);
        assert_eq!(table[1].mountpoint, Path::new("/mnt/with space\\"));
        assert_eq!(table[1].source, "tmp#fs");
        assert_eq!(table[0].fstype, "ext4");
    }

    #[test]
    fn last_mount_on_a_directory_wins() {
        let table = parse(SAMPLE).unwrap();
        let entry = top(&table, Path::new("/mnt/backup")).unwrap();
        assert!(entry.is_nfs() && !entry.is_read_only());
        assert_eq!(entry.super_option("addr"), Some("10.0.0.5"));
        assert_eq!(entry.super_option("soft"), None);
        assert!(top(&table, Path::new("/mnt")).is_none());
    }

    #[test]
    fn covering_mount_is_the_nearest_above() {
        let table = parse(SAMPLE).unwrap();
        assert_eq!(covering(&table, Path::new("/mnt/backup/a/b")).unwrap().fstype, "nfs4");
        assert_eq!(covering(&table, Path::new("/mnt/backups")).unwrap().fstype, "ext4");
    }

    #[test]
    fn strange_lines_are_errors_and_strange_escapes_stay() {
        assert!(parse(b"22 1 254:0 / /\n").is_err());
        assert_eq!(unescape(b"a\\04"), "a\\04");
        assert_eq!(unescape(b"\\777"), "\\777");
        assert_eq!(unescape(b"\xff").into_vec(), b"\xff");
    }

    #[test]
    fn own_table_can_be_read() {
        assert!(top(&table().unwrap(), Path::new("/")).is_some());
    }
}
