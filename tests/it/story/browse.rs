//! Looking at what was saved: one directory, a search through all snapshots, what was said of a snapshot.

use std::path::Path;

use lifeboat::event::Cx;
use lifeboat::repo::Mode;
use lifeboat::run;
use serde_json::Value;

use crate::world::World;

const NONE: &str = "databases: []";

fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap()).collect()
}

#[test]
fn one_directory_is_listed_without_what_is_below() {
    let world = World::new(NONE);
    world.write("a/b/c/d", "deep");
    world.write("a/file", "x");
    world.write("z", "x");
    world.init();
    world.backup();
    let root = world.root.to_str().unwrap();
    let listed = |path: &str, depth: &[&str]| -> Vec<String> {
        let done = world.json(0, &[&["ls", "latest", path], depth].concat());
        assert_eq!(done["result"]["snapshot"]["site"], "demo");
        let short = |path: &str| path.strip_prefix(root).unwrap_or(path).to_owned();
        texts(&done["result"]["entries"], "path").into_iter().map(short).collect()
    };
    assert_eq!(listed(root, &["--depth", "1"]), ["/a", "/z"]);
    assert_eq!(listed(root, &["--depth", "2"]), ["/a", "/a/b", "/a/file", "/z"]);
    assert_eq!(listed(root, &[]), ["/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/file", "/z"]);
    assert_eq!(listed(&format!("{root}/a/b/c"), &["--depth", "1"]), ["/a/b/c/d"]);
    assert_eq!(listed(&format!("{root}/z"), &["--depth", "1"]), ["/z"], "a file is itself");
    assert_eq!(listed("/", &["--depth", "1"])[0], "/@lifeboat");
    let ran = world.run(&["ls", "latest", root, "--depth", "0"]).expect(2);
    assert!(ran.err.contains("not a whole number of 1 or more"), "{}", ran.err);
}

/// A page shows one directory of a site with a million files.
#[test]
fn to_list_one_directory_reads_no_other() {
    let world = World::new(NONE);
    for directory in 0..20 {
        for file in 0..30 {
            world.write(&format!("{directory}/a-name-of-some-length-{file}"), format!("{directory} {file}"));
        }
    }
    world.init();
    world.backup();
    run::with_repo(&world.job(), Mode::Shared, "test", &Cx::silent(), |repo| {
        let (reader, snapshot) = (repo.reader()?, repo.snapshots()?.remove(0));
        let read = |path: &Path, levels| {
            let before = repo.bytes_read();
            let entries = reader.list(&snapshot, path, levels).unwrap().len();
            (entries, repo.bytes_read() - before)
        };
        let (entries, shallow) = read(&world.root, Some(1));
        assert_eq!(entries, 20);
        // What was read is remembered: these are the trees of one more directory, and of the nineteen others.
        let (entries, one) = read(&world.root.join("7"), Some(1));
        assert_eq!(entries, 30);
        let (entries, others) = read(&world.root, None);
        assert_eq!(entries, 20 * 31);
        assert!(one > 0 && shallow > 0 && others > 15 * one, "{shallow} {one} {others}");
        Ok(())
    })
    .unwrap();
}
