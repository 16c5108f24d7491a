//! How others join in: executables that run before and after steps, under a contract that cannot hurt a site.

use std::time::Duration;

/// One executable at one point, such as `before-dump` or `on-failure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSpec {
    pub point: String,
    pub command: Vec<String>,
    pub timeout: Duration,
}
