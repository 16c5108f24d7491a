//! The pinned session: whatever the server's and the user's defaults are, bytes come and go the same.

use super::fault::During;
use super::link::Link;
use super::names::literal;
use crate::error::Result;

/// Without these a dump or a restore would not be exact.
const NEEDED: [(&str, &str); 14] = [
    ("search_path", ""),
    ("client_encoding", "UTF8"),
    ("standard_conforming_strings", "on"),
    ("datestyle", "ISO, YMD"),
    ("intervalstyle", "postgres"),
    ("timezone", "UTC"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "3"),
    // The text of money depends on it, and `pg_dump` forgets that.
    ("lc_monetary", "C"),
    ("xmloption", "content"),
    ("quote_all_identifiers", "off"),
    // Rows that a policy hides must be an error, never a silent loss.
    ("row_security", "off"),
    // A scan must begin at the beginning, or equal tables make different files.
    ("synchronize_seqscans", "off"),
    ("max_parallel_workers_per_gather", "0"),
];

/// Limits that would end a long dump or load; each exists on some servers only.
const LIMITS: [&str; 5] = [
    "statement_timeout",
    "transaction_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lock_timeout",
];

/// Fixes everything that changes how values and definitions are printed.
pub(super) fn pin(link: &mut Link) -> Result<()> {
    for (name, value) in NEEDED {
        let sql = format!("SELECT pg_catalog.set_config({}, {}, false)", literal(name), literal(value));
        link.run(&sql).during(format!("set {name}"))?;
    }
    let limits: Vec<_> = LIMITS.iter().map(|name| literal(name)).collect();
    let sql = format!(
        "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN ({})",
        limits.join(",")
    );
    link.run(&sql).during("lift the session's limits")
}

/// On top of `pin`: what a restore needs.
pub(super) fn pin_for_loading(link: &mut Link) -> Result<()> {
    pin(link)?;
    // A body may speak of what comes later.
    link.run("SET check_function_bodies=off").during("set check_function_bodies")
}

/// No event trigger of the dump shall take our last steps for those of a user; only a superuser may ask for that.
pub(super) const QUIETEN: &str = "SELECT pg_catalog.set_config('session_replication_role', 'replica', false) FROM pg_catalog.pg_roles \
     WHERE rolname = current_user AND rolsuper";

/// Seconds that a statement waits for a lock of somebody else.
pub(super) fn wait_for_locks(link: &mut Link, seconds: u32) -> Result<()> {
    link.run(&format!("SET lock_timeout='{seconds}s'")).during("set how long to wait for locks")
}
