//! The kinds of work that a schedule can ask for.

use serde::{Deserialize, Serialize};

use super::timetable::Timetable;

/// A kind of work of a site that has a timetable of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Backup,
    Check,
    Drill,
}

/// A kind of work, when it is due, and what is asked of it beyond the usual.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub kind: Kind,
    pub timetable: Timetable,
    /// Percent of the stored data that a check reads, or of the files that a drill restores.
    pub share: Option<f64>,
    /// The longest time that a drill may take.
    pub max_minutes: Option<u64>,
    /// How often in all a run that failed is begun again.
    pub retries: u32,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Backup, Self::Check, Self::Drill];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Check => "check",
            Self::Drill => "drill",
        }
    }
}
