//! Each step of both stories fails in turn, as an error and as a panic: nothing held stays behind, the site is untouched.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use lifeboat::event::{Cx, Fault, FaultKind, RunKind, Step};
use lifeboat::run::{self, BackupRequest, RestoreRequest, Target};
use lifeboat::schedule::Wanted;

use crate::mariadb::MariaDb;
use crate::story::wordpress::{rows, similar};
use crate::world::{World, assert_same, fingerprint};

fn world(server: &MariaDb) -> World {
    server.sql("", "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY, v TEXT); INSERT INTO shop.t VALUES (1,'a'),(2,'b')");
    let databases = format!(
        "databases: [{{type: mysql, name: shop, host: \"localhost:{}\", user: root}}]",
        server.socket().display()
    );
    let world = World::new(&databases);
    world.write("index", "old");
    world.init();
    world
}

fn faulty(step: Step, kind: FaultKind) -> Cx {
    Cx::silent().with_fault(Fault { step, kind })
}

/// Neither locks, nor mounts, nor half restored things beside the site, nor schemas.
fn nothing_left(world: &World, server: &MariaDb, step: Step) {
    let locks = fs::read_dir(world.repository().join("locks")).unwrap().count();
    assert_eq!(locks, 0, "a lock is left after {step:?}");
    let beside: Vec<PathBuf> =
        fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!beside.iter().any(|path| path.to_string_lossy().contains(".lifeboat-")), "{step:?}: {beside:?}");
    assert_eq!(server.schemas(), ["shop"], "{step:?}");
    // The site is not claimed any more.
    world.run(&["snapshots"]).expect(0);
}

const KINDS: [FaultKind; 2] = [FaultKind::Error, FaultKind::Panic];

#[test]
fn a_backup_that_fails_anywhere_leaves_nothing_behind() {
    let server = MariaDb::start();
    let world = world(&server);
    let job = world.job();
    for kind in KINDS {
        for step in [Step::Claim, Step::Mount, Step::Open, Step::Lock, Step::Dump, Step::Save, Step::Verify] {
            let before = world.snapshots().len();
            let cx = faulty(step, kind);
            let request = BackupRequest::default();
            let (result, state) = run::execute(RunKind::Backup, &job, "test", &cx, || {
                run::backup(&job, &request, &cx).map(|snapshot| (snapshot, None))
            });
            assert!(result.is_err(), "{step:?} {kind:?}");
            assert_eq!(state.outcome, Some(lifeboat::event::Outcome::Failed));
            assert!(state.stuck.is_empty(), "{:?}", state.stuck);
            let saved = usize::from(step == Step::Verify);
            assert_eq!(world.snapshots().len(), before + saved, "{step:?} {kind:?}");
            nothing_left(&world, &server, step);
        }
        // What fails after the snapshot is safe makes the run incomplete, not the snapshot.
        let cx = faulty(Step::Rotate, kind);
        let request = BackupRequest::default();
        let (result, state) = run::execute(RunKind::Backup, &job, "test", &cx, || {
            run::backup(&job, &request, &cx).map(|snapshot| (snapshot, None))
        });
        assert!(result.unwrap().complete);
        assert_eq!(state.outcome, Some(lifeboat::event::Outcome::Incomplete));
        nothing_left(&world, &server, Step::Rotate);
    }
    world.restic_is_content();
}

#[test]
fn a_restore_that_fails_anywhere_leaves_the_site_as_it_was() {
    let server = MariaDb::start();
    let world = world(&server);
    let job = world.job();
    world.backup();
    world.write("index", "new");
    world.write("more", "more");
    server.sql("shop", "DELETE FROM t WHERE id=1; INSERT INTO t VALUES (3,'c')");
    let site: BTreeMap<PathBuf, String> = fingerprint(&world.root);
    let content = rows(&server, "shop");
    for kind in KINDS {
        for step in [
            Step::Claim,
            Step::Mount,
            Step::Open,
            Step::Lock,
            Step::Preflight,
            Step::Stage,
            Step::Fetch,
            Step::Load,
            Step::SwapFiles,
            Step::SwapDatabase,
        ] {
            let cx = faulty(step, kind);
            let request = RestoreRequest {
                source: None,
                wanted: Wanted::Latest,
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
            let (result, state) = run::execute(RunKind::Restore, &job, "test", &cx, || {
                run::restore(&job, &request, &cx).map(|done| (done, None))
            });
            assert!(result.is_err(), "{step:?} {kind:?}");
            assert!(state.stuck.is_empty(), "{:?}", state.stuck);
            assert_same(&site, &fingerprint(&world.root));
            similar(&content, &rows(&server, "shop"));
            nothing_left(&world, &server, step);
        }
    }
}

/// Cancels when this step begins.
struct CancelAt(Step, lifeboat::event::Cancel);

impl lifeboat::event::Sink for CancelAt {
    fn take(&self, event: &lifeboat::event::Event) {
        if matches!(&event.what, lifeboat::event::What::StepStarted { step } if *step == self.0) {
            self.1.cancel();
        }
    }
}

/// "Cancelled" means that there is no snapshot; once there is one, the run says so instead.
#[test]
fn a_cancel_never_denies_a_snapshot_that_is_there() {
    let world = World::new("databases: []");
    world.write("file", "content");
    world.init();
    let job = world.job();
    for step in [Step::Open, Step::Lock, Step::Dump, Step::Save, Step::Verify, Step::Rotate] {
        let before = world.snapshots().len();
        let cancel = lifeboat::event::Cancel::default();
        let sink = std::sync::Arc::new(CancelAt(step, cancel.clone()));
        let cx = Cx::new("test", cancel, vec![sink]);
        let request = BackupRequest::default();
        let (result, state) = run::execute(RunKind::Backup, &job, "test", &cx, || {
            run::backup(&job, &request, &cx).map(|snapshot| (snapshot, None))
        });
        let saved = world.snapshots().len() - before;
        let cancelled = state.outcome == Some(lifeboat::event::Outcome::Cancelled);
        assert_eq!((saved == 0, saved == 0), (cancelled, result.is_err()), "{step:?}");
        assert_eq!(fs::read_dir(world.repository().join("locks")).unwrap().count(), 0);
    }
}
