//! Reads the address of a database server as a configuration writes it; stricter than what PHP lets pass.

use std::path::PathBuf;

use crate::database::MysqlAddress;

const DEFAULT_PORT: u16 = 3306;

/// `localhost`, `host`, `host:port`, `address`, `[address]:port`, `/socket` or `localhost:/socket`.
pub(super) fn parse(text: &str) -> Option<MysqlAddress> {
    if let Some(socket) = text.strip_prefix("localhost:").or(Some(text)).filter(|rest| rest.starts_with('/'))
    {
        return Some(MysqlAddress::Socket(PathBuf::from(socket)));
    }
    if text == "localhost" {
        return Some(MysqlAddress::DefaultSocket);
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, DEFAULT_PORT),
        Some((host, port)) => (host, port.strip_prefix(':')?.parse().ok()?),
        None if text.parse::<std::net::Ipv6Addr>().is_ok() => (text, DEFAULT_PORT),
        None => match text.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text, DEFAULT_PORT),
        },
    };
    (is_host(host) && port != 0).then(|| MysqlAddress::Tcp { host: host.to_owned(), port })
}

/// A host name, or an address of either version.
pub(super) fn is_host(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let name = text.bytes().all(plain) && !text.starts_with(['-', '.']);
    !text.is_empty() && text.len() <= 253 && (name || text.parse::<std::net::Ipv6Addr>().is_ok())
}
