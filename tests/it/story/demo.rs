//! The README's first command does what it says, in the one directory that it names.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use crate::world::Ran;

fn below(directory: &std::path::Path) -> BTreeSet<PathBuf> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_demo_proves_its_promise_and_touches_one_directory() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command.args(arguments).current_dir(home.path()).env("HOME", home.path()).env("TMPDIR", home.path());
        Ran::of(&command.output().unwrap())
    };
    let ran = run(&["demo"]).expect(0);
    assert!(ran.out.contains("PROVEN: 311 files and 3,403 rows"), "{}", ran.out);
    assert_eq!(below(home.path()), BTreeSet::from([home.path().join("lifeboat-demo")]));
    // What it says to type next works.
    for next in [
        &["snapshots"][..],
        &["ls", "latest"],
        &["restore", "--at", "latest", "--dry-run"],
        &["check", "--read-data"],
        &["doctor"],
    ] {
        run(&[&["-c", "lifeboat-demo/lifeboat.yaml"], next].concat()).expect(0);
    }
    // A second demo does not write over the first.
    run(&["demo"]).expect(2);
    let json = run(&["--json", "demo", "--dir", "second"]).expect(0);
    let document: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(document["result"]["files_proven"], 311);
}
