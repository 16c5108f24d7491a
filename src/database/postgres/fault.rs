//! What the driver reports, turned into the program's errors: one clear line, with the server's code and no secret.

use std::error::Error as _;
use std::fmt;

use tokio_postgres::Error as Driver;

use crate::error::{Error, Kind, Result};

/// The driver's own result, kept as long as its code may still decide something.
pub(super) type Sql<T> = std::result::Result<T, Driver>;

/// Codes with which a server says that something is not what it was when the snapshot began: no such table, column, schema,
/// function or object, a lock that somebody else has for too long or in the opposite order, and its own surprise at what it
/// finds.
const CHANGED: [&str; 8] = ["42P01", "42703", "3F000", "42883", "42704", "55P03", "40P01", "XX000"];

/// The server's code (`SQLSTATE`), if it was the server that refused.
pub(super) fn code_of(error: &Driver) -> Option<&str> {
    error.code().map(tokio_postgres::error::SqlState::code)
}

/// Definitions were changed under a running snapshot.
pub(super) fn is_change(error: &Driver) -> bool {
    code_of(error).is_some_and(|code| CHANGED.contains(&code))
}

/// One line without the driver's decoration.
pub(super) fn text_of(error: &Driver) -> String {
    if let Some(said) = error.as_db_error() {
        let more = [said.detail(), said.hint()].into_iter().flatten().map(|more| format!("; {more}"));
        let text = format!("{}{}", said.message(), more.collect::<String>());
        return format!("{} ({})", text.replace(['\n', '\r'], " "), said.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Says what was being done when the driver failed, and makes it one of ours.
pub(super) trait During<T> {
    fn during(self, what: impl fmt::Display) -> Result<T>;
}

impl<T> During<T> for Sql<T> {
    fn during(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| failure(&error, what))
    }
}

pub(super) fn failure(error: &Driver, what: impl fmt::Display) -> Error {
    let failed = Error::failed(format!("{what}: {}", text_of(error)));
    match code_of(error) {
        Some("53200") => failed.with_remedy("raise max_locks_per_transaction in the server's configuration"),
        Some("42501") => failed.with_remedy(
            "use a database user that may do this, such as the owner of everything in it or a superuser",
        ),
        _ => failed,
    }
}

/// The error of a read that a snapshot could not serve: most often somebody changed the table meanwhile.
pub(super) fn broken(what: impl fmt::Display, error: &Driver) -> Error {
    if is_change(error) { changed(&format!("{what}: {}", text_of(error))) } else { failure(error, what) }
}

pub(super) fn changed(what: &str) -> Error {
    Error::new(Kind::Changed, format!("the database was changed while it was being dumped ({what})"))
        .with_remedy("run the backup again when no upgrade or migration is running")
}
