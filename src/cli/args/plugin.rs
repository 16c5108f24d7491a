//! What can be typed about database plugins: for who writes one, and inside of the scripts themselves.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Plugin {
    /// Try whether a plugin keeps the contract of hooks/plugins.md
    Test(Trial),
    /// In a plugin: frame standard input, or what a command prints, as one part of a dump whose length is not known before
    Part(Part),
    /// In a plugin: read a dump from standard input, verify it to its end, and leave each part as a file in a directory
    Unpack {
        /// It must be there, and have none of these files
        directory: PathBuf,
    },
    /// In a plugin: read the JSON document from standard input, and print its options as assignments for the shell: `option_NAME='…'`
    Options {
        /// The options that the plugin knows; any other is refused
        known: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Trial {
    /// The plugin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(in crate::cli) path: PathBuf,
    /// File with its options as one JSON object; they name the database that is tried
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) options: Option<PathBuf>,
    /// Also try to restore: everything in the database that the options name may be overwritten
    #[arg(long)]
    pub(in crate::cli) yes_overwrite: bool,
    /// How long it is waited for while it does one thing
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(in crate::cli) timeout: u64,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Part {
    /// The part's name
    pub(in crate::cli) name: String,
    /// Program whose output is the part; if it fails, the part has no end, and the dump is none. Its path is searched for
    #[arg(last = true)]
    pub(in crate::cli) command: Vec<String>,
}
