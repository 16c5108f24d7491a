//! The kill matrix: a restore and an undo, ended in every way at every step, leave the site as before or as after, never
//! between, and nothing of ours behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use lifeboat::event::{Cx, Fault, FaultKind, RunKind, Step};
use lifeboat::run::{self, BackupRequest, Job, RestoreRequest, Target, UndoRequest};
use lifeboat::schedule::Wanted;

use crate::mariadb::MariaDb;
use crate::story::wordpress::{rows, similar};
use crate::world::{World, assert_same, fingerprint};

/// What a killed process is told, by its environment.
const CONFIG: &str = "LIFEBOAT_TEST_CONFIG";
const STORY: &str = "LIFEBOAT_TEST_STORY";
const FAULT: &str = "LIFEBOAT_TEST_FAULT";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    Restore,
    /// Of two tables alone.
    Tables,
    /// By the last way, with nothing beside what is live.
    InPlace,
    Undo,
}

impl Story {
    /// The steps that it has, in their order.
    const fn steps(self) -> &'static [Step] {
        match self {
            Self::Restore | Self::Tables | Self::InPlace => &[
                Step::Claim,
                Step::Mount,
                Step::Open,
                Step::Lock,
                Step::Preflight,
                Step::Rescue,
                Step::Stage,
                Step::Fetch,
                Step::Load,
                Step::Quiesce,
                Step::SwapFiles,
                Step::SwapDatabase,
                Step::Probe,
                Step::Commit,
                Step::Resume,
                Step::Settle,
            ],
            Self::Undo => &[
                Step::Claim,
                Step::Preflight,
                Step::Stage,
                Step::Quiesce,
                Step::SwapFiles,
                Step::SwapDatabase,
                Step::Probe,
                Step::Commit,
                Step::Resume,
                Step::Settle,
            ],
        }
    }

    /// Tells the story; whether it got to its end.
    pub(super) fn tell(self, job: &Job, cx: &Cx) -> bool {
        let (result, _) = run::execute(RunKind::Restore, job, "test", cx, || match self {
            Self::Restore | Self::Tables | Self::InPlace => {
                let files = self != Self::Tables;
                let tables = if files { vec![] } else { vec!["shop.t".to_owned(), "k".to_owned()] };
                let request = RestoreRequest {
                    source: None,
                    wanted: Wanted::Latest,
                    target: Target::InPlace { files, databases: true },
                    include: Vec::new(),
                    parts: run::Parts { tables, ..run::Parts::default() },
                    keep_newer: if files { vec!["/uploads/".to_owned()] } else { vec![] },
                    // It is a story of its own, and long.
                    safety: self == Self::InPlace || cx.fault.is_some_and(|fault| fault.step == Step::Rescue),
                    in_place_database: self == Self::InPlace,
                    dry_run: false,
                    plan: None,
                    confirm: &|_| true,
                };
                run::restore(job, &request, cx).map(|_| ((), None))
            }
            Self::Undo => {
                let (safety, dry_run) = (false, false);
                let request = UndoRequest { keep_newer: Vec::new(), safety, dry_run, confirm: &|_| true };
                run::undo(job, &request, cx).map(|_| ((), None))
            }
        });
        result.is_ok()
    }
}

/// A site with files, a `MariaDB` schema, and an `SQLite` file among its own files.
struct Site {
    server: MariaDb,
    world: World,
}

/// Everything a visitor or an owner could see of it.
#[derive(Clone)]
struct State {
    files: BTreeMap<PathBuf, String>,
    rows: String,
    sqlite: String,
}

impl Site {
    fn new() -> Self {
        Self::of("root")
    }

    /// Saved once, and changed since then in every way. `app` has all rights on its schema and may make no other; `poor` may not
    /// even rename a table.
    fn of(user: &str) -> Self {
        let server = MariaDb::start();
        server.sql(
            "",
            &"CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1,'a'),(2,'b');
             CREATE TABLE k (id INT PRIMARY KEY, t INT, CONSTRAINT of_t FOREIGN KEY (t) REFERENCES t(id)); INSERT INTO k VALUES (1, 2);
             CREATE USER app@localhost; GRANT ALL ON shop.* TO app@localhost;
             CREATE USER poor@localhost; GRANT ALL ON shop.* TO poor@localhost; REVOKE ALTER ON shop.* FROM poor@localhost;
             CREATE DEFINER=ME VIEW w AS SELECT id, v FROM t; CREATE DEFINER=ME FUNCTION f() RETURNS INT RETURN 1;
             CREATE DEFINER=ME TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET NEW.v = UPPER(NEW.v)"
                .replace("ME", &format!("{user}@localhost")),
        );
        let world = World::new("");
        let databases = format!(
            "databases: [{{type: mysql, name: shop, host: \"localhost:{}\", user: {user}}}, {{type: sqlite, path: {}}}]",
            server.socket().display(),
            world.root.join("data/shop.db").display()
        );
        // The service that writes to the site: stopped while this file is there.
        let down = world.path("down");
        let hooks = format!(
            "hooks: {{quiesce: [{{command: [/usr/bin/touch, {0}]}}], resume: [{{command: [/usr/bin/rm, {0}]}}]}}\n",
            down.display()
        );
        world.configure(&databases, None, &hooks);
        let site = Self { server, world };
        for (name, text) in [
            ("index", "old"),
            ("sub/page", "old"),
            ("uploads/first", "1"),
            ("cache/page", "warm"),
            ("data/note", "x"),
        ] {
            site.world.write(name, text);
        }
        site.sqlite(
            "CREATE TABLE s (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO s VALUES (1, 'one'), (2, 'two')",
        );
        site.world.init();
        let request = BackupRequest::default();
        run::backup(&site.job(), &request, &Cx::silent()).unwrap();
        for (name, text) in
            [("index", "new"), ("more/deep", "more"), ("uploads/second", "2"), ("cache/hot", "hot")]
        {
            site.world.write(name, text);
        }
        fs::remove_dir_all(site.world.root.join("sub")).unwrap();
        site.sqlite("DELETE FROM s WHERE id = 1; INSERT INTO s VALUES (3, 'three'); CREATE TABLE more (x)");
        let change = "DELETE FROM t WHERE id=1; INSERT INTO t VALUES (3,'c'); DROP VIEW w; CREATE TABLE u (x INT, y INT); ALTER TABLE t ADD COLUMN z INT;
            DROP FUNCTION f; CREATE DEFINER=ME VIEW x AS SELECT 1 AS a, 2 AS b; INSERT INTO k VALUES (2, 3)"
            .replace("ME", &format!("{user}@localhost"));
        site.server.sql("shop", &change);
        site
    }

    fn sqlite(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.world.root.join("data/shop.db")).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// With a cache that no snapshot has.
    fn job(&self) -> Job {
        with_cache(self.world.job())
    }

    fn state(&self) -> State {
        let mut files = fingerprint(&self.world.root);
        // A database file comes back with the same rows, at a time of its own; so has the directory in which it is exchanged.
        files.retain(|path, _| !path.starts_with("data") || path.ends_with("note"));
        let path = self.world.root.join("data/shop.db");
        let meta = fs::metadata(&path).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        let mut found = format!("{:o} {}:{}\n", meta.mode(), meta.uid(), meta.gid());
        let mut ask = connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY 1").unwrap();
        let mut tables = ask.query([]).unwrap();
        while let Some(row) = tables.next().unwrap() {
            found.extend([format!("{:?} {:?}\n", row.get_ref(0).unwrap(), row.get_ref(1).unwrap())]);
        }
        let mut ask = connection.prepare("SELECT id, v FROM s ORDER BY 1").unwrap();
        let mut content = ask.query([]).unwrap();
        while let Some(row) = content.next().unwrap() {
            found.extend([format!("{:?} {:?}\n", row.get_ref(0).unwrap(), row.get_ref(1).unwrap())]);
        }
        State { files, rows: rows(&self.server, "shop"), sqlite: found }
    }

    /// Names of everything that a restore makes and that is no part of the site: beside the root, beside the database file,
    /// schemas, and what is in the state directory.
    fn ours(&self) -> Vec<String> {
        let names = |directory: PathBuf| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<String> = names(self.world.path(""))
            .chain(names(self.world.root.join("data")))
            .chain(names(self.world.job().state))
            .map(|path| path.display().to_string())
            .collect();
        all.extend(self.server.schemas());
        let inside = "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'lifeboat%'";
        all.extend(self.server.sql("", inside).lines().map(ToOwned::to_owned));
        // These are history, not remains.
        let history = ["/undo.json", "/former.json", "/pace.json", "/runs"];
        all.retain(|name| !history.iter().any(|end| name.ends_with(end)));
        all.sort();
        all
    }

    fn kill_in(&self, story: Story, step: Step, kind: &str) -> bool {
        kill_in(&self.world, story, step, kind)
    }

    /// What an operator types, or whatever happens to run next.
    fn recover(&self, by_another: bool) {
        if by_another {
            self.world.run(&["forget"]).expect(0);
        }
        let document = self.world.json(0, &["recover"]);
        let found = document["result"]["recovered"]["recovery"].as_str().unwrap();
        assert!(!by_another || found == "nothing", "{document:#}");
        let again = self.world.json(0, &["recover"]);
        assert_eq!(again["result"]["recovered"]["recovery"], "nothing");
        assert!(!self.world.job().state.join("restore.json").exists());
    }
}

/// A process that tells the story and is killed in it; `false` if it came to its end first.
pub(super) fn kill_in(world: &World, story: Story, step: Step, kind: &str) -> bool {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "hardship::transaction::victim"])
        .env(CONFIG, world.path("lifeboat.yaml"))
        .env(STORY, format!("{story:?}"))
        .env(FAULT, format!("{} {kind}", step.name()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(child.signal() == Some(9) || child.success(), "{story:?} {step:?} {kind}: {child}");
    child.signal() == Some(9)
}

fn with_cache(mut job: Job) -> Job {
    job.site.exclude.push("/cache".to_owned());
    job
}

#[track_caller]
fn same(expected: &State, found: &State) {
    assert_same(&expected.files, &found.files);
    similar(&expected.rows, &found.rows);
    similar(&expected.sqlite, &found.sqlite);
}

/// The matrix of one story, told on one site.
struct Matrix {
    site: Site,
    story: Story,
    before: State,
    after: State,
    ours: Vec<String>,
    cases: u32,
    table: String,
}

impl Matrix {
    fn new(story: Story) -> Self {
        Self::on(Site::new(), story)
    }

    fn on(site: Site, story: Story) -> Self {
        if story == Story::Undo {
            assert!(Story::Restore.tell(&site.job(), &Cx::silent()));
        }
        let before = site.state();
        let ours = site.ours();
        assert!(story.tell(&site.job(), &Cx::silent()));
        let after = site.state();
        assert_ne!(before.rows, after.rows);
        let mut matrix = Self { site, story, before, after, ours, cases: 0, table: String::new() };
        matrix.back();
        matrix
    }

    /// From after to before, the way a person would.
    fn back(&mut self) {
        let job = self.site.job();
        assert!(Story::Undo.tell(&job, &Cx::silent()), "{}", self.table);
        same(&self.before, &self.site.state());
        if self.story != Story::Undo {
            run::discard_former(&job, &Cx::silent()).unwrap();
        }
        let ours = self.site.ours();
        // A restore undone is gone without a trace; an undo undone keeps as much as it found, under other names.
        if self.story == Story::Undo {
            assert_eq!(ours.len(), self.ours.len(), "{ours:#?}\n{:#?}\n{}", self.ours, self.table);
        } else {
            assert_eq!(ours, self.ours, "{}", self.table);
        }
        self.ours = ours;
    }

    /// What is expected, by the rule: from the commit on it is after.
    fn judge(&mut self, step: Step, kind: &str) {
        let committed =
            matches!(step, Step::Settle | Step::Resume) || (step == Step::Commit && kind == "kill-after");
        let word = if committed { "after" } else { "before" };
        self.cases += 1;
        self.table.extend([format!("{:?} {:<14} {kind:<14} -> {word}\n", self.story, step.name())]);
        if committed {
            same(&self.after, &self.site.state());
            self.back();
        } else {
            same(&self.before, &self.site.state());
            assert_eq!(self.site.ours(), self.ours, "{}", self.table);
        }
    }

    fn fail(&mut self, step: Step, kind: FaultKind, name: &str) {
        let cx = Cx::silent().with_fault(Fault { step, kind });
        let ended = self.story.tell(&self.site.job(), &cx);
        let committed = matches!(step, Step::Settle | Step::Resume);
        assert_eq!(ended, committed, "{step:?} {name}\n{}", self.table);
        assert!(cx.state().stuck.is_empty(), "{:?}", cx.state().stuck);
        // What fails before the commit needs no help.
        if step == Step::Settle {
            self.site.recover(false);
        }
        self.judge(step, name);
    }

    fn kill(&mut self, step: Step, kind: &str) -> bool {
        let killed = self.site.kill_in(self.story, step, kind);
        if killed {
            self.site.recover(self.cases.is_multiple_of(2));
            self.judge(step, kind);
        }
        killed
    }

    /// At each point of a step, as many as there are.
    fn kill_within(&mut self, step: Step, least: u32) {
        let mut points = 0;
        while self.kill(step, &format!("kill-within-{}", points + 1)) {
            points += 1;
        }
        // It came to its end, since there was no such point any more.
        same(&self.after, &self.site.state());
        self.back();
        assert!(points >= least, "only {points} points in {step:?}");
    }

    fn show(&self) {
        let table = format!("{}{} cases\n", self.table, self.cases);
        std::io::stdout().write_all(table.as_bytes()).unwrap();
    }
}

fn fails_everywhere(story: Story) {
    let mut matrix = Matrix::new(story);
    for &step in story.steps() {
        matrix.fail(step, FaultKind::Error, "error");
        matrix.fail(step, FaultKind::Panic, "panic");
    }
    for point in 1..=3 {
        matrix.fail(Step::SwapFiles, FaultKind::ErrorWithin(point), "error-within");
    }
    for point in 1..=6 {
        matrix.fail(Step::SwapDatabase, FaultKind::ErrorWithin(point), "error-within");
    }
    matrix.show();
}

fn dies_everywhere(story: Story) {
    let mut matrix = Matrix::new(story);
    for &step in story.steps() {
        for kind in ["kill", "kill-after"] {
            assert!(matrix.kill(step, kind), "{step:?} {kind} did not strike\n{}", matrix.table);
        }
    }
    for (step, least) in [(Step::SwapFiles, 4), (Step::SwapDatabase, 6), (Step::Settle, 2)] {
        matrix.kill_within(step, least);
    }
    matrix.show();
}

/// Where the way of the database makes a difference.
fn dies_inside(story: Story) {
    let user = if story == Story::InPlace { "poor" } else { "app" };
    let mut matrix = Matrix::on(Site::of(user), story);
    let last = fs::read_to_string(matrix.site.world.job().state.join("undo.json")).unwrap();
    assert!(last.contains(if story == Story::InPlace { "in-place" } else { "side-tables" }), "{last}");
    let steps = [Step::Preflight, Step::Load, Step::SwapDatabase, Step::Settle];
    for step in steps.into_iter().filter(|step| story.steps().contains(step)) {
        assert!(matrix.kill(step, "kill-after"), "{step:?} did not strike\n{}", matrix.table);
    }
    matrix.kill_within(Step::SwapDatabase, 5);
    for point in 1..=4 {
        matrix.fail(Step::SwapDatabase, FaultKind::ErrorWithin(point), "error-within");
    }
    matrix.show();
}

#[test]
fn a_restore_inside_the_schema_that_is_killed_is_before_or_after() {
    dies_inside(Story::Restore);
}

#[test]
fn a_restore_of_tables_that_is_killed_is_before_or_after() {
    dies_inside(Story::Tables);
}

#[test]
fn a_restore_in_place_of_the_database_that_is_killed_is_before_or_after() {
    dies_inside(Story::InPlace);
}

#[test]
fn an_undo_inside_the_schema_that_is_killed_is_before_or_after() {
    dies_inside(Story::Undo);
}

#[test]
fn a_restore_that_fails_anywhere_is_before_or_after() {
    fails_everywhere(Story::Restore);
}

#[test]
fn a_restore_that_is_killed_anywhere_is_before_or_after() {
    dies_everywhere(Story::Restore);
}

#[test]
fn an_undo_that_fails_anywhere_is_before_or_after() {
    fails_everywhere(Story::Undo);
}

#[test]
fn an_undo_that_is_killed_anywhere_is_before_or_after() {
    dies_everywhere(Story::Undo);
}

/// Killed in the middle of everything, then again at each point of the recovery.
#[test]
fn a_recovery_that_is_killed_is_taken_up_by_the_next() {
    recovers_at_last(&Site::new(), "kill-within-5");
}

#[test]
fn a_recovery_inside_the_schema_that_is_killed_is_taken_up_by_the_next() {
    recovers_at_last(&Site::of("app"), "kill-within-4");
}

fn recovers_at_last(site: &Site, first: &str) {
    let (before, ours) = (site.state(), site.ours());
    for point in 1..=3 {
        assert!(site.kill_in(Story::Restore, Step::SwapDatabase, first));
        // The next restore recovers first, and dies of it.
        assert!(site.kill_in(Story::Restore, Step::Recover, &format!("kill-within-{point}")));
        site.recover(false);
        same(&before, &site.state());
        assert_eq!(site.ours(), ours);
    }
}

#[test]
fn doctor_names_the_remedy_and_a_dead_server_is_waited_for() {
    let mut site = Site::new();
    let (before, ours) = (site.state(), site.ours());
    assert!(site.kill_in(Story::Restore, Step::SwapDatabase, "kill-after"));
    let told = site.world.run(&["doctor"]);
    assert!(
        told.out.contains("was killed before its end") && told.out.contains("lifeboat recover"),
        "{}",
        told.out
    );
    assert_eq!(told.code, 1);

    site.server.kill();
    for command in [&["recover"][..], &["backup"], &["restore", "--at", "latest", "--yes"], &["forget"]] {
        let ran = site.world.run(command).expect(1);
        assert!(ran.err.contains("put back what the restore of"), "{command:?}: {}", ran.err);
        assert!(ran.err.contains("shop"), "{}", ran.err);
    }
    site.server.restart();
    site.recover(true);
    same(&before, &site.state());
    assert_eq!(site.ours(), ours);
}

/// Rights are tried by making a schema: what a kill leaves of that goes, and nothing else that is called like it.
#[test]
fn what_a_killed_preflight_made_is_removed() {
    let site = Site::new();
    let ours = site.ours();
    site.server.sql(
        "",
        "CREATE DATABASE shop__probe_0123abcd; CREATE TABLE shop__probe_0123abcd.probe (a INT);
         CREATE DATABASE shop__probe_theirs; CREATE DATABASE shop__probe_00000000; CREATE TABLE shop__probe_00000000.x (a INT)",
    );
    let journal = serde_json::json!({
        "format": 1, "begun": "2026-11-20T03:00:00Z", "phase": "checking", "token": "", "undoes": null,
        "snapshot": null, "safety": null, "files": null, "databases": [],
    });
    fs::write(site.world.job().state.join("restore.json"), journal.to_string()).unwrap();
    site.recover(true);
    assert_eq!(site.server.schemas(), ["shop", "shop__probe_00000000", "shop__probe_theirs"]);
    site.server.sql("", "DROP DATABASE shop__probe_theirs; DROP DATABASE shop__probe_00000000");
    assert_eq!(site.ours(), ours);
}

/// The process that is killed: it does nothing unless it is told what.
#[test]
#[ignore = "started by the tests above"]
fn victim() {
    let Some(config) = std::env::var_os(CONFIG) else { return };
    let (story, fault) = (std::env::var(STORY).unwrap(), std::env::var(FAULT).unwrap());
    let (name, kind) = fault.split_once(' ').unwrap();
    let step = *Step::ALL.iter().find(|step| step.name() == name).unwrap();
    let kind = match kind.strip_prefix("kill-within-") {
        Some(point) => FaultKind::KillWithin(point.parse().unwrap()),
        None if kind == "kill-after" => FaultKind::KillAfter,
        None => FaultKind::Kill,
    };
    let stories = [Story::Restore, Story::Tables, Story::InPlace, Story::Undo];
    let story = stories.into_iter().find(|known| format!("{known:?}") == story).unwrap();
    let job = with_cache(lifeboat::config::load(config.as_ref()).unwrap().job().unwrap());
    assert!(story.tell(&job, &Cx::silent().with_fault(Fault { step, kind })));
}
