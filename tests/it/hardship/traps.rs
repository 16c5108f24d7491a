//! What the engine under us does when something goes wrong, and that we do not: each test fails without its guard.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use lifeboat::dump::{DumpFile, Feed, Summary};
use lifeboat::error::{Error, Result};
use lifeboat::event::{Cancel, Cx, Event, RunKind, Sink, What};
use lifeboat::repo::{Contents, Place, Repo, Snapshot};
use lifeboat::run::{self, BackupRequest, RestoreRequest, Target};
use lifeboat::schedule::Wanted;

use crate::world::{World, assert_same, fingerprint};

const NONE: &str = "databases: []";

fn world() -> World {
    let world = World::new(NONE);
    world.write("index", "x");
    world.init();
    world
}

fn open(world: &World) -> Repo {
    Repo::open(&Place::local(&world.path("storage")), &world.job().repo, &Cx::silent()).unwrap()
}

/// A dump of one table; `ends` is what comes after the data.
struct Dump {
    files: Vec<DumpFile>,
    moment: Timestamp,
    ends: fn() -> Result<Option<DumpFile>>,
}

impl Dump {
    fn of(content: &[u8], moment: Timestamp, ends: fn() -> Result<Option<DumpFile>>) -> Box<dyn Feed> {
        let files = vec![DumpFile { path: PathBuf::from("rows"), data: content.to_vec() }];
        Box::new(Self { files, moment, ends })
    }
}

impl Feed for Dump {
    fn moment(&self) -> Timestamp {
        self.moment
    }

    fn next(&mut self, _cx: &Cx) -> Result<Option<DumpFile>> {
        match self.files.pop() {
            Some(file) => Ok(Some(file)),
            None => (self.ends)(),
        }
    }

    fn summary(&self) -> Summary {
        Summary { engine: "mysql".into(), directory: "shop".into(), ..Summary::default() }
    }
}

fn save(world: &World, repo: &Repo, feed: Box<dyn Feed>, cx: &Cx) -> Result<Snapshot> {
    let contents = Contents {
        site: "demo".into(),
        root: Some(world.root.clone()),
        doubt_empty: true,
        exclude: Vec::new(),
        feeds: vec![(PathBuf::from("shop"), feed)],
        tags: Vec::new(),
        comment: None,
        moment: Timestamp::now(),
        seen: None,
    };
    repo.save(contents, cx)
}

fn packs(world: &World) -> usize {
    let directories = fs::read_dir(world.repository().join("data")).unwrap();
    directories.map(|directory| fs::read_dir(directory.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn a_dump_that_fails_midway_leaves_no_snapshot() {
    let world = world();
    let data: Vec<u8> = (0..40_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let failing: [fn() -> Result<Option<DumpFile>>; 2] =
        [|| Err(Error::failed("the server went away")), || panic!("the server went away")];
    for ends in failing {
        let repo = open(&world);
        let feed = Dump::of(&data, Timestamp::now(), ends);
        let saved = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            save(&world, &repo, feed, &Cx::silent())
        }));
        match saved {
            Ok(Err(error)) => assert!(error.to_string().contains("went away"), "{error}"),
            Ok(Ok(_)) => panic!("half a dump was saved as a whole one"),
            // The engine's threads pass on that there was a panic.
            Err(_) => {}
        }
        assert_eq!(world.snapshots().len(), 0);
    }
    world.backup();
    world.restic_is_content();
}

#[test]
fn a_dump_that_alone_changed_is_read_again() {
    let world = world();
    let end: fn() -> Result<Option<DumpFile>> = || Ok(None);
    let repo = open(&world);
    let ids: Vec<String> = [b"aaaa", b"bbbb"]
        .into_iter()
        .map(|data| save(&world, &repo, Dump::of(data, Timestamp::now(), end), &Cx::silent()).unwrap().id)
        .collect();
    for (id, expected) in ids.iter().zip(["aaaa", "bbbb"]) {
        let ours = world.run(&["dump", id, "/@lifeboat/db/shop/rows"]).expect(0).out;
        let theirs = world.restic(&["dump", id, "/@lifeboat/db/shop/rows"]).expect(0).out;
        assert_eq!((ours.as_str(), theirs.as_str()), (expected, expected));
    }
}

/// Acts once, when the engine reports more bytes than the small files have: in the middle of the large one.
struct Midway<F>(AtomicBool, F);

impl<F: Fn() + Send + Sync> Sink for Midway<F> {
    fn take(&self, event: &Event) {
        if matches!(event.what, What::Progress { done, .. } if done > 1 << 20)
            && !self.0.swap(true, Ordering::SeqCst)
        {
            (self.1)();
        }
    }
}

fn backup_with(world: &World, act: impl Fn() + Send + Sync + 'static) -> (Result<Snapshot>, run::Job, Cx) {
    let sink = Arc::new(Midway(AtomicBool::new(false), act));
    let cx = Cx::new("test", Cancel::default(), vec![sink.clone()]);
    let job = world.job();
    let (result, _) = run::execute(RunKind::Backup, &job, "test", &cx, || {
        run::backup(&job, &BackupRequest::default(), &cx).map(|snapshot| (snapshot, None))
    });
    assert!(sink.0.load(Ordering::SeqCst), "nothing happened midway");
    (result, job, cx)
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_missed_and_named() {
    let world = world();
    world.write("big", vec![5; 200 << 20]);
    let big = world.root.join("big");
    let (result, _, cx) = backup_with(&world, move || {
        fs::File::options().write(true).open(&big).unwrap().set_len(1 << 20).unwrap();
    });
    assert!(!result.unwrap().complete);
    let missed = cx.state().missed;
    assert!(missed.iter().any(|(path, why)| path.ends_with("big") && why.contains("shorter")), "{missed:?}");
    world.restic_is_content();
    assert!(world.json(0, &["backup"])["result"]["snapshot"]["complete"].as_bool().unwrap());
}

#[test]
fn a_file_that_grows_while_it_is_read_has_the_size_it_had() {
    let world = world();
    world.write("big", vec![5; 100 << 20]);
    let big = world.root.join("big");
    let (result, ..) = backup_with(&world, move || {
        use std::io::Write;
        fs::File::options().append(true).open(&big).unwrap().write_all(&vec![6; 5 << 20]).unwrap();
    });
    assert!(result.unwrap().complete);
    world.restic_is_content();
    let target = world.path("out");
    world.restic(&["restore", "latest", "--target", target.to_str().unwrap()]).expect(0);
    let restored = target.join(world.root.strip_prefix("/").unwrap()).join("big");
    assert_eq!(fs::metadata(restored).unwrap().len(), 100 << 20);
    // And the rest is not taken for unchanged.
    world.backup();
    assert!(world.run(&["ls", "-l"]).expect(0).out.contains(&(105_u64 << 20).to_string()));
}

/// An outage is no empty site: everything else that is replaced or gone midway is missed, too.
#[test]
fn a_site_that_is_replaced_while_it_is_saved_is_not_complete() {
    let world = world();
    for number in 0..300 {
        world.write(&format!("dir{number:03}/file"), vec![1; 300_000]);
    }
    world.write("aaa", vec![5; 50 << 20]);
    let (root, aside) = (world.root.clone(), world.path("aside"));
    let (result, _, cx) = backup_with(&world, move || {
        fs::rename(&root, &aside).unwrap();
        fs::create_dir(&root).unwrap();
    });
    let complete = result.is_ok_and(|snapshot| snapshot.complete);
    assert!(!complete, "{:?}", cx.state().missed);
}

/// A small file system of its own, unmounted at the end.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, options: &str) -> Self {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).status();
        assert!(mounted.unwrap().success());
        Self(at.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn random(bytes: usize) -> Vec<u8> {
    use rand::RngCore;
    let mut data = vec![0; bytes];
    rand::rng().fill_bytes(&mut data);
    data
}

#[test]
fn a_full_storage_fails_the_backup_keeps_the_old_ones_and_does_not_stay_full() {
    let world = World::new(NONE);
    let _small = Small::mount(&world.path("storage"), "size=30m");
    world.write("index", "x");
    world.init();
    world.backup();
    let before = packs(&world);
    world.write("big", random(60 << 20));
    for _ in 0..2 {
        let ran = world.run(&["backup"]).expect(1);
        assert!(ran.err.contains("No space left"), "{}", ran.err);
        assert_eq!((world.snapshots().len(), packs(&world)), (1, before), "{}", ran.err);
    }
    fs::remove_file(world.root.join("big")).unwrap();
    world.backup();
    world.restic_is_content();
}

#[test]
fn a_restore_onto_a_full_disk_leaves_the_site_as_it_was() {
    let world = World::new(NONE);
    let small = world.path("small");
    let _mounted = Small::mount(&small, "size=200m,nr_inodes=150");
    let root = small.join("site");
    fs::create_dir(&root).unwrap();
    let text = fs::read_to_string(world.path("lifeboat.yaml")).unwrap();
    let text = text.replace(&format!("root: {}", world.root.display()), &format!("root: {}", root.display()));
    fs::write(world.path("lifeboat.yaml"), text).unwrap();
    for number in 0..100 {
        fs::write(root.join(format!("file{number}")), random(1000)).unwrap();
    }
    world.init();
    world.backup();
    fs::write(root.join("file1"), "changed").unwrap();
    let before = fingerprint(&root);
    let ran = world.run(&["restore", "--at", "latest", "--yes"]).expect(1);
    assert!(ran.err.contains("No space left"), "{}", ran.err);
    assert_same(&before, &fingerprint(&root));
    assert_eq!(fs::read_dir(&small).unwrap().count(), 1, "something is left beside the site");
    // Elsewhere on the same disk: what could not be finished does not stay.
    let target = small.join("out");
    world.run(&["restore", "--at", "latest", "--to", target.to_str().unwrap()]).expect(1);
    assert_eq!(fs::read_dir(&small).unwrap().count(), 1, "half a restore was left");
    // Too little room is known before anything is fetched.
    fs::write(small.join("ballast"), vec![1; 150 << 20]).unwrap();
    let ran = world.run(&["restore", "--at", "latest", "--dry-run"]).expect(1);
    assert!(ran.err.contains("bytes free"), "{}", ran.err);
}

#[test]
fn mount_points_are_refused_before_anything() {
    let world = World::new(NONE);
    world.write("index", "x");
    world.write("mnt/deep", "y");
    world.init();
    world.backup();
    for at in [world.root.join("mnt"), world.root.clone()] {
        let _mounted = Small::mount(&at, "size=1m");
        let ran = world.run(&["restore", "--at", "latest", "--yes"]).expect(1);
        assert!(ran.err.contains("mount point"), "{}", ran.err);
    }
    let left = fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().starts_with(".site")));
}

/// What the live site gets between the look and the swap is in the former tree.
#[test]
fn what_is_written_while_a_restore_runs_is_kept() {
    let world = world();
    world.backup();
    let root = world.root.clone();
    let confirm = move |_: &run::Preview| {
        fs::write(root.join("order"), "just bought").unwrap();
        true
    };
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
        confirm: &confirm,
    };
    let (job, cx) = (world.job(), Cx::silent());
    let done = run::restore(&job, &request, &cx).unwrap();
    assert!(!world.root.join("order").exists());
    let kept = done.kept.unwrap().join("tree/order");
    assert_eq!(fs::read_to_string(kept).unwrap(), "just bought");
    // Who says no changes nothing.
    let before = fingerprint(&world.root);
    let request = RestoreRequest { confirm: &|_| false, ..request };
    assert_eq!(run::restore(&job, &request, &cx).err().unwrap().kind().exit_code(), 130);
    assert_same(&before, &fingerprint(&world.root));
}

#[test]
fn a_site_that_is_gone_comes_back() {
    let world = World::new(NONE);
    world.write("deep/file", "x");
    world.init();
    world.backup();
    let before = fingerprint(&world.root);
    fs::remove_dir_all(&world.root).unwrap();
    assert_ne!(world.run(&["backup"]).code, 0);
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_same(&before, &fingerprint(&world.root));
}

#[test]
fn what_a_killed_restore_left_is_told() {
    let world = world();
    fs::create_dir(world.path(".site.lifeboat-abcd1234")).unwrap();
    let ran = world.run(&["doctor"]);
    assert!(ran.out.contains(".site.lifeboat-abcd1234"), "{}", ran.out);
}
