//! `lifeboat adopt`: a repository of the platform's former add-ons becomes a site's own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::Adopt;
use super::backups::Backups;
use super::init::{Sheet, new_password};
use super::key::first_line;
use super::output::{Output, count};
use super::{Done, SUCCESS, Session};
use crate::config::{self, SecretRef, Starter};
use crate::error::{Context, Error, Kind, Result};
use crate::repo::{Adoption, Limits, Place, Repo, RepoSpec};
use crate::run::{self, Adoptee, Job};
use crate::storage::StorageSpec;
use crate::sys::fs::create_private;
use crate::sys::mount;
use crate::sys::secret::Secret;

/// No name of an environment is longer; what is was not made by the platform.
const LONGEST_NAME: usize = 64;

/// A repository's directory as the former add-ons laid it out.
struct Former {
    /// The storage.
    parent: PathBuf,
    /// The environment, and the weak password.
    name: String,
}

pub(super) fn adopt(session: &Session<'_>, args: &Adopt) -> Done {
    if args.list {
        return list(session, &args.dir);
    }
    let place = Former::of(&args.dir)?;
    let former = match &args.password_file {
        Some(file) => first_line(file)?,
        None => Secret::new(place.name.as_str()),
    };
    let file = session.global.config.as_path();
    let written = !file.exists();
    if written {
        describe(session, args, &place, &former)?;
    }
    let job = described(session, &place)?;
    let own = session.config()?.repository_password()?;
    if own == former || own.reveal() == place.name {
        return Err(Error::usage("`repository.password` is the one that the former add-on used")
            .with_remedy("put another one where `repository.password` points to; `lifeboat adopt` adds it to the repository"));
    }
    let adoptee = run::adopt(&job, &former, &own, args.remove_weak_key, &session.quiet_cx())?;
    tell(session, args, &job, &adoptee, &own)
}

impl Former {
    fn of(dir: &Path) -> Result<Self> {
        let real = std::fs::canonicalize(dir)
            .with_context(|| format!("find the repository {}", dir.display()))
            .map_err(|error| error.with_kind(Kind::Usage))?;
        let name = real.file_name().and_then(environment);
        match (real.parent(), name) {
            (Some(parent), Some(name)) => Ok(Self { parent: parent.to_owned(), name }),
            _ => Err(Error::usage(format!("{} is not named like an environment", real.display()))
                .with_remedy("name the repository's own directory, such as /data/ENVIRONMENT")),
        }
    }
}

/// A name that, joined to a directory, stays inside, and reads the same everywhere.
fn environment(name: &OsStr) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let name = name.to_str().filter(|name| name.len() <= LONGEST_NAME && name.bytes().all(plain))?;
    (!name.is_empty() && !name.starts_with(['.', '-'])).then(|| name.to_owned())
}

/// Writes password and configuration, but only of a repository that opens.
fn describe(session: &Session<'_>, args: &Adopt, place: &Former, former: &Secret) -> Result<()> {
    let root = std::fs::canonicalize(&args.root)
        .with_context(|| format!("find the site in {}", args.root.display()))
        .map_err(|error| error.with_kind(Kind::Usage))
        .remedy("say where it is with `--root DIR`")?;
    let name = args.name.clone().unwrap_or_else(|| place.name.clone());
    let password_file = args.state.join(&name).join("password");
    if let Err(error) = place.look(former, &session.quiet_cx()) {
        // Adopted before, and the weak key removed; the password is there, the configuration is not.
        let own = first_line(&password_file).map_err(|_| error)?;
        place.look(&own, &session.quiet_cx())?;
    }
    let (storage, mountpoint) = storage(&place.parent)?;
    let text = config::starter(&Starter {
        name: Some(&name),
        root: &root,
        storage: &storage,
        mountpoint: &mountpoint,
        adopts: Some(&place.name),
        password: SecretRef::File(password_file.clone()),
        state: Some(&args.state),
        databases: None,
        // What the former add-ons saved was WordPress, which is known without one.
        recipe: None,
    })?;
    // One that is there opens what an interrupted adoption has begun.
    if !password_file.exists() {
        save(&password_file, format!("{}\n", new_password().reveal()).as_bytes())?;
    }
    save(&session.global.config, text.as_bytes())
}

fn save(path: &Path, text: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    create_private(path, text)
}

/// As `init` takes it: a directory, or the share that is mounted there.
fn storage(parent: &Path) -> Result<(String, PathBuf)> {
    let table = mount::table()?;
    let share = mount::top(&table, parent).filter(|entry| entry.is_nfs());
    if let Some((server, export)) = share.and_then(|entry| entry.source.rsplit_once(":/")) {
        return Ok((format!("nfs://{server}/{export}"), parent.to_owned()));
    }
    let path = parent.to_str().ok_or_else(|| Error::usage(format!("{} is not UTF-8", parent.display())))?;
    Ok((path.to_owned(), parent.to_owned()))
}

impl Former {
    fn spec(&self) -> RepoSpec {
        RepoSpec {
            path: PathBuf::from(&self.name),
            password: None,
            // Who only looks keeps no key.
            key_file: PathBuf::new(),
            adopted: Some(Adoption::Keep),
            limits: Limits::default(),
        }
    }

    /// Opens it, and keeps nothing.
    fn look(&self, password: &Secret, cx: &crate::event::Cx) -> Result<Repo> {
        Repo::open_by(&Place::local(&self.parent), &self.spec(), password, cx)
    }
}

/// The site as the configuration has it, if that is of this repository.
fn described(session: &Session<'_>, place: &Former) -> Result<Job> {
    let mut job = session.repository_job()?;
    let storage = match &job.storage {
        StorageSpec::Local(local) => &local.path,
        StorageSpec::Nfs(nfs) => &nfs.mountpoint,
    };
    let meant = storage.join(&job.repo.path);
    let there = place.parent.join(&place.name);
    if std::fs::canonicalize(&meant).unwrap_or_else(|_| meant.clone()) != there {
        return Err(Error::usage(format!(
            "{} has its repository in {}, not in {}",
            session.global.config.display(),
            meant.display(),
            there.display()
        ))
        .with_remedy("correct `storage` and `repository.path`, or name another file with `--config`"));
    }
    if job.repo.adopted.is_none() {
        job.repo.adopted = Some(Adoption::Keep);
        session
            .output
            .say("write `adopted: true` below `repository`: without it the former snapshots are not shown");
    }
    Ok(job)
}

fn tell(session: &Session<'_>, args: &Adopt, job: &Job, adoptee: &Adoptee, own: &Secret) -> Done {
    let file = session.global.config.as_path();
    let databases = config::load(file)?.job();
    let password = args.show_password.then_some(own);
    let sheet = Sheet { job, id: &adoptee.repository, config: file, password };
    let document = json!({
        "config": file, "site": job.site.name, "root": job.site.root, "key_file": job.repo.key_file, "adopted": adoptee,
        "databases": databases.as_ref().map(|job| job.databases.len()).ok(),
        "problem": databases.as_ref().err().map(ToString::to_string),
        "password": password.map(Secret::reveal),
    });
    session.output.result(SUCCESS, &document, |out| {
        write!(out, "{} in the repository", count(adoptee.snapshots, "snapshot"))?;
        match (adoptee.oldest, adoptee.newest) {
            (Some(oldest), Some(newest)) => {
                writeln!(out, ", from {} to {}", job.local(oldest), job.local(newest))?;
            }
            _ => writeln!(out)?,
        }
        match &adoptee.key_added {
            Some(id) => writeln!(out, "added key {id:.8}, a password of its own")?,
            None => writeln!(out, "its own password opens it already")?,
        }
        adoptee.keys_removed.iter().try_for_each(|id| writeln!(out, "removed key {id:.8}"))?;
        if adoptee.former_opens {
            writeln!(
                out,
                "the former password still opens it: `lifeboat adopt {} --remove-weak-key` ends that",
                args.dir.display()
            )?;
        }
        sheet.write(out)?;
        databases.as_ref().err().map_or(Ok(()), |error| writeln!(out, "\nBefore the first backup: {error}"))
    })
}

/// What all repositories hold that the former add-ons made; one that does not open hides no other.
fn list(session: &Session<'_>, dir: &Path) -> Done {
    let dir = std::fs::canonicalize(dir)
        .with_context(|| format!("look into {}", dir.display()))
        .map_err(|error| error.with_kind(Kind::Usage))?;
    let mut backups = Backups::default();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&dir).with_context(|| format!("look into {}", dir.display()))? {
        let entry = entry?;
        // A link could lead to anybody's.
        if entry.file_type()?.is_dir() && entry.path().join("config").exists() {
            names.push(entry.file_name());
        }
    }
    names.sort();
    let cx = session.quiet_cx();
    for name in names {
        cx.go_on()?;
        let Some(plain) = environment(&name) else {
            backups.unreadable(&name.to_string_lossy(), "it is not named like an environment");
            continue;
        };
        let place = Former { parent: dir.clone(), name: plain.clone() };
        let found = place.look(&Secret::new(plain.as_str()), &cx).and_then(|repo| repo.snapshots());
        match found {
            Ok(found) => backups.add(&plain, &found),
            Err(error) => {
                cx.warn(format!("{plain} is left out: {error}"));
                backups.unreadable(&plain, &error.to_string());
            }
        }
    }
    Output::raw(|out| backups.write(out))
}
