//! Where tables are that are not live: in a schema of their own, or inside the live one under names of ours.

use std::collections::BTreeSet;

use super::fault::During;
use super::link::Link;
use super::names::{self, is_ours, literal, qualified, quote};
use super::record::Record;
use super::row::text;
use super::session::{Patience, pin, pin_for_loading};
use crate::database::{MysqlSpec, SideCopy};
use crate::error::Result;

/// The table that holds the record of a schema of ours; inside the live schema its name has a prefix.
const RECORD: &str = "lifeboat__record";

/// Kinds of tables as the server calls them.
const TABLES: &str = "'BASE TABLE','SYSTEM VERSIONED'";
const MOVED: &str = "'BASE TABLE','SYSTEM VERSIONED','SEQUENCE'";
const WITH_VIEWS: &str = "'BASE TABLE','SYSTEM VERSIONED','SEQUENCE','VIEW'";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Schema(String),
    /// The live schema itself, emptied.
    Live(String),
    Tables {
        schema: String,
        prefix: String,
    },
}

impl Place {
    /// Tables inside `schema` for the restore with this token.
    pub(super) fn inside(schema: &str, purpose: &str, token: &str) -> Self {
        Self::Tables { schema: schema.to_owned(), prefix: names::inside(purpose, token) }
    }

    /// Reads what `Display` wrote.
    pub(super) fn of(live: &str, name: &str) -> Self {
        let prefix = name.strip_prefix(live).and_then(|rest| rest.strip_prefix('.')?.strip_suffix('*'));
        match prefix.filter(|prefix| is_ours(prefix)) {
            Some(prefix) => Self::Tables { schema: live.to_owned(), prefix: prefix.to_owned() },
            None => Self::Schema(name.to_owned()),
        }
    }

    pub(super) fn side(copy: &SideCopy) -> Self {
        Self::of(&copy.live, &copy.side)
    }

    pub(super) fn former(copy: &SideCopy) -> Self {
        Self::of(&copy.live, &copy.former)
    }

    pub(super) const fn is_inside(&self) -> bool {
        matches!(self, Self::Tables { .. })
    }

    pub(super) fn schema(&self) -> &str {
        match self {
            Self::Schema(schema) | Self::Live(schema) | Self::Tables { schema, .. } => schema,
        }
    }

    /// What the table is called here that comes at this place in the list of all.
    pub(super) fn name(&self, at: usize, name: &str) -> String {
        match self {
            Self::Schema(_) | Self::Live(_) => name.to_owned(),
            Self::Tables { prefix, .. } => format!("{prefix}{:04}", at + 1),
        }
    }

    /// A name for the foreign key that comes at this place in the list of its table's: they are unique in their schema.
    pub(super) fn key_name(&self, table: usize, at: usize) -> String {
        format!("{}_k{}", self.name(table, "key"), at + 1)
    }

    /// The table with the record, with its schema, as SQL.
    pub(super) fn record(&self) -> String {
        qualified(self.schema(), &self.record_name())
    }

    fn record_name(&self) -> String {
        match self {
            Self::Schema(_) | Self::Live(_) => RECORD.to_owned(),
            Self::Tables { prefix, .. } => format!("{prefix}record"),
        }
    }

    /// A session that may make and move tables here.
    pub(super) fn connect(&self, spec: &MysqlSpec, patience: Patience) -> Result<Link> {
        let mut link = Link::open(spec, None)?;
        match self {
            Self::Schema(_) | Self::Live(_) => pin(&mut link, patience)?,
            // Foreign keys change their names with their tables, and need no second proof.
            Self::Tables { .. } => pin_for_loading(&mut link, patience)?,
        }
        Ok(link)
    }

    /// Everything here that a RENAME can move, except the record.
    pub(super) fn contents(&self, link: &mut Link) -> Result<BTreeSet<String>> {
        self.of_kinds(link, if self.is_inside() { WITH_VIEWS } else { MOVED })
    }

    pub(super) fn count_tables(&self, link: &mut Link) -> Result<u64> {
        Ok(self.of_kinds(link, TABLES)?.len() as u64)
    }

    fn of_kinds(&self, link: &mut Link, kinds: &str) -> Result<BTreeSet<String>> {
        let mut names = all(link, self.schema(), kinds)?;
        names.retain(|name| match self {
            Self::Schema(_) | Self::Live(_) => name != RECORD && !is_ours(name),
            Self::Tables { prefix, .. } => name.starts_with(prefix) && *name != self.record_name(),
        });
        Ok(names)
    }

    /// Those of a record's tables that are here, by their live names.
    pub(super) fn holds(&self, link: &mut Link, record: &Record) -> Result<BTreeSet<String>> {
        let here = self.contents(link)?;
        let tables = record.tables.iter().enumerate();
        Ok(tables
            .filter(|(at, name)| here.contains(&self.name(*at, name)))
            .map(|(_, name)| name.clone())
            .collect())
    }

    /// Removes it with all that is in it; nothing happens if there is none.
    pub(super) fn remove(&self, link: &mut Link) -> Result<()> {
        let Self::Tables { schema, .. } = self else { return drop_schema(link, self.schema()) };
        // The record last: as long as it is there, a second call can tell what this is.
        for name in self.contents(link)?.iter().chain([&self.record_name()]) {
            drop_any(link, schema, name)?;
        }
        Ok(())
    }

    pub(super) fn remove_if_empty(&self, link: &mut Link) -> Result<()> {
        if self.contents(link)?.is_empty() { self.remove(link) } else { Ok(()) }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Schema(schema) | Self::Live(schema) => f.write_str(schema),
            Self::Tables { schema, prefix } => write!(f, "{schema}.{prefix}*"),
        }
    }
}

pub(super) fn drop_schema(link: &mut Link, schema: &str) -> Result<()> {
    link.run(format!("DROP DATABASE IF EXISTS {}", quote(schema))).during(format!("drop schema {schema:?}"))
}

/// Tables and sequences of the site itself, as far as we know them; with its views where those move too.
pub(super) fn live(link: &mut Link, schema: &str, views: bool) -> Result<BTreeSet<String>> {
    let mut names = all(link, schema, if views { WITH_VIEWS } else { MOVED })?;
    names.retain(|name| name != RECORD && !is_ours(name));
    Ok(names)
}

/// A table, a sequence or a view.
pub(super) fn drop_any(link: &mut Link, schema: &str, name: &str) -> Result<()> {
    let kind = link
        .first(format!(
            "SELECT table_type FROM information_schema.tables WHERE table_schema={} AND table_name={}",
            literal(schema),
            literal(name)
        ))
        .during(format!("look for table {name:?}"))?;
    let Some(kind) = kind.map(|row| text(&row, 0)) else { return Ok(()) };
    let word = if kind == "VIEW" { "VIEW" } else { "TABLE" };
    link.run(format!("DROP {word} IF EXISTS {}", qualified(schema, name)))
        .during(format!("drop table {name:?}"))
}

fn all(link: &mut Link, schema: &str, kinds: &str) -> Result<BTreeSet<String>> {
    let rows = link
        .rows(format!(
            "SELECT table_name FROM information_schema.tables WHERE table_schema={} \
             AND table_type IN ({kinds})",
            literal(schema)
        ))
        .during(format!("list the tables of schema {schema:?}"))?;
    Ok(rows.iter().map(|row| text(row, 0)).collect())
}
