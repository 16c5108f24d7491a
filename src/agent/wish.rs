//! A run that a person, or a program in the name of one, asks for.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Wish {
    Backup {
        /// Kept with the snapshot.
        comment: Option<String>,
        /// Held back from every rule, for this long (`30d`), or for good if empty.
        pin: Option<String>,
    },
    /// What this plan said, or nothing if the site has changed since.
    Restore { plan: String },
    /// Back to what the last restore replaced.
    Undo,
    Drill {
        /// A snapshot's id or a time; left out: the newest.
        at: Option<String>,
        /// Of the files, in percent; left out: all.
        sample: Option<f64>,
    },
    Check {
        /// Of the stored data, in percent; left out: none of it is read.
        read_data: Option<f64>,
    },
    Forget {
        /// Also gives back the space.
        prune: bool,
    },
}

impl Wish {
    /// The word in the run's name.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "backup",
            Self::Restore { .. } => "restore",
            Self::Undo => "undo",
            Self::Drill { .. } => "drill",
            Self::Check { .. } => "check",
            Self::Forget { .. } => "forget",
        }
    }

    /// Somebody waits for the site: this waits for no other site's run.
    pub(super) const fn is_urgent(&self) -> bool {
        matches!(self, Self::Restore { .. } | Self::Undo)
    }

    /// Whether it still is what was asked for when it begins later than its asker thought, under another agent.
    pub(super) const fn keeps(&self) -> bool {
        !self.is_urgent()
    }

    /// What it is on a command line. Each value is one word with its option, so that none can be taken for another option.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let mut line: Vec<OsString> = Vec::new();
        let mut add = |word: String| line.push(word.into());
        match self {
            Self::Backup { comment, pin } => {
                add("backup".to_owned());
                if let Some(comment) = comment {
                    add(format!("--comment={comment}"));
                }
                match pin.as_deref() {
                    Some("") => add("--pin".to_owned()),
                    Some(time) => add(format!("--pin={time}")),
                    None => {}
                }
            }
            Self::Restore { plan } => {
                add("restore".to_owned());
                add(format!("--plan-id={plan}"));
            }
            Self::Undo => {
                for word in ["restore", "--undo", "--yes"] {
                    add(word.to_owned());
                }
            }
            Self::Drill { at, sample } => {
                add("drill".to_owned());
                if let Some(at) = at {
                    add(format!("--at={at}"));
                }
                if let Some(sample) = sample {
                    add(format!("--sample={sample}%"));
                }
            }
            Self::Check { read_data } => {
                add("check".to_owned());
                if let Some(share) = read_data {
                    add(format!("--read-data-subset={share}%"));
                }
            }
            Self::Forget { prune } => {
                add("forget".to_owned());
                if *prune {
                    add("--prune".to_owned());
                }
            }
        }
        line
    }
}
