//! Snapshots of the platform's former add-ons as a restore sees them: they say nothing of themselves but their paths.

use std::path::Path;

use super::Job;
use crate::database::{DatabaseSpec, MysqlSpec};
use crate::dump::Summary;
use crate::error::{Error, Result};
use crate::repo::{Manifest, Reader, Snapshot};

/// What a snapshot says about itself; of an adopted one, what its paths tell. `job` is the site it was made of.
pub(super) fn manifest(reader: &Reader, snapshot: &Snapshot, job: &Job) -> Result<Manifest> {
    if snapshot.adopted.is_none() {
        return Ok(reader.manifest(snapshot)?.unwrap_or_default());
    }
    let root = reader.recorded_root(snapshot, &job.site.root)?;
    let dumps = reader.recorded_dumps(snapshot)?;
    let databases = dumps.iter().map(|path| Summary {
        engine: "mysql".to_owned(),
        database: path.display().to_string(),
        // With its whole path: it is no directory of ours.
        directory: path.display().to_string(),
        ..Summary::default()
    });
    Ok(Manifest {
        format: 1,
        site: job.site.name.clone(),
        root: root.map(|root| root.display().to_string()).unwrap_or_default(),
        databases: databases.collect(),
        ..Manifest::default()
    })
}

/// An adopted snapshot without files cannot bring any back.
pub(super) fn has_files(snapshot: &Snapshot, manifest: &Manifest) -> Result<()> {
    if snapshot.adopted.is_none() || !manifest.root.is_empty() {
        return Ok(());
    }
    Err(Error::usage(format!("snapshot {} has no files of a site", snapshot.short_id())).with_remedy(
        "restore its database alone with `--database`, or whatever it has elsewhere with `--to DIR`",
    ))
}

/// The dump that an adopted snapshot has for the `MySQL` schemas of a site.
pub(super) fn dump<'a>(snapshot: &Snapshot, manifest: &'a Manifest) -> Result<Option<&'a Path>> {
    match manifest.databases.as_slice() {
        [] => Ok(None),
        [dump] => Ok(Some(Path::new(&dump.directory))),
        several => Err(Error::usage(format!(
            "snapshot {} has {} dumps, and none says which is whose",
            snapshot.short_id(),
            several.len()
        ))
        .with_remedy("restore the files alone with `--files`, and the dumps elsewhere with `--to DIR`")),
    }
}

/// The schemas of a site that such a dump can be of.
pub(super) fn schema(spec: &DatabaseSpec) -> Option<&MysqlSpec> {
    match spec {
        DatabaseSpec::Mysql(spec) => Some(spec),
        DatabaseSpec::Postgres(_) | DatabaseSpec::Sqlite(_) | DatabaseSpec::Plugin(_) => None,
    }
}
