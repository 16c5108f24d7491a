//! Database plugins as real processes: what they may do, what comes of it, and that none of it can hurt a site.

mod contract;
mod held;
mod killed;
mod mongodb;
mod page;
mod redis;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::world::World;

/// Of this source tree.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks").join(name)
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}

/// A secret in a file that nobody else can read.
fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A site with one database `box`, which is the file `data` and whose plugin is this script. The script finds the place in `$W`,
/// what it was told in `$mode`, and ends with what its verb comes to.
fn world(mode: &str, timeout: &str, script: &str) -> World {
    let world = World::new("databases: []");
    let head = format!(
        "#!/bin/sh\nset -eu\nW={}\nIFS= read -r request\noptions=$(printf '%s\\n' \"$request\" | \"$LIFEBOAT\" plugin options mode)\neval \"$options\"\nmode=$option_mode\n",
        world.path("").display()
    );
    program(&world.path("plugin"), &format!("{head}{script}"));
    world.write("index.html", "hello");
    fs::write(world.path("data"), "one").unwrap();
    tell(&world, mode, timeout);
    world.init();
    world
}

fn tell(world: &World, mode: &str, timeout: &str) {
    let command = world.path("plugin").display().to_string();
    let databases = format!(
        "databases: [{{type: plugin, name: box, command: [{command}], options: {{mode: {mode}}}, timeout: {timeout}}}]"
    );
    world.configure(&databases, None, "");
}

fn data(world: &World) -> String {
    fs::read_to_string(world.path("data")).unwrap()
}

/// What calls leave in the site's state.
fn leftovers(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.path("state/demo")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("plugin-") || name.starts_with("stream-")).collect()
}

#[track_caller]
fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}
