//! Reads what a run may take from the machine.

use schemars::JsonSchema;

use super::walk::At;

/// What a run may take from the machine.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Limits {}

pub(super) fn read(at: &At<'_>) -> Option<Limits> {
    at.table(&[])?;
    Some(Limits {})
}
