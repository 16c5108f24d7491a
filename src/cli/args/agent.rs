//! What can be typed about the agent: what it does, did and is to do, and whom it tells.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::remote::Ask;
use crate::access::Scope;
use crate::api::Listen;
use crate::error::Error;
use crate::schedule::Within;

/// Where the agent of this machine answers.
pub(in crate::cli) const SOCKET: &str = "/run/lifeboat/agent.sock";

const TOKENS: &str = "/var/lib/lifeboat/tokens.json";

#[derive(Debug, Args)]
pub(in crate::cli) struct Agent {
    /// Each `.yaml` file in this directory is a site too
    #[arg(long, value_name = "DIR", default_value = "/etc/lifeboat/conf.d", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) sites: PathBuf,
    /// When asked to stop, let the run at work go on for so long before it is cancelled
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(in crate::cli) drain: u64,
    /// Answer requests (HTTP) at this socket or address; may be repeated. Without encryption addresses of this machine alone
    #[arg(long, value_name = "SOCKET|ADDRESS", default_value = SOCKET, value_parser = listen)]
    pub(in crate::cli) listen: Vec<Listen>,
    /// Answer nobody
    #[arg(long)]
    pub(in crate::cli) no_api: bool,
    /// Encrypt what comes in at addresses with this certificate (PEM, with those that it depends on)
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) tls_certificate: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_certificate", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) tls_key: Option<PathBuf>,
    /// File of the tokens that `lifeboat token` makes
    #[arg(long, value_name = "FILE", default_value = TOKENS, value_hint = ValueHint::FilePath)]
    pub(in crate::cli) tokens: PathBuf,
    /// File in which is written down who asked for what
    #[arg(long, value_name = "FILE", default_value = "/var/lib/lifeboat/audit.jsonl", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) audit: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Token {
    /// Make a token, and print it this once
    Add(NewToken),
    /// List tokens, and what each allows
    List(TokenFile),
    /// Let a token in no more
    Revoke {
        /// Its name or id
        token: String,
        #[command(flatten)]
        file: TokenFile,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NewToken {
    /// What people call it
    pub(in crate::cli) name: String,
    /// What it allows: read (see how backups stand), backup (begin them), restore (bring back, and fetch content), admin (all)
    #[arg(long, value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = scope)]
    pub(in crate::cli) scope: Vec<Scope>,
    /// After so long it lets in no more, such as 30d, 6m (months) or 1y
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) expires: Option<Within>,
    #[command(flatten)]
    pub(in crate::cli) file: TokenFile,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TokenFile {
    /// File of the tokens, as the agent has it
    #[arg(long, value_name = "FILE", default_value = TOKENS, value_hint = ValueHint::FilePath)]
    pub(in crate::cli) tokens: PathBuf,
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
    /// As the agent tells it
    #[arg(long, conflicts_with = "follow")]
    pub(in crate::cli) remote: bool,
    #[command(flatten)]
    pub(in crate::cli) ask: Ask,
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

fn listen(text: &str) -> Result<Listen, String> {
    text.parse().map_err(|error| said(&error))
}

fn scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|error| said(&error))
}

pub(super) fn said(error: &Error) -> String {
    let remedy = error.remedy().map(|remedy| format!(": {remedy}")).unwrap_or_default();
    format!("{error}{remedy}")
}
