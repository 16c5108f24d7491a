//! A restore that was killed is put back to exactly the former site, or finished if it was committed; a site that a killed
//! backup held still is given back.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::copies::Copies;
use super::journal::{Files, Journal, Phase, Story};
use super::scope::Run;
use super::{Job, claim_site, former, newer};
use crate::database;
use crate::error::{Context, Result};
use crate::event::{Cx, Step};

/// What an unfinished restore came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// There was none.
    Nothing,
    /// The site is what it was before that restore.
    PutBack,
    /// The restore was committed; now it is at its end.
    Finished,
    /// A backup was killed while it held the site still, which works again.
    GivenBack,
}

/// What was recovered.
#[derive(Clone, Debug, Serialize)]
pub struct Recovered {
    pub recovery: Recovery,
    /// When that restore or backup began.
    pub begun: Option<Timestamp>,
}

/// The verb of its own.
pub fn recover(job: &Job, cx: &Cx) -> Result<Recovered> {
    let mut run = Run::new(job, cx);
    claim_site(&mut run, job, "recover")?;
    first(&mut run, job, cx)
}

/// What every story that changes a site does as soon as it holds the claim.
pub(crate) fn first(run: &mut Run<'_>, job: &Job, cx: &Cx) -> Result<Recovered> {
    Journal::sweep(&job.state)?;
    let Some(journal) = Journal::unfinished(&job.state)? else {
        return Ok(Recovered { recovery: Recovery::Nothing, begun: None });
    };
    run.step(Step::Recover, || right(job, &journal, cx))
}

/// The same for who holds the claim outside of any story.
pub(crate) fn before(job: &Job, cx: &Cx) -> Result<()> {
    Journal::sweep(&job.state)?;
    Journal::unfinished(&job.state)?.map_or(Ok(()), |journal| right(job, &journal, cx).map(drop))
}

/// What did not come to its end, in words.
pub fn unfinished(job: &Job) -> Result<Option<String>> {
    Ok(Journal::unfinished(&job.state)?.map(|journal| match journal.story {
        Story::Restore => format!("the restore of {} was killed before its end", job.local(journal.begun)),
        Story::Backup => {
            format!("the backup of {} was killed while it held the site still", job.local(journal.begun))
        }
    }))
}

/// When it began, for who knows only where the site's state is.
pub fn left_unfinished(state: &Path) -> Result<Option<Timestamp>> {
    Ok(Journal::unfinished(state)?.map(|journal| journal.begun))
}

fn right(job: &Job, journal: &Journal, cx: &Cx) -> Result<Recovered> {
    let begun = Some(journal.begun);
    let when = job.local(journal.begun);
    let cx = &cx.shielded();
    if journal.phase == Phase::Committed {
        finish(job, journal, cx).with_context(|| format!("finish the restore of {when}"))?;
        cx.note(format!("finished the restore of {when}, which was killed at its end"));
        return Ok(Recovered { recovery: Recovery::Finished, begun });
    }
    if journal.story == Story::Backup {
        put_back(job, journal, cx)
            .with_context(|| format!("give the site back that the backup of {when} held still"))
            .remedy("see what the resume hook waits for, then run `lifeboat recover` again")?;
        cx.note(format!("gave the site back that the backup of {when} held still when it was killed"));
        return Ok(Recovered { recovery: Recovery::GivenBack, begun });
    }
    put_back(job, journal, cx)
        .with_context(|| format!("put back what the restore of {when} had changed before it was killed"))
        .remedy("correct this, then run `lifeboat recover` again")?;
    cx.note(format!("put back what the restore of {when} had changed before it was killed"));
    Ok(Recovered { recovery: Recovery::PutBack, begun })
}

/// Everything as it was before, then nothing of that restore any more, then no journal. Whatever stops it leaves the journal,
/// and a second call does the rest. Files wait for the databases: a database file may be among them.
pub(crate) fn put_back(job: &Job, journal: &Journal, cx: &Cx) -> Result<()> {
    if journal.phase == Phase::Checking {
        for database in job.databases.iter().map(database::open) {
            database.sweep().with_context(|| database.describe())?;
        }
        return Journal::remove(&job.state);
    }
    let copies = Copies::find(job, &journal.databases, cx)?;
    let (files, mut journal) = (journal.files.as_ref(), journal.clone());
    if journal.phase == Phase::Changing {
        copies.swap_back()?;
        files.map_or(Ok(()), Files::swap_back)?;
        // From here on there is less and less to tell from what happened.
        journal.phase = Phase::Preparing;
        journal.write(&job.state)?;
    }
    if journal.quiesced {
        job.hooks_at("resume", cx)?;
        journal.quiesced = false;
        journal.write(&job.state)?;
    }
    cx.between(Step::Recover)?;
    // Each is tried: what one server keeps us from is no reason to leave the rest.
    let discarded = copies.discard();
    files.map_or(Ok(()), Files::remove).and(discarded)?;
    if let (Some(files), Some(server)) = (files, &journal.server) {
        files.remove_place(server)?;
    }
    cx.between(Step::Recover)?;
    Journal::remove(&job.state)
}

/// What was live gets its lasting name and is on the list of what is set aside; then the restore is the one to undo.
pub(crate) fn finish(job: &Job, journal: &Journal, cx: &Cx) -> Result<()> {
    if journal.quiesced {
        job.hooks_at("resume", cx)?;
    }
    if let Some(files) = &journal.files {
        // Under its lasting name the list is there already.
        if files.place.exists() {
            newer::write_list(files)?;
        }
        files.keep()?;
    }
    cx.between(Step::Settle)?;
    if let Some(undone) =
        Journal::last(&job.state)?.filter(|last| Some(&last.token) == journal.undoes.as_ref())
    {
        Copies::find(job, &undone.databases, cx)?.remove_shells()?;
    }
    former::remember(job, journal)?;
    cx.between(Step::Settle)?;
    Journal::close(&job.state)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::journal::SwapKind;
    use super::*;
    use crate::storage::{LocalSpec, StorageSpec};

    /// A site of files alone, live as `old` with a left-out cache, and what a restore would make of it.
    struct World {
        directory: tempfile::TempDir,
        job: Job,
        journal: Journal,
    }

    impl World {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            std::fs::create_dir_all(at("site/cache")).unwrap();
            std::fs::create_dir(at("state")).unwrap();
            std::fs::write(at("site/index"), "old").unwrap();
            std::fs::write(at("site/cache/page"), "warm").unwrap();
            let site = crate::site::SiteSpec {
                name: "demo".into(),
                root: at("site"),
                exclude: vec!["/cache".into()],
            };
            let repo = crate::repo::RepoSpec {
                path: "demo".into(),
                password: None,
                key_file: at("key"),
                adopted: None,
                limits: crate::repo::Limits::default(),
            };
            let job = Job {
                site,
                databases: Vec::new(),
                storage: StorageSpec::Local(LocalSpec { path: at("storage") }),
                repo,
                retention: crate::schedule::Retention::default(),
                quiesce: super::super::Quiesce::default(),
                limits: super::super::Limits::default(),
                hooks: Vec::new(),
                zone: jiff::tz::TimeZone::UTC,
                state: at("state"),
                patience: std::time::Duration::from_secs(1),
            };
            let mut journal = Journal::new("tok12345".into(), Timestamp::now());
            journal.files =
                Some(Files::beside(&at("site"), "tok12345", "now", vec!["/cache".into()]).unwrap());
            Self { directory, job, journal }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn files(&self) -> Files {
            self.journal.files.clone().unwrap()
        }

        fn write(&self, phase: Phase) {
            self.journal.in_phase(phase).write(&self.job.state).unwrap();
        }

        fn fetch(&self) {
            std::fs::create_dir(self.files().tree()).unwrap();
            std::fs::write(self.files().tree().join("index"), "new").unwrap();
        }

        fn plan(&mut self) {
            let mut files = self.files();
            files.plan(&[PathBuf::new()], &["cache".into()]).unwrap();
            self.journal.files = Some(files);
        }

        fn recover(&self) -> Recovery {
            recover(&self.job, &Cx::silent()).unwrap().recovery
        }

        /// The site has this content and its cache, and beside it there is what may be there.
        fn is(&self, index: &str, beside: &[&str]) {
            let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
            assert_eq!(read(self.at("site/index")), index);
            assert_eq!(read(self.at("site/cache/page")), "warm");
            let names = |path: &Path| {
                let all = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
                let mut all: Vec<_> = all.map(|name| name.to_string_lossy().into_owned()).collect();
                all.sort();
                all
            };
            assert_eq!(names(self.directory.path()), beside);
            assert!(!names(&self.job.state).iter().any(|name| name.starts_with("restore.json")));
        }
    }

    const BEFORE: [&str; 2] = ["site", "state"];
    const AFTER: [&str; 3] = [".site.before-restore-now", "site", "state"];

    /// The journal in each of its states, with each part of what was announced by then: what comes later is not on disk,
    /// because each state is synced before the changes that it announces begin.
    #[test]
    fn each_state_of_the_journal_leads_to_one_of_two_sites() {
        // Preparing: the place may be there, and files in it.
        for made in 0..3 {
            let world = World::new();
            world.write(Phase::Preparing);
            if made > 0 {
                world.files().make().unwrap();
            }
            if made > 1 {
                world.fetch();
            }
            assert_eq!(world.recover(), Recovery::PutBack);
            assert_eq!(world.recover(), Recovery::Nothing);
            world.is("old", &BEFORE);
        }
        // Changing: the exchange may have happened, and after it the carrying. Committed: all of it has, and the end may have
        // come some way.
        for (committed, happened) in
            [(false, 0), (false, 1), (false, 2), (true, 0), (true, 1), (true, 2), (true, 3)]
        {
            let mut world = World::new();
            world.files().make().unwrap();
            world.fetch();
            world.plan();
            world.write(Phase::Changing);
            let mut files = world.files();
            if happened == 0 && !committed {
                files.swaps.clear();
            }
            if happened < 2 && !committed {
                files.carried.clear();
            }
            files.swap(&Cx::silent()).unwrap();
            if !committed {
                assert_eq!(world.recover(), Recovery::PutBack);
                assert_eq!(world.recover(), Recovery::Nothing);
                world.is("old", &BEFORE);
                continue;
            }
            world.write(Phase::Committed);
            if happened > 0 {
                files.keep().unwrap();
            }
            if happened > 1 {
                former::remember(&world.job, &world.journal).unwrap();
            }
            let expected = if happened > 2 {
                Journal::close(&world.job.state).unwrap();
                Recovery::Nothing
            } else {
                Recovery::Finished
            };
            assert_eq!(world.recover(), expected);
            world.is("new", &AFTER);
            assert_eq!(former::former(&world.job).unwrap().len(), 1);
            assert_eq!(Journal::last(&world.job.state).unwrap().unwrap().token, world.journal.token);
        }
    }

    /// A journal that was not finished is not there: it comes by a rename. Its beginning is swept away.
    #[test]
    fn half_a_journal_is_none() {
        let world = World::new();
        std::fs::write(world.job.state.join("restore.json.17.tmp"), "{\"form").unwrap();
        assert_eq!(world.recover(), Recovery::Nothing);
        world.is("old", &BEFORE);
    }

    #[test]
    fn a_journal_from_another_version_is_left_alone() {
        let world = World::new();
        world.write(Phase::Preparing);
        let path = world.job.state.join("restore.json");
        let text = std::fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": 2");
        std::fs::write(&path, text).unwrap();
        let error = recover(&world.job, &Cx::silent()).unwrap_err();
        assert!(error.to_string().contains("another version"), "{error}");
        assert!(path.exists());
    }

    #[test]
    fn any_name_survives_the_journal() {
        use std::os::unix::ffi::OsStringExt;
        let mut world = World::new();
        let mut files = world.files();
        let odd = PathBuf::from(std::ffi::OsString::from_vec(b"a%\n\xff \"\\".to_vec()));
        files.carried.push(odd.as_path().into());
        files.swaps.push(super::super::journal::Swap { path: odd.as_path().into(), kind: SwapKind::Come });
        world.journal.files = Some(files);
        world.write(Phase::Changing);
        assert_eq!(
            Journal::unfinished(&world.job.state).unwrap().unwrap(),
            world.journal.in_phase(Phase::Changing)
        );
    }
}
