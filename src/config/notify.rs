//! Reads who is told about the runs of a site.

use schemars::JsonSchema;

use super::secret::Privacy;
use super::walk::At;

/// Who is told about the runs of a site.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Notify {}

pub(super) fn read(at: &At<'_>, _privacy: &Privacy) -> Option<Notify> {
    at.table(&[])?;
    Some(Notify {})
}
