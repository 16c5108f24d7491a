//! Tests that need a real NFS server and the right to mount: they run inside the lab only, started by `nfs`.

mod mounting;
mod outages;
mod refusals;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lifeboat::error::Error;
use lifeboat::event::Cx;
use lifeboat::storage::{Attached, MountMode, NfsSpec, Storage, StorageSpec, open};
use lifeboat::sys::mount::{Flags, force_away, mount, table};

/// The server's side of the export.
const EXPORTED: &str = "/mnt/export/data";

/// Short enough for tests: an error after 2 s.
const IMPATIENT: &str = "timeo=10,retrans=1";

/// One mount point per test; whatever a test leaves behind is taken away, and the server is up again.
struct Scene {
    point: PathBuf,
}

impl Scene {
    fn new(name: &str) -> Self {
        assert!(
            std::env::var_os("LIFEBOAT_NFS_LAB").is_some(),
            "this test mounts and unmounts: it runs in tests/nfs-lab only"
        );
        Self { point: Path::new("/mnt/points").join(name) }
    }

    fn spec(&self, mode: MountMode) -> NfsSpec {
        NfsSpec {
            server: "127.0.0.1".into(),
            export: "/data".into(),
            mountpoint: self.point.clone(),
            options: Some(IMPATIENT.into()),
            mode,
        }
    }

    fn storage(&self, mode: MountMode) -> Box<dyn Storage> {
        open(&StorageSpec::Nfs(self.spec(mode)))
    }

    fn mounts(&self) -> usize {
        table().unwrap().iter().filter(|entry| entry.mountpoint == self.point).count()
    }

    /// What a person with a shell would do.
    fn mount_by_hand(&self, source: &str, options: &str) {
        fs::create_dir_all(&self.point).unwrap();
        let data = format!("vers=4.2,soft,{IMPATIENT},addr=127.0.0.1,clientaddr=127.0.0.1,{options}");
        mount(source, &self.point, "nfs4", Flags::empty(), data.trim_end_matches(',')).unwrap();
    }

    fn mount_tmpfs(&self) {
        fs::create_dir_all(&self.point).unwrap();
        mount("tmp", &self.point, "tmpfs", Flags::empty(), "size=1m").unwrap();
    }

    /// The error of an `attach` that must fail and must change nothing about what is mounted.
    fn refused(&self, storage: &dyn Storage) -> Error {
        let before = self.mounts();
        let error = attach(storage).unwrap_err();
        assert_eq!(self.mounts(), before, "{error}");
        assert!(error.remedy().is_some(), "{error}");
        error
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        server("nfs-export", &["rw,no_root_squash"]);
        server("nfs-up", &[]);
        while self.mounts() > 0 && force_away(&self.point).is_ok() {}
    }
}

fn attach(storage: &dyn Storage) -> Result<Attached, Error> {
    storage.attach(&Cx::silent())
}

fn server(command: &str, arguments: &[&str]) {
    assert!(Command::new(command).args(arguments).status().unwrap().success(), "{command}");
}

fn says(error: &Error, words: &str) {
    assert!(error.to_string().contains(words), "{error:?}");
}
