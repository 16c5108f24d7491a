//! Reads which snapshots stay.

use schemars::JsonSchema;

use super::walk::{At, optional};

/// How many snapshots stay.
#[derive(Clone, Copy, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Retention {
    /// The newest complete snapshots to keep.
    #[schemars(range(min = 1, max = 10000))]
    pub last: Option<u32>,
}

pub(super) fn read(at: &At<'_>) -> Option<Retention> {
    let table = at.table(&["last"])?;
    let advice = "write how many snapshots to keep, or remove the key to keep them all";
    Some(Retention { last: optional(&table, "last", |at| at.whole_number(1..=10_000, advice)).ok()? })
}
