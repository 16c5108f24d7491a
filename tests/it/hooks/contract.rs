//! The contract: input, environment, exit status, deadline, output.

use std::thread;
use std::time::{Duration, Instant};

use lifeboat::error::Kind;
use lifeboat::event::Cx;
use lifeboat::hook::{HookSpec, Verdict, run};

use serde_json::{Value, json};

use super::{Heard, LONG, hook, state};

#[test]
fn state_comes_by_standard_input_and_names_by_the_environment() {
    let (heard, cx) = Heard::listen();
    let script = "echo read; cat; echo; env | sort; echo to-stderr >&2; pwd";
    assert_eq!(run(&hook("before-dump", script), &state(), &cx).unwrap(), Verdict::GoOn);
    let notes = heard.notes();
    let read: Value = serde_json::from_str(notes[1].strip_prefix("/bin/sh: ").unwrap()).unwrap();
    assert_eq!((&read["version"], &read["point"]), (&json!(1), &json!("before-dump")));
    assert_eq!((&read["run"]["site"], &read["run"]["kind"]), (&json!("shop"), &json!("backup")));
    for line in [
        "LIFEBOAT_KIND=backup",
        "LIFEBOAT_POINT=before-dump",
        "LIFEBOAT_RUN=run-7",
        "LIFEBOAT_SITE=shop",
        "LIFEBOAT_VERSION=1",
    ] {
        assert!(notes.contains(&format!("/bin/sh: {line}")), "{line} is missing in {notes:?}");
    }
    assert!(notes.contains(&"/bin/sh: to-stderr".to_owned()) && notes.contains(&"/bin/sh: /".to_owned()));
    assert!(notes.iter().any(|note| note.starts_with("/bin/sh: LIFEBOAT=/")), "{notes:?}");
    assert!(!notes.iter().any(|note| note.contains("CARGO=")), "{notes:?}");
    assert_eq!(heard.verdicts(), ["ok"]);
}

#[test]
fn failure_before_is_an_error_and_after_a_warning() {
    let (heard, cx) = Heard::listen();
    let error = run(&hook("before-run", "exit 3"), &state(), &cx).unwrap_err();
    assert_eq!(error.kind(), Kind::Failed);
    assert!(error.to_string().contains("before-run hook /bin/sh ended with exit status: 3"), "{error}");
    assert!(heard.warnings().is_empty());
    for point in ["after-dump", "after-run", "on-failure", "always"] {
        assert_eq!(run(&hook(point, "exit 3"), &state(), &cx).unwrap(), Verdict::Warned);
        assert!(heard.warnings().last().unwrap().starts_with(point));
    }
    assert_eq!(heard.verdicts().len(), 5);
}

#[test]
fn seventy_five_skips_before_and_warns_after() {
    let (heard, cx) = Heard::listen();
    assert_eq!(run(&hook("before-run", "exit 75"), &state(), &cx).unwrap_err().kind(), Kind::Skipped);
    assert_eq!(run(&hook("after-run", "exit 75"), &state(), &cx).unwrap(), Verdict::Warned);
    assert_eq!(heard.verdicts()[0], "skip");
}

#[test]
fn death_by_a_signal_is_a_failure() {
    let error = run(&hook("before-run", "kill -9 $$"), &state(), &Cx::silent()).unwrap_err();
    assert!(error.to_string().contains("signal: 9"), "{error}");
}

#[test]
fn deadline_ends_the_whole_group_and_keeps_what_was_said() {
    let (heard, cx) = Heard::listen();
    // Deaf to the polite signal, with a child that is too.
    let script = "trap '' TERM; echo waiting; sleep 60 & sleep 60; sleep 60";
    let spec = HookSpec { timeout: Duration::from_millis(300), ..hook("before-dump", script) };
    let started = Instant::now();
    let error = run(&spec, &state(), &cx).unwrap_err();
    assert!(error.to_string().contains("did not end within 300ms"), "{error}");
    assert!(started.elapsed() < LONG / 2, "{:?}", started.elapsed());
    assert_eq!(heard.notes()[0], "/bin/sh: waiting");
}

#[test]
fn descendant_that_left_the_group_cannot_hold_us_up_by_the_pipe() {
    let (heard, cx) = Heard::listen();
    let started = Instant::now();
    // In a session of its own, its standard output still ours.
    let script = "setsid sleep 6 & sleep 0.3; echo started";
    assert_eq!(run(&hook("after-run", script), &state(), &cx).unwrap(), Verdict::GoOn);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(heard.notes()[0], "/bin/sh: started");
}

#[test]
fn flood_is_cut_and_said_to_be() {
    let (heard, cx) = Heard::listen();
    assert_eq!(run(&hook("before-run", "yes | head -c 5000000"), &state(), &cx).unwrap(), Verdict::GoOn);
    let notes = heard.notes();
    assert!(notes.len() <= 501 && notes.last().unwrap().contains("said more"), "{}", notes.len());
}

#[test]
fn terminal_tricks_and_broken_text_are_taken_out() {
    let (heard, cx) = Heard::listen();
    run(&hook("before-run", r"printf 'a\033[2Jb\tc\377\n\n'"), &state(), &cx).unwrap();
    assert_eq!(heard.notes(), ["/bin/sh: a [2Jb\tc\u{fffd}"]);
}

#[test]
fn cancel_ends_a_hook_at_once_but_not_an_ending_one() {
    let (_, cx) = Heard::listen();
    let cancel = cx.cancel_handle();
    let canceller = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        cancel.cancel();
    });
    let started = Instant::now();
    assert_eq!(run(&hook("after-dump", "sleep 60"), &state(), &cx).unwrap_err().kind(), Kind::Cancelled);
    assert!(started.elapsed() < LONG / 2);
    canceller.join().unwrap();
    assert_eq!(run(&hook("always", "sleep 0.1"), &state(), &cx.shielded()).unwrap(), Verdict::GoOn);
}

#[test]
fn hook_that_does_not_read_its_input_is_no_trouble() {
    let big = lifeboat::event::RunState { notes: vec!["x".repeat(1 << 20)], ..state() };
    assert_eq!(run(&hook("before-run", "exec 0<&-; exit 0"), &big, &Cx::silent()).unwrap(), Verdict::GoOn);
}
