//! Reads how a backup holds the site still.

use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;

use super::duration;
use super::hooks::has_file;
use super::walk::{At, optional};
use crate::run;

const MAX_LIMIT: Duration = Duration::from_hours(1);

/// How a backup holds the site still.
#[derive(Clone, Copy, Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Quiesce {
    /// What files and databases of a snapshot have to do with each other; default `off`.
    #[schemars(default)]
    pub mode: Mode,
    /// How long the site is held still at most, such as `20s` or `2m`; then it is given back and the backup fails. Default
    /// `60s`.
    #[schemars(with = "Option<String>")]
    pub limit: Option<Duration>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Mode {
    /// The site works on; each database is of one moment of its own.
    #[default]
    Off,
    /// Hooks stop writes while the moment of the databases is fixed.
    DatabaseOnly,
    /// Hooks stop writes until files that have just changed are read as well: all is of one moment.
    Full,
}

impl Quiesce {
    pub(super) fn spec(&self) -> run::Quiesce {
        let mode = match self.mode {
            Mode::Off => run::QuiesceMode::Off,
            Mode::DatabaseOnly => run::QuiesceMode::DatabaseOnly,
            Mode::Full => run::QuiesceMode::Full,
        };
        run::Quiesce { mode, limit: self.limit.unwrap_or(run::Quiesce::LIMIT) }
    }
}

/// `hooks` is the section that must say how, if no file of the site does. Where that cannot be told, the reader of the file
/// itself will.
pub(super) fn read(at: &At<'_>, hooks: Option<&At<'_>>, files: Option<(&Path, &str)>) -> Option<Quiesce> {
    let table = at.table(&["mode", "limit"])?;
    let modes = [("off", Mode::Off), ("database-only", Mode::DatabaseOnly), ("full", Mode::Full)];
    let mode = optional(&table, "mode", |at| at.choice(&modes, "use off, database-only or full"));
    let limit = optional(&table, "limit", |at| {
        duration::between(at, (Duration::from_secs(1)..=MAX_LIMIT, "1s to 1h"), "write it like 20s or 2m")
    });
    if let Some(mode_at) =
        table.get("mode").filter(|_| matches!(mode, Ok(Some(Mode::DatabaseOnly | Mode::Full))))
    {
        let points = hooks.filter(|at| at.is_map()).and_then(|at| at.peek(&[]));
        for point in ["quiesce", "resume"] {
            let is_file = files.is_none_or(|(directory, site)| has_file(directory, site, point));
            if !is_file && !points.as_ref().is_some_and(|points| points.keys().any(|key| key == point)) {
                mode_at.complain(
                    format_args!("needs a hook `{point}`, and there is none"),
                    format_args!("add hooks.{point}, or write mode: off"),
                );
            }
        }
    }
    Some(Quiesce { mode: mode.ok()?.unwrap_or_default(), limit: limit.ok()? })
}
