//! `hooks/platform`: the node's call as the platform's program receives it, byte by byte, whatever a run is called and says.

use std::fs;

use lifeboat::event::{Outcome, RunKind, RunState};
use lifeboat::hook::{HookSpec, Verdict, run};
use serde_json::{Value, json};

use super::super::{Heard, LONG};
use super::{named, program, shipped};
use crate::world::World;

const SENDEVENT: &str = "[API_DOMAIN]/1.0/environment/node/rest/sendevent";
const SENDNOTIFICATION: &str = "[API_DOMAIN]/1.0/environment/node/rest/sendnotification";

/// Keeps its arguments as they are, and answers what the test wants.
const JEM: &str = r#"#!/bin/sh
for argument; do printf '%s\0' "$argument"; done >>HOME/calls
printf '\n' >>HOME/calls
cat HOME/answer 2>/dev/null || echo '{"result":0}'
[ ! -e HOME/refuses ]
"#;

/// The hook with a stand-in for the platform's program.
fn hook(world: &World, arguments: &[&str]) -> Vec<String> {
    let jem = format!("--jem={}", program(world, "bin/jem", JEM));
    let lifeboat = format!("--lifeboat={}", env!("CARGO_BIN_EXE_lifeboat"));
    let mut command = vec![shipped(world, "platform"), jem, lifeboat];
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    command
}

/// The calls since this was last asked: the method, and what it was given.
fn calls(world: &World) -> Vec<(String, Value)> {
    let text = fs::read_to_string(world.path("calls")).unwrap_or_default();
    fs::write(world.path("calls"), "").unwrap();
    let call = |call: &str| {
        let words: Vec<&str> = call.split_terminator('\0').collect();
        let [api, apicall, method, option, params] = words[..] else { panic!("{words:?}") };
        assert_eq!((api, apicall, option), ("api", "apicall", "--data-urlencode"));
        (method.to_owned(), serde_json::from_str(params.strip_prefix("params=").unwrap()).unwrap())
    };
    text.split_terminator("\0\n").map(call).collect()
}

/// What becomes of a run that ends so, told by the hook to the stand-in.
fn told(world: &World, state: &RunState, arguments: &[&str]) -> Vec<(String, Value)> {
    let (heard, cx) = Heard::listen();
    let spec = HookSpec { timeout: LONG, ..HookSpec::new("always", hook(world, arguments)) };
    assert_eq!(run(&spec, state, &cx).unwrap(), Verdict::GoOn, "{:?}", heard.warnings());
    calls(world)
}

fn failed(site: &str, error: &str) -> RunState {
    RunState {
        run: "run-7".into(),
        kind: Some(RunKind::Backup),
        site: site.into(),
        outcome: Some(Outcome::Failed),
        error: Some(error.into()),
        ..RunState::default()
    }
}

#[test]
fn the_end_of_real_runs_is_told() {
    let world = World::new("databases: []");
    world.write("index", "content");
    let (always, failure) = (named(&hook(&world, &["--mail=failures"])), "{command: [/bin/false]}");
    let yaml = format!("hooks:\n  always: [{always}]\n");
    world.configure("databases: []", None, &yaml);
    world.init();
    let snapshot = world.backup();
    let told = calls(&world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, SENDEVENT);
    assert_eq!(
        told[0].1,
        json!({ "name": "lifeboat-result", "outcome": "success", "kind": "backup", "site": "demo", "snapshot": snapshot, "text": "" })
    );
    world.configure("databases: []", None, &format!("{yaml}  before-save: [{failure}]\n"));
    world.run(&["backup"]).expect(1);
    let told = calls(&world);
    assert_eq!((told[0].0.as_str(), told[1].0.as_str()), (SENDEVENT, SENDNOTIFICATION));
    assert_eq!((&told[0].1["outcome"], &told[0].1["snapshot"]), (&json!("failed"), &json!("")));
    let text = told[0].1["text"].as_str().unwrap();
    assert!(text.starts_with("before-save hook /bin/false ended with exit status: 1"), "{text}");
    assert_eq!(told[1].1["subject"], "demo: backup failed");
    assert_eq!(told[1].1["body"], format!("The backup of demo: failed.\n\n{text}"));
}

#[test]
fn nothing_in_a_text_is_more_than_text() {
    let world = World::new("databases: []");
    let ran = world.path("ran");
    let site = format!("'; touch {0}; \"$(touch {0})`touch {0}`\\", ran.display());
    let error =
        "say \"no\", C:\\new\\u0041 ${x} %s %n\n\n\ttab, 'quote' and ü€😀\n&params={\"name\":\"other\"}";
    let told = told(&world, &failed(&site, error), &["--mail", "--event=other-event"]);
    assert_eq!(told.len(), 2);
    let event = &told[0].1;
    assert_eq!(
        (&event["name"], &event["site"], &event["text"]),
        (&json!("other-event"), &json!(site), &json!(error))
    );
    assert_eq!(told[1].1["subject"], format!("{site}: backup failed"));
    assert!(told[1].1["body"].as_str().unwrap().ends_with(error));
    assert!(!ran.exists());
}

#[test]
fn control_characters_go_and_what_is_too_long_is_cut_between_letters() {
    let world = World::new("databases: []");
    let told = told(&world, &failed("shop", "a\u{1b}[31mb\u{0}\u{7f}\r"), &[]);
    assert_eq!(told[0].1["text"], "a[31mb");
    for shift in 0..4 {
        let error = format!("{}{}", "x".repeat(shift), "😀".repeat(50_000));
        let told = self::told(&world, &failed("shop", &error), &[]);
        let text = told[0].1["text"].as_str().unwrap().strip_suffix("...").unwrap().to_owned();
        assert!(error.starts_with(&text) && (1990..=2000).contains(&text.len()), "{}", text.len());
    }
}

#[test]
fn what_is_missing_and_what_to_do_are_told() {
    let world = World::new("databases: []");
    let incomplete = RunState {
        outcome: Some(Outcome::Incomplete),
        snapshot: Some("5e1f".into()),
        error: None,
        missed_count: 3,
        ..failed("shop", "")
    };
    let told = told(&world, &incomplete, &["--mail"]);
    assert_eq!(told[0].1["text"], "3 things are missing from it.");
    assert_eq!(
        told[1].1["body"],
        "The backup of shop: incomplete.\nSnapshot: 5e1f\n\n3 things are missing from it."
    );
    let remedy = RunState { remedy: Some("mount it".into()), ..failed("shop", "away") };
    assert_eq!(self::told(&world, &remedy, &[])[0].1["text"], "away\nWhat to do: mount it");
}

#[test]
fn a_platform_that_refuses_is_a_warning() {
    let world = World::new("databases: []");
    let (heard, cx) = Heard::listen();
    let ask = |arguments: &[&str]| {
        let spec = HookSpec { timeout: LONG, ..HookSpec::new("always", hook(&world, arguments)) };
        run(&spec, &failed("shop", "away"), &cx).unwrap()
    };
    assert_eq!(ask(&["--mail"]), Verdict::GoOn);
    fs::write(world.path("answer"), "{ \"result\" : 702, \"error\": \"no access\" }").unwrap();
    assert_eq!(ask(&["--mail"]), Verdict::Warned);
    assert_eq!(calls(&world).len(), 4, "a refused event keeps no mail back");
    let notes = heard.notes().join("\n");
    assert!(notes.contains("sendevent: the platform refuses") && notes.contains("no access"), "{notes}");
    fs::write(world.path("answer"), "").unwrap();
    fs::write(world.path("refuses"), "").unwrap();
    assert_eq!(ask(&[]), Verdict::Warned);
    assert_eq!(ask(&["--jem=/nowhere/jem"]), Verdict::Warned);
    assert_eq!(ask(&["--event=a\"b"]), Verdict::Warned);
    assert_eq!(calls(&world).len(), 1);
    // Without the agent's own reader there is less to tell, but it is told.
    fs::remove_file(world.path("refuses")).unwrap();
    assert_eq!(ask(&["--lifeboat=/nowhere/lifeboat"]), Verdict::GoOn);
    assert_eq!(calls(&world)[0].1["outcome"], "failed");
}
