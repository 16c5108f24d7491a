//! The shipped plugin for `MongoDB` against stand-ins of the tools it uses: Debian has neither the server nor the tools.
//!
//! They behave as the documentation of the tools says, as far as the plugin uses them: the password comes from `--config`, an archive
//! is written to standard output or to a file, `--drop` replaces the collections that are in it.

use std::fs;
use std::path::Path;

use super::{private, program, shipped};
use crate::world::World;

const PASSWORD: &str = "CANARY \"quoted\" \\ x";

/// `mongodump`: the database is the directory `collections`, one file for each.
const DUMP: &str = r#"#!/bin/sh
set -eu
[ "$*" != --version ] || { echo "mongodump version: 100.9.4"; exit 0; }
archive=- config= collection=
while [ $# -gt 0 ]; do
    case $1 in
    --config) config=$2; shift ;;
    --archive) ;;
    --archive=*) archive=${1#*=} ;;
    --collection) collection=$2; shift ;;
    --host | --port | --username | --authenticationDatabase | --db) shift ;;
    --quiet) ;;
    *) echo "unknown option $1" >&2; exit 1 ;;
    esac
    shift
done
grep -qxF 'password: "CANARY \"quoted\" \\ x"' "$config" || { echo "Failed: authentication failed" >&2; exit 1; }
[ "$(stat -c %a "$config")" = 600 ]
[ -z "$collection" ] || { : >"$archive"; exit 0; }
[ ! -f "$W/broken" ] || { printf half; exit 1; }
tar -C "$W/collections" --sort=name --mtime=@0 -cf - .
"#;

const RESTORE: &str = r#"#!/bin/sh
set -eu
archive= dry= drop=
while [ $# -gt 0 ]; do
    case $1 in
    --config | --host | --port | --username | --authenticationDatabase | --nsInclude) shift ;;
    --archive=*) archive=${1#*=} ;;
    --dryRun) dry=yes ;;
    --drop) drop=yes ;;
    --stopOnError) ;;
    *) echo "unknown option $1" >&2; exit 1 ;;
    esac
    shift
done
tar -tf "$archive" >/dev/null
[ -z "$dry" ] || exit 0
[ -n "$drop" ]
tar -C "$W/collections" -xf "$archive"
"#;

/// The plugin finds the stand-ins instead of the real tools.
fn plugin(world: &World) -> String {
    let tools = world.path("tools");
    fs::create_dir(&tools).unwrap();
    for (name, text) in [("mongodump", DUMP), ("mongorestore", RESTORE)] {
        let text = text.replacen("set -eu\n", &format!("set -eu\nW={}\n", world.path("").display()), 1);
        program(&tools.join(name), &text);
    }
    let start = format!(
        "#!/bin/sh\nexport PATH={}:$PATH\nexec {} \"$@\"\n",
        tools.display(),
        shipped("mongodb/plugin").display()
    );
    program(&world.path("plugin"), &start);
    fs::create_dir(world.path("collections")).unwrap();
    fs::write(world.path("collections/orders"), "one").unwrap();
    world.path("plugin").display().to_string()
}

fn content(place: &Path) -> String {
    fs::read_to_string(place.join("orders")).unwrap()
}

#[test]
fn an_archive_goes_out_and_comes_back() {
    let world = World::new("databases: []");
    let command = plugin(&world);
    private(&world.path("login"), &format!("{PASSWORD}\n"));
    let databases = format!(
        "databases: [{{type: plugin, name: shop, command: [{command}], options: {{user: backup, password: {{file: {}}}, database: shop}}}}]",
        world.path("login").display()
    );
    world.configure(&databases, None, "");
    world.write("index.php", "<?php");
    world.init();
    world.backup();
    let place = world.path("collections");
    fs::write(place.join("orders"), "two").unwrap();
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_eq!(content(&place), "one");
    world.run(&["restore", "--undo", "--yes"]).expect(0);
    assert_eq!(content(&place), "two");

    // A tool that fails in the middle leaves no dump.
    let before = world.snapshots().len();
    fs::write(world.path("broken"), "").unwrap();
    let ran = world.run(&["backup"]).expect(1);
    assert_eq!(world.snapshots().len(), before);
    assert!(!ran.err.contains("CANARY"), "{}", ran.err);
}

#[test]
fn it_keeps_the_contract() {
    let world = World::new("databases: []");
    let command = plugin(&world);
    let options = serde_json::json!({ "password": PASSWORD, "user": "backup" });
    fs::write(world.path("options"), options.to_string()).unwrap();
    let options = world.path("options");
    let arguments = ["plugin", "test", &command, "--options", options.to_str().unwrap(), "--yes-overwrite"];
    world.run(&arguments).expect(0);
}
