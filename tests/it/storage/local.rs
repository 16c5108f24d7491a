//! A local directory as storage.

use std::fs;
use std::path::Path;

use lifeboat::error::{Error, Kind};
use lifeboat::event::Cx;
use lifeboat::storage::{Attached, LocalSpec, StorageSpec, open};

fn attach(path: &Path) -> Result<Attached, Error> {
    open(&StorageSpec::Local(LocalSpec { path: path.into() })).attach(&Cx::silent())
}

#[test]
fn a_writable_directory_is_attached_and_left_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let attached = attach(directory.path()).unwrap();
    assert_eq!(attached, Attached { root: directory.path().into(), unmount: None });
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let storage = open(&StorageSpec::Local(LocalSpec { path: directory.path().into() }));
    storage.detach(&attached).unwrap();
    storage.detach(&attached).unwrap();
}

#[test]
fn a_missing_directory_is_never_created() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("not/there");
    let error = attach(&missing).unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert!(error.remedy().is_some());
    assert!(!missing.exists());
}

#[test]
fn a_file_or_a_relative_path_is_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(attach(file.path()).unwrap_err().to_string().contains("not a directory"));
    assert_eq!(attach(Path::new("backups")).unwrap_err().kind(), Kind::Usage);
}
