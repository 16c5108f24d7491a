//! Power that goes at any moment: the site's disk is copied as it is then, in one step, and the machine starts from the copy.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::world::{World, assert_same, fingerprint};

const ROUNDS: u32 = 8;

fn must(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A file system in a file.
struct Disk {
    image: PathBuf,
    point: PathBuf,
    mounted: bool,
}

impl Disk {
    fn make(image: PathBuf, point: PathBuf, megabytes: u64, kind: &str) -> Self {
        File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        fs::create_dir(&point).unwrap();
        must(&format!("mkfs.{kind}"), &["-q", image.to_str().unwrap()]);
        let mut disk = Self { image, point, mounted: false };
        disk.mount();
        disk
    }

    fn mount(&mut self) {
        must("mount", &["-o", "loop", self.image.to_str().unwrap(), self.point.to_str().unwrap()]);
        self.mounted = true;
    }

    fn unmount(&mut self) {
        must("umount", &[self.point.to_str().unwrap()]);
        self.mounted = false;
    }

    /// What the disk has been given to write by now, and nothing that only memory holds: the clone is one step to the file
    /// system that the image lies on.
    fn copy(&self, to: &Path) {
        must("cp", &["--reflink=always", self.image.to_str().unwrap(), to.to_str().unwrap()]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            drop(Command::new("umount").arg(&self.point).status());
        }
    }
}

#[test]
fn a_restore_whose_power_goes_is_before_or_after() {
    let mut world = World::new("");
    // Dropped in reverse: the inner one first.
    let outer = Disk::make(world.path("outer"), world.path("machine"), 700, "xfs");
    let mut disk = Disk::make(outer.point.join("disk"), world.path("disk"), 120, "ext4");
    world.root = disk.point.join("site");
    fs::create_dir(&world.root).unwrap();
    let database = world.root.join("shop.db");
    world.configure(&format!("databases: [{{type: sqlite, path: {}}}]", database.display()), None, "");
    let config = fs::read_to_string(world.path("lifeboat.yaml")).unwrap();
    let state = format!("state: {}", world.path("state").display());
    assert!(config.contains(&state));
    let config = config.replace(&state, &format!("state: {}", disk.point.join("state").display()));
    fs::write(world.path("lifeboat.yaml"), config).unwrap();
    let sql = |sql: &str| rusqlite::Connection::open(&database).unwrap().execute_batch(sql).unwrap();
    let rows = || -> String {
        let database = rusqlite::Connection::open(&database).unwrap();
        database.query_row("SELECT group_concat(v) FROM t", [], |row| row.get(0)).unwrap()
    };
    sql("CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('old')");
    for number in 0..120_u8 {
        world.write(&format!("{}/{number}", number % 7), vec![number; 30_000]);
    }
    let look = |world: &World| {
        let mut files = fingerprint(&world.root);
        files
            .retain(|path, _| !path.as_os_str().is_empty() && !path.to_string_lossy().starts_with("shop.db"));
        (files, rows())
    };
    world.init();
    world.backup();
    let after = look(&world);
    for number in (0..120_u8).step_by(3) {
        world.write(&format!("{}/{number}", number % 7), vec![255 - number; 30_000]);
    }
    world.write("more", "more");
    sql("INSERT INTO t VALUES ('new')");
    let before = look(&world);

    let begun = Instant::now();
    world.run(&["restore", "--at", "latest", "--yes", "--no-safety"]).expect(0);
    let whole = begun.elapsed().saturating_sub(Duration::from_millis(200));
    world.run(&["restore", "--undo", "--yes"]).expect(0);
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    let mut came = [0, 0];
    for round in 0..ROUNDS {
        // What the site itself wrote a moment ago is its own affair.
        nix::unistd::sync();
        let mut restore =
            world.command(&["--quiet", "restore", "--at", "latest", "--yes", "--no-safety"]).spawn().unwrap();
        // The last time it has just said that it is done.
        if round + 1 < ROUNDS {
            std::thread::sleep(
                Duration::from_millis(200) + whole.mul_f64(f64::from(round) / f64::from(ROUNDS)),
            );
        } else {
            restore.wait().unwrap();
        }
        let copy = outer.point.join("copy");
        disk.copy(&copy);
        drop(restore.kill());
        restore.wait().unwrap();
        disk.unmount();
        fs::rename(&copy, &disk.image).unwrap();
        disk.mount();
        world.run(&["recover"]).expect(0);
        let now = look(&world);
        if now.1 == before.1 {
            assert_same(&before.0, &now.0);
            came[0] += 1;
        } else {
            assert_eq!(now.1, after.1);
            assert_same(&after.0, &now.0);
            came[1] += 1;
            world.run(&["restore", "--undo", "--yes"]).expect(0);
            let back = look(&world);
            assert_same(&before.0, &back.0);
            assert_eq!(before.1, back.1);
            world.run(&["restore", "--discard-former", "--yes"]).expect(0);
        }
    }
    assert!(came[0] > 0 && came[1] > 0, "power went too early or too late each time: {came:?}");
    disk.unmount();
}
