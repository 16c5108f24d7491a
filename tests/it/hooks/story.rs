//! Hooks around a real backup and a real restore: their order, and what each of their answers does to the run.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::world::World;

const POINTS: [&str; 12] = [
    "before-run",
    "before-mount",
    "after-mount",
    "before-dump",
    "after-dump",
    "before-save",
    "after-save",
    "before-rotate",
    "after-rotate",
    "after-run",
    "on-failure",
    "always",
];

/// A site whose hooks write down that they ran; `answer` decides their exit status by their point.
fn world(answer: &str) -> World {
    let world = World::new("databases: []");
    world.write("file", "content");
    let script = world.path("hook");
    let text = format!(
        "#!/bin/sh\ncat > /dev/null\necho \"$LIFEBOAT_POINT\" >> {}\ncase \"$LIFEBOAT_POINT\" in {answer} esac\nexit 0\n",
        world.path("order").display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let command = script.display();
    let points: Vec<String> =
        POINTS.iter().map(|point| format!("  {point}: [{{command: [{command}]}}]")).collect();
    world.configure("databases: []", None, &format!("hooks:\n{}\n", points.join("\n")));
    world.init();
    fs::remove_file(world.path("order")).unwrap_or_default();
    world
}

fn order(world: &World) -> String {
    fs::read_to_string(world.path("order")).unwrap_or_default().replace('\n', " ")
}

#[test]
fn hooks_run_in_the_order_of_the_steps() {
    let world = world("");
    world.run(&["backup"]).expect(0);
    assert_eq!(
        order(&world).trim(),
        "before-run before-mount after-mount before-dump after-dump before-save after-save before-rotate after-rotate after-run always"
    );
}

#[test]
fn a_hook_that_asks_to_skip_ends_the_run_with_75_and_without_a_snapshot() {
    let world = world("before-dump) exit 75;;");
    world.run(&["backup"]).expect(75);
    assert!(order(&world).trim().ends_with("before-dump on-failure always"), "{}", order(&world));
    assert_eq!(world.snapshots().len(), 0);
}

#[test]
fn a_before_hook_that_fails_fails_the_run() {
    let world = world("before-save) echo no room >&2; exit 3;;");
    let ran = world.run(&["backup"]).expect(1);
    assert!(ran.err.contains("before-save"), "{}", ran.err);
    assert_eq!(world.snapshots().len(), 0);
    assert_eq!(fs::read_dir(world.repository().join("locks")).unwrap().count(), 0);
}

#[test]
fn an_after_hook_that_fails_is_a_warning() {
    let world = world("after-save) exit 9;; after-run) exit 9;; always) exit 9;;");
    let ran = world.run(&["backup"]).expect(0);
    assert!(ran.err.contains("after-save"), "{}", ran.err);
    assert_eq!(world.snapshots().len(), 1);
}
