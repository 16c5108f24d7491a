//! What can be typed about bringing a site back, and about proving that it comes back.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::percent;

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // one for each switch
pub(in crate::cli) struct Restore {
    /// The moment to go back to: '2026-11-20 03:00', RFC 3339, 'yesterday 03:00', latest, or a snapshot's id. The newest
    /// complete snapshot at or before it is taken
    #[arg(long, value_name = "TIME|ID", required_unless_present_any = ["discard_former", "undo", "plan_id"])]
    pub(in crate::cli) at: Option<String>,
    /// Into this new directory instead of the site itself: files and dumps
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with_all = ["files", "database"])]
    pub(in crate::cli) to: Option<PathBuf>,
    /// Into the site that this configuration describes, instead of the one that was saved: it keeps its own wp-config.php and
    /// .env, and only its own databases are replaced
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["to", "undo", "discard_former", "plan_id"])]
    pub(in crate::cli) into: Option<PathBuf>,
    /// With `--into`: addresses in its databases that name the old host name the new one, also inside of values that PHP
    /// serialised; may be repeated
    #[arg(long, value_name = "OLD=NEW", requires = "into")]
    pub(in crate::cli) remap: Vec<String>,
    /// With `--into`: this file of the target stays as it is (relative to its root); may be repeated
    #[arg(long, value_name = "PATH", requires = "into")]
    pub(in crate::cli) keep: Vec<PathBuf>,
    /// The files alone
    #[arg(long, conflicts_with = "database")]
    pub(in crate::cli) files: bool,
    /// The databases alone; with NAME, that one alone; may be repeated
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(in crate::cli) database: Vec<String>,
    /// This table alone; may be repeated. The others, and whatever else is in the database, stay as they are
    #[arg(long, value_name = "[DATABASE.]TABLE", conflicts_with_all = ["to", "into", "files", "database", "include", "keep_newer"])]
    pub(in crate::cli) table: Vec<String>,
    /// Only files that match (gitignore style, relative to the root); may be repeated
    #[arg(long, value_name = "PATTERN", conflicts_with = "database")]
    pub(in crate::cli) include: Vec<String>,
    /// Files that came after the snapshot and match move along instead of being set aside (gitignore style, relative to the
    /// root), such as wp-content/uploads/; may be repeated
    #[arg(long, value_name = "PATTERN", conflicts_with_all = ["to", "database", "include"])]
    pub(in crate::cli) keep_newer: Vec<String>,
    /// Go back to the moment before the last restore; an undo can be undone
    #[arg(long, conflicts_with_all = ["at", "to", "files", "database", "table", "include", "discard_former"])]
    pub(in crate::cli) undo: bool,
    /// Do not save the present state first
    #[arg(long, conflicts_with = "to")]
    pub(in crate::cli) no_safety: bool,
    /// If a database can be exchanged in no other way, drop it and load it anew, with the site without it meanwhile. What was
    /// live is saved first, twice, and loaded again if that fails
    #[arg(long, conflicts_with_all = ["to", "into", "files", "table", "include", "no_safety", "undo", "plan_id", "discard_former"])]
    pub(in crate::cli) in_place_database: bool,
    /// Say what would change and about how long it would take, and change nothing
    #[arg(long, visible_alias = "plan")]
    pub(in crate::cli) dry_run: bool,
    /// Do, without a question, just what this plan said (`--plan` gives the id), or nothing if the site has changed since
    #[arg(long, value_name = "ID", conflicts_with_all = ["at", "to", "files", "database", "table", "include", "keep_newer", "no_safety", "undo", "dry_run"])]
    pub(in crate::cli) plan_id: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// Remove what earlier restores set aside: the files and tables that were live before them
    #[arg(long, conflicts_with_all = ["at", "to", "files", "database", "table", "include", "keep_newer", "no_safety", "dry_run", "plan_id"])]
    pub(in crate::cli) discard_former: bool,
}

impl Restore {
    /// No files, whichever databases it is about.
    pub(in crate::cli) fn databases_alone(&self) -> bool {
        !self.database.is_empty() || !self.table.is_empty()
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Drill {
    /// The snapshot, as for `restore`
    #[arg(long, value_name = "TIME|ID", default_value = "latest")]
    pub(in crate::cli) at: String,
    /// Restore about this share of the files, another one each time, and all databases
    #[arg(long, value_name = "N%", value_parser = percent, conflicts_with = "full")]
    pub(in crate::cli) sample: Option<f64>,
    /// Restore everything, as without `--sample`
    #[arg(long, conflicts_with_all = ["max_bytes", "max_minutes"])]
    pub(in crate::cli) full: bool,
    /// Restore at most about so many MiB at once: more drills, if need be, in which the databases take turns
    #[arg(long, value_name = "MIB")]
    pub(in crate::cli) max_bytes: Option<u64>,
    /// The same in minutes, by what restores took on this node
    #[arg(long, value_name = "MINUTES")]
    pub(in crate::cli) max_minutes: Option<u64>,
    /// Mark it as started by a schedule
    #[arg(long)]
    pub(in crate::cli) scheduled: bool,
}
