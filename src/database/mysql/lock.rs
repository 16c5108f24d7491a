//! The lock that holds tables without snapshots still: on a connection of its own, and never for long.

use std::time::{Duration, Instant};

use super::fault::text_of;
use super::link::Link;
use super::names::qualified;
use super::session::{Patience, pin};
use crate::database::MysqlSpec;
use crate::error::Result;

/// How long writers of the site may be kept waiting for their own tables.
const HOLD: Duration = Duration::from_mins(1);

/// How long we wait for a lock; meanwhile a server may make writers queue behind us.
const PATIENCE: Patience = Patience(3);

/// Read locks on some tables, until dropped or released.
pub(super) struct TableLock {
    link: Option<Link>,
    since: Instant,
}

impl TableLock {
    /// Locks all of them, or says why not.
    pub(super) fn take(spec: &MysqlSpec, tables: &[String]) -> Result<Result<Self, String>> {
        let mut link = Link::open(spec, Some(&spec.schema))?;
        pin(&mut link, PATIENCE)?;
        let list: Vec<_> =
            tables.iter().map(|name| format!("{} READ", qualified(&spec.schema, name))).collect();
        Ok(match link.run(format!("LOCK TABLES {}", list.join(", "))) {
            Ok(()) => Ok(Self { link: Some(link), since: Instant::now() }),
            // The connection goes with the error: a server may keep a part of a lock that failed.
            Err(error) => Err(text_of(&error)),
        })
    }

    /// Holds all of a schema still. Where we may, only commits wait (`MariaDB`'s backup stages); otherwise these tables are
    /// locked one by one, and a transaction that already wrote to one of them and comes to the next is refused by the
    /// server as a deadlock, which its application has to repeat.
    pub(super) fn take_all(spec: &MysqlSpec, tables: &[String]) -> Result<Result<Self, String>> {
        let mut link = Link::open(spec, Some(&spec.schema))?;
        pin(&mut link, PATIENCE)?;
        let since = Instant::now();
        match link.run("BACKUP STAGE START").and_then(|()| link.run("BACKUP STAGE BLOCK_COMMIT")) {
            Ok(()) => Ok(Ok(Self { link: Some(link), since })),
            Err(_) => Self::take(spec, tables),
        }
    }

    /// Whether the tables are still held; gives the lock up when it has been held for long enough.
    pub(super) fn holds(&mut self) -> bool {
        if self.since.elapsed() > HOLD {
            self.release();
        }
        self.link.is_some()
    }

    /// Ends the lock by ending its connection, which cannot fail; says for how long it was held.
    pub(super) fn release(&mut self) -> Duration {
        self.link = None;
        self.since.elapsed()
    }
}
