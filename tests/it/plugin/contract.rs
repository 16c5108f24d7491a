//! A plugin that does what it should, and many that do not: nothing of those is ever saved.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::{data, leftovers, private, tell, world};

const SCRIPT: &str = r#"
whole() { echo "part $1 $(wc -c <"$2" | tr -d ' ')"; cat "$2"; echo "sum $(sha256sum <"$2" | cut -d ' ' -f 1)"; }
case $1 in
describe)
    case $mode in
    mute) ;;
    liar) echo '{"version": 9, "engine": "box", "server": "s", "name": "n"}' ;;
    broken) exit 7 ;;
    other) echo '{"version": 1, "engine": "other", "server": "s", "name": "n"}' ;;
    *) echo '{"version": 1, "engine": "box", "server": "Box 1", "name": "a box"}' ;;
    esac ;;
dump)
    echo "lifeboat-dump 1"
    case $mode in
    early) echo "part a 10"; printf 12345; exit 0 ;;
    endless) whole a "$W/data"; exit 0 ;;
    short) echo "part a 2"; cat "$W/data"; echo "sum $(sha256sum <"$W/data" | cut -d ' ' -f 1)" ;;
    hash) echo "part a 3"; cat "$W/data"; echo "sum $(echo other | sha256sum | cut -d ' ' -f 1)" ;;
    behind) whole a "$W/data"; printf 'end 1 3\nmore'; exit 0 ;;
    status) whole a "$W/data"; echo "end 1 3"; exit 3 ;;
    count) whole a "$W/data"; echo "end 2 3"; exit 0 ;;
    order) whole b "$W/data"; whole a "$W/data" ;;
    name) whole ../a "$W/data" ;;
    flood) exec yes ;;
    hang) sleep 60 ;;
    deaf) trap '' TERM; sleep 60; sleep 60 ;;
    open) whole a "$W/data"; echo "end 1 3"; setsid sleep 20 & exit 0 ;;
    part) "$LIFEBOAT" plugin part a -- sh -c 'echo half; exit 5' ;;
    esac
    printf '\033[2Jtrick\n' >&2
    yes noise 2>/dev/null | head -n 2000 >&2
    whole a "$W/data"
    "$LIFEBOAT" plugin part b -- cat "$W/data" "$W/data"
    echo "end 2 -" ;;
restore)
    new=$(mktemp -d)
    "$LIFEBOAT" plugin unpack "$new"
    case $mode in
    fail) echo half >"$W/data"; [ "$(cat "$new/a")" != one ] || exit 4 ;;
    esac
    mv "$new/a" "$W/data" ;;
*) exit 2 ;;
esac
"#;

#[test]
fn what_is_not_whole_is_not_saved() {
    let world = world("good", "3s", SCRIPT);
    for (mode, said) in [
        ("mute", "read the answer as JSON"),
        ("liar", "speaks version 9"),
        ("broken", "exit status: 7"),
        ("early", "ends within a part (at part a, after 5 bytes)"),
        ("endless", "ends without an end record"),
        ("short", "where the hash of a part should be"),
        ("hash", "whose hash is another than it says"),
        ("behind", "goes on behind its end"),
        ("status", "exit status: 3"),
        ("count", "had 1 parts and says 2"),
        ("order", "their names must ascend"),
        ("name", "which is not a plain name"),
        ("flood", "has \"y\" where a part or the end should begin"),
        ("hang", "it took longer than it may"),
        ("deaf", "it took longer than it may"),
        ("open", "it took longer than it may"),
        ("part", "ends without an end record"),
    ] {
        // Only the deadline itself is waited for.
        tell(&world, mode, if ["hang", "deaf", "open"].contains(&mode) { "1s" } else { "60s" });
        let ran = world.run(&["backup"]).expect(1);
        let said_at_part = mode == "part" && ran.err.contains("exit status");
        assert!(ran.err.contains(said) || said_at_part, "{mode}: {}", ran.err);
        assert!(world.snapshots().is_empty(), "{mode}");
        assert!(leftovers(&world).is_empty(), "{mode}: {:?}", leftovers(&world));
    }
}

#[test]
fn a_dump_is_files_and_comes_back_and_goes_again() {
    let world = world("good", "60s", SCRIPT);
    let ran = world.run(&["backup"]).expect(0);
    let noise = ran.err.matches("box: noise").count();
    assert!(noise < 500 && ran.err.contains("it said more than is kept"), "{noise}");
    assert!(ran.err.contains("[2Jtrick") && !ran.err.contains('\u{1b}'), "{:.500}", ran.err);
    let place = "/@lifeboat/db/plugin/box";
    let listed = world.run(&["ls", "latest", place]).expect(0).out;
    for name in ["data/a/000000/000000.piece", "data/b/000000/000000.piece", "README.txt", "zz-manifest.json"]
    {
        assert!(listed.contains(name), "{listed}");
    }
    let piece = |part: &str| {
        world.run(&["dump", "latest", &format!("{place}/data/{part}/000000/000000.piece")]).expect(0).out
    };
    assert_eq!((piece("a").as_str(), piece("b").as_str()), ("one", "oneone"));
    let manifest = world.run(&["dump", "latest", &format!("{place}/zz-manifest.json")]).expect(0).out;
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!((&manifest["complete"], &manifest["database"]["engine"]), (&true.into(), &"box".into()));
    assert!(world.run(&["dump", "--sql", "latest"]).expect(2).err.contains("is no SQL"));

    world.run(&["drill"]).expect(0);
    assert_eq!(data(&world), "one");
    fs::write(world.path("data"), "two").unwrap();
    let plan = world.run(&["restore", "--at", "latest", "--dry-run"]).expect(0).out;
    assert!(plan.contains("REPLACED IN PLACE by its plugin"), "{plan}");
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_eq!(data(&world), "one");
    world.run(&["restore", "--undo", "--yes"]).expect(0);
    assert_eq!(data(&world), "two");
    world.run(&["restore", "--undo", "--yes"]).expect(0);
    assert_eq!(data(&world), "one");
    world.run(&["restore", "--discard-former", "--yes"]).expect(0);
    let kept = fs::read_dir(world.path("state/demo")).unwrap();
    let kept =
        kept.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".plugin."));
    assert_eq!(kept.count(), 0);
    assert!(leftovers(&world).is_empty());
    world.restic_is_content();
}

#[test]
fn a_restore_that_fails_gives_back_what_was_live() {
    let world = world("good", "60s", SCRIPT);
    world.backup();
    fs::write(world.path("data"), "two").unwrap();
    world.write("index.html", "later");
    tell(&world, "fail", "60s");
    let ran = world.run(&["restore", "--at", "latest", "--yes"]).expect(1);
    assert!(ran.err.contains("exit status: 4"), "{}", ran.err);
    assert_eq!(data(&world), "two");
    assert_eq!(fs::read_to_string(world.root.join("index.html")).unwrap(), "later");
    tell(&world, "other", "60s");
    let ran = world.run(&["restore", "--at", "latest", "--yes"]).expect(1);
    assert!(ran.err.contains("the dump is of box, and the plugin is for other"), "{}", ran.err);
}

#[test]
fn a_program_that_others_can_write_is_not_run() {
    let world = world("good", "60s", SCRIPT);
    fs::set_permissions(world.path("plugin"), fs::Permissions::from_mode(0o777)).unwrap();
    let ran = world.run(&["backup"]).expect(1);
    assert!(ran.err.contains("may be written by others"), "{}", ran.err);
}

#[test]
fn secrets_come_by_the_input_alone_and_reach_no_log() {
    let script = r#"
case $1 in
describe) echo '{"version": 1, "engine": "box", "server": "s", "name": "n"}' ;;
dump)
    { tr '\0' '\n' </proc/$$/cmdline; tr '\0' '\n' </proc/$$/environ; } >"$W/seen"
    printf '%s' "$mode" >"$W/told"
    echo "it is $mode" >&2
    echo "lifeboat-dump 1"; echo "end 0 0" ;;
esac
"#;
    let world = world("x", "60s", script);
    private(&world.path("secret"), "CANARY-hunter2\n");
    tell(&world, &format!("{{file: {}}}", world.path("secret").display()), "60s");
    let ran = world.run(&["backup"]).expect(0);
    assert!(ran.err.contains("box: it is ***") && !ran.err.contains("CANARY"), "{}", ran.err);
    assert_eq!(fs::read_to_string(world.path("told")).unwrap(), "CANARY-hunter2");
    let seen = fs::read_to_string(world.path("seen")).unwrap();
    assert!(seen.contains("LIFEBOAT=") && seen.contains("TMPDIR=") && !seen.contains("CANARY"), "{seen}");
    assert!(!seen.contains("CARGO"), "{seen}");
}
