//! Where an agent can be asked, and the token by which it knows who asks.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hyper::Uri;
use zeroize::Zeroizing;

use crate::access::beside;
use crate::error::{Error, Result};
use crate::sys::secret::Secret;

/// No token is longer, in bytes.
const LONGEST: u64 = 512;

/// Where an agent answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Socket(PathBuf),
    /// Unencrypted, on this machine: host and port.
    Loopback(String, u16),
    /// Host and port.
    Tls(String, u16),
}

impl Place {
    /// For the header `Host`.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Socket(_) => "localhost".to_owned(),
            Self::Loopback(host, port) | Self::Tls(host, port) => authority(host, *port),
        }
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("unix:").or_else(|| text.starts_with('/').then_some(text)) {
            return Ok(Self::Socket(PathBuf::from(path)));
        }
        let wrong = || {
            Error::usage(format!("{text:?} is no place to ask an agent at")).with_remedy(
                "give its socket, such as /run/lifeboat/agent.sock, http://127.0.0.1:8484 or https://HOST:PORT",
            )
        };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        // A path or a password would be left out without a word.
        if host.is_empty() || authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some() {
            return Err(wrong());
        }
        match uri.scheme_str() {
            Some("https") => Ok(Self::Tls(host, authority.port_u16().unwrap_or(443))),
            Some("http") if is_local(&host) => Ok(Self::Loopback(host, authority.port_u16().unwrap_or(80))),
            Some("http") => {
                Err(Error::usage("without encryption everybody on the way could read the token").with_remedy(
                    format!("ask at https://{}, or on the agent's own machine", authority.as_str()),
                ))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Loopback(host, port) => write!(f, "http://{}", authority(host, *port)),
            Self::Tls(host, port) => write!(f, "https://{}", authority(host, *port)),
        }
    }
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The token in a file that was named, or the one beside the agent's socket; each agent makes a new one.
pub(super) fn token(place: &Place, file: Option<&Path>) -> Result<Secret> {
    match (file, place) {
        (Some(file), _) => named(file),
        (None, Place::Socket(socket)) => {
            let file = beside(socket);
            let opened = File::open(&file).map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => not_allowed(place),
                _ => Error::failed(format!("the token of the agent at {place} cannot be read: {error}"))
                    .with_remedy("give --token-file FILE, with a token that `lifeboat token add` made"),
            })?;
            text(opened, &file)
        }
        (None, _) => Err(Error::usage("there is no token").with_remedy("give --token-file FILE")),
    }
}

/// The socket, or what lies beside it, is another user's.
pub(super) fn not_allowed(place: &Place) -> Error {
    Error::failed(format!("you may not ask the agent at {place}: its socket belongs to another user"))
        .with_remedy("ask as the user of the agent (`sudo lifeboat ...`), or an address of its own with --agent and --token-file")
}

fn named(path: &Path) -> Result<Secret> {
    let unreadable =
        |error: io::Error| Error::usage(format!("read the token in {}: {error}", path.display()));
    // A pipe would wait for a writer.
    let file =
        OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
    if mode & 0o007 != 0 {
        return Err(Error::usage(format!(
            "everybody can read the token in {} (its mode is {mode:04o})",
            path.display()
        ))
        .with_remedy(format!(
            "chmod 600 {}, and make a new token if others may have read it",
            path.display()
        )));
    }
    text(file, path)
}

fn text(file: File, path: &Path) -> Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    let read = file.take(LONGEST + 1).read_to_string(&mut text);
    let token = text.trim();
    let plain = !token.is_empty()
        && text.len() as u64 <= LONGEST
        && token.bytes().all(|byte| byte.is_ascii_graphic());
    match read {
        Ok(_) if plain => Ok(Secret::new(token)),
        Ok(_) => Err(Error::usage(format!("{} holds no token", path.display()))
            .with_remedy("write what `lifeboat token add` prints into it, on one line")),
        Err(error) => Err(Error::usage(format!("read the token in {}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_goes_nowhere_without_encryption_but_on_this_machine() {
        let is = |text: &str| text.parse::<Place>().map(|place| place.to_string());
        for (text, shown) in [
            ("/run/x.sock", "/run/x.sock"),
            ("unix:rel.sock", "rel.sock"),
            ("http://127.0.0.1:8484", "http://127.0.0.1:8484"),
            ("http://localhost:1/", "http://localhost:1"),
            ("http://[::1]:8484", "http://[::1]:8484"),
            ("https://backup.example", "https://backup.example:443"),
        ] {
            assert_eq!(is(text).unwrap(), shown);
        }
        for text in [
            "",
            "agent",
            "http://10.0.0.1:8484",
            "http://localhost.evil.example",
            "https://user:password@host",
            "https://host/path",
            "https://host?query",
            "ftp://host",
            "http://",
        ] {
            assert!(is(text).is_err(), "{text}");
        }
        let refused = is("http://backup.example:8484").unwrap_err();
        assert!(refused.remedy().unwrap().contains("https://backup.example:8484"));
    }

    #[test]
    fn what_is_no_token_is_named_and_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let place = Place::Loopback("localhost".to_owned(), 1);
        let long = "x".repeat(600);
        for (text, mode) in [("canary\nand more", 0o600), ("canary", 0o644), (&long, 0o600), ("", 0o600)] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = token(&place, Some(&path)).unwrap_err();
            let said = format!("{error:?}");
            assert!(!said.contains("canary") && said.contains("token"), "{said}");
        }
        fs::write(&path, "canary\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(token(&place, Some(&path)).unwrap().reveal(), "canary");
    }
}
