//! `DB_HOST` means what it means to `WordPress` and PHP.

use lifeboat::site::DbHost;

fn tcp(host: &str, port: u16) -> DbHost {
    DbHost::Tcp { host: host.to_owned(), port }
}

#[test]
fn hosts_mean_what_they_mean_to_wordpress() {
    let socket = |path: &str| Some(DbHost::Socket(path.into()));
    for (text, expected) in [
        ("localhost", Some(DbHost::DefaultSocket)),
        ("LOCALHOST", Some(DbHost::DefaultSocket)),
        ("", Some(DbHost::DefaultSocket)),
        // mysqlnd ignores the port here, and so must we: the site talks to the default socket.
        ("localhost:3307", Some(DbHost::DefaultSocket)),
        ("localhost:/run/my.sock", socket("/run/my.sock")),
        (":/run/my.sock", socket("/run/my.sock")),
        ("localhost:3307:/run/my.sock", socket("/run/my.sock")),
        ("127.0.0.1", Some(tcp("127.0.0.1", 3306))),
        ("127.0.0.1:3307", Some(tcp("127.0.0.1", 3307))),
        ("127.0.0.1:0", Some(tcp("127.0.0.1", 3306))),
        // A socket counts only for localhost.
        ("127.0.0.1:/run/my.sock", Some(tcp("127.0.0.1", 3306))),
        ("db.example.com:3307", Some(tcp("db.example.com", 3307))),
        ("db.example.com:abc", Some(tcp("db.example.com", 3306))),
        ("db.example.com/x", Some(tcp("db.example.com", 3306))),
        ("::1", Some(tcp("::1", 3306))),
        ("[::1]:3307", Some(tcp("::1", 3307))),
        ("[::1]", Some(tcp("::1", 3306))),
        ("[2001:db8::1]:33060", Some(tcp("2001:db8::1", 33060))),
        ("host:65536", None),
        ("host name", None),
    ] {
        assert_eq!(DbHost::parse(text), expected, "{text}");
    }
}
