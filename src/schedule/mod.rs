//! When: moments as people say them, and retention as reasons to keep or remove; pure functions of their arguments.

use serde::{Deserialize, Serialize};

/// How many snapshots of a site to keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The newest complete snapshots to keep, at least 1; `None` keeps everything.
    pub last: Option<u32>,
}
