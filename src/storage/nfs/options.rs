//! Mount options of an NFS storage: safe defaults, the user's over them, and a refusal of those that would break a promise.

use crate::error::{Error, Result};
use crate::sys::mount::Flags;

/// Defaults that the user may override.
///
/// `soft`: a dead server must end as an error that is reported and retried, not as a process that cannot go on; it is safe only
/// because the repository looks at the result of every write, fsync, close and rename. `timeo=100,retrans=2`: 10 s, asked three
/// times, is 30 s; the 9 s of the platform's own mounts (`timeo=30`) are shorter than the restart of a storage node's NFS service.
const DEFAULTS: [&str; 5] = ["proto=tcp", "sec=sys", "soft", "timeo=100", "retrans=2"];

/// Newest first; the next is offered only if the server does not speak the one before.
const VERSIONS: [&str; 3] = ["vers=4.2", "vers=4.1", "vers=4.0"];

const PORT: u16 = 2049;

/// What `mount(2)` is given, except for the addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) flags: Flags,
    /// To be offered to the server in this order.
    pub(super) versions: Vec<String>,
    pub(super) port: u16,
    rest: Vec<String>,
}

impl Options {
    pub(super) fn parse(text: Option<&str>) -> Result<Self> {
        let mut options = Self {
            flags: Flags::MS_NOSUID | Flags::MS_NODEV | Flags::MS_NOEXEC,
            versions: Vec::new(),
            port: PORT,
            rest: Vec::new(),
        };
        for option in text.unwrap_or_default().split(',').map(str::trim).filter(|option| !option.is_empty()) {
            options.add(option)?;
        }
        for default in DEFAULTS {
            if !options.rest.iter().any(|option| topic(option) == topic(default)) {
                options.rest.push(default.into());
            }
        }
        if options.versions.is_empty() {
            options.versions = VERSIONS.map(String::from).into();
        }
        Ok(options)
    }

    /// The data argument of `mount(2)`. The kernel resolves no names: both addresses have to be in it.
    pub(super) fn data(&self, version: &str, server: &str, client: &str) -> String {
        let mut data = vec![version.to_owned()];
        data.extend(self.rest.iter().cloned());
        data.push(format!("addr={server}"));
        if !self.rest.iter().any(|option| topic(option) == "clientaddr") {
            data.push(format!("clientaddr={client}"));
        }
        data.join(",")
    }

    fn add(&mut self, option: &str) -> Result<()> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if let Some(reason) = refusal(name, value) {
            return Err(Error::usage(format!("storage mount option {option} {reason}"))
                .with_remedy("remove it from the storage's options"));
        }
        if let Some((flag, wanted)) = flag(name) {
            self.flags.set(flag, wanted);
        } else if topic(option) == "version" {
            self.versions = vec![option.to_owned()];
        } else if !is_for_mount_program(name) {
            if name == "port" {
                self.port = value
                    .parse()
                    .map_err(|_| Error::usage(format!("storage mount option {option} is no port number")))?;
            }
            self.rest.push(option.to_owned());
        }
        Ok(())
    }
}

/// Options that answer the same question replace each other.
fn topic(option: &str) -> &str {
    match option.split_once('=').map_or(option, |(name, _)| name) {
        "soft" | "hard" | "softerr" => "recovery",
        "vers" | "nfsvers" | "v4.0" | "v4.1" | "v4.2" | "v4" => "version",
        "proto" | "tcp" => "proto",
        name => name,
    }
}

/// Why an option cannot be had, as the end of a sentence.
fn refusal(name: &str, value: &str) -> Option<&'static str> {
    match name {
        "ro" => Some("would make backups impossible"),
        "bg" => Some("would pretend that the storage is there before it is"),
        "remount" | "bind" | "rbind" | "move" => Some("asks for something else than mounting the storage"),
        "addr" => Some("contradicts the storage's server"),
        "udp" | "rdma" | "v2" | "v3" => Some("is not for NFSv4 over TCP, the only one supported"),
        "proto" if !matches!(value, "tcp" | "tcp6") => {
            Some("is not for NFSv4 over TCP, the only one supported")
        }
        "vers" | "nfsvers" if value != "4" && !value.starts_with("4.") => {
            Some("is not for NFSv4 over TCP, the only one supported")
        }
        "minorversion" => Some("is of old: write vers=4.x"),
        _ => None,
    }
}

/// Options that are flags of `mount(2)`, not data for the file system.
fn flag(name: &str) -> Option<(Flags, bool)> {
    Some(match name {
        "nosuid" => (Flags::MS_NOSUID, true),
        "suid" => (Flags::MS_NOSUID, false),
        "nodev" => (Flags::MS_NODEV, true),
        "dev" => (Flags::MS_NODEV, false),
        "noexec" => (Flags::MS_NOEXEC, true),
        "exec" => (Flags::MS_NOEXEC, false),
        "sync" => (Flags::MS_SYNCHRONOUS, true),
        "async" => (Flags::MS_SYNCHRONOUS, false),
        "dirsync" => (Flags::MS_DIRSYNC, true),
        "noatime" => (Flags::MS_NOATIME, true),
        "atime" => (Flags::MS_NOATIME, false),
        "nodiratime" => (Flags::MS_NODIRATIME, true),
        "diratime" => (Flags::MS_NODIRATIME, false),
        "relatime" => (Flags::MS_RELATIME, true),
        "norelatime" => (Flags::MS_RELATIME, false),
        "rw" => (Flags::MS_RDONLY, false),
        _ => return None,
    })
}

/// Options of fstab and of the mount program, which the kernel has never heard of.
fn is_for_mount_program(name: &str) -> bool {
    matches!(
        name,
        "defaults"
            | "auto"
            | "noauto"
            | "nofail"
            | "_netdev"
            | "user"
            | "nouser"
            | "users"
            | "owner"
            | "group"
            | "fg"
            | "retry"
    ) || name.starts_with("x-")
        || name == "comment"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str) -> String {
        let options = Options::parse(Some(text)).unwrap();
        options.data(&options.versions[0], "10.0.0.5", "10.0.0.9")
    }

    #[test]
    fn defaults_are_safe() {
        let options = Options::parse(None).unwrap();
        assert_eq!(
            options.data("vers=4.2", "10.0.0.5", "10.0.0.9"),
            "vers=4.2,proto=tcp,sec=sys,soft,timeo=100,retrans=2,addr=10.0.0.5,clientaddr=10.0.0.9"
        );
        assert_eq!(options.flags, Flags::MS_NOSUID | Flags::MS_NODEV | Flags::MS_NOEXEC);
        assert_eq!((options.versions.len(), options.port), (3, 2049));
    }

    #[test]
    fn user_wins_where_options_answer_the_same_question() {
        assert_eq!(
            data("hard, vers=4.1,timeo=600,port=2050,clientaddr=10.0.0.8"),
            "vers=4.1,hard,timeo=600,port=2050,clientaddr=10.0.0.8,proto=tcp,sec=sys,retrans=2,addr=10.0.0.5"
        );
        assert_eq!(Options::parse(Some("port=2050")).unwrap().port, 2050);
    }

    #[test]
    fn flags_and_words_for_fstab_are_no_data() {
        let options = Options::parse(Some("_netdev,exec,noatime,nofail,x-systemd.automount,rw")).unwrap();
        assert_eq!(options.flags, Flags::MS_NOSUID | Flags::MS_NODEV | Flags::MS_NOATIME);
        assert_eq!(options.rest, DEFAULTS);
    }

    #[test]
    fn options_that_break_a_promise_are_refused() {
        for bad in
            ["ro", "vers=3", "nfsvers=3", "udp", "proto=udp", "bg", "remount", "addr=1.2.3.4", "port=x"]
        {
            let error = Options::parse(Some(&format!("soft,{bad}"))).unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
            assert_eq!(error.kind(), crate::error::Kind::Usage);
        }
    }
}
