//! What can be typed about taking over what another backup program made.

use std::path::PathBuf;

use clap::{Args, ValueHint};

#[derive(Debug, Args)]
pub(in crate::cli) struct Adopt {
    /// The repository as it is mounted here, such as /data/ENVIRONMENT; with `--list`, the directory that holds all of them
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) dir: PathBuf,
    /// The site's root directory, for the configuration that is written if there is none
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = "/var/www/webroot/ROOT")]
    pub(in crate::cli) root: PathBuf,
    /// What the site is called from now on; by default the name of the repository's directory
    #[arg(long)]
    pub(in crate::cli) name: Option<String>,
    /// File with the password that opens the repository so far, in its first line; by default that is the name of its directory
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(in crate::cli) password_file: Option<PathBuf>,
    /// Remove the key of that password, once the new one was proven to open the repository
    #[arg(long)]
    pub(in crate::cli) remove_weak_key: bool,
    /// Where key and memory of the site are kept
    #[arg(long, value_name = "DIR", default_value = "/var/lib/lifeboat", value_hint = ValueHint::DirPath)]
    pub(in crate::cli) state: PathBuf,
    /// Print the repository's new password too, for the safe
    #[arg(long)]
    pub(in crate::cli) show_password: bool,
    /// Change nothing: print what all repositories below DIR hold that open by the names of their directories, as one JSON
    /// document in the shape of the former add-ons' getBackups
    #[arg(long, conflicts_with_all = ["root", "name", "password_file", "remove_weak_key", "state", "show_password"])]
    pub(in crate::cli) list: bool,
}
