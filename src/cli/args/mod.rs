//! What can be typed.

mod adopt;
mod agent;
mod hooks;
mod parse;
mod plugin;
mod remote;
mod restore;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

pub(super) use self::adopt::Adopt;
pub(super) use self::agent::SOCKET;
use self::agent::said;
pub(super) use self::agent::{Agent, Metrics, NewToken, Notify, Request, Runs, Schedule, Token, TokenFile};
pub(super) use self::hooks::Hooks;
pub(super) use self::parse::{Dialect, Parse, Question};
pub(super) use self::plugin::{Part as PluginPart, Plugin, Trial as PluginTrial};
pub(super) use self::remote::{Ask, Cancel, Status};
pub(super) use self::restore::{Drill, Restore};
use super::pin::{PinArgs, UnpinArgs};

const EXIT_CODES: &str = "\
Exit codes: 0 success, 1 failed, 2 usage or configuration, 3 incomplete (saved or restored, but something was missing),
10 no repository, 11 locked or busy, 12 wrong password, 75 skipped, 130 cancelled.";

/// Back up web sites, files and databases as one snapshot, and bring them back.
#[derive(Debug, Parser)]
#[command(name = "lifeboat", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// Configuration of the site
    #[arg(short, long, global = true, value_name = "FILE", default_value = "/etc/lifeboat/lifeboat.yaml", value_hint = ValueHint::FilePath)]
    pub(super) config: PathBuf,
    /// Print one JSON document on stdout, also for errors, and progress as JSON lines on stderr. What is raw by nature stays
    /// raw: `dump`, `metrics`, `completions`, `man`, `config schema`, `config example`, `hooks schema`, `adopt --list`, `snapshots --get-backups`, `--help`
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say nothing but results and problems
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Give a mounted storage up that leaves a request unanswered for so long
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(super) storage_patience: u64,
    /// The name of this run in the history, which must not have been there before; for who starts it
    #[arg(long, global = true, hide = true, value_name = "NAME")]
    pub(super) run_id: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Set up a site: recognise it, write its configuration, create its repository
    Init(Init),
    /// Take over a repository of the platform's former backup add-ons, with all its snapshots
    Adopt(Adopt),
    /// Save a snapshot of files and databases
    Backup(Backup),
    /// List snapshots
    #[command(alias = "list")]
    Snapshots(Snapshots),
    /// Bring a site back as it was at a given time
    Restore(Restore),
    /// Put back, or finish, a restore that was killed
    Recover,
    /// Prove that a snapshot comes back: restore it beside the site, look at it, and remove it again
    Drill(Drill),
    /// Remove old snapshots by the retention rules
    Forget(Forget),
    /// Hold a snapshot back from every rule
    Pin(PinArgs),
    /// Let the rules decide on a snapshot again
    Unpin(UnpinArgs),
    /// Find damage in the repository
    Check(Check),
    /// Work by the schedule: the part of Lifeboat that stays
    Agent(Agent),
    /// Show when the agent will work
    Schedule(Schedule),
    /// Show what happened: all runs, or one with its events
    Runs(Runs),
    /// Show what the agent does
    Status(Status),
    /// Show what the agent does as it goes: `status --watch`
    Top(Ask),
    /// Stop a run of the agent's, or take back one that waits
    Cancel(Cancel),
    /// Ask the agent for a backup soon, because something changed
    Request(Request),
    /// Print the site in numbers, in the text format of Prometheus
    Metrics(Metrics),
    /// List what a snapshot holds
    Ls(Ls),
    /// Search a file in all snapshots
    Find(Find),
    /// Write a file of a snapshot to stdout, or its database as SQL
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
    /// List, check and try the programs that run around a run and its steps
    Hooks {
        #[command(subcommand)]
        action: Hooks,
    },
    /// See what is waiting to be told, try it again, or test the ways to tell
    Notify {
        #[command(subcommand)]
        action: Notify,
    },
    /// Make, list and revoke the tokens by which others may ask the agent
    Token {
        #[command(subcommand)]
        action: Token,
    },
    /// Try a database plugin; and what a plugin itself may use
    Plugin {
        #[command(subcommand)]
        action: Plugin,
    },
    /// Check or show configuration
    Config {
        #[command(subcommand)]
        action: Config,
    },
    /// Read a site's own file of settings without running it; what is printed may be secret
    Parse {
        #[command(subcommand)]
        action: Parse,
    },
    /// Try everything on a made-up site, in one directory
    Demo(Demo),
    /// Print a completion script
    Completions {
        /// The shell it is for
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man {
        /// Write a page for each command into this directory instead
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The site's root directory. Without it and `--storage` the configuration must be there, and its repository is made
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "storage")]
    pub(super) root: Option<PathBuf>,
    /// A directory, or `nfs://SERVER/EXPORT`
    #[arg(long, value_name = "DIR|URL", requires = "root")]
    pub(super) storage: Option<String>,
    /// What the site is called in the repository; by default the name of its root directory
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Where an NFS storage is mounted
    #[arg(long, value_name = "DIR", default_value = "/mnt/lifeboat")]
    pub(super) mountpoint: PathBuf,
    /// Where key and memory of the site are kept
    #[arg(long, value_name = "DIR", default_value = "/var/lib/lifeboat")]
    pub(super) state: PathBuf,
    /// Recipes for applications: `DIR/APPLICATION/recipe`; none: do not look for any
    #[arg(long, value_name = "DIR|none", default_value = "/usr/share/lifeboat/hooks", value_hint = ValueHint::DirPath)]
    pub(super) recipes: PathBuf,
    /// Print the repository's password too, for the safe
    #[arg(long)]
    pub(super) show_password: bool,
}

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // one for each switch
pub(super) struct Backup {
    /// Tag the snapshot; may be repeated
    #[arg(long, value_name = "TAG", conflicts_with = "remote")]
    pub(super) tag: Vec<String>,
    /// Say what it is for; shown by `lifeboat snapshots`
    #[arg(long, value_name = "TEXT")]
    pub(super) comment: Option<String>,
    /// Mark it as started by a schedule
    #[arg(long, conflicts_with = "remote")]
    pub(super) scheduled: bool,
    /// Hold it back from every rule: for good, or for a time such as 30d, 6m (months) or 1y
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "")]
    pub(super) pin: Option<String>,
    /// Mark it as asked for by a request
    #[arg(long, hide = true, conflicts_with_all = ["scheduled", "remote"])]
    pub(super) requested: bool,
    /// Leave old snapshots alone
    #[arg(long, conflicts_with = "remote")]
    pub(super) no_rotation: bool,
    /// Have the agent make it, in its turn, and look on; whoever stops looking on does not stop the backup
    #[arg(long)]
    pub(super) remote: bool,
    /// With `--remote`: print the run's name, and do not wait for its end
    #[arg(long, requires = "remote")]
    pub(super) no_wait: bool,
    #[command(flatten)]
    pub(super) ask: Ask,
}

#[derive(Debug, Args)]
pub(super) struct Snapshots {
    /// Those of all sites in the repository
    #[arg(long)]
    pub(super) all: bool,
    /// Print the names of this site's snapshots as one JSON document in the shape of the former add-ons' getBackups
    #[arg(long, conflicts_with = "all")]
    pub(super) get_backups: bool,
}

#[derive(Debug, Args)]
pub(super) struct Forget {
    /// Show every snapshot with keep or remove and the reason, and remove nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Also give back the space of what is no longer used
    #[arg(long)]
    pub(super) prune: bool,
    /// Remove what the rules do not keep without a grace, however much it is and whatever the clock says. Snapshots from the
    /// future do not stop later rotations either
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Read all stored data and compare it with its hashes
    #[arg(long, conflicts_with = "read_data_subset")]
    pub(super) read_data: bool,
    /// Read about this share of it, and the next share at the next check, until everything was read
    #[arg(long, value_name = "N%", value_parser = percent)]
    pub(super) read_data_subset: Option<f64>,
    /// Mark it as started by a schedule
    #[arg(long)]
    pub(super) scheduled: bool,
    /// Set damaged files aside and rebuild the index; the next backup stores anew what the site still has
    #[arg(long)]
    pub(super) repair: bool,
}

#[derive(Debug, Args)]
pub(super) struct Ls {
    /// A snapshot's id, a time, or latest
    #[arg(default_value = "latest")]
    pub(super) snapshot: String,
    /// Only below this path
    #[arg(default_value = "/")]
    pub(super) path: PathBuf,
    /// Only so many levels below it: 1 is what is in the directory itself
    #[arg(long, value_name = "N", value_parser = levels)]
    pub(super) depth: Option<usize>,
    /// With mode, owner, size and time
    #[arg(short, long)]
    pub(super) long: bool,
}

#[derive(Debug, Args)]
pub(super) struct Find {
    /// A part of the name, whatever the case; or a pattern as in a .gitignore, such as '*.php' or 'uploads/**/logo.*'
    pub(super) pattern: String,
    /// List so many paths
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: u32,
    /// Only below this path
    #[arg(long, value_name = "PREFIX")]
    pub(super) path: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Dump {
    /// A snapshot's id, a time, or latest
    pub(super) snapshot: String,
    /// The file's path in the snapshot; with `--sql`, one table instead of all
    #[arg(value_name = "PATH|TABLE", required_unless_present = "sql")]
    pub(super) path: Option<PathBuf>,
    /// The database as SQL that the stock client loads
    #[arg(long)]
    pub(super) sql: bool,
    /// Which database, if the snapshot has several
    #[arg(long, value_name = "NAME", requires = "sql")]
    pub(super) database: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The older snapshot: an id, a time, or latest
    pub(super) old: String,
    /// The newer one
    pub(super) new: String,
    /// Only below this path
    #[arg(long, value_name = "PREFIX", default_value = "/")]
    pub(super) path: PathBuf,
    /// List so many changes; all are counted
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Key {
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
pub(super) struct NewPassword {
    /// File with the new password in its first line; `-` reads standard input
    #[arg(long, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub(super) new_password_file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Find every mistake in the configuration
    Check,
    /// Show the configuration; secrets that are written out in it are shown as ***
    Show,
    /// Print the JSON Schema of the configuration
    Schema,
    /// Print a commented example
    Example,
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The one directory in which everything happens; it must not exist yet
    #[arg(long, value_name = "DIR", default_value = "lifeboat-demo")]
    pub(super) dir: PathBuf,
}

fn levels(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|levels| *levels > 0).ok_or_else(|| "not a whole number of 1 or more".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    let number =
        text.strip_suffix('%').unwrap_or(text).parse::<f64>().map_err(|_| "not a percentage".to_owned())?;
    if number > 0.0 && number <= 100.0 { Ok(number) } else { Err("not between 0% and 100%".to_owned()) }
}
