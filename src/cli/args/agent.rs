//! What can be typed about the agent: what it does, did and is to do, and whom it tells.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

#[derive(Debug, Args)]
pub(in crate::cli) struct Agent {
    /// Each `.yaml` file in this directory is a site too
    #[arg(long, value_name = "DIR", default_value = "/etc/lifeboat/conf.d", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) sites: PathBuf,
    /// When asked to stop, let the run at work go on for so long before it is cancelled
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(in crate::cli) drain: u64,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Schedule {
    /// So many of the next times
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(in crate::cli) count: u16,
    /// Those after this moment instead of now
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) from: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Runs {
    /// One run, with all its events; its name, or the beginning of it
    pub(in crate::cli) id: Option<String>,
    /// Go on with what is said, until the run ends; without a run, until it is stopped
    #[arg(short, long)]
    pub(in crate::cli) follow: bool,
    /// So many of the newest
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(in crate::cli) count: usize,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Metrics {
    /// Into this file instead, in one step: for the textfile collector of the node exporter
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Request {
    /// What changed
    pub(in crate::cli) reason: Option<String>,
    /// List what waits, and what was given up
    #[arg(long, conflicts_with = "reason")]
    pub(in crate::cli) list: bool,
    /// Try again what was given up: one by its name, or all
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["reason", "list"])]
    pub(in crate::cli) retry: Option<String>,
    /// Forget a request, also one that was given up
    #[arg(long, value_name = "NAME", conflicts_with_all = ["reason", "list", "retry"])]
    pub(in crate::cli) discard: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Notify {
    /// List messages that wait and those that were given up
    List,
    /// Send messages now that wait or were given up
    Retry {
        /// The beginning of its id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// All of them
        #[arg(long)]
        all: bool,
    },
    /// Send a test message now and show what the server answers
    Test {
        /// `mail`, `ping` or the name of a webhook; by default each of them
        channel: Option<String>,
    },
}
