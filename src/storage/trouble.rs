//! What can be wrong with a storage, told apart, each with its own words and its own remedy.

use std::io;

use nix::errno::Errno;

use crate::error::{Context, Error};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    UnknownHost,
    Unreachable,
    NoSuchExport,
    Denied,
    MayNotMount,
    NoKernelSupport,
    BadOptions,
    NoCommonVersion,
    NoUsableAnswer,
    NotMounted,
    Missing,
    NotADirectory,
    NotEmpty,
    Stale,
    ReadOnly,
    NotWritable,
    Full,
    Silent,
    Broken,
}

impl Trouble {
    /// Why `mount(2)` of an NFS export failed.
    pub(super) fn of_mount(error: &io::Error) -> Self {
        match errno(error) {
            Errno::ENOENT => Self::NoSuchExport,
            Errno::EACCES => Self::Denied,
            // The server answers so too, but root that can mount nothing at all is by far the more frequent case.
            Errno::EPERM => Self::MayNotMount,
            Errno::ENODEV => Self::NoKernelSupport,
            Errno::EINVAL => Self::BadOptions,
            // What a soft mount makes of a server that accepts the connection and then stays mute, and of its internal errors.
            Errno::EIO => Self::NoUsableAnswer,
            Errno::EPROTONOSUPPORT => Self::NoCommonVersion,
            _ => Self::of_use(error),
        }
    }

    /// Why using a file or directory of the storage failed.
    pub(super) fn of_use(error: &io::Error) -> Self {
        match errno(error) {
            Errno::ETIMEDOUT => Self::Silent,
            Errno::ECONNREFUSED
            | Errno::ECONNRESET
            | Errno::EHOSTUNREACH
            | Errno::EHOSTDOWN
            | Errno::ENETUNREACH
            | Errno::ENETDOWN
            | Errno::ENOTCONN => Self::Unreachable,
            Errno::ESTALE => Self::Stale,
            Errno::EROFS => Self::ReadOnly,
            Errno::EACCES | Errno::EPERM => Self::NotWritable,
            Errno::ENOSPC | Errno::EDQUOT => Self::Full,
            Errno::ENOENT => Self::Missing,
            Errno::ENOTDIR => Self::NotADirectory,
            _ => Self::Broken,
        }
    }

    /// The error about this trouble with a storage (`NFS a:/b on /c`), with the system's word for it if there is one.
    pub(super) fn about(self, storage: &str, cause: Option<Error>) -> Error {
        let (problem, remedy) = self.words();
        let what = format!("{storage}: {problem}");
        match cause {
            None => Error::failed(what),
            Some(cause) => match Err::<(), _>(cause).context(what) {
                Err(error) => error,
                Ok(()) => Error::failed(problem),
            },
        }
        .with_remedy(remedy)
    }

    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::UnknownHost => (
                "the name of the server is not known",
                "check the server's name and this node's name resolution, or use its address",
            ),
            Self::Unreachable => (
                "the server cannot be reached",
                "check that the storage node is running, that its NFS service is started and that port 2049 is open to this node",
            ),
            Self::NoSuchExport => {
                ("the server has no such export", "check the path on the server against its list of exports")
            }
            Self::Denied => (
                "the server refuses this node",
                "export the path to this node's address, writable and without root_squash",
            ),
            Self::MayNotMount => (
                "mounting is not permitted",
                "run as root; if the node itself may not mount, let the platform mount the storage and use mode present; \
                 if it may, the server wants another security flavour (sec=)",
            ),
            Self::NoKernelSupport => (
                "the kernel of this node has no NFSv4 client",
                "load or install the module nfsv4, or let the platform mount the storage and use mode present",
            ),
            Self::BadOptions => ("the kernel refuses the mount options", "check the storage's mount options"),
            Self::NoCommonVersion => (
                "the server speaks no version of NFSv4 that was offered",
                "enable NFSv4 on the server, or name its version in the storage's options (vers=4.0)",
            ),
            Self::NoUsableAnswer => (
                "the server gives no usable answer",
                "check that what listens there is an NFS server, and look at its load and kernel log",
            ),
            Self::NotMounted => (
                "nothing is mounted there, only a bare directory",
                "mount the storage (fstab, automount or the platform's panel), or let us mount it with mode on-demand",
            ),
            Self::Missing => (
                "the directory does not exist",
                "check the path; if it lies on a disk or share of its own, mount that; else create the directory",
            ),
            Self::NotADirectory => ("it is not a directory", "check the path"),
            Self::NotEmpty => (
                "there are files in the directory below the mount, which mounting would hide",
                "look at them: they were written while the storage was away; move them elsewhere and try again",
            ),
            Self::Stale => (
                "the mount is stale: the server no longer knows its directory",
                "check that the exported directory was not removed or replaced on the server, then unmount (umount -l) and mount again",
            ),
            Self::ReadOnly => (
                "it is read-only",
                "export and mount it writable; a disk that became read-only by itself has errors: look at the server's kernel log",
            ),
            Self::NotWritable => (
                "we are not allowed to write there",
                "give the agent's user write permission; on NFS export without root_squash",
            ),
            Self::Full => {
                ("it is full", "make the storage larger, or remove old snapshots (forget and prune)")
            }
            Self::Silent => {
                ("the server does not answer in time", "check the load and the network of the storage node")
            }
            Self::Broken => (
                "reading or writing fails",
                "check the storage node's disks and kernel log, and the network to it",
            ),
        }
    }
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_remedy_and_error_number_arrive() {
        let io = io::Error::from(Errno::ESTALE);
        let trouble = Trouble::of_use(&io);
        let error = trouble.about("NFS a:/b on /c", Some(io.into()));
        assert_eq!(error.os_error(), Some(Errno::ESTALE as i32));
        assert!(error.to_string().starts_with("NFS a:/b on /c: the mount is stale"), "{error}");
        assert!(error.remedy().is_some_and(|remedy| remedy.contains("umount")));
    }

    #[test]
    fn same_number_means_another_thing_at_mount_and_in_use() {
        let io = io::Error::from(Errno::ENOENT);
        assert_eq!(Trouble::of_mount(&io), Trouble::NoSuchExport);
        assert_eq!(Trouble::of_use(&io), Trouble::Missing);
    }
}
