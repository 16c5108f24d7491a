//! The pinned session: whatever the server's defaults are, bytes come and go the same.

use super::fault::{During, Sql, code_of};
use super::link::Link;
use crate::error::{Error, Result};

const UNKNOWN_VARIABLE: u16 = 1193;
const NOT_ALLOWED: [u16; 3] = [1227, 1231, 1238];

/// Without these a dump or a restore would not be exact.
const NEEDED: [&str; 5] = [
    "time_zone='+00:00'",
    "sql_mode='NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'",
    "sql_quote_show_create=1, sql_select_limit=18446744073709551615, sql_big_selects=1, sql_safe_updates=0",
    "autocommit=1, completion_type='NO_CHAIN'",
    "group_concat_max_len=1048576",
];

/// Limits that would end a long dump or load; each exists on some servers only.
const LIMITS: [&str; 9] = [
    "net_write_timeout=3600, net_read_timeout=3600, wait_timeout=86400",
    // More warnings than are listed are an error; `MySQL` lets only administrators have more of them.
    "max_error_count=65535",
    "max_statement_time=0",
    "max_execution_time=0",
    "idle_transaction_timeout=0",
    "idle_readonly_transaction_timeout=0",
    "idle_write_transaction_timeout=0",
    "information_schema_stats_expiry=0",
    "old_mode='UTF8_IS_UTF8MB3'",
];

/// What lets rows and definitions back in exactly as they were, although a server would refuse them today.
const LENIENT: [&str; 8] = [
    "foreign_key_checks=0",
    // Switching this off sends InnoDB down its bulk path, which measured slower.
    "unique_checks=1",
    "check_constraint_checks=0",
    "system_versioning_insert_history=1",
    // What is altered is the name of a foreign key.
    "system_versioning_alter_history=KEEP",
    "innodb_strict_mode=0",
    "sql_require_primary_key=0",
    "sql_generate_invisible_primary_key=0",
];

/// See `as_definitions`.
pub(super) const DEFINITIONS: &str = "SET NAMES utf8mb4";

/// See `as_values`.
pub(super) const VALUES: &str = "SET NAMES binary";

/// Seconds that a statement waits for a lock of somebody else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience(pub u32);

/// Fixes everything that changes how values and definitions are printed.
pub(super) fn pin(link: &mut Link, patience: Patience) -> Result<()> {
    for setting in NEEDED {
        link.run(format!("SET SESSION {setting}")).during(format!("set {setting}"))?;
    }
    link.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").during("set the isolation level")?;
    let seconds = patience.0;
    link.run(format!("SET SESSION lock_wait_timeout={seconds}")).during("set how long to wait for locks")?;
    for setting in LIMITS {
        optional(link, setting)?;
    }
    as_definitions(link).during("set the character set")
}

/// On top of `pin`: what a restore needs. Constraints are proven by comparing with the dump, not by the server.
pub(super) fn pin_for_loading(link: &mut Link, patience: Patience) -> Result<()> {
    pin(link, patience)?;
    LENIENT.into_iter().try_for_each(|setting| optional(link, setting))
}

/// Definitions travel as the bytes the server stores, which replay exactly only under this character set.
pub(super) fn as_definitions(link: &mut Link) -> Sql<()> {
    link.run(DEFINITIONS)
}

/// Values travel in the character set of their own column, unconverted.
pub(super) fn as_values(link: &mut Link) -> Sql<()> {
    link.run(VALUES)
}

fn optional(link: &mut Link, setting: &str) -> Result<()> {
    match link.run(format!("SET SESSION {setting}")) {
        Ok(()) => Ok(()),
        // Another product, version or right: then the limit does not exist or cannot be lifted, and if it strikes, the
        // run fails with the server's own words.
        Err(error)
            if code_of(&error)
                .is_some_and(|code| code == UNKNOWN_VARIABLE || NOT_ALLOWED.contains(&code)) =>
        {
            Ok(())
        }
        Err(error) => Err(Error::failed(format!("set {setting}: {}", super::fault::text_of(&error)))),
    }
}
