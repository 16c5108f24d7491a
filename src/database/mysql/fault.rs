//! What the driver reports, turned into the program's errors: one clear line, with the server's number and no secret.

use std::fmt;

use mysql_async::{DriverError, Error as Driver};

use crate::error::{Error, Kind, Result};

/// The driver's own result, kept as long as its error number may still decide something.
pub(super) type Sql<T> = std::result::Result<T, Driver>;

/// Numbers with which a server says that a table is not what it was when the snapshot began: gone, altered, replaced.
const CHANGED: [u16; 5] = [1412, 1146, 1054, 1356, 1932];

/// The server's error number, if it was the server that refused.
pub(super) fn code_of(error: &Driver) -> Option<u16> {
    match error {
        Driver::Server(server) => Some(server.code),
        _ => None,
    }
}

/// The definition of a table was changed under a running snapshot.
pub(super) fn is_change(error: &Driver) -> bool {
    code_of(error).is_some_and(|code| CHANGED.contains(&code))
}

/// One line without the driver's decoration.
pub(super) fn text_of(error: &Driver) -> String {
    match error {
        Driver::Server(server) => format!("{} (error {})", server.message, server.code),
        Driver::Io(mysql_async::IoError::Io(error)) => error.to_string(),
        Driver::Driver(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// The error of a read that a snapshot could not serve: most often somebody changed the table meanwhile.
pub(super) fn broken(table: &str, error: &Driver) -> Error {
    if is_change(error) {
        return changed(&format!("table {table:?}: {}", text_of(error)));
    }
    Error::failed(format!("read table {table:?}: {}", text_of(error)))
}

pub(super) fn changed(what: &str) -> Error {
    Error::new(Kind::Changed, format!("the schema was changed while it was being dumped ({what})"))
        .with_remedy("run the backup again when no upgrade or migration is running")
}

/// Says what was being done when the driver failed, and makes it one of ours.
pub(super) trait During<T> {
    fn during(self, what: impl fmt::Display) -> Result<T>;
}

impl<T> During<T> for Sql<T> {
    fn during(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| failure(&error, &what))
    }
}

impl<T> During<T> for std::result::Result<T, &Driver> {
    fn during(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| failure(error, &what))
    }
}

fn failure(error: &Driver, what: &impl fmt::Display) -> Error {
    let told = Error::failed(format!("{what}: {}", text_of(error)));
    match error {
        // While it is being sent data it gives no reason.
        Driver::Io(_) | Driver::Driver(DriverError::ConnectionClosed) => told.with_remedy(
            "the server ended the connection: its error log says why; a full disk and a restart are the usual causes",
        ),
        _ => told,
    }
}
