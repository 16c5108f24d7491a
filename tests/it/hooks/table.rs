//! Hooks that misbehave in every way, at each kind of point of real runs: how the run ends, what of the site is given back, and
//! what the log says. hooks/README.md tells it to authors; the goldens beside this file are what is true.
//!
//! `INSTA_UPDATE=always` writes them anew.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::world::World;

/// A way to misbehave, and the script that does. `HOME` is the directory of the test.
const WAYS: [(&str, &str); 12] = [
    ("hanging", "exec sleep 300"),
    ("ignoring TERM", "trap '' TERM; sleep 300 & wait; sleep 300"),
    ("forking", "sleep 300 & echo $! > HOME/forked; exit 0"),
    (
        "double-forking",
        "setsid sh -c 'echo $$ > HOME/left; exec sleep 300' > /dev/null 2>&1 & sleep 0.3; exit 0",
    ),
    ("flooding", "yes | head -c 5000000; exit 0"),
    ("crashing", "kill -SEGV $$"),
    ("closing its pipes", "exec 0<&- 1>&- 2>&-; exit 0"),
    ("failing", "exit 3"),
    ("exit 75", "exit 75"),
    ("wrong owner", "touch HOME/ran"),
    ("writable directory above", "touch HOME/ran"),
    ("wrong hash", "touch HOME/ran"),
];

/// A site that is held still by a file `held`, and whose hook at one point misbehaves.
struct Site {
    world: World,
    point: &'static str,
    bad: PathBuf,
}

impl Site {
    fn new(point: &'static str) -> Self {
        let world = World::new("databases: []");
        world.write("index", "old");
        let bad = world.path("bin/bad");
        fs::create_dir(world.path("bin")).unwrap();
        for (name, script) in [("hold", "touch HOME/held"), ("give", "rm -f HOME/held"), ("fail", "exit 1")] {
            write(&world, &world.path(name), script);
        }
        Self { world, point, bad }
    }

    /// What stops the site is there before the hook that misbehaves, and what starts it after that.
    fn configure(&self, way: &str, script: &str) {
        let (world, place) = (&self.world, self.bad.parent().unwrap());
        write(world, &self.bad, script);
        let others = if way == "writable directory above" { 0o777 } else { 0o755 };
        fs::set_permissions(place, Permissions::from_mode(others)).unwrap();
        let owner = if way == "wrong owner" { 65534 } else { 0 };
        chown(&self.bad, Some(owner), None).unwrap();
        let pin =
            if way == "wrong hash" { format!(", sha256: \"{}\"", "0".repeat(64)) } else { String::new() };
        let hook = |name: &str| format!("{{command: [{}]}}", world.path(name).display());
        let bad = format!("{{command: [{}], timeout: 1s{pin}}}", self.bad.display());
        let mut yaml = "quiesce: {mode: full}\nhooks:\n".to_owned();
        let mut point =
            |name: &str, hooks: &[String]| writeln!(yaml, "  {name}: [{}]", hooks.join(", ")).unwrap();
        match self.point {
            "quiesce" => {
                point("quiesce", &[hook("hold"), bad]);
                point("resume", &[hook("give")]);
            }
            "resume" => {
                point("quiesce", &[hook("hold")]);
                point("resume", &[bad, hook("give")]);
            }
            other => {
                point("quiesce", &[hook("hold")]);
                point("resume", &[hook("give")]);
                point(other, &[bad]);
            }
        }
        if self.point == "on-failure" {
            point("before-save", &[hook("fail")]);
        }
        world.configure("databases: []", None, &yaml);
    }

    /// One line of the table.
    fn line(&self, way: &str, script: &str) -> String {
        let world = &self.world;
        self.configure(way, script);
        let restores = self.point == "after-probe";
        if restores {
            world.write("index", "new");
        }
        let run: &[&str] = if restores {
            &["restore", "--at", "latest", "--yes", "--no-safety"]
        } else {
            &["backup", "--no-rotation"]
        };
        let ran = world.run(&[&["--json"], run].concat());
        let told = Told::of(&ran.err);
        assert!(!world.path("ran").exists(), "a hook was run that must not be: {way}");
        self.look_after(way);

        // This is what all of it is for.
        assert!(!world.path("held").exists(), "{} {way} left the site held still\n{}", self.point, ran.err);
        let journal = world.path("state/demo/restore.json").exists();
        assert!(!journal || self.point == "resume", "{} {way} left a journal", self.point);
        assert_eq!(told.stuck, journal, "{} {way}", self.point);
        let site = if journal { "given back, and STUCK until `resume` says so" } else { "given back" };
        let content = fs::read_to_string(world.root.join("index")).unwrap();
        let content = if restores { format!(" {content}") } else { String::new() };
        let log = told.log.replace(world.path("").to_str().unwrap(), "/");
        if journal {
            // The next run tries again, and so does whoever cannot wait.
            self.configure("none", "exit 0");
            world.run(&["recover"]).expect(0);
            assert!(!world.path("state/demo/restore.json").exists(), "{way} cannot be recovered from");
        }
        format!("{way:<25} exit {:<3} {:<11} {site}{content}  {log}", ran.code, told.outcome)
    }

    /// What was forked is gone, unless it left for a session of its own.
    fn look_after(&self, way: &str) {
        let pid =
            |name: &str| fs::read_to_string(self.world.path(name)).ok().map(|pid| pid.trim().to_owned());
        let alive = |pid: &str| {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.contains("(sleep)") && !state.contains(") Z ")
        };
        if way == "forking" {
            let pid = pid("forked").expect("it did not fork");
            assert!(!alive(&pid), "what a hook forked was left running");
        }
        if way == "double-forking" {
            let pid = pid("left").expect("it did not fork");
            assert!(alive(&pid), "a daemon that a hook started was ended");
            assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        }
        for name in ["forked", "left"] {
            fs::remove_file(self.world.path(name)).unwrap_or_default();
        }
    }
}

/// What the events of a run come to.
#[derive(Default)]
struct Told {
    outcome: String,
    /// The line about the hook that misbehaved, or else the run's error.
    log: String,
    /// A person is told to look.
    stuck: bool,
}

impl Told {
    fn of(events: &str) -> Self {
        let mut told = Self { log: "-".to_owned(), ..Self::default() };
        for event in events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let word = |key: &str| event[key].as_str().unwrap_or_default();
            let (is_first, text) = (told.log == "-", word("text"));
            match word("event") {
                "warning" if is_first && text.contains("hook") => told.log = format!("warning: {text}"),
                "note" if is_first && text.contains("said more than is kept") => {
                    text.clone_into(&mut told.log);
                }
                "stuck" => told.stuck = true,
                "run-finished" => {
                    word("outcome").clone_into(&mut told.outcome);
                    if told.log == "-" && !word("error").is_empty() {
                        told.log = format!("error: {}", word("error"));
                    }
                }
                _ => {}
            }
        }
        told
    }
}

fn write(world: &World, path: &std::path::Path, script: &str) {
    let script = script.replace("HOME/", world.path("").to_str().unwrap());
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

fn table(point: &'static str) {
    assert!(nix::unistd::geteuid().is_root(), "this test gives files to others, and must be run as root");
    let site = Site::new(point);
    site.configure("none", "exit 0");
    site.world.init();
    if point == "after-probe" {
        site.world.backup();
    }
    let lines: Vec<_> = WAYS.iter().map(|(way, script)| site.line(way, script)).collect();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("misbehaving-{point}"), lines.join("\n"));
    });
}

#[test]
fn before_the_run() {
    table("before-run");
}

#[test]
fn before_a_step_while_the_site_is_held() {
    table("before-dump");
}

#[test]
fn after_a_step_while_the_site_is_held() {
    table("after-dump");
}

#[test]
fn when_the_site_is_stopped() {
    table("quiesce");
}

#[test]
fn when_the_site_is_started_again() {
    table("resume");
}

#[test]
fn when_a_restore_is_judged() {
    table("after-probe");
}

#[test]
fn after_the_run() {
    table("after-run");
}

#[test]
fn on_a_failure() {
    table("on-failure");
}

#[test]
fn always() {
    table("always");
}

/// The points of a story, as the golden of its order has them.
fn points_of(golden: &str) -> Vec<&str> {
    golden.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(" ok")).collect()
}

/// Fails, or asks to be left out, at each point in turn.
fn give_back_in_every_story(golden: &str, command: &[&str], passed_over: &[&str]) {
    let world = World::new("databases: []");
    for (name, script) in [("hold", "touch HOME/held"), ("give", "rm -f HOME/held"), ("good", "exit 0")] {
        write(&world, &world.path(name), script);
    }
    let hook = |name: &str| format!("{{command: [{}]}}", world.path(name).display());
    let configure = |point: &str| {
        let mut hooks = vec![("quiesce", vec![hook("hold")]), ("resume", vec![hook("give")])];
        match point {
            "quiesce" => hooks[0].1.push(hook("bad")),
            "resume" => hooks[1].1.insert(0, hook("bad")),
            other => hooks.push((other, vec![hook("bad")])),
        }
        let mut yaml = "quiesce: {mode: full}\nhooks:\n".to_owned();
        for (point, hooks) in hooks {
            writeln!(yaml, "  {point}: [{}]", hooks.join(", ")).unwrap();
        }
        world.configure("databases: []", None, &yaml);
    };
    world.write("index", "old");
    configure("drill");
    world.init();
    world.backup();
    let points = points_of(golden);
    assert!(points.len() > 20, "{points:?}");
    for point in points.into_iter().filter(|point| !passed_over.contains(point)) {
        for code in [1, 75] {
            world.write("index", "new");
            write(&world, &world.path("bad"), &format!("echo $LIFEBOAT_POINT > HOME/asked; exit {code}"));
            configure(point);
            let ran = world.run(command);
            assert!(!world.path("held").exists(), "{point} {code} left the site held still\n{}", ran.err);
            let asked = fs::read_to_string(world.path("asked")).unwrap_or_default();
            assert_eq!(asked.trim(), point);
            let restored = command[0] == "restore" && matches!(ran.code, 0 | 3);
            let index = fs::read_to_string(world.root.join("index")).unwrap();
            assert_eq!(index, if restored { "old" } else { "new" }, "{point} {code}\n{}", ran.err);
            fs::remove_file(world.path("asked")).unwrap();
            configure("drill");
            world.run(&["recover"]).expect(0);
            assert!(!world.path("held").exists() && !world.path("state/demo/restore.json").exists());
        }
    }
}

#[test]
fn backup_gives_the_site_back_whatever_fails() {
    give_back_in_every_story(
        include_str!("snapshots/order-backup.snap"),
        &["backup", "--no-rotation"],
        &["before-rotate", "after-rotate"],
    );
}

#[test]
fn restore_gives_the_site_back_whatever_fails() {
    let command = ["restore", "--at", "latest", "--yes", "--no-safety"];
    give_back_in_every_story(
        include_str!("snapshots/order-restore.snap"),
        &command,
        &["before-rescue", "after-rescue"],
    );
}
