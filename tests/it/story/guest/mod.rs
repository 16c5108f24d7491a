//! Whole stories, told by the real binary on a real NFS mount: they run inside the lab only, started by `nfs`.

mod away;
mod good;
mod hard;
mod wrong;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lifeboat::sys::mount::{Flags, force_away, mount, table};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::RngCore;

use crate::world::{Ran, World};

/// The server's side of what it exports as `/data`.
const EXPORTED: &str = "/mnt/export/data";

/// An error after some 2 s for each request instead of 30.
const IMPATIENT: &str = "timeo=10,retrans=1";

/// MiB of a site whose backup or restore takes long enough to be met in its middle.
const SIZE: usize = 80;

/// One export with its mount point; in the end the server is up again and nothing is mounted there.
struct Share {
    name: String,
    point: PathBuf,
}

impl Share {
    fn new(name: &str) -> Self {
        assert!(
            std::env::var_os("LIFEBOAT_NFS_LAB").is_some(),
            "this test mounts and unmounts: it runs in tests/nfs-lab only"
        );
        let share = Self { name: name.to_owned(), point: Path::new("/mnt/points").join(name) };
        fs::create_dir_all(share.served()).unwrap();
        share
    }

    /// The exported directory as the server sees it.
    fn served(&self) -> PathBuf {
        Path::new(EXPORTED).join(&self.name)
    }

    /// The repository as the server sees it.
    fn repository(&self) -> PathBuf {
        self.served().join("demo")
    }

    fn export(&self) -> String {
        format!("/data/{}", self.name)
    }

    /// YAML of this share as a storage.
    fn yaml(&self, mode: &str) -> String {
        format!(
            "{{type: nfs, server: 127.0.0.1, export: {}, mountpoint: {}, options: \"{IMPATIENT}\", mount: {mode}}}",
            self.export(),
            self.point.display()
        )
    }

    /// A site whose storage this is, with this many MiB that nothing makes smaller.
    fn world(&self, mode: &str, size: usize) -> World {
        let world = World::with_storage("databases: []", Some(&self.yaml(mode)));
        grow(&world, "first", size);
        world.write("index.html", "hello");
        world
    }

    /// What fstab with an administrator's trust in the server would do.
    fn mount_by_hand(&self, options: &str) {
        fs::create_dir_all(&self.point).unwrap();
        let data = format!("vers=4.2,{options},{IMPATIENT},addr=127.0.0.1,clientaddr=127.0.0.1");
        let source = format!("127.0.0.1:{}", self.export());
        mount(&source, &self.point, "nfs4", Flags::empty(), &data).unwrap();
    }

    fn mounts(&self) -> usize {
        table().unwrap().iter().filter(|entry| entry.mountpoint == self.point).count()
    }

    /// Nothing is mounted, and nothing was ever written into the directory below.
    #[track_caller]
    fn is_left_alone(&self) {
        assert_eq!(self.mounts(), 0, "it stays mounted");
        let inside: Vec<_> = fs::read_dir(&self.point)
            .map(|entries| entries.map(|entry| entry.unwrap().file_name()).collect())
            .unwrap_or_default();
        assert!(inside.is_empty(), "written on the node's own disk: {inside:?}");
    }

    /// Bytes of pack files that the server has, finished or not.
    fn stored(&self) -> u64 {
        size_of(&self.repository().join("data"))
    }

    fn restic_is_content(&self, world: &World) {
        let ran = world.restic_on(&self.repository(), &["check", "--read-data"]).expect(0);
        assert!(ran.out.contains("no errors were found"), "{}", ran.out);
    }

    /// Snapshots by the server's own count, which needs no mount.
    fn snapshots(&self) -> usize {
        let entries = fs::read_dir(self.repository().join("snapshots")).unwrap();
        let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        #[allow(clippy::print_stdout)] // shown with a failure only
        {
            println!("in snapshots/ of {}: {names:?}", self.name);
        }
        names.len()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        server("nfs-up", &[]);
        while self.mounts() > 0 && force_away(&self.point).is_ok() {}
        drop(fs::remove_dir_all(self.served()));
    }
}

/// A run of the binary that is under way.
struct Running {
    child: Child,
    begun: Instant,
}

impl Running {
    fn start(world: &World, arguments: &[&str]) -> Self {
        let mut command = world.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap(), begun: Instant::now() }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Holds the run at the first moment when `there` is true, does something, and lets it go on.
    fn held_when(&mut self, there: impl Fn() -> bool, work: impl FnOnce()) {
        while !there() {
            assert!(self.child.try_wait().unwrap().is_none(), "the run ended too early");
            assert!(self.begun.elapsed() < Duration::from_mins(1), "the run never came so far");
            sleep(Duration::from_millis(2));
        }
        self.signal(Signal::SIGSTOP);
        work();
        assert!(self.child.try_wait().unwrap().is_none(), "the run ended too early");
        self.signal(Signal::SIGCONT);
        self.begun = Instant::now();
    }

    /// The end, which must come within this time from the start, or from where it was held.
    #[track_caller]
    fn end_within(mut self, limit: Duration) -> Ran {
        while self.child.try_wait().unwrap().is_none() {
            if self.begun.elapsed() > limit {
                let stacks = stacks(self.child.id());
                self.child.kill().unwrap();
                panic!("still running after {limit:?}:\n{stacks}");
            }
            sleep(Duration::from_millis(20));
        }
        Ran::of(&self.child.wait_with_output().unwrap())
    }
}

/// Where each thread of a process waits.
fn stacks(pid: u32) -> String {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    threads.map(|path| read(path.join("comm")) + &read(path.join("stack"))).collect::<Vec<_>>().join("\n")
}

fn size_of(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries
        .map(|entry| {
            // Files come and go meanwhile.
            entry
                .and_then(|entry| Ok((entry.path(), entry.metadata()?)))
                .map_or(0, |(path, meta)| if meta.is_dir() { size_of(&path) } else { meta.len() })
        })
        .sum()
}

/// Files of one MiB each that neither compress nor repeat.
fn grow(world: &World, name: &str, size: usize) {
    let mut content = vec![0; 1 << 20];
    for number in 0..size {
        rand::rng().fill_bytes(&mut content);
        world.write(&format!("{name}/{number:03}"), &content);
    }
}

fn server(command: &str, arguments: &[&str]) {
    assert!(Command::new(command).args(arguments).status().unwrap().success(), "{command}");
}

#[track_caller]
fn says(ran: &Ran, words: &str) {
    assert!(ran.err.contains(words), "{}\n{}", ran.out, ran.err);
}

/// A site in the middle of its backup, at the moment when the server goes away.
fn backup_without_server(share: &Share, world: &World, patience: &str) -> Running {
    let before = share.stored();
    let mut running = Running::start(world, &["--storage-patience", patience, "backup"]);
    running.held_when(|| share.stored() > before, || server("nfs-down", &[]));
    running
}

/// The server is back, and all is as if nothing had happened.
#[track_caller]
fn recovers(share: &Share, world: &World, snapshots: usize) {
    world.backup();
    assert_eq!(share.snapshots(), snapshots);
    assert_eq!(fs::read_dir(share.repository().join("locks")).unwrap().count(), 0, "a lock is left");
    let ran = world.restic_on(&share.repository(), &["check"]).expect(0);
    assert!(ran.out.contains("no errors were found"), "{}", ran.out);
}

/// Starts the server at once: nobody is left who could ask for what he had open before.
fn up_again() {
    server("nfs-up", &[]);
    fs::write("/proc/fs/nfsd/v4_end_grace", "Y").unwrap();
}
