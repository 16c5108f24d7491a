//! From what was asked to what a run needs: secrets are fetched and the site is looked at here, and only when needed.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::plugin;
use super::read::check_pattern;
use super::shape::{Config, Database, Mount, SiteKind, Storage, Tls};
use crate::database::{
    self, DatabaseSpec, MysqlAddress, MysqlSpec, PostgresAddress, PostgresSpec, SqliteSpec,
};
use crate::error::{Context, Error, Result};
use crate::repo::RepoSpec;
use crate::run::job::Job;
use crate::schedule::Retention;
use crate::site::{self, DbHost, SiteSpec, WordPress};
use crate::storage::{LocalSpec, MountMode, NfsSpec, StorageSpec};
use crate::sys::secret::Secret;
use crate::sys::watch::Watch;

/// An exclude file is written by hand.
const MAX_EXCLUDE_FILE: u64 = 1024 * 1024;

impl Config {
    /// Everything a backup needs: the site must be there, and the logins of its databases readable.
    pub fn job(&self) -> Result<Job> {
        let root = std::fs::canonicalize(&self.site.root)
            .with_context(|| format!("find the site in {}", self.site.root.display()))
            .remedy("correct site.root")?;
        if !root.is_dir() {
            return Err(
                Error::usage(format!("{} is no directory", root.display())).with_remedy("correct site.root")
            );
        }
        self.refuse_storage_inside(&root)?;
        let mut job = self.job_without_databases()?;
        job.databases = self.databases(&root)?;
        job.site.root = root;
        Ok(job)
    }

    /// What a restore needs: the site may be gone as a whole. A database that only the site's own files would name cannot be
    /// found then; the restore says so when the snapshot has it.
    pub fn job_to_restore(&self) -> Result<Job> {
        if self.site.root.symlink_metadata().is_ok() {
            return self.job();
        }
        self.refuse_storage_inside(&self.site.root)?;
        let mut job = self.job_without_databases()?;
        job.databases = self.databases(&self.site.root)?;
        Ok(job)
    }

    /// What is needed to look at the repository, also where the site itself is gone.
    pub fn job_without_databases(&self) -> Result<Job> {
        Ok(Job {
            site: self.site_spec()?,
            databases: Vec::new(),
            storage: self.storage_spec(),
            repo: self.repo_spec()?,
            retention: Retention {
                keep_safety: self.restore.keep_safety.unwrap_or(Retention::KEEP_SAFETY),
                ..self.retention.policy()
            },
            quiesce: self.quiesce.spec(),
            limits: self.limits.of_run(),
            hooks: self.hooks()?.hooks,
            zone: self.time_zone()?,
            state: self.site_state(),
            patience: Watch::LIMIT,
        })
    }

    /// The databases of the site whose files are in `root`: the live ones, or for a restore onto an empty machine the
    /// ones just fetched from a snapshot.
    pub fn databases(&self, root: &Path) -> Result<Vec<DatabaseSpec>> {
        let Some(listed) = &self.databases else { return self.found_databases(root) };
        let scratch = || self.site_state();
        let mut specs = Vec::new();
        for (number, database) in listed.iter().enumerate() {
            specs.push(match database {
                Database::Sqlite { path } => {
                    DatabaseSpec::Sqlite(SqliteSpec { path: path.clone(), scratch: scratch() })
                }
                Database::Plugin { name, command, options, timeout } => {
                    let key = format!("databases[{number}]");
                    let program = (name.as_str(), command.as_slice(), *timeout);
                    DatabaseSpec::Plugin(plugin::spec(program, options, &key, scratch())?)
                }
                Database::Postgres { name, host, user, password, tls } => {
                    let password = password.as_ref().map(|password| password.resolve(&password_key(number)));
                    DatabaseSpec::Postgres(PostgresSpec {
                        name: name.clone(),
                        address: host.clone().unwrap_or(PostgresAddress::DefaultSocket),
                        user: user.clone(),
                        password: password.transpose()?,
                        tls: encryption(tls.as_ref()),
                        scratch: scratch(),
                    })
                }
                Database::Mysql { user: Some(_), .. } => {
                    DatabaseSpec::Mysql(complete(database, number, scratch())?)
                }
                Database::Mysql { .. } => {
                    let site = self.wordpress(root)?.ok_or_else(|| nothing_to_borrow(number))?;
                    DatabaseSpec::Mysql(borrowed(database, number, &site, scratch())?)
                }
            });
        }
        Ok(specs)
    }

    /// Where this site is remembered.
    pub fn site_state(&self) -> PathBuf {
        self.state.join(&self.site.name)
    }

    /// The repository's password, whether or not the key file makes it unnecessary.
    pub fn repository_password(&self) -> Result<Secret> {
        self.repository.password.resolve("repository.password")
    }

    /// What the names alone do not show: a symbolic link may lead the storage into the site. A mount point is not looked
    /// at, because that may take for ever.
    fn refuse_storage_inside(&self, root: &Path) -> Result<()> {
        let Storage::Local { path } = &self.storage else { return Ok(()) };
        let real = path.ancestors().find_map(|part| std::fs::canonicalize(part).ok());
        if real.is_some_and(|real| real.starts_with(root)) {
            return Err(Error::usage(format!("storage.path {} leads into the site", path.display()))
                .with_remedy("choose a directory outside of site.root"));
        }
        Ok(())
    }

    fn found_databases(&self, root: &Path) -> Result<Vec<DatabaseSpec>> {
        match (self.wordpress(root)?, self.site.kind) {
            (Some(site), _) => Ok(vec![DatabaseSpec::Mysql(of_site(&site, self.site_state())?)]),
            (None, SiteKind::Generic) => Ok(Vec::new()),
            (None, _) => Err(Error::usage(format!(
                "cannot tell which databases belong to the site in {}",
                root.display()
            ))
            .with_remedy("list them under databases, or set databases: [] if it has none")),
        }
    }

    fn wordpress(&self, root: &Path) -> Result<Option<WordPress>> {
        if self.site.kind == SiteKind::Generic {
            return Ok(None);
        }
        match site::recognise(root)? {
            site::Kind::WordPress(site) => Ok(Some(site)),
            site::Kind::Generic if self.site.kind == SiteKind::Auto => Ok(None),
            site::Kind::Generic => Err(Error::usage(format!("there is no WordPress in {}", root.display()))
                .with_remedy("correct site.root or site.type")),
        }
    }

    fn site_spec(&self) -> Result<SiteSpec> {
        let mut exclude = self.site.exclude.clone();
        if let Some(file) = &self.site.exclude_file {
            exclude.extend(
                exclude_file(file).with_context(|| format!("read site.exclude_file {}", file.display()))?,
            );
        }
        // A site that is gone keeps the name it was asked for.
        let root = std::fs::canonicalize(&self.site.root).unwrap_or_else(|_| self.site.root.clone());
        Ok(SiteSpec { name: self.site.name.clone(), root, exclude })
    }

    fn storage_spec(&self) -> StorageSpec {
        match &self.storage {
            Storage::Local { path } => StorageSpec::Local(LocalSpec { path: path.clone() }),
            Storage::Nfs { server, export, mountpoint, options, mount } => StorageSpec::Nfs(NfsSpec {
                server: server.clone(),
                export: export.clone(),
                mountpoint: mountpoint.clone(),
                options: options.clone(),
                mode: match mount {
                    Mount::OnDemand => MountMode::OnDemand,
                    Mount::Permanent => MountMode::Permanent,
                    Mount::Present => MountMode::Present,
                },
            }),
        }
    }

    fn repo_spec(&self) -> Result<RepoSpec> {
        let key_file: PathBuf = self.repository.key_file.clone();
        let password = if key_file.exists() { None } else { Some(self.repository_password()?) };
        let limits = self.limits.of_repository(&self.site_state());
        let adopted = self.repository.adopted;
        Ok(RepoSpec { path: self.repository.path.clone(), password, key_file, adopted, limits })
    }

    /// The zone in which people say and read times.
    pub fn time_zone(&self) -> Result<TimeZone> {
        match &self.zone {
            Some(name) => TimeZone::get(name).with_context(|| format!("look up the time zone {name}")),
            None => Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)),
        }
    }
}

fn nothing_to_borrow(number: usize) -> Error {
    Error::usage(format!(
        "databases[{number}] leaves out the user, and there is no WordPress to take it from"
    ))
    .with_remedy(format!("write databases[{number}].user and the rest of its login"))
}

/// An entry with a user stands for itself.
fn complete(database: &Database, number: usize, scratch: PathBuf) -> Result<MysqlSpec> {
    let Database::Mysql { name: Some(name), host, user: Some(user), password, tls, connections, grants } =
        database
    else {
        return Err(Error::usage(format!("databases[{number}] has no name")));
    };
    let password = password.as_ref().map(|password| password.resolve(&password_key(number))).transpose()?;
    let address = host.clone().unwrap_or(MysqlAddress::DefaultSocket);
    Ok(MysqlSpec {
        schema: name.clone(),
        address,
        user: user.clone(),
        password,
        tls: encryption(tls.as_ref()),
        connections: *connections,
        grants: *grants,
        scratch,
    })
}

/// An entry without a user takes from the site whatever it leaves out.
fn borrowed(database: &Database, number: usize, site: &WordPress, scratch: PathBuf) -> Result<MysqlSpec> {
    let Database::Mysql { name, host, password, tls, connections, grants, .. } = database else {
        return of_site(site, scratch);
    };
    Ok(MysqlSpec {
        schema: name.clone().map_or_else(|| site.name(), Ok)?,
        address: host.clone().map_or_else(|| site.host().map(address), Ok)?,
        user: site.user()?,
        password: match password {
            Some(password) => Some(password.resolve(&password_key(number))?),
            None => site.password()?,
        },
        tls: encryption(tls.as_ref()),
        connections: *connections,
        grants: *grants,
        scratch,
    })
}

fn of_site(site: &WordPress, scratch: PathBuf) -> Result<MysqlSpec> {
    Ok(MysqlSpec {
        schema: site.name()?,
        address: address(site.host()?),
        user: site.user()?,
        password: site.password()?,
        tls: None,
        connections: 1,
        grants: false,
        scratch,
    })
}

fn encryption(tls: Option<&Tls>) -> Option<database::Tls> {
    tls.map(|tls| {
        let Tls { ca, cert, key, verify } = tls.clone();
        database::Tls { ca, cert, key, verify }
    })
}

fn password_key(number: usize) -> String {
    format!("databases[{number}].password")
}

fn address(host: DbHost) -> MysqlAddress {
    match host {
        DbHost::DefaultSocket => MysqlAddress::DefaultSocket,
        DbHost::Socket(path) => MysqlAddress::Socket(path),
        DbHost::Tcp { host, port } => MysqlAddress::Tcp { host, port },
    }
}

/// The patterns of a file, without blank lines and comments.
fn exclude_file(path: &Path) -> Result<Vec<String>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > MAX_EXCLUDE_FILE {
        return Err(Error::usage(format!("it is not a regular file of at most {MAX_EXCLUDE_FILE} bytes")));
    }
    let text = std::fs::read_to_string(path)?;
    let mut patterns = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        check_pattern(line)
            .map_err(|error| Error::usage(format!("line {} is not a pattern: {error}", number + 1)))?;
        patterns.push(line.to_owned());
    }
    Ok(patterns)
}
