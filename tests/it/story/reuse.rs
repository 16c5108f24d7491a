//! What the live site still has need not come from the storage, and is never believed without a proof.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::world::{World, assert_same, fingerprint};

const NONE: &str = "databases: []";

/// Bytes that neither repeat nor compress.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(length).collect()
}

fn fill(world: &World) {
    for number in 0..100 {
        world.write(&format!("files/{number}"), noise(number, 60_000));
    }
    world.write("large", noise(1000, 24 << 20));
    let sparse = File::create(world.root.join("sparse")).unwrap();
    sparse.set_len(16 << 20).unwrap();
    sparse.write_all_at(&noise(2000, 100_000), 8 << 20).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", world.root.join("link")).unwrap();
}

/// One file of a hundred in each of the ways a file can change; says how many bytes that are.
fn change(world: &World) -> u64 {
    let at = |name: &str| world.root.join(name);
    // A hole in the middle of a large file is filled, and its time put back: only its content tells.
    let large = File::options().write(true).open(at("large")).unwrap();
    let time = large.metadata().unwrap().modified().unwrap();
    large.write_all_at(b"malware", 11 << 20).unwrap();
    large.set_modified(time).unwrap();
    fs::remove_file(at("files/7")).unwrap();
    fs::write(at("files/8"), noise(8, 50_000)).unwrap();
    fs::remove_file(at("files/9")).unwrap();
    // What has the name of a file is a link out of the site, or a pipe that nobody fills.
    std::os::unix::fs::symlink("/etc/passwd", at("files/9")).unwrap();
    fs::remove_file(at("files/10")).unwrap();
    nix::unistd::mkfifo(&at("files/10"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let sparse = File::options().write(true).open(at("sparse")).unwrap();
    sparse.write_all_at(b"in the hole", 1 << 20).unwrap();
    4 * 60_000
}

fn restored(world: &World) -> Value {
    world.json(0, &["restore", "--at", "latest", "--yes", "--no-safety"])["result"]["restored"].clone()
}

#[test]
fn a_restore_reads_from_the_storage_only_what_differs() {
    let world = World::new(NONE);
    fill(&world);
    world.init();
    world.backup();
    let before = fingerprint(&world.root);
    let files = change(&world);
    let planned = world.json(0, &["restore", "--at", "latest", "--plan"])["result"]["restored"].clone();
    let done = restored(&world);
    assert_same(&before, &fingerprint(&world.root));
    let number = |name: &str| done[name].as_u64().unwrap();
    let (all, reused) =
        (done["fetched"]["bytes"].as_u64().unwrap(), done["fetched"]["reused"].as_u64().unwrap());
    // A blob has up to 8 MiB, and one of the large file and one of the sparse one are changed.
    assert!(all - reused >= files && all - reused < files + (17 << 20), "{done:#}");
    assert!(number("from_storage") < all - reused + (1 << 20), "{done:#}");
    assert!(
        fs::metadata(world.root.join("sparse"))
            .is_ok_and(|meta| std::os::unix::fs::MetadataExt::blocks(&meta) < 2000)
    );
    // The plan cannot see what has the size and the time of the snapshot's file; the restore does.
    let fetch = planned["preview"]["fetch"].as_u64().unwrap();
    assert!(fetch >= files && fetch < files + (17 << 20), "{planned:#}");
    assert!(done["downtime_seconds"].as_f64().is_some_and(|seconds| seconds < 5.0), "{done:#}");
    assert_eq!(planned["from_storage"], 0);
}

/// A file system of its own, in a file.
struct Disk(PathBuf);

impl Disk {
    fn mount(image: &Path, point: &Path) -> Self {
        File::create(image).unwrap().set_len(400 << 20).unwrap();
        fs::create_dir(point).unwrap();
        let run = |program: &str, arguments: &[&Path]| {
            let output = Command::new(program).args(arguments).output().unwrap();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run("mkfs.xfs", &["-q".as_ref(), "-m".as_ref(), "reflink=1".as_ref(), image]);
        run("mount", &["-o".as_ref(), "loop".as_ref(), image, point]);
        Self(point.to_owned())
    }

    fn used(&self) -> u64 {
        let stat = nix::sys::statvfs::statvfs(&self.0).unwrap();
        (stat.blocks() - stat.blocks_free()) * stat.fragment_size()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn where_files_can_share_their_blocks_a_restore_takes_hardly_any_space() {
    let mut world = World::new(NONE);
    let disk = Disk::mount(&world.path("disk"), &world.path("mount"));
    world.root = world.path("mount/site");
    fs::create_dir(&world.root).unwrap();
    world.configure(NONE, None, "");
    fill(&world);
    world.init();
    world.backup();
    let before = fingerprint(&world.root);
    change(&world);
    let used = disk.used();
    let done = restored(&world);
    assert_same(&before, &fingerprint(&world.root));
    nix::unistd::sync();
    let more = disk.used() - used;
    // Two trees are there now, the restored one and the former one.
    assert!(more < 20 << 20, "{more} bytes more on the disk: {done:#}");
    let kept = Path::new(done["kept"].as_str().unwrap()).join("tree/large");
    assert_eq!(&fs::read(kept).unwrap()[11 << 20..][..7], b"malware");
}
