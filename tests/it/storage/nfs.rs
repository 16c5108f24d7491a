//! Starts the lab (tests/nfs-lab) once for each group of guest tests; the tests themselves are in `guest`.

use std::path::Path;
use std::process::Command;

fn in_the_lab(group: &str) {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nfs-lab/run");
    let output = Command::new(lab)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--test-threads=1", &format!("storage::guest::{group}::")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{complaint}", output.status);
    // A group that was renamed away must not pass for one without failures.
    assert!(said.contains("test result: ok.") && !said.contains(" 0 passed"), "{said}");
}

#[test]
fn mounting() {
    in_the_lab("mounting");
}

#[test]
fn refusals() {
    in_the_lab("refusals");
}

#[test]
fn outages() {
    in_the_lab("outages");
}
