//! Reads the list of databases, each by its kind.

use std::collections::BTreeSet;

use super::host;
use super::plugin;
use super::secret::{self, Privacy};
use super::shape::{Database, Tls};
use super::walk::{At, kind, optional};

pub(super) fn databases(at: &At<'_>, privacy: &Privacy) -> Option<Vec<Database>> {
    let items = at.list()?;
    let databases: Vec<_> = items.iter().filter_map(|at| database(at, privacy)).collect();
    if databases.len() < items.len() {
        return None;
    }
    let mut names = BTreeSet::new();
    for (at, database) in items.iter().zip(&databases) {
        if let Database::Plugin { name, .. } = database
            && !names.insert(name)
        {
            at.complain("has the name of another plugin's database", "give each a name of its own");
            return None;
        }
    }
    Some(databases)
}

fn database(at: &At<'_>, privacy: &Privacy) -> Option<Database> {
    let every_key = [
        "type",
        "name",
        "host",
        "user",
        "password",
        "tls",
        "connections",
        "grants",
        "path",
        "command",
        "options",
        "timeout",
    ];
    let kinds = [
        ("mysql", Engine::Mysql),
        ("postgresql", Engine::Postgres),
        ("sqlite", Engine::Sqlite),
        ("plugin", Engine::Plugin),
    ];
    let advice = "write type: mysql (also for MariaDB), type: postgresql, type: sqlite or type: plugin";
    match kind(at, &every_key, &kinds, advice)? {
        Engine::Mysql => mysql(at, privacy),
        Engine::Postgres => postgres(at, privacy),
        Engine::Sqlite => sqlite(at),
        Engine::Plugin => plugin::read(at, privacy),
    }
}

#[derive(Clone, Copy)]
enum Engine {
    Mysql,
    Postgres,
    Sqlite,
    Plugin,
}

fn postgres(at: &At<'_>, privacy: &Privacy) -> Option<Database> {
    let table = at.table(&["type", "name", "host", "user", "password", "tls"])?;
    let text = |at: At<'_>| at.text().map(str::to_owned);
    let name = table.need("name", "write the name of the database").and_then(text);
    let user = table.need("user", "write the name of the database user").and_then(text);
    let host = optional(&table, "host", |at| {
        let address = host::parse_postgres(at.text()?);
        if address.is_none() {
            at.complain(
                "is not the address of a server",
                "write host, host:port or the directory of its socket",
            );
        }
        address
    });
    let password = optional(&table, "password", |at| secret::read(at, privacy));
    let tls = optional(&table, "tls", tls);
    Some(Database::Postgres {
        name: name?,
        host: host.ok()?,
        user: user?,
        password: password.ok()?,
        tls: tls.ok()?,
    })
}

fn sqlite(at: &At<'_>) -> Option<Database> {
    let table = at.table(&["type", "path"])?;
    let path = table.need("path", "write the path of the database file")?.absolute_path()?;
    Some(Database::Sqlite { path })
}

fn mysql(at: &At<'_>, privacy: &Privacy) -> Option<Database> {
    let table = at.table(&["type", "name", "host", "user", "password", "tls", "connections", "grants"])?;
    let text = |at: &At<'_>| at.text().map(str::to_owned);
    let user = optional(&table, "user", text);
    if matches!(user, Ok(Some(_))) {
        table
            .need("name", "write the name of the database: an entry with a user takes nothing from the site");
    }
    let name = optional(&table, "name", text);
    let host = optional(&table, "host", |at| {
        let address = host::parse(at.text()?);
        if address.is_none() {
            at.complain(
                "is not the address of a server",
                "write localhost, host:port or localhost:/path/to/socket",
            );
        }
        address
    });
    let password = optional(&table, "password", |at| secret::read(at, privacy));
    let tls = optional(&table, "tls", tls);
    let connections = optional(&table, "connections", |at| {
        at.whole_number(
            1..=16,
            "write a number from 1 to 16; more than 2 pay on servers with many processors alone",
        )
    });
    let grants = optional(&table, "grants", At::yes_no);
    Some(Database::Mysql {
        connections: connections.ok()?.unwrap_or(1),
        grants: grants.ok()?.unwrap_or(false),
        name: name.ok()?,
        host: host.ok()?,
        user: user.ok()?,
        password: password.ok()?,
        tls: tls.ok()?,
    })
}

fn tls(at: &At<'_>) -> Option<Tls> {
    let table = at.table(&["ca", "cert", "key", "verify"])?;
    let file = |key| optional(&table, key, At::absolute_path);
    let (ca, cert, key) = (file("ca"), file("cert"), file("key"));
    let verify = optional(&table, "verify", At::yes_no);
    if table.get("cert").is_some() != table.get("key").is_some() {
        at.complain("has only one of cert and key", "write both, or none of them");
        return None;
    }
    Some(Tls { ca: ca.ok()?, cert: cert.ok()?, key: key.ok()?, verify: verify.ok()?.unwrap_or(true) })
}
