//! Runs ignored tests of this very binary in the lab (tests/nfs-lab), beside a real NFS server.

use std::path::Path;
use std::process::Command;

/// Starts the lab for the ignored tests whose names begin with `prefix`; exactly `expected` of them must run and pass.
pub(crate) fn run(prefix: &str, expected: usize, environment: &[(&str, &str)]) {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nfs-lab/run");
    let output = Command::new(lab)
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--test-threads=1", prefix])
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{complaint}", output.status);
    // A group that was renamed away, or lost a test, must not pass for one without failures.
    assert!(said.contains(&format!("test result: ok. {expected} passed")), "expected {expected}:\n{said}");
}
