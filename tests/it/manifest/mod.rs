//! The platform's manifests: looked at by a linter, and executed.

mod engine;
mod lint;
mod mutations;
mod story;
mod untold;

use std::fs;
use std::path::{Path, PathBuf};

use crate::world::Ran;

fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

fn manifest(name: &str) -> String {
    fs::read_to_string(place().join(name)).unwrap()
}

fn beside(name: &str) -> Option<String> {
    fs::read_to_string(place().join(name)).ok()
}

#[test]
fn the_manifests_are_in_order() {
    for name in ["backup.jps", "storage.jps"] {
        let problems: Vec<String> =
            lint::lint(&manifest(name), &beside).iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{name}:\n{}", problems.join("\n"));
    }
}

/// Shell that runs as root on somebody's node.
#[test]
fn scripts_of_the_shell_are_in_order() {
    for name in ["scripts/node.sh", "pin"] {
        let looked =
            std::process::Command::new("shellcheck").arg("--severity=style").arg(place().join(name)).output();
        Ran::of(&looked.unwrap()).expect(0);
    }
}

/// Every verb that a script of the manifest asks of the node is one that the node's part knows, and the other way round.
#[test]
fn both_sides_know_the_same_verbs() {
    let node = beside("scripts/node.sh").unwrap();
    let verbs = &node[node.find("\ncase $verb in\n").unwrap()..];
    let known: Vec<&str> = verbs
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split_once(") "))
        .map(|(verb, _)| verb)
        .collect();
    let mut said = manifest("backup.jps") + &node;
    for file in fs::read_dir(place().join("scripts")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "js") {
            said += &fs::read_to_string(path).unwrap();
        }
    }
    for verb in known.iter().filter(|verb| **verb != "*") {
        let asked = [
            format!("node {verb}"),
            format!("\"{verb}"),
            format!("node\" {verb}"),
            format!("verb: {verb}"),
            format!("node, {verb}"),
        ];
        assert!(asked.iter().any(|asked| said.contains(asked)), "nobody asks for {verb}");
    }
    for (at, call) in said.match_indices("lifeboat/node ") {
        let verb: String = said[at + call.len()..]
            .chars()
            .take_while(|char| char.is_ascii_alphabetic() || *char == '-')
            .collect();
        assert!(verb.is_empty() || known.contains(&verb.as_str()), "the node knows no {verb}");
    }
}

/// The hash by which the node's part is let in is that of the file beside the manifest.
#[test]
fn the_nodes_part_is_pinned() {
    let output =
        std::process::Command::new("sha256sum").arg(place().join("scripts/node.sh")).output().unwrap();
    let hash = String::from_utf8(output.stdout).unwrap();
    let hash = hash.split(' ').next().unwrap();
    assert!(
        manifest("backup.jps").contains(&format!("  nodeHash: {hash}\n")),
        "write `nodeHash: {hash}` into backup.jps, or run manifests/pin"
    );
}
