//! What is handed out: packages, the portable binary, the unit, and the files for containers.

mod containers;
mod deb;
mod portable;
mod rpm;
mod unit;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::world::Ran;

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The binary that runs on old systems, as tests/run has built it.
#[track_caller]
fn portable_binary() -> PathBuf {
    let target = top().join(format!("target/portable/{}-unknown-linux-gnu", std::env::consts::ARCH));
    let path = target.join("debug/lifeboat");
    assert!(path.is_file(), "{} is not there: manifests/packages/portable quick makes it", path.display());
    path
}

fn temporary() -> TempDir {
    tempfile::Builder::new().prefix("lifeboat-packages-").tempdir().unwrap()
}

#[track_caller]
fn ran(command: &mut Command) -> Ran {
    Ran::of(&command.output().unwrap_or_else(|error| panic!("{command:?}: {error}")))
}

/// A version of both packages, of the portable binary.
struct Packages {
    _directory: TempDir,
    deb: PathBuf,
    rpm: PathBuf,
}

impl Packages {
    fn build(version: &str) -> Self {
        let directory = temporary();
        ran(Command::new(top().join("manifests/packages/build"))
            .args(["--version", version, "--level", "1", "--binary"])
            .arg(portable_binary())
            .arg("--out")
            .arg(directory.path())
            .env("SOURCE_DATE_EPOCH", "1800000000"))
        .expect(0);
        let file = |end: &str| {
            let names = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
            names.into_iter().find(|path| path.to_string_lossy().ends_with(end)).unwrap()
        };
        Self { deb: file(".deb"), rpm: file(".rpm"), _directory: directory }
    }
}

static DEBIAN: LazyLock<PathBuf> = LazyLock::new(|| top().join("target/old-debian"));

/// A copy of an old Debian, for one test.
struct Chroot(TempDir);

impl Chroot {
    fn new() -> Self {
        assert!(
            DEBIAN.join("done").exists(),
            "there is no {}: tests/old-debian/make makes it",
            DEBIAN.display()
        );
        let directory = temporary();
        ran(Command::new("cp").args(["-a", "--reflink=auto"]).arg(DEBIAN.join("root")).arg(directory.path()))
            .expect(0);
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("root").join(name.trim_start_matches('/'))
    }

    /// With namespaces of its own for processes and mounts, so that nothing of it is left behind.
    fn run(&self, line: &str) -> Ran {
        ran(Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child"])
            .arg(format!("--mount-proc={}", self.path("proc").display()))
            .arg("chroot")
            .arg(self.path("/"))
            .args(["/bin/sh", "-ec", line])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("DEBIAN_FRONTEND", "noninteractive"))
    }

    #[track_caller]
    fn did(&self, line: &str) -> String {
        self.run(line).expect(0).out
    }
}
