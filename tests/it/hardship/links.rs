//! A site's owner may put anything under any name, also while we look: links that lead out of the site, pipes that never
//! end, names that a terminal would obey.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;

use crate::world::{Ran, World, assert_same, fingerprint};

const NONE: &str = "databases: []";

#[test]
fn a_pipe_named_as_a_cache_tag_keeps_nobody_waiting() {
    let world = World::new(NONE);
    world.write("index", "x");
    world.write("uploads/photo", "photo");
    nix::unistd::mkfifo(&world.root.join("uploads/CACHEDIR.TAG"), Mode::S_IRWXU).unwrap();
    world.init();
    let mut child = world
        .command(&["backup"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("the backup waits for the pipe");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(child.wait().unwrap().success());
    assert!(world.run(&["ls"]).expect(0).out.contains("uploads/photo"));
}

#[test]
fn a_cache_tag_is_told_spares_the_root_and_its_content_survives_a_restore() {
    let world = World::new(NONE);
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n";
    world.write("CACHEDIR.TAG", tag);
    world.write("index", "old");
    world.write("var/cache/CACHEDIR.TAG", tag);
    world.write("var/cache/page", "warm");
    world.init();
    let ran = world.run(&["backup"]).expect(0);
    assert!(ran.err.contains("var/cache") && ran.err.contains("not saved"), "{}", ran.err);
    let listed = world.run(&["ls"]).expect(0).out;
    assert!(listed.contains("/index") && !listed.contains("page"), "{listed}");
    world.write("index", "new");
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_eq!(fs::read_to_string(world.root.join("index")).unwrap(), "old");
    assert_eq!(fs::read_to_string(world.root.join("var/cache/page")).unwrap(), "warm");
}

#[test]
fn a_partial_restore_does_not_follow_a_link_out_of_the_site() {
    let world = World::new(NONE);
    world.write("etc/passwd", "mine");
    world.write("index", "index");
    world.init();
    world.backup();
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("passwd"), "theirs").unwrap();
    fs::remove_dir_all(world.root.join("etc")).unwrap();
    symlink(&outside, world.root.join("etc")).unwrap();
    let before = fingerprint(&world.root);
    for more in [&["--dry-run"][..], &["--yes"]] {
        let arguments = [&["restore", "--at", "latest", "--include", "/etc/passwd"], more].concat();
        let ran = world.run(&arguments).expect(1);
        assert!(ran.err.contains("is a link"), "{}", ran.err);
    }
    assert_eq!(fs::read_to_string(outside.join("passwd")).unwrap(), "theirs");
    assert_same(&before, &fingerprint(&world.root));

    // A file in the place of a directory is what a restore is there to mend.
    fs::remove_file(world.root.join("etc")).unwrap();
    world.write("etc", "a file");
    world.run(&["restore", "--at", "latest", "--include", "/etc/passwd", "--yes"]).expect(0);
    assert_eq!(fs::read_to_string(world.root.join("etc/passwd")).unwrap(), "mine");
}

#[test]
fn names_do_not_reach_the_terminal_as_commands() {
    let world = World::new(NONE);
    let evil = "a\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}b";
    world.write(evil, "x");
    fs::write(world.root.join(OsStr::from_bytes(b"raw-\xff-\x1b[2J")), "y").unwrap();
    world.init();
    let first = world.backup();
    let mut said = vec![world.run(&["ls"]), world.run(&["ls", "-l"])];
    fs::remove_file(world.root.join(evil)).unwrap();
    said.push(world.run(&["restore", "--at", "latest", "--dry-run"]));
    let second = world.backup();
    said.push(world.run(&["diff", &first, &second]));
    said.push(world.run(&["dump", "latest", evil]));
    said.push(world.run(&["restore", "--at", evil, "--yes"]));
    for Ran { out, err, .. } in &said {
        for text in [out, err] {
            let bad = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
            assert!(!text.contains(bad), "{text:?}");
        }
    }
    let listed = &said[0].out;
    assert!(listed.contains("a\\u{1b}]0;owned\\u{7}\\r\\n"), "{listed}");
    assert!(said[3].out.contains("- /") && said[3].out.contains("owned"), "{}", said[3].out);
}
