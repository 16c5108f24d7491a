//! `lifeboat init`.

use std::io::Write;
use std::path::{Path, PathBuf};

use rand::Rng;
use serde_json::json;

use super::args::Init;
use super::{Done, SUCCESS, Session};
use crate::config::{self, Fragment, SecretRef, Starter};
use crate::error::{Context, Error, Result};
use crate::run::{self, Job};
use crate::site;
use crate::site::recipes::{self, Recognised};
use crate::storage::StorageSpec;
use crate::sys::fs::create_private;
use crate::sys::secret::Secret;

/// Without the letters that are read as one another.
const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Five bits a letter.
const PASSWORD_LETTERS: usize = 40;

pub(super) fn init(session: &Session<'_>, args: &Init) -> Done {
    match (&args.root, &args.storage) {
        (Some(root), Some(storage)) => set_up(session, args, root, storage),
        _ => described(session),
    }
}

/// The repository of a site that somebody has described already.
fn described(session: &Session<'_>) -> Done {
    let file = session.global.config.as_path();
    if !file.exists() {
        return Err(Error::usage(format!("there is no {}", file.display()))
            .with_remedy("give `--root DIR --storage DIR`, and it is written"));
    }
    let job = session.repository_job()?;
    let repo = run::init(&job, &session.cx())?;
    let sheet = Sheet { job: &job, id: repo.id(), config: file, password: None };
    let document = json!({ "config": file, "site": job.site.name, "repository": repo.id(), "key_file": job.repo.key_file });
    session.output.result(SUCCESS, &document, |out| sheet.write(out))
}

fn set_up(session: &Session<'_>, args: &Init, root: &Path, storage: &str) -> Done {
    let file = session.global.config.as_path();
    if file.exists() {
        return Err(Error::usage(format!("{} exists already", file.display()))
            .with_remedy("leave `--root` and `--storage` out to make the repository that it describes, or name another file with `--config`"));
    }
    let root = std::fs::canonicalize(root)
        .with_context(|| format!("find the site in {}", root.display()))
        .map_err(|error| error.with_kind(crate::error::Kind::Usage))?;
    let recognised = recognise(&root, &args.recipes)?;
    let mut written = Written::default();
    let fragment = recognised.as_ref().map(|(_, fragment)| fragment);
    let created = create(session, args, (&root, fragment), storage, &mut written);
    if created.is_err() {
        written.remove();
    }
    let (job, id, password) = created?;
    // The repository is there; a database that cannot be found is for the person to name before the first backup.
    let databases = config::load(file)?.job();
    let sheet = Sheet { job: &job, id: &id, config: file, password: args.show_password.then_some(&password) };
    let document = json!({
        "config": file, "site": job.site.name, "root": root, "repository": id,
        "recipe": recognised.as_ref().map(|(recognised, _)| &recognised.application),
        "notes": recognised.as_ref().map(|(recognised, _)| &recognised.notes),
        "key_file": job.repo.key_file, "databases": databases.as_ref().map(|job| job.databases.len()).ok(),
        "problem": databases.as_ref().err().map(ToString::to_string),
        "password": sheet.password.map(Secret::reveal),
    });
    session.output.result(SUCCESS, &document, |out| {
        sheet.write(out)?;
        if let Some((recognised, _)) = &recognised {
            writeln!(out, "\nrecognised by the recipe {}", recognised.application)?;
            recognised.notes.iter().try_for_each(|note| writeln!(out, "   {note}"))?;
        }
        match &databases {
            Err(error) => {
                writeln!(out, "\nBefore the first backup: {error}")?;
                error.remedy().map_or(Ok(()), |remedy| writeln!(out, "   try: {remedy}"))
            }
            Ok(job) => job
                .databases
                .iter()
                .try_for_each(|spec| writeln!(out, "found {}", crate::database::open(spec).describe())),
        }
    })
}

/// Asks the recipes one after the other; where `WordPress` lies, only its own. One that the directory does not have is not asked.
fn recognise(root: &Path, directory: &Path) -> Result<Option<(Recognised, Fragment)>> {
    if directory == Path::new("none") {
        return Ok(None);
    }
    let directory = std::path::absolute(directory)?;
    let program = std::env::current_exe().context("find this program itself")?;
    let wordpress = !matches!(site::recognise(root), Ok(site::Kind::Generic));
    for (name, recipe) in recipes::list(&directory)? {
        if wordpress && name != "wordpress" {
            continue;
        }
        if let Some(recognised) = recipes::ask(&name, &recipe, root, &program)? {
            let fragment = Fragment::read(&recognised.fragment)
                .with_context(|| format!("read what recipe {} printed", recipe.display()))?;
            return Ok(Some((recognised, fragment)));
        }
    }
    Ok(None)
}

/// What `init` made, to be taken back if it does not succeed.
#[derive(Default)]
struct Written(Vec<PathBuf>);

impl Written {
    fn file(&mut self, path: &Path, text: &[u8]) -> Result<()> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
        }
        create_private(path, text)?;
        self.0.push(path.to_owned());
        Ok(())
    }

    fn remove(&self) {
        for path in &self.0 {
            // The error that led here is the one to tell.
            drop(std::fs::remove_file(path));
        }
    }
}

fn create(
    session: &Session<'_>,
    args: &Init,
    (root, recipe): (&Path, Option<&Fragment>),
    storage: &str,
    written: &mut Written,
) -> Result<(Job, String, Secret)> {
    let file = session.global.config.as_path();
    let password = new_password();
    let name = args.name.clone().unwrap_or_else(|| config::name_of(root));
    let password_file = args.state.join(&name).join("password");
    let text = config::starter(&Starter {
        name: Some(&name),
        root,
        storage,
        mountpoint: &args.mountpoint,
        adopts: None,
        password: SecretRef::File(password_file.clone()),
        state: Some(&args.state),
        databases: None,
        recipe,
    })?;
    written.file(&password_file, format!("{}\n", password.reveal()).as_bytes())?;
    written.file(file, text.as_bytes())?;
    let job = config::load(file)?.job_without_databases()?;
    let repo = run::init(&job, &session.cx())?;
    Ok((job, repo.id().to_owned(), password))
}

pub(super) fn new_password() -> Secret {
    let mut random = rand::rng();
    let letters = (0..PASSWORD_LETTERS).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]));
    Secret::new(letters.collect::<String>())
}

/// What a person needs on the day when this machine and this program are gone.
pub(super) struct Sheet<'a> {
    pub(super) job: &'a Job,
    pub(super) id: &'a str,
    pub(super) config: &'a Path,
    pub(super) password: Option<&'a Secret>,
}

impl Sheet<'_> {
    pub(super) fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let place = match &self.job.storage {
            StorageSpec::Local(local) => local.path.join(&self.job.repo.path).display().to_string(),
            StorageSpec::Nfs(nfs) => format!(
                "{}:{} mounted somewhere, directory {}",
                nfs.server,
                nfs.export,
                self.job.repo.path.display()
            ),
        };
        writeln!(out, "\nRECOVERY SHEET, keep it away from this machine")?;
        writeln!(out, "  site          {} in {}", self.job.site.name, self.job.site.root.display())?;
        writeln!(out, "  repository    {}", self.id)?;
        writeln!(out, "  stored in     {place}")?;
        match self.password {
            Some(password) => writeln!(out, "  password      {}", password.reveal())?,
            None => writeln!(
                out,
                "  password      where `repository.password` in {} points to; copy it too",
                self.config.display()
            )?,
        }
        writeln!(out, "  with Lifeboat restore --at '2026-11-20 03:00'")?;
        writeln!(
            out,
            "  without it    restic -r REPOSITORY restore latest --host {} --target DIR",
            self.job.site.name
        )?;
        writeln!(out, "\nnext: lifeboat -c {} backup", self.config.display())
    }
}
