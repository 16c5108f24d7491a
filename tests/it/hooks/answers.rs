//! What a hook answers, through real runs: what it leaves out, how the snapshot is tagged, why a run is left out.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::world::World;

/// A site with hooks by their points, as shell scripts.
fn world(mode: &str, hooks: &[(&str, &str)]) -> World {
    let world = World::new("databases: []");
    world.write("index", "content");
    world.write("cache/page", "warm");
    world.write("debug.log", "noise");
    for (point, script) in hooks {
        add(&world, point, script);
    }
    let still = "hooks: {quiesce: [{command: [/bin/true]}], resume: [{command: [/bin/true]}]}\n";
    world.configure("databases: []", None, &format!("quiesce: {{mode: {mode}}}\n{still}"));
    world.init();
    world
}

fn add(world: &World, point: &str, script: &str) {
    let hook = world.path(&format!("hooks.d/{point}/answer"));
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&hook, Permissions::from_mode(0o755)).unwrap();
}

const LEAVE_OUT: &str = r#"echo working >&2; echo '{"exclude": ["/cache/", "*.log"], "tags": ["nightly", "by hook"], "note": "two things"}'"#;

/// Names in the newest snapshot, without directories above the site.
fn names(world: &World) -> String {
    let listed = world.run(&["ls", "latest"]).expect(0).out;
    let root = format!("{}/", world.root.display());
    let mut names: Vec<_> = listed.lines().filter_map(|line| line.trim().strip_prefix(&root)).collect();
    names.sort_unstable();
    names.join(" ")
}

#[test]
fn what_a_hook_leaves_out_is_not_saved_and_is_told() {
    for (mode, point) in [
        ("off", "before-run"),
        ("off", "before-save"),
        ("full", "before-online"),
        ("database-only", "after-open"),
    ] {
        let world = world(mode, &[(point, LEAVE_OUT)]);
        let done = world.json(0, &["backup", "--tag", "mine"]);
        assert_eq!(names(&world), "index", "{mode} {point}");
        let tags: Vec<_> =
            done["result"]["snapshot"]["tags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        for tag in ["manual", "mine", "nightly", "by hook", "complete"] {
            assert!(tags.contains(&tag), "{tag} is missing in {tags:?}");
        }
        let run = &done["result"]["run"];
        assert_eq!(run["exclude"], serde_json::json!(["/cache/", "*.log"]));
        let notes = run["notes"].to_string();
        assert!(
            notes.contains(&format!("{point} hook"))
                && notes.contains("left out of the files: /cache/, *.log"),
            "{notes}"
        );
        assert!(notes.contains("two things") && notes.contains("answer: working"), "{notes}");
        // The exit door finds it by the tag.
        assert!(world.restic(&["snapshots", "--tag", "nightly"]).expect(0).out.contains("nightly"));
        // What is in no snapshot moves along with a restore.
        world.write("index", "changed");
        world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
        assert_eq!(fs::read_to_string(world.root.join("cache/page")).unwrap(), "warm");
        assert_eq!(fs::read_to_string(world.root.join("index")).unwrap(), "content");
    }
}

#[test]
fn what_comes_too_late_or_is_not_understood_stops_the_run_only_before() {
    let late = "the files are read";
    let cases: [(&str, &str, &str, i32, &str); 8] = [
        ("full", "before-dump", LEAVE_OUT, 1, late),
        ("off", "before-verify", LEAVE_OUT, 1, late),
        ("off", "after-save", LEAVE_OUT, 0, late),
        ("full", "quiesce", LEAVE_OUT, 0, late),
        ("off", "before-run", r#"echo '{"skipp": "x"}'"#, 1, "unknown field `skipp`"),
        ("off", "before-run", r#"echo '{"tags": ["a,b"]}'"#, 1, "has a comma"),
        ("off", "before-run", r#"echo '{"exclude": ["!index"]}'"#, 1, "would bring something in"),
        ("off", "after-run", r#"echo '{"skip": "x"}'"#, 0, "no meaning at this point"),
    ];
    for (mode, point, script, code, text) in cases {
        let world = world(mode, &[(point, script)]);
        let ran = world.run(&["backup"]).expect(code);
        assert!(ran.err.contains(text) && ran.err.contains(&format!("{point} hook")), "{point}: {}", ran.err);
        if code == 0 {
            assert_eq!(names(&world), "cache cache/page debug.log index", "{point}");
        }
    }
}

#[test]
fn a_hook_says_why_a_run_is_left_out() {
    for script in [
        r#"echo '{"skip": "the shop is being updated"}'"#,
        r#"echo '{"skip": "the shop is being updated"}'; exit 75"#,
    ] {
        let world = world("off", &[("before-open", script)]);
        let ran = world.run(&["backup"]).expect(75);
        assert!(ran.err.contains("asked to leave this out: the shop is being updated"), "{}", ran.err);
        assert_eq!(world.snapshots().len(), 0);
        assert_eq!(world.json(0, &["runs"])["result"][0]["outcome"], "skipped");
    }
}

#[test]
fn a_failure_is_one_whatever_it_answers() {
    let world = world("off", &[("before-run", r#"echo '{"note": "all is well"}'; exit 4"#)]);
    let ran = world.run(&["backup"]).expect(1);
    assert!(ran.err.contains("ended with exit status: 4"), "{}", ran.err);
}

/// The rotation can be left to the next run; what is saved cannot be unsaved.
#[test]
fn after_the_snapshot_the_rotation_alone_is_left_out() {
    let world = world("off", &[("before-rotate", "exit 75")]);
    let done = world.json(0, &["backup"]);
    assert_eq!(done["result"]["run"]["outcome"], "success");
    add(&world, "before-verify", "exit 75");
    let ran = world.run(&["backup"]).expect(1);
    assert!(ran.err.contains("too late for that"), "{}", ran.err);
    assert_eq!(world.snapshots().len(), 2);
}

#[test]
fn who_is_told_of_the_end_is_told_which() {
    let told = "cat > \"$(dirname \"$0\")/../../told-$LIFEBOAT_POINT-$LIFEBOAT_OUTCOME\"";
    let world = world("off", &[("after-run", told), ("on-failure", told), ("always", told)]);
    let id = world.backup();
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(world.path(name)).unwrap()).unwrap()
    };
    for name in ["told-after-run-success", "told-always-success"] {
        let run = &read(name)["run"];
        assert_eq!((&run["outcome"], &run["snapshot"]), (&"success".into(), &id.as_str().into()));
    }
    add(&world, "before-run", "exit 75");
    world.run(&["backup"]).expect(75);
    assert!(
        read("told-on-failure-skipped")["run"]["error"].as_str().unwrap().contains("asked to leave this out")
    );
    add(&world, "before-run", "exit 1");
    world.run(&["backup"]).expect(1);
    assert_eq!(read("told-always-failed")["run"]["outcome"], "failed");
}

/// A killed run left the site held still: no hook keeps the next one from giving it back.
#[test]
fn nobody_is_kept_from_a_recovery() {
    let world = world("full", &[("before-save", "exit 0")]);
    let held = world.path("held");
    add(&world, "quiesce", &format!("touch {}", held.display()));
    add(&world, "resume", &format!("rm -f {}", held.display()));
    add(&world, "before-dump", "kill -KILL $PPID");
    assert_eq!(world.run(&["backup"]).code, -1);
    assert!(held.exists());
    for point in ["before-run", "before-claim", "before-recover"] {
        add(&world, point, "exit 75");
    }
    let ran = world.run(&["recover"]).expect(0);
    assert!(!held.exists(), "{}", ran.err);
    assert_eq!(ran.err.matches("ended with exit status: 75").count(), 3 * 2, "{}", ran.err);
}
