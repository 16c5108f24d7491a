//! Reads the address of a database server as a configuration writes it; stricter than what PHP lets pass.

use std::path::PathBuf;

use crate::database::{MysqlAddress, PostgresAddress};

const DEFAULT_PORT: u16 = 3306;
const POSTGRES_PORT: u16 = 5432;

/// `localhost`, `host`, `host:port`, `address`, `[address]:port`, `/socket` or `localhost:/socket`.
pub(super) fn parse(text: &str) -> Option<MysqlAddress> {
    if let Some(socket) = text.strip_prefix("localhost:").or(Some(text)).filter(|rest| rest.starts_with('/'))
    {
        return Some(MysqlAddress::Socket(PathBuf::from(socket)));
    }
    if text == "localhost" {
        return Some(MysqlAddress::DefaultSocket);
    }
    let (host, port) = server(text, DEFAULT_PORT)?;
    Some(MysqlAddress::Tcp { host, port })
}

/// `/directory`, `/directory:port`, `host`, `host:port`, `address` or `[address]:port`.
pub(super) fn parse_postgres(text: &str) -> Option<PostgresAddress> {
    if text.starts_with('/') {
        let (directory, port) = match text.rsplit_once(':') {
            Some((directory, port)) => (directory, port.parse().ok().filter(|port| *port != 0)?),
            None => (text, POSTGRES_PORT),
        };
        return Some(PostgresAddress::Socket { directory: PathBuf::from(directory), port });
    }
    let (host, port) = server(text, POSTGRES_PORT)?;
    Some(PostgresAddress::Tcp { host, port })
}

fn server(text: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, default),
        Some((host, port)) => (host, port.strip_prefix(':')?.parse().ok()?),
        None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, default),
        None => match text.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text, default),
        },
    };
    (is_host(host) && port != 0).then(|| (host.to_owned(), port))
}

/// A host name, or an address of either version.
pub(super) fn is_host(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let name = text.bytes().all(plain) && !text.starts_with(['-', '.']);
    !text.is_empty() && text.len() <= 253 && (name || text.parse::<std::net::Ipv6Addr>().is_ok())
}
