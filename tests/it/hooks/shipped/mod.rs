//! The hooks that come with Lifeboat, in real runs: services are stand-ins that keep their states in files, files and users are real.

mod platform;
mod systemd;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{Ran, World};

const RESTORE: [&str; 5] = ["restore", "--at", "latest", "--yes", "--no-safety"];

#[test]
fn shellcheck_finds_nothing() {
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks");
    for name in ["systemd", "platform"] {
        let hook = hooks.join(name).join("hook");
        let text = fs::read_to_string(&hook).unwrap();
        assert!(text.starts_with("#!/bin/sh\n") && text.contains("\nset -eu\n"), "{name}");
        assert_eq!(fs::metadata(&hook).unwrap().mode() & 0o777, 0o755, "{name}");
        let ran = Ran::of(&Command::new("shellcheck").arg(&hook).output().unwrap());
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }
}

/// Puts a program into the test's directory, whose name is `HOME/` in the text, and says where it is.
fn program(world: &World, name: &str, text: &str) -> String {
    let path = world.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text.replace("HOME/", &format!("{}/", home(world).display()))).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn home(world: &World) -> PathBuf {
    world.root.parent().unwrap().to_owned()
}

/// Puts a shipped hook where nobody but root can change it, whoever owns the sources.
fn shipped(world: &World, name: &str) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks").join(name).join("hook");
    program(world, &format!("hooks/{name}"), &fs::read_to_string(source).unwrap())
}

/// YAML of one hook.
fn named(command: &[String]) -> String {
    format!("{{command: {}}}", serde_json::to_string(command).unwrap())
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}
