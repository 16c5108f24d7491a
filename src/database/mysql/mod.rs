//! `MariaDB` and `MySQL`: a dump of one moment as small text files, and a restore beside the live schema.
//!
//! Down: `feed` hands out files; `snapshot` fixes the moment; `reader`, `encode` and `cut` make rows into files. Up: `aside`
//! tells the story of a load, `swap` that of the exchange.

mod ahead;
mod aside;
mod catalog;
mod column;
mod crew;
mod definition;
mod encode;
mod fault;
mod feed;
mod fit;
mod foreign;
mod grants;
mod in_place;
mod infile;
mod insert;
mod intake;
mod keys;
mod link;
mod load;
mod lock;
mod look;
mod manifest;
mod names;
mod objects;
mod place;
mod preflight;
mod reader;
mod readme;
mod record;
mod recreate;
mod render;
mod rewrite;
mod rights;
mod row;
mod sequences;
mod server;
mod session;
mod snapshot;
mod swap;
mod tls;
mod verify;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub(super) use self::render::render;
use super::{Database, Lack, Means, MysqlAddress, MysqlSpec, Rewrite, SideCopy, cut};
use crate::dump::{Feed, Previous, Shelf};
use crate::error::{Error, Result};
use crate::event::Cx;

/// One schema on a server.
#[derive(Debug)]
pub(super) struct Mysql {
    spec: MysqlSpec,
}

impl Mysql {
    pub(super) fn new(spec: MysqlSpec) -> Self {
        Self { spec }
    }
}

impl Database for Mysql {
    fn directory(&self) -> PathBuf {
        let name = match &self.spec.address {
            MysqlAddress::DefaultSocket => self.spec.schema.clone(),
            other => format!("{}@{}", self.spec.schema, link::address_text(other)),
        };
        PathBuf::from("mysql").join(names::encode(&name))
    }

    fn describe(&self) -> String {
        format!(
            "MariaDB or MySQL schema {:?} on {}",
            self.spec.schema,
            link::address_text(&self.spec.address)
        )
    }

    fn begin(&self, previous: Previous<'_>, cx: &Cx) -> Result<Box<dyn Feed>> {
        Ok(Box::new(feed::MysqlFeed::begin(&self.spec, self.directory(), previous, cx)?))
    }

    fn preflight(&self, dump: &dyn Shelf, cx: &Cx) -> Result<Means> {
        preflight::run(&self.spec, dump, &[], cx)
    }

    fn preflight_tables(&self, dump: &dyn Shelf, tables: &[String], cx: &Cx) -> Result<Means> {
        preflight::run(&self.spec, dump, tables, cx)
    }

    fn preflight_in_place(&self, dump: &dyn Shelf, cx: &Cx) -> Result<Means> {
        preflight::run_in_place(&self.spec, dump, cx)
    }

    fn lacks(&self) -> Result<Vec<Lack>> {
        rights::lacks(&self.spec)
    }

    fn sweep(&self) -> Result<()> {
        look::sweep(&self.spec)
    }

    fn side_names(&self, token: &str, means: Means) -> Result<SideCopy> {
        Ok(match means {
            Means::InPlace => in_place::names(&self.spec, token),
            Means::Beside | Means::SideTables | Means::ByPlugin => aside::names(&self.spec, token, means),
        })
    }

    fn load(&self, dump: &dyn Shelf, names: &SideCopy, cx: &Cx) -> Result<SideCopy> {
        match names.means {
            Means::InPlace => in_place::load(dump, names, cx),
            Means::Beside | Means::SideTables | Means::ByPlugin => aside::load(&self.spec, dump, names, cx),
        }
    }

    fn value(
        &self,
        copy: &SideCopy,
        table: &str,
        which: (&str, &str),
        column: &str,
    ) -> Result<Option<Vec<u8>>> {
        look::value(&self.spec, &copy.side, table, which, column)
    }

    fn rewrite(&self, copy: &SideCopy, rule: &Rewrite<'_>, cx: &Cx) -> Result<u64> {
        if copy.means == Means::InPlace {
            return Err(Error::usage("names cannot be changed in a database that is replaced in place"));
        }
        rewrite::run(&self.spec, copy, rule, cx)
    }

    fn swap_in(&self, copy: &SideCopy, cx: &Cx) -> Result<()> {
        match copy.means {
            Means::InPlace => in_place::swap_in(&self.spec, copy, &self.directory(), cx),
            Means::Beside | Means::SideTables | Means::ByPlugin => swap::swap_in(&self.spec, copy, cx),
        }
    }

    fn swap_back(&self, copy: &SideCopy, cx: &Cx) -> Result<()> {
        match copy.means {
            Means::InPlace => in_place::swap_back(&self.spec, copy, cx),
            Means::Beside | Means::SideTables | Means::ByPlugin => swap::swap_back(&self.spec, copy, cx),
        }
    }

    fn tables(&self) -> Result<Option<BTreeSet<String>>> {
        look::tables(&self.spec)
    }

    fn contents(&self, dump: &dyn Shelf) -> Result<BTreeMap<String, u64>> {
        let manifest = if foreign::is_foreign(dump)? {
            foreign::intake(dump, &self.spec.schema, &Cx::silent())?.manifest
        } else {
            manifest::Manifest::read(dump)?
        };
        Ok(manifest.tables.into_iter().map(|table| (table.name, table.rows)).collect())
    }

    fn revive(&self, copy: &SideCopy, token: &str) -> Result<Option<SideCopy>> {
        match copy.means {
            Means::InPlace => in_place::revive(&self.spec, copy, token),
            Means::Beside | Means::SideTables | Means::ByPlugin => look::revive(&self.spec, copy, token),
        }
    }

    fn owns(&self, copy: &SideCopy) -> bool {
        copy.live == self.spec.schema
    }

    fn discard(&self, copy: &SideCopy, _cx: &Cx) -> Result<()> {
        match copy.means {
            Means::InPlace => in_place::discard(copy),
            Means::Beside | Means::SideTables | Means::ByPlugin => swap::discard(&self.spec, copy),
        }
    }
}
