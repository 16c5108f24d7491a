//! Reads `DB_HOST` as `WordPress` does (`wpdb::parse_db_host`) and as PHP's `mysqlnd` then connects.

use std::path::PathBuf;

const DEFAULT_PORT: u16 = 3306;

/// Where a `WordPress` site connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DbHost {
    /// The usual socket of this machine.
    DefaultSocket,
    Socket(PathBuf),
    Tcp {
        host: String,
        port: u16,
    },
}

impl DbHost {
    /// Follows `WordPress`; `None` where it would connect to nothing.
    ///
    /// PHP takes `localhost` for "by socket" and then ignores a port, so `localhost:3307` is the default socket too.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, socket) = match text.find(":/") {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let (host, port) =
            if address.matches(':').count() > 1 { version_6(address) } else { name_or_version_4(address) };
        // `WordPress` has no port where the digits say zero.
        let port = if port.is_empty() { 0 } else { port.parse::<u16>().ok()? };
        if host.is_empty() || host.eq_ignore_ascii_case("localhost") {
            return Some(socket.map_or(Self::DefaultSocket, |path| Self::Socket(PathBuf::from(path))));
        }
        let printable = host.chars().all(|char| !char.is_control() && !char.is_whitespace());
        printable
            .then(|| Self::Tcp { host: host.to_owned(), port: if port == 0 { DEFAULT_PORT } else { port } })
    }
}

/// `^(?:\[)?(?P<host>[0-9a-fA-F:]+)(?:\]:(?P<port>[\d]+))?`
fn version_6(address: &str) -> (&str, &str) {
    let address = address.strip_prefix('[').unwrap_or(address);
    let end = address.find(|char: char| !char.is_ascii_hexdigit() && char != ':').unwrap_or(address.len());
    let (host, rest) = address.split_at(end);
    (host, rest.strip_prefix("]:").map_or("", leading_digits))
}

/// `^(?P<host>[^:/]*)(?::(?P<port>[\d]+))?`
fn name_or_version_4(address: &str) -> (&str, &str) {
    let end = address.find([':', '/']).unwrap_or(address.len());
    let (host, rest) = address.split_at(end);
    (host, rest.strip_prefix(':').map_or("", leading_digits))
}

fn leading_digits(text: &str) -> &str {
    &text[..text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len())]
}
