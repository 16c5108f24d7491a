//! Reads when the agent is to work.

use super::walk::At;
use crate::schedule::cron::Cron;

pub(super) fn read(at: &At<'_>) -> Option<Cron> {
    match at.text()?.parse() {
        Ok(cron) => Some(cron),
        Err(error) => {
            at.complain(
                format_args!("cannot be used: {error}"),
                "write it like \"0 3 * * *\" (at 03:00 every day), or daily",
            );
            None
        }
    }
}
