//! The order of steps and hooks in each story, as text: with a hook at every point that there is.
//!
//! `INSTA_UPDATE=always` writes the goldens anew.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use lifeboat::hook::points;
use serde_json::Value;

use crate::world::World;

fn world() -> World {
    let world = World::new("databases: []");
    world.write("index", "content");
    for point in points() {
        let hook = world.path(&format!("hooks.d/{point}/note"));
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(&hook, "#!/bin/sh\nexit 0\n").unwrap();
        fs::set_permissions(&hook, Permissions::from_mode(0o755)).unwrap();
    }
    world.configure("databases: []", None, "quiesce: {mode: full}\n");
    world.init();
    world
}

/// Each step when it is done, each hook when it has run, and what is given back at the end.
fn told(world: &World, arguments: &[&str]) -> String {
    let ran = world.run(&[&["--json"], arguments].concat()).expect(0);
    let mut lines = Vec::new();
    for line in ran.err.lines() {
        let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
        let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str().unwrap_or_default() {
            "step-done" => lines.push(text("step")),
            "step-failed" => lines.push(format!("{} FAILED", text("step"))),
            "hook-ran" => lines.push(format!("    {} {}", text("point"), text("verdict"))),
            "released" => lines.push(format!("{} released", text("step"))),
            "run-finished" => lines.push(text("outcome")),
            _ => {}
        }
    }
    lines.join("\n")
}

fn golden(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("order-{name}"), text);
    });
}

#[test]
fn backup() {
    golden("backup", &told(&world(), &["backup"]));
}

#[test]
fn restore_and_its_undo() {
    let world = world();
    world.backup();
    world.write("index", "changed");
    golden("restore", &told(&world, &["restore", "--at", "latest", "--yes"]));
    golden("undo", &told(&world, &["restore", "--undo", "--yes"]));
}

#[test]
fn maintenance() {
    let world = world();
    world.backup();
    golden("forget", &told(&world, &["forget", "--prune"]));
    golden("check", &told(&world, &["check"]));
}

#[test]
fn drill() {
    let world = world();
    world.backup();
    golden("drill", &told(&world, &["drill"]));
}
