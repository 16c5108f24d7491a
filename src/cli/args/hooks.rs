//! What can be typed after `hooks`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Hooks {
    /// List the hooks in the order in which they run at each point
    List,
    /// Find what would keep a hook from being run
    Check,
    /// Run the hooks of one point by hand, with a run that is made up
    Run {
        /// The point, such as before-dump or on-failure
        point: String,
        /// Show what would be run, with which input and environment, and run nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the JSON Schema of what hooks are given, and of what they may answer
    Schema,
}
