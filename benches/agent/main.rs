//! An agent that has nothing to do: what it holds of memory, and how often it wakes: `cargo bench --bench agent [-- SECONDS]`.
#![allow(clippy::print_stdout)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(120);
    for sites in [1, 100] {
        let place = tempfile::tempdir().expect("make a directory");
        for site in 0..sites {
            write_site(place.path(), site);
        }
        measure(place.path(), sites, seconds);
    }
}

fn write_site(place: &Path, number: u32) {
    let root = place.join(format!("root{number}"));
    fs::create_dir(&root).expect("make a site");
    fs::create_dir_all(place.join("sites")).expect("make a directory");
    let password = place.join("password");
    fs::write(&password, "correct horse battery staple\n").expect("write a password");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("protect a password");
    let text = format!(
        "site: {{name: site{number}, root: {}}}\ndatabases: []\nstorage: {{type: local, path: {place}/storage}}\n\
         repository: {{password: {{file: {}}}}}\nstate: {place}/state\n\
         schedule: {{backup: daily, check: weekly, drill: monthly}}\nretention: {{last: 7}}\n",
        root.display(),
        password.display(),
        place = place.display(),
    );
    fs::write(place.join(format!("sites/site{number}.yaml")), text).expect("write a configuration");
}

fn measure(place: &Path, sites: u32, seconds: u64) {
    let mut agent = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .args(["-c", "/nonexistent", "agent", "--sites"])
        .arg(place.join("sites"))
        .arg("--listen")
        .arg(place.join("agent.sock"))
        .arg("--tokens")
        .arg(place.join("tokens.json"))
        .arg("--audit")
        .arg(place.join("audit.jsonl"))
        .stderr(Stdio::null())
        .spawn()
        .expect("start the agent");
    // What starting costs is not idling.
    std::thread::sleep(Duration::from_secs(5));
    let before = wakeups(agent.id());
    std::thread::sleep(Duration::from_secs(seconds));
    let woken = wakeups(agent.id()) - before;
    let status = fs::read_to_string(format!("/proc/{}/status", agent.id())).expect("read its status");
    let mebibytes = |key: &str| number(&status, key) / 1024.0;
    println!(
        "{sites:>4} site(s), {seconds} s: {:.1} MiB resident, of that {:.1} MiB its own; {:.3} wakeups a second",
        mebibytes("VmRSS:"),
        mebibytes("RssAnon:"),
        woken / f64::from(u32::try_from(seconds).expect("a time")),
    );
    agent.kill().expect("stop the agent");
    agent.wait().expect("wait for the agent");
}

/// How often any of its threads gave up its processor and was given one again.
fn wakeups(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("list its threads");
    let switches = |task: fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        number(&status, "voluntary_ctxt_switches:") + number(&status, "nonvoluntary_ctxt_switches:")
    };
    tasks.flatten().map(switches).sum()
}

fn number(status: &str, key: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("0");
    line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0)
}
