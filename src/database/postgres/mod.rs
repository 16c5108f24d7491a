//! `PostgreSQL`: a dump of one moment as small text files, and a restore into a database beside the live one.
//!
//! Down: `feed` hands out files; `snapshot` fixes the moment; `program` has `pg_dump` write the definitions, `reader` makes
//! rows into files. Up: `aside` tells the story of a load, `swap` that of the exchange.

mod aside;
mod catalog;
mod definitions;
mod fault;
mod feed;
mod intake;
mod link;
mod load;
mod look;
mod manifest;
mod names;
mod needs;
mod objects;
mod preflight;
mod program;
mod reader;
mod readme;
mod render;
mod rights;
mod sequences;
mod session;
mod settings;
mod snapshot;
mod swap;
mod table;
mod tls;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub(super) use self::manifest::ENGINE;
pub(super) use self::render::render;
use super::{Database, Lack, Means, PostgresAddress, PostgresSpec, SideCopy, cut};
use crate::dump::{Feed, Previous, Shelf};
use crate::error::Result;
use crate::event::Cx;

/// One database on a server.
#[derive(Debug)]
pub(super) struct Postgres {
    spec: PostgresSpec,
}

impl Postgres {
    pub(super) fn new(spec: PostgresSpec) -> Self {
        Self { spec }
    }
}

impl Database for Postgres {
    fn directory(&self) -> PathBuf {
        let name = match &self.spec.address {
            PostgresAddress::DefaultSocket => self.spec.name.clone(),
            other => format!("{}@{}", self.spec.name, link::address_text(other)),
        };
        PathBuf::from(ENGINE).join(names::encode(&name))
    }

    fn describe(&self) -> String {
        format!("PostgreSQL database {:?} on {}", self.spec.name, link::address_text(&self.spec.address))
    }

    fn begin(&self, previous: Previous<'_>, cx: &Cx) -> Result<Box<dyn Feed>> {
        Ok(Box::new(feed::PostgresFeed::begin(&self.spec, self.directory(), previous, cx)?))
    }

    fn preflight(&self, dump: &dyn Shelf, cx: &Cx) -> Result<Means> {
        preflight::run(&self.spec, dump, cx).map(|()| Means::Beside)
    }

    fn lacks(&self) -> Result<Vec<Lack>> {
        rights::lacks(&self.spec)
    }

    fn sweep(&self) -> Result<()> {
        look::sweep(&self.spec)
    }

    fn side_names(&self, token: &str, _means: Means) -> Result<SideCopy> {
        Ok(aside::names(&self.spec, token))
    }

    fn tables(&self) -> Result<Option<BTreeSet<String>>> {
        look::tables(&self.spec)
    }

    fn contents(&self, dump: &dyn Shelf) -> Result<BTreeMap<String, u64>> {
        let manifest = manifest::Manifest::read(dump)?;
        Ok(manifest.tables.iter().map(|table| (table.shown(), table.rows)).collect())
    }

    fn revive(&self, copy: &SideCopy, token: &str) -> Result<Option<SideCopy>> {
        look::revive(&self.spec, copy, token)
    }

    fn load(&self, dump: &dyn Shelf, names: &SideCopy, cx: &Cx) -> Result<SideCopy> {
        aside::load(&self.spec, dump, names, cx)
    }

    fn swap_in(&self, copy: &SideCopy, cx: &Cx) -> Result<()> {
        swap::swap_in(&self.spec, copy, cx)
    }

    fn swap_back(&self, copy: &SideCopy, cx: &Cx) -> Result<()> {
        swap::swap_back(&self.spec, copy, cx)
    }

    fn owns(&self, copy: &SideCopy) -> bool {
        copy.live == self.spec.name
    }

    fn discard(&self, copy: &SideCopy, cx: &Cx) -> Result<()> {
        swap::discard(&self.spec, copy, cx)
    }
}
