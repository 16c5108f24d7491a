//! Broken configurations, and the exact words that are said about them.
//!
//! `LIFEBOAT_WRITE_GOLDEN=1` writes the texts anew; read every one of them as an operator at three in the morning would.

use std::fs;
use std::path::Path;

use lifeboat::config;
use tempfile::TempDir;

use super::write;

#[test]
fn every_mistake_is_explained() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/config/broken");
    let mut files: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= 30);
    let mut wrong = Vec::new();
    for file in files {
        let said = explain(&file);
        assert!(!said.contains("CANARY"), "{said}");
        let golden = file.with_extension("txt");
        if std::env::var_os("LIFEBOAT_WRITE_GOLDEN").is_some() {
            fs::write(&golden, &said).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != said {
            wrong.push(format!("{} now gives:\n{said}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn explain(file: &Path) -> String {
    let home = TempDir::new().unwrap();
    let name = file.file_stem().unwrap().to_str().unwrap();
    let mode = if name.ends_with("0644") { 0o644 } else { 0o600 };
    let mut copy = write(&home.path().join("shop.yaml"), &fs::read_to_string(file).unwrap(), mode);
    if name.ends_with("symlink") {
        let link = home.path().join("link.yaml");
        std::os::unix::fs::symlink(&copy, &link).unwrap();
        copy = link;
    }
    let Err(problems) = config::load(&copy) else { panic!("{} was accepted", file.display()) };
    assert_eq!(format!("{problems:?}"), problems.to_string());
    format!("{problems}\n").replace(home.path().to_str().unwrap(), "/etc/lifeboat")
}

#[test]
fn a_file_that_cannot_be_used_is_explained() {
    let home = TempDir::new().unwrap();
    let said =
        |path: &Path| config::load(path).unwrap_err().to_string().replace(home.path().to_str().unwrap(), "");
    assert_eq!(
        said(&home.path().join("none.yaml")),
        "/none.yaml has 1 problem\n\n  the file cannot be read: No such file or directory (os error 2)\n    \
         -> correct its name or its rights, or write one with lifeboat init"
    );
    assert!(said(home.path()).contains("is not a regular file"));
    let file = home.path().join("shop.yaml");
    assert!(said(&write(&file, config::example(), 0o666)).contains("can be changed by everybody"));
    assert!(
        said(&write(&file, &" ".repeat(1024 * 1024 + 1), 0o600)).contains("is longer than 1048576 bytes")
    );
    fs::write(&file, b"site: \xff").unwrap();
    assert!(said(&file).contains("is not UTF-8"));
}
