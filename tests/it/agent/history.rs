//! What happened, as it is remembered.

use std::fs::OpenOptions;
use std::io::{Read, Write};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::{runs, scheduled, text, wait_until};

#[test]
fn every_run_is_remembered_with_its_events() {
    let world = scheduled("databases: []", "");
    world.backup();
    world.run(&["check"]).expect(0);
    world.run(&["restore", "--at", "latest", "--plan"]).expect(0);
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    let kinds: Vec<_> = runs(&world).iter().map(|run| text(run, "kind").to_owned()).collect();
    assert_eq!(kinds, ["restore", "check", "backup"], "a plan is no run");
    let newest = runs(&world)[0].clone();
    let events = world.json(0, &["runs", text(&newest, "id")])["result"].as_array().unwrap().clone();
    assert_eq!(events[0]["event"], "run-started");
    assert_eq!(events.last().unwrap()["event"], "run-finished");
    let shown = world.run(&["runs", text(&newest, "id")]).expect(0);
    assert!(shown.out.contains("✓ swap-files"), "{}", shown.out);
    let followed = world.run(&["runs", "--follow", text(&newest, "id")]).expect(0);
    assert!(followed.out.ends_with("success\n"), "{}", followed.out);
}

#[test]
fn a_run_without_an_end_is_a_crash_and_a_name_is_used_once() {
    let world = scheduled("databases: []", "");
    world.run(&["backup", "--run-id", "mine"]).expect(0);
    let again = world.run(&["backup", "--run-id", "mine"]).expect(11);
    assert!(again.err.contains("run mine was begun before"), "{}", again.err);
    for hostile in ["../up", "", "a/b", "-x"] {
        world.run(&["backup", &format!("--run-id={hostile}")]).expect(2);
    }
    let file = world.path("state/demo/runs/mine.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    let cut = &whole[..whole.rfind("{\"run\"").unwrap() + 20];
    std::fs::write(&file, cut).unwrap();
    assert_eq!(text(&runs(&world)[0], "standing"), "crashed");
    // What is no event of ours says nothing and harms nothing.
    let mut file = OpenOptions::new().append(true).open(&file).unwrap();
    file.write_all(b"\n\xff\xfe nonsense\n{\"event\":\"run-finished\"}\n").unwrap();
    assert_eq!(text(&runs(&world)[0], "standing"), "crashed");
    world.run(&["runs", "nothing"]).expect(2);
}

#[test]
fn a_history_that_cannot_be_written_does_not_stop_a_backup() {
    let world = scheduled("databases: []", "");
    std::fs::create_dir_all(world.path("state/demo")).unwrap();
    std::fs::write(world.path("state/demo/runs"), "in the way").unwrap();
    let ran = world.run(&["backup"]).expect(0);
    assert!(ran.err.contains("this run will not be in the history"), "{}", ran.err);
}

/// Who hears of an event looks at the history: the agent, which tells others that a run has begun.
#[test]
fn what_is_told_is_in_the_history_already() {
    let world = scheduled("databases: []", "");
    let (mut listener, mut full) = std::io::pipe().unwrap();
    fcntl(&full, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    while full.write(b".").is_ok() {}
    fcntl(&full, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    let mut run = world
        .command(&["--json", "backup"])
        .stdout(std::process::Stdio::null())
        .stderr(full)
        .spawn()
        .unwrap();
    // Nobody listens yet, so that the run stands still where it tells its first event.
    let begun = || runs(&world).first().is_some_and(|run| text(run, "kind") == "backup");
    wait_until(begun, || format!("{:?}", runs(&world)));
    listener.read_to_end(&mut Vec::new()).unwrap();
    assert!(run.wait().unwrap().success());
}
