//! What is said about a run: one stream of events, and every view of it is a fold or a rendering of that stream.

mod cx;
mod printable;
mod said;
mod state;
mod tag;

pub use cx::{Cancel, Cx, Fault, FaultKind, Pace, Sink};
pub use printable::{printable, printable_lines};
pub use state::{RepositorySize, Rotation, RunState, Saved, StepState};
pub use tag::check_tag;

use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Kind;

/// The steps of all stories, in the words that logs, hooks and exit messages use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// This node's own lock on the site.
    Claim,
    /// The repository's lock.
    Lock,
    Mount,
    Open,
    Dump,
    Save,
    Verify,
    Rotate,
    Prune,
    Check,
    Find,
    Preflight,
    Stage,
    Fetch,
    Load,
    /// What comes from another site takes this one's configuration and names.
    Adapt,
    /// What can be done before the site is held still: with `full`, the content of all files is stored.
    Online,
    /// What writes to the site is stopped.
    Quiesce,
    SwapFiles,
    SwapDatabase,
    /// An earlier restore that was killed is put back, or finished.
    Recover,
    /// The present state is saved before a restore replaces it.
    Rescue,
    /// The new state is looked at before it is declared valid.
    Probe,
    /// The new state is declared valid.
    Commit,
    /// What was stopped is started again.
    Resume,
    /// What was live gets the name under which it is kept.
    Settle,
}

impl Step {
    /// Every step of every story.
    pub const ALL: [Self; 26] = [
        Self::Claim,
        Self::Lock,
        Self::Mount,
        Self::Open,
        Self::Dump,
        Self::Save,
        Self::Verify,
        Self::Rotate,
        Self::Prune,
        Self::Check,
        Self::Find,
        Self::Preflight,
        Self::Stage,
        Self::Fetch,
        Self::Load,
        Self::Adapt,
        Self::Online,
        Self::Quiesce,
        Self::SwapFiles,
        Self::SwapDatabase,
        Self::Recover,
        Self::Rescue,
        Self::Probe,
        Self::Commit,
        Self::Resume,
        Self::Settle,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Lock => "lock",
            Self::Mount => "mount",
            Self::Open => "open",
            Self::Dump => "dump",
            Self::Save => "save",
            Self::Verify => "verify",
            Self::Rotate => "rotate",
            Self::Prune => "prune",
            Self::Check => "check",
            Self::Find => "find",
            Self::Preflight => "preflight",
            Self::Stage => "stage",
            Self::Fetch => "fetch",
            Self::Load => "load",
            Self::Adapt => "adapt",
            Self::Online => "online",
            Self::Quiesce => "quiesce",
            Self::SwapFiles => "swap-files",
            Self::SwapDatabase => "swap-database",
            Self::Recover => "recover",
            Self::Rescue => "rescue",
            Self::Probe => "probe",
            Self::Commit => "commit",
            Self::Resume => "resume",
            Self::Settle => "settle",
        }
    }
}

/// What a run was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    Backup,
    Restore,
    Forget,
    Check,
    Recover,
    Drill,
}

impl RunKind {
    pub const ALL: [Self; 6] =
        [Self::Backup, Self::Restore, Self::Forget, Self::Check, Self::Recover, Self::Drill];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Forget => "forget",
            Self::Check => "check",
            Self::Recover => "recover",
            Self::Drill => "drill",
        }
    }
}

/// How a backup stands with the site that it holds still for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The storage is attached and the repository opened; the site works.
    Preparing,
    /// What can be saved beforehand is saved; the site works.
    Online,
    /// Writes to the site are stopped.
    Quiesced,
    /// The site returns to what it did before; then it works again, and the rest is saved.
    Finalizing,
}

impl Phase {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Online => "online",
            Self::Quiesced => "quiesced",
            Self::Finalizing => "finalizing",
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Success,
    /// The main thing was achieved, but something is missing from it or was left behind; never counted as a good backup.
    Incomplete,
    Failed,
    Skipped,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    Bytes,
    Files,
    Rows,
}

/// One thing that happened; the same JSON serves history, `--json`, hooks and golden tests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    pub run: String,
    /// Counts from 1 within a run, without gaps: a reader can tell that it missed something.
    pub seq: u32,
    pub at: Timestamp,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    RunStarted {
        kind: RunKind,
        site: String,
        cause: String,
    },
    StepStarted {
        step: Step,
    },
    StepDone {
        step: Step,
    },
    StepFailed {
        step: Step,
        error: String,
        remedy: Option<String>,
    },
    /// It can be done another time, and a hook asked for that.
    StepSkipped {
        step: Step,
        why: String,
    },
    /// The only lossy event; at most four a second, never stored.
    Progress {
        done: u64,
        total: Option<u64>,
        unit: Unit,
    },
    /// A fact worth a line that is no problem, such as "chose snapshot 1a2b3c4d of 03:00".
    Note {
        text: String,
    },
    /// Something that the reader should look at; `path` where it is about one file.
    Warning {
        path: Option<String>,
        text: String,
    },
    /// Something that should have been saved or restored and was not: it makes the outcome incomplete.
    Missed {
        path: String,
        why: String,
    },
    HookRan {
        point: String,
        hook: String,
        verdict: String,
    },
    /// What a hook had to say to the run, by which it goes on.
    HookAnswered {
        point: String,
        hook: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        skip: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        exclude: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// What a drill brought back, for its hooks to look at: the files, and each live database with the name of its copy.
    Scratch {
        files: PathBuf,
        databases: Vec<(String, String)>,
    },
    /// What the storage holds at all and what is free of it, in bytes, as it was found when it was reached.
    Space {
        free: u64,
        total: u64,
        /// How long it took to reach it and to prove that it is the one meant, with its mount where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe_seconds: Option<f64>,
    },
    /// How large the repository is by now.
    RepositorySize(RepositorySize),
    /// A rotation has judged the site's snapshots, and removed what it was to.
    Rotated(Rotation),
    /// A backup has its snapshot, with so much in it.
    Saved(Saved),
    /// A backup that holds the site still enters this phase.
    PhaseBegun {
        phase: Phase,
    },
    /// The site works again, after it was held still for so long.
    GivenBack {
        seconds: f64,
    },
    Released {
        step: Step,
    },
    Reverted {
        step: Step,
    },
    /// A release or a revert failed: a person must look, and the text says at what.
    Stuck {
        step: Step,
        error: String,
    },
    RunFinished {
        outcome: Outcome,
        snapshot: Option<String>,
        error: Option<String>,
    },
}

impl Outcome {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Incomplete => "incomplete",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// The exit code of a finished run; errors bring their own by their `Kind`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Incomplete => 3,
            Self::Failed => Kind::Failed.exit_code(),
            Self::Skipped => Kind::Skipped.exit_code(),
            Self::Cancelled => Kind::Cancelled.exit_code(),
        }
    }
}
