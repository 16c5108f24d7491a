//! What there is to tell.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::spec::{Channel, Means, Word};
use crate::event::{RunKind, RunState};

/// One thing that is told once.
#[derive(Clone, Debug)]
pub enum Occasion {
    /// A run began; for pings alone.
    Started(RunState),
    /// A run came to its end.
    Ended { run: RunState, streak: Option<Streak> },
    /// A run has no end, and its process is gone.
    Crashed { run: RunState, streak: Option<Streak> },
    /// The first success of a kind of run after failures.
    Recovered { run: RunState, streak: Streak },
    /// Something that no run tells began, or goes on.
    Alert(Alert),
    /// It is over.
    AlertOver(Alert),
}

/// Runs of one kind that failed one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    pub count: u32,
    pub since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertName {
    NoSuccess,
    DrillOverdue,
    StorageFull,
    StorageLow,
}

impl AlertName {
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSuccess => "no-success",
            Self::DrillOverdue => "drill-overdue",
            Self::StorageFull => "storage-full",
            Self::StorageLow => "storage-low",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub name: AlertName,
    /// One line.
    pub text: String,
    pub remedy: Option<String>,
    pub began: Timestamp,
    /// When it is told: later than it began if it is told again.
    pub at: Timestamp,
}

impl Occasion {
    pub(super) fn word(&self) -> Word {
        match self {
            Self::Started(_) => Word::Started,
            // A run that was said to have ended without saying how is one that broke off.
            Self::Ended { run, .. } => run.outcome.map_or(Word::Crashed, Word::from),
            Self::Crashed { .. } => Word::Crashed,
            Self::Alert(_) => Word::Alert,
            Self::Recovered { .. } | Self::AlertOver(_) => Word::Recovered,
        }
    }

    pub(super) const fn run(&self) -> Option<&RunState> {
        match self {
            Self::Started(run)
            | Self::Ended { run, .. }
            | Self::Crashed { run, .. }
            | Self::Recovered { run, .. } => Some(run),
            Self::Alert(_) | Self::AlertOver(_) => None,
        }
    }

    pub(super) fn kind(&self) -> Option<RunKind> {
        self.run().and_then(|run| run.kind)
    }

    /// The same for the same thing, however often it is posted.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Started(run) => format!("started {}", run.run),
            // One or the other: a run has one end.
            Self::Ended { run, .. } | Self::Crashed { run, .. } => format!("ended {}", run.run),
            Self::Recovered { run, .. } => {
                format!("recovered {} {}", run.kind.map_or("run", RunKind::name), run.run)
            }
            Self::Alert(alert) => format!("alert {} {} {}", alert.name.name(), alert.began, alert.at),
            Self::AlertOver(alert) => format!("over {} {}", alert.name.name(), alert.began),
        }
    }

    /// Whether this channel asked to be told.
    pub(super) fn concerns(&self, channel: &Channel) -> bool {
        let kind = self.kind().is_none_or(|kind| channel.runs.contains(&kind));
        let asked = match (self, &channel.means) {
            (Self::Started(_), means) => matches!(means, Means::Ping(_)),
            // A ping says how a run went; what watches the pings has alerts of its own.
            (Self::Alert(_) | Self::AlertOver(_) | Self::Recovered { .. }, Means::Ping(_)) => false,
            _ => channel.on.contains(&self.word()),
        };
        kind && asked
    }
}
