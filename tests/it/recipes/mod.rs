//! The shipped recipes and hooks, run as they are on trees such as the applications have.

mod hold;
mod init;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_lifeboat");

pub(super) fn hooks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks")
}

/// A site's root, in a directory of its own.
pub(super) struct Site {
    directory: TempDir,
    pub(super) root: PathBuf,
}

impl Site {
    /// With these files; a name that ends in a slash is a directory.
    pub(super) fn with(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::Builder::new().prefix("lifeboat-recipe-").tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap().join("site");
        fs::create_dir(&root).unwrap();
        let site = Self { directory, root };
        for (name, text) in files {
            site.write(name, text);
        }
        site
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text.replace("@ROOT@", self.root.to_str().unwrap())).unwrap();
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn recipe(&self, application: &str, verb: &str) -> Output {
        Command::new(hooks().join(application).join("recipe"))
            .args([verb, self.root.to_str().unwrap()])
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LIFEBOAT", PROGRAM)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Without the paths of this machine.
    pub(super) fn plain(&self, text: &[u8]) -> String {
        String::from_utf8_lossy(text)
            .replace(self.root.to_str().unwrap(), "ROOT")
            .replace(self.root.parent().unwrap().to_str().unwrap(), "ABOVE")
            .replace(hooks().to_str().unwrap(), "HOOKS")
            .replace(PROGRAM, "LIFEBOAT")
    }
}
