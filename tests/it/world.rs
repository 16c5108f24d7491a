//! One site with its storage and configuration in a directory of its own, driven through the real binary.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct World {
    directory: TempDir,
    pub(crate) root: PathBuf,
}

/// What one call of the binary came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// An empty site `demo` and an empty local storage; `databases` is YAML after `databases:`.
    pub(crate) fn new(databases: &str) -> Self {
        Self::with_storage(databases, None)
    }

    /// The same with other YAML for the storage.
    pub(crate) fn with_storage(databases: &str, storage: Option<&str>) -> Self {
        let directory = tempfile::Builder::new().prefix("lifeboat-world-").tempdir().unwrap();
        let root = directory.path().join("site");
        fs::create_dir(&root).unwrap();
        fs::create_dir(directory.path().join("storage")).unwrap();
        let world = Self { directory, root };
        fs::write(world.path("password"), "correct horse battery staple\n").unwrap();
        fs::set_permissions(world.path("password"), fs::Permissions::from_mode(0o600)).unwrap();
        world.configure(databases, storage, "");
        world
    }

    pub(crate) fn configure(&self, databases: &str, storage: Option<&str>, more: &str) {
        let local = format!("{{type: local, path: {}}}", self.path("storage").display());
        let text = format!(
            "site: {{name: demo, root: {}}}\n{databases}\nstorage: {}\nrepository: {{password: {{file: {}}}}}\nretention: {{last: 3}}\nzone: Europe/Berlin\nstate: {}\n{more}",
            self.root.display(),
            storage.unwrap_or(&local),
            self.path("password").display(),
            self.path("state").display(),
        );
        fs::write(self.path("lifeboat.yaml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.path("storage/demo")
    }

    /// The library's own view of the configuration.
    pub(crate) fn job(&self) -> lifeboat::run::Job {
        lifeboat::config::load(&self.path("lifeboat.yaml")).unwrap().job().unwrap()
    }

    /// Creates the repository as `init` does.
    pub(crate) fn init(&self) {
        lifeboat::run::init(&self.job(), &lifeboat::event::Cx::silent()).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command.arg("-c").arg(self.path("lifeboat.yaml")).args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// Runs with `--json`, expects this exit code, and returns the result document.
    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["--json"], arguments].concat());
        assert_eq!(ran.code, code, "{arguments:?}\n{}\n{}", ran.out, ran.err);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
    }

    /// A successful backup; the snapshot's id.
    pub(crate) fn backup(&self) -> String {
        let done = self.json(0, &["backup"]);
        done["result"]["snapshot"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn snapshots(&self) -> Vec<Value> {
        self.json(0, &["snapshots"])["result"].as_array().unwrap().clone()
    }

    /// Stock restic on our repository, or on another one.
    pub(crate) fn restic_on(&self, repository: &Path, arguments: &[&str]) -> Ran {
        Ran::of(&self.restic_command(repository).args(arguments).output().unwrap())
    }

    pub(crate) fn restic_command(&self, repository: &Path) -> Command {
        let mut restic = Command::new("restic");
        restic
            .arg("-r")
            .arg(repository)
            .env("RESTIC_PASSWORD_FILE", self.path("password"))
            .env("RESTIC_CACHE_DIR", self.path("restic-cache"));
        restic
    }

    pub(crate) fn restic(&self, arguments: &[&str]) -> Ran {
        self.restic_on(&self.repository(), arguments)
    }

    /// Every data byte is read by the independent witness.
    pub(crate) fn restic_is_content(&self) {
        let ran = self.restic(&["check", "--read-data"]);
        assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
        assert!(ran.out.contains("no errors were found"), "{}", ran.out);
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// A backup by restic that reads from a pipe, and so holds its shared lock until it is closed; returns when the lock is there.
pub(crate) fn backup_that_waits(restic: &mut Command, repository: &Path) -> Child {
    let restic = restic.args(["backup", "--stdin"]).stdin(Stdio::piped());
    let child = restic.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while fs::read_dir(repository.join("locks")).unwrap().next().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }
}

/// Everything a restore must bring back, by path: kind, mode, owner, time, link, attributes and content.
pub(crate) fn fingerprint(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut links = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            String::new()
        } else if meta.is_symlink() {
            blake3::hash(fs::read_link(&path).unwrap().as_os_str().as_bytes()).to_hex().to_string()
        } else if meta.is_file() {
            blake3::hash(&fs::read(&path).unwrap()).to_hex().to_string()
        } else {
            format!("special {}", meta.rdev())
        };
        let relative = path.strip_prefix(root).unwrap().to_owned();
        // The inode itself is not a fact about the site, but who shares it is.
        let shared = (meta.nlink() > 1 && !meta.is_dir())
            .then(|| links.entry(meta.ino()).or_insert_with(|| relative.clone()).clone());
        let mut attributes: Vec<String> = xattr::list(&path)
            .unwrap()
            .map(|name| format!("{}={:?}", name.display(), xattr::get(&path, &name).unwrap()))
            .collect();
        attributes.sort();
        let text = format!(
            "{:o} {}:{} {}.{:09} {attributes:?} {} {content}",
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.mtime(),
            meta.mtime_nsec(),
            if shared.is_some() { "shared" } else { "" },
        );
        found.insert(relative, text);
    }
    found
}

/// Panics with the first few differences, by name.
#[track_caller]
pub(crate) fn assert_same(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) {
    let all: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let different: Vec<String> = all
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| format!("{}\n  was {:?}\n  is  {:?}", path.display(), before.get(path), after.get(path)))
        .collect();
    assert!(
        different.is_empty(),
        "{} differences:\n{}",
        different.len(),
        different[..different.len().min(5)].join("\n")
    );
}
