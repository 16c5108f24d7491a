//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

const EXIT_CODES: &str = "\
Exit codes: 0 success, 1 failed, 2 usage or configuration, 3 incomplete (saved or restored, but something was missing),
10 no repository, 11 locked or busy, 12 wrong password, 75 skipped, 130 cancelled.";

/// Back up web sites, files and databases as one snapshot, and bring them back.
#[derive(Debug, Parser)]
#[command(name = "lifeboat", version, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Configuration of the site
    #[arg(short, long, global = true, value_name = "FILE", default_value = "/etc/lifeboat/lifeboat.yaml", value_hint = ValueHint::FilePath)]
    pub config: PathBuf,
    /// Print one JSON document on stdout, and progress as JSON lines on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but results and problems
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up a site: recognise it, write its configuration, create its repository
    Init(Init),
    /// Save a snapshot of files and databases
    Backup(Backup),
    /// List snapshots
    #[command(alias = "list")]
    Snapshots(Snapshots),
    /// Bring a site back as it was at a given time
    Restore(Restore),
    /// Remove old snapshots by the retention rule
    Forget(Forget),
    /// Find damage in the repository
    Check(Check),
    /// List what a snapshot holds
    Ls(Ls),
    /// Write a file of a snapshot to stdout
    Dump(Dump),
    /// Show what differs between two snapshots
    Diff(Diff),
    /// Look for what would make the next backup or restore fail
    Doctor,
    /// Manage the passwords of the repository
    Key {
        #[command(subcommand)]
        action: Key,
    },
    /// Check or show configuration
    Config {
        #[command(subcommand)]
        action: Config,
    },
    /// Try everything on a made-up site, in one directory
    Demo(Demo),
    /// Print a completion script
    Completions {
        /// The shell it is for
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub struct Init {
    /// The site's root directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub root: PathBuf,
    /// A directory, or nfs://SERVER/EXPORT
    #[arg(long, value_name = "DIR|URL")]
    pub storage: String,
    /// What the site is called in the repository; by default the name of its root directory
    #[arg(long)]
    pub name: Option<String>,
    /// Where an NFS storage is mounted
    #[arg(long, value_name = "DIR", default_value = "/mnt/lifeboat")]
    pub mountpoint: PathBuf,
    /// Where key and memory of the site are kept
    #[arg(long, value_name = "DIR", default_value = "/var/lib/lifeboat")]
    pub state: PathBuf,
    /// Print the repository's password too, for the safe
    #[arg(long)]
    pub show_password: bool,
}

#[derive(Debug, Args)]
pub struct Backup {
    /// Tag the snapshot; may be repeated
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Mark it as started by a schedule
    #[arg(long)]
    pub scheduled: bool,
    /// Leave old snapshots alone
    #[arg(long)]
    pub no_rotation: bool,
}

#[derive(Debug, Args)]
pub struct Snapshots {
    /// Those of all sites in the repository
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The moment to go back to: '2026-11-20 03:00', RFC 3339, 'yesterday 03:00', latest, or a snapshot's id. The newest
    /// complete snapshot at or before it is taken
    #[arg(long, value_name = "TIME|ID", required_unless_present = "discard_former")]
    pub at: Option<String>,
    /// Into this new directory instead of the site itself: files and dumps
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["files", "database"])]
    pub to: Option<PathBuf>,
    /// The files alone
    #[arg(long, conflicts_with = "database")]
    pub files: bool,
    /// The databases alone
    #[arg(long)]
    pub database: bool,
    /// Only files that match (gitignore style, relative to the root); may be repeated
    #[arg(long, value_name = "PATTERN", conflicts_with = "database")]
    pub include: Vec<String>,
    /// Say what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Remove what earlier restores set aside: the files and tables that were live before them
    #[arg(long, conflicts_with_all = ["at", "to", "files", "database", "include", "dry_run"])]
    pub discard_former: bool,
}

#[derive(Debug, Args)]
pub struct Forget {
    /// Show every snapshot with keep or remove and the reason, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Also give back the space of what is no longer used
    #[arg(long)]
    pub prune: bool,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Read all stored data and compare it with its hashes
    #[arg(long, conflicts_with = "read_data_subset")]
    pub read_data: bool,
    /// Read about this share of it, chosen at random
    #[arg(long, value_name = "N%", value_parser = percent)]
    pub read_data_subset: Option<f64>,
    /// Set damaged files aside and rebuild the index; the next backup stores anew what the site still has
    #[arg(long)]
    pub repair: bool,
}

#[derive(Debug, Args)]
pub struct Ls {
    /// A snapshot's id, a time, or latest
    #[arg(default_value = "latest")]
    pub snapshot: String,
    /// Only below this path
    #[arg(default_value = "/")]
    pub path: PathBuf,
    /// With mode, owner, size and time
    #[arg(short, long)]
    pub long: bool,
}

#[derive(Debug, Args)]
pub struct Dump {
    /// A snapshot's id, a time, or latest
    pub snapshot: String,
    /// The file's path in the snapshot
    pub path: PathBuf,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// The older snapshot: an id, a time, or latest
    pub old: String,
    /// The newer one
    pub new: String,
}

#[derive(Debug, Subcommand)]
pub enum Key {
    /// List the password keys
    List,
    /// Add a password
    Add(NewPassword),
    /// Remove a key by its id
    Remove {
        /// The beginning of its id
        id: String,
    },
    /// Replace the configured password by another one
    Passwd(NewPassword),
}

#[derive(Debug, Args)]
pub struct NewPassword {
    /// File with the new password in its first line; `-` reads standard input
    #[arg(long, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub new_password_file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Find every mistake in the configuration
    Check,
    /// Print the JSON Schema of the configuration
    Schema,
    /// Print a commented example
    Example,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// The one directory in which everything happens; it must not exist yet
    #[arg(long, value_name = "DIR", default_value = "lifeboat-demo")]
    pub dir: PathBuf,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>().map_err(|_| "not a percentage".to_owned())?;
    if number > 0.0 && number <= 100.0 { Ok(number) } else { Err("not between 0% and 100%".to_owned()) }
}
