//! `lifeboat demo`: the whole promise on a made-up site, in one directory, told step by step.

mod proof;
mod site;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use self::proof::Proof;
use super::args::{Demo, Global};
use super::output::{bytes, count};
use super::{Done, SUCCESS, Session, init};
use crate::config::{self, SecretRef, Starter};
use crate::error::{Context, Error, Result};
use crate::event::RunKind;
use crate::repo::{Mode, Repo, Snapshot};
use crate::run::{self, BackupRequest, Job, RestoreRequest, Restored, Target};
use crate::schedule::Wanted;
use crate::sys::fs::create_private;

#[derive(Serialize)]
struct Document {
    directory: PathBuf,
    snapshots: Vec<Snapshot>,
    restored: Restored,
    files_proven: u64,
    rows_proven: u64,
    seconds: f64,
}

pub(super) fn demo(session: &Session<'_>, args: &Demo) -> Done {
    let begun = Instant::now();
    let directory = fresh(&args.dir)?;
    let say = |line: &str| session.output.say(line);
    say(&format!("Lifeboat demo. Everything happens in {}; nothing else is touched.\n", directory.display()));

    say("1. A small site: pages, pictures, and a shop's SQLite database.");
    let root = directory.join("site");
    site::make(&root)?;
    let job = configure(session, &directory, &root)?;
    let before = Proof::take(&root)?;
    say(&format!("   {} and {}\n", count(before.files(), "file"), count(before.rows(), "row")));

    say("2. The first backup: one encrypted snapshot of files and database.");
    let first = backup(session, &job)?;

    say("3. A day passes: pages change, one is deleted, a stranger's file appears, orders come and go.");
    // Times are said to the second, and the two snapshots shall be told apart by them.
    std::thread::sleep(Duration::from_millis(1100));
    site::change(&root)?;
    let changed = Proof::take(&root)?;
    say(&format!("   {} differ from before\n", count(before.differences(&changed).len() as u64, "thing")));

    say("4. The second backup: only what is new is stored.");
    backup(session, &job)?;

    say("5. What there is:");
    let snapshots = run::with_repo(&job, Mode::Shared, "demo", &session.quiet_cx(), Repo::snapshots)?;
    for snapshot in &snapshots {
        let stats = snapshot.stats.unwrap_or_default();
        let time = said(snapshot.time, &job);
        say(&format!(
            "   {}  {time}  {} read, {} stored",
            snapshot.short_id(),
            bytes(stats.bytes),
            bytes(stats.bytes_stored)
        ));
    }

    let moment = said(first.time, &job);
    say(&format!("\n6. Back to the first moment, in place: restore --at '{moment}'"));
    let restored = restore(session, &job, &moment)?;
    let after = Proof::take(&root)?;
    let differences = before.differences(&after);
    if let Some(difference) = differences.first() {
        return Err(Error::failed(format!("the restored site is not what it was: {difference}")));
    }
    let (files, rows) = (after.files(), after.rows());
    say(&format!(
        "   PROVEN: {} and {} are byte for byte what they were, with owner, mode and time.\n",
        count(files, "file"),
        count(rows, "row")
    ));
    next_steps(session, &directory, &restored);

    let seconds = begun.elapsed().as_secs_f64();
    let document =
        Document { directory, snapshots, restored, files_proven: files, rows_proven: rows, seconds };
    session.output.result(SUCCESS, &document, |out| writeln!(out, "done in {seconds:.1} s"))
}

/// The directory must be ours from the beginning: a demo that deletes or overwrites is no demo.
fn fresh(directory: &Path) -> Result<PathBuf> {
    std::fs::create_dir(directory).map_err(|error| {
        Error::usage(format!("cannot make the directory {}: {error}", directory.display()))
            .with_remedy("name one that does not exist yet with `--dir DIR`")
    })?;
    Ok(std::fs::canonicalize(directory)?)
}

fn configure(session: &Session<'_>, directory: &Path, root: &Path) -> Result<Job> {
    let (storage, state) = (directory.join("storage"), directory.join("state"));
    std::fs::create_dir(&storage)?;
    let password_file = directory.join("password");
    create_private(&password_file, format!("{}\n", init::new_password().reveal()).as_bytes())?;
    let database = root.join("data/shop.sqlite");
    let databases =
        format!("databases:\n  - {{type: sqlite, path: {}}}\n", serde_json::to_string(&database)?);
    let text = config::starter(&Starter {
        name: Some("demo"),
        root,
        storage: &storage.to_string_lossy(),
        mountpoint: Path::new("/mnt/lifeboat"),
        adopts: None,
        password: SecretRef::File(password_file),
        state: Some(&state),
        databases: Some(&databases),
        recipe: None,
    })?;
    let file = directory.join("lifeboat.yaml");
    create_private(&file, text.as_bytes())?;
    let job = config::load(&file)?.job()?;
    run::init(&job, &session.quiet_cx()).context("create the demo's repository")?;
    Ok(job)
}

fn backup(session: &Session<'_>, job: &Job) -> Result<Snapshot> {
    let cx = session.cx();
    let request = BackupRequest { tags: vec!["demo".to_owned()], ..BackupRequest::default() };
    let (saved, _) = run::execute(RunKind::Backup, job, "demo", &cx, || {
        run::backup(job, &request, &cx).map(|snapshot| (snapshot, None))
    });
    let saved = saved?;
    let stats = saved.stats.unwrap_or_default();
    session.output.say(format!(
        "   snapshot {}: {} new, {} changed, {} unmodified; {} stored\n",
        saved.short_id(),
        stats.files_new,
        stats.files_changed,
        stats.files_unmodified,
        bytes(stats.bytes_stored)
    ));
    Ok(saved)
}

fn restore(session: &Session<'_>, job: &Job, moment: &str) -> Result<Restored> {
    let cx = session.cx();
    let request = RestoreRequest {
        source: None,
        wanted: Wanted::parse(moment, Timestamp::now(), &job.zone)?,
        target: Target::InPlace { files: true, databases: true },
        include: Vec::new(),
        parts: run::Parts::default(),
        keep_newer: Vec::new(),
        safety: true,
        in_place_database: false,
        dry_run: false,
        plan: None,
        confirm: &|_| true,
    };
    run::execute(RunKind::Restore, job, "demo", &cx, || {
        run::restore(job, &request, &cx).map(|done| (done, None))
    })
    .0
}

fn said(time: Timestamp, job: &Job) -> String {
    time.to_zoned(job.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn next_steps(session: &Session<'_>, directory: &Path, restored: &Restored) {
    let Global { quiet, .. } = session.global;
    if *quiet {
        return;
    }
    let at = |name: &str| directory.join(name).display().to_string();
    let lines = [
        ("the site", at("site")),
        ("its backups (encrypted)", at("storage")),
        ("its configuration", at("lifeboat.yaml")),
        ("its password", at("password")),
        (
            "the files from before the restore",
            restored.kept.as_ref().map(|kept| kept.display().to_string()).unwrap_or_default(),
        ),
    ];
    session.output.say("Where everything lies:");
    for (what, place) in lines {
        session.output.say(format!("   {what:34} {place}"));
    }
    let config = at("lifeboat.yaml");
    // Whoever came here by `cargo run` has no `lifeboat` on the path.
    let program =
        std::env::current_exe().map_or_else(|_| "lifeboat".to_owned(), |path| path.display().to_string());
    session.output.say("\nWhat to type next:");
    for what in ["snapshots", "ls latest", "restore --at latest --dry-run", "check --read-data", "doctor"] {
        session.output.say(format!("   {program} -c {config} {what}"));
    }
    session.output.say(format!(
        "   restic -r {} --password-file {} snapshots     (any restic reads it)",
        at("storage/demo"),
        at("password")
    ));
    session.output.say(format!("   {program} init --help     (your own site)\n"));
}
