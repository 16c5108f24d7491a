//! The server of an NFS storage: its addresses, the way to it, and whether a mount that is there comes from it.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::super::NfsSpec;
use super::super::trouble::Trouble;
use crate::error::{Error, Result};
use crate::sys::deadline;
use crate::sys::mount::Entry;

const RESOLVE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(10);

/// Both ends of a connection that was really made.
pub(super) struct Route {
    pub(super) server: IpAddr,
    pub(super) client: IpAddr,
}

/// Connects once by ourselves: `mount(2)` on a dead server waits for minutes and does not say what is wrong.
pub(super) fn reach(storage: &str, server: &str, port: u16) -> Result<Route> {
    let mut last = None;
    for address in addresses(storage, server)? {
        match connect(address, port) {
            Ok(route) => return Ok(route),
            Err(error) => last = Some(error),
        }
    }
    Err(Trouble::Unreachable.about(storage, last.map(Error::from)))
}

/// What `mount(2)` and the table of mounts call the export.
pub(super) fn source(spec: &NfsSpec) -> String {
    let host = bare(&spec.server);
    if host.contains(':') { format!("[{host}]:{}", spec.export) } else { format!("{host}:{}", spec.export) }
}

/// Whether a mount is the export meant, however its server was written.
pub(super) fn is_same(storage: &str, spec: &NfsSpec, entry: &Entry) -> Result<bool> {
    let Some((server, export)) = split(&entry.source) else { return Ok(false) };
    if normal(export) != normal(&spec.export) {
        return Ok(false);
    }
    if bare(server).eq_ignore_ascii_case(bare(&spec.server)) {
        return Ok(true);
    }
    let expected = addresses(storage, &spec.server)?;
    // The address that the kernel really talks to is in the mount's options; the name may have moved since.
    let actual = match entry.super_option("addr").and_then(|address| address.parse().ok()) {
        Some(address) => vec![address],
        None => addresses(storage, server)?,
    };
    Ok(actual.iter().any(|address| expected.contains(address)))
}

fn addresses(storage: &str, server: &str) -> Result<Vec<IpAddr>> {
    let host = bare(server).to_owned();
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let lookup = move || -> io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs()?.map(|found| found.ip()).collect())
    };
    match deadline::within(RESOLVE, format!("resolving {server}"), lookup) {
        Ok(Ok(found)) if !found.is_empty() => Ok(found),
        Ok(Ok(_)) => Err(Trouble::UnknownHost.about(storage, None)),
        Ok(Err(error)) => Err(Trouble::UnknownHost.about(storage, Some(error.into()))),
        Err(overdue) => Err(Trouble::UnknownHost.about(storage, Some(overdue))),
    }
}

fn connect(server: IpAddr, port: u16) -> io::Result<Route> {
    let stream = TcpStream::connect_timeout(&SocketAddr::new(server, port), CONNECT)?;
    Ok(Route { server, client: stream.local_addr()?.ip() })
}

/// `server:/export` or `[address]:/export`.
fn split(source: &str) -> Option<(&str, &str)> {
    source.find(":/").map(|colon| (&source[..colon], &source[colon + 1..]))
}

fn bare(server: &str) -> &str {
    server.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(server)
}

fn normal(export: &str) -> Vec<&str> {
    export.split('/').filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::storage::MountMode;

    fn spec(server: &str, export: &str) -> NfsSpec {
        NfsSpec {
            server: server.into(),
            export: export.into(),
            mountpoint: "/mnt/backup".into(),
            options: None,
            mode: MountMode::Present,
        }
    }

    fn entry(source: &str, super_options: &str) -> Entry {
        Entry {
            mountpoint: PathBuf::from("/mnt/backup"),
            options: "rw".into(),
            fstype: "nfs4".into(),
            source: source.into(),
            super_options: super_options.into(),
        }
    }

    fn same(server: &str, export: &str, source: &str, addr: &str) -> bool {
        is_same("NFS", &spec(server, export), &entry(source, &format!("rw,addr={addr}"))).unwrap()
    }

    #[test]
    fn exports_are_compared_whole() {
        assert!(same("10.0.0.5", "/data", "10.0.0.5:/data", "10.0.0.5"));
        assert!(same("10.0.0.5", "/data/", "10.0.0.5://data", "10.0.0.5"));
        assert!(!same("10.0.0.5", "/data", "10.0.0.5:/data/other", "10.0.0.5"));
        assert!(!same("10.0.0.5", "/data", "10.0.0.6:/data", "10.0.0.6"));
        assert!(!same("10.0.0.5", "/data", "tmpfs", ""));
    }

    #[test]
    fn names_and_addresses_of_one_server_are_the_same() {
        assert!(same("127.0.0.1", "/data", "storage.example:/data", "127.0.0.1"));
        assert!(same("localhost", "/data", "127.0.0.1:/data", "127.0.0.1"));
        assert!(same("Storage.Example", "/data", "storage.example:/data", "10.0.0.5"));
        assert!(same("fd00::5", "/data", "[fd00::5]:/data", "fd00::5"));
    }

    #[test]
    fn source_puts_brackets_around_colons() {
        assert_eq!(source(&spec("fd00::5", "/data")), "[fd00::5]:/data");
        assert_eq!(source(&spec("[fd00::5]", "/data")), "[fd00::5]:/data");
        assert_eq!(source(&spec("storage", "/data")), "storage:/data");
    }

    #[test]
    fn refused_connection_is_told_from_an_unknown_name() {
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = reach("NFS", "127.0.0.1", unused).err().unwrap();
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        let error = reach("NFS", "no-such-host.invalid", 2049).err().unwrap();
        assert!(error.to_string().contains("not known"), "{error}");
    }
}
