//! The tools from `PyPI` (tests/tools/requirements.txt), where tests/run has put them.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/python")
}

#[track_caller]
fn existing(path: Option<PathBuf>, name: &str) -> PathBuf {
    path.filter(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not below {}: tests/run installs it", root().display()))
}

#[track_caller]
pub(crate) fn python_program(name: &str) -> PathBuf {
    existing(Some(root().join("bin").join(name)), name)
}

/// A file of a package, whichever Python it was installed for.
#[track_caller]
pub(crate) fn python_file(name: &str) -> PathBuf {
    let versions = std::fs::read_dir(root().join("lib")).into_iter().flatten().flatten();
    existing(versions.map(|version| version.path().join(name)).find(|path| path.is_file()), name)
}
