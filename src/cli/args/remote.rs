//! What can be typed to ask an agent instead of doing it here.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::client::Place;

#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Ask {
    /// The agent's site, if it has several; by default that of the configuration
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) site: Option<String>,
    /// Where the agent answers: its socket, http://127.0.0.1:PORT or https://HOST:PORT; by default the socket of this machine's
    #[arg(long, value_name = "SOCKET|URL", value_parser = place)]
    pub(in crate::cli) agent: Option<Place>,
    /// File with the token to ask with, also in `LIFEBOAT_TOKEN_FILE`; by default the one that the agent leaves beside its socket
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) token_file: Option<PathBuf>,
    /// Trust the authorities in this file (PEM) instead of the well-known ones
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) ca: Option<PathBuf>,
}

impl Ask {
    /// The first of these options that was given.
    pub(in crate::cli) fn given(&self) -> Option<&'static str> {
        let all = [
            (self.site.is_some(), "--site"),
            (self.agent.is_some(), "--agent"),
            (self.token_file.is_some(), "--token-file"),
            (self.ca.is_some(), "--ca"),
        ];
        all.into_iter().find_map(|(given, name)| given.then_some(name))
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Status {
    /// Go on showing it as it changes, until it is stopped: live on a terminal, else as lines
    #[arg(short, long)]
    pub(in crate::cli) watch: bool,
    #[command(flatten)]
    pub(in crate::cli) ask: Ask,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Cancel {
    /// The run's name, or the beginning of it; by default the one that is at work
    pub(in crate::cli) run: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) ask: Ask,
}

fn place(text: &str) -> Result<Place, String> {
    text.parse().map_err(|error| super::said(&error))
}
