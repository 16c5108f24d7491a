//! Reads how a backup holds the site still.

use schemars::JsonSchema;

use super::walk::At;

/// How a backup holds the site still.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Quiesce {}

pub(super) fn read(at: &At<'_>) -> Option<Quiesce> {
    at.table(&[])?;
    Some(Quiesce {})
}
