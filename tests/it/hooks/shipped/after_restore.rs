//! `hooks/after-restore`: real files of real users; what others own outside of the site stays theirs.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{RESTORE, home, lines, named, program, shipped};
use crate::world::{Ran, World};

const OWNER: u32 = 48_011;
const STRANGER: u32 = 48_012;

/// A site of `OWNER` with a snapshot in which some of it belongs to another.
fn world() -> World {
    let world = World::new("databases: []");
    fs::set_permissions(home(&world), Permissions::from_mode(0o755)).unwrap();
    world.write("index", "content");
    world.write("wp-config.php", "<?php\n");
    world.write("up/loads/own", "content");
    world.write("up/loads/strange name\n", "content");
    fs::write(world.path("outside"), "content").unwrap();
    symlink(world.path("outside"), world.root.join("up/link")).unwrap();
    let strange = ["up/loads", "up/loads/strange name\n", "up/link"];
    for path in [".", "index", "wp-config.php", "up", "up/loads/own"] {
        chown(world.root.join(path), Some(OWNER), Some(OWNER)).unwrap();
    }
    for path in strange {
        lchown(world.root.join(path), Some(STRANGER), Some(STRANGER)).unwrap();
    }
    world.init();
    world.backup();
    world
}

/// Names the hook for restores.
fn configure(world: &World, arguments: &[&str]) {
    let mut command = vec![shipped(world, "after-restore"), format!("--root={}", world.root.display())];
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let yaml = format!("hooks:\n  after-settle: [{}]\n", named(&command));
    world.configure("databases: []", None, &yaml);
}

/// A restore whose hook is content, or is warned of.
#[track_caller]
fn restored(world: &World, arguments: &[&str], content: bool) -> Ran {
    configure(world, arguments);
    let ran = world.run(&[&["--json"], &RESTORE[..]].concat()).expect(0);
    let told = ran.err.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let verdicts: Vec<bool> =
        told.filter(|event| event["event"] == "hook-ran").map(|event| event["verdict"] == "ok").collect();
    assert_eq!(verdicts, [content], "{}", ran.err);
    ran
}

fn owner(path: &Path) -> (u32, u32) {
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.uid(), meta.gid())
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

#[test]
fn what_belongs_to_others_is_given_to_the_owner_of_the_root() {
    let world = world();
    restored(&world, &["--owner"], true);
    for path in ["", "index", "up", "up/loads", "up/loads/own", "up/loads/strange name\n", "up/link"] {
        assert_eq!(owner(&world.root.join(path)), (OWNER, OWNER), "{path}");
    }
    assert_eq!(owner(&world.path("outside")), (0, 0), "a link was followed");
}

#[test]
fn nothing_outside_of_the_site_is_given_away() {
    let world = world();
    configure(&world, &["--owner"]);
    let run = |point: &str| {
        let mut command = Command::new(world.path("hooks/after-restore"));
        command.arg(format!("--root={}", world.root.display())).arg("--owner");
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LIFEBOAT_KIND", point);
        Ran::of(&command.output().unwrap()).expect(0)
    };
    // Not after other runs.
    run("backup");
    assert_eq!(owner(&world.root.join("up/loads")), (STRANGER, STRANGER));

    fs::hard_link(world.path("outside"), world.root.join("second-name")).unwrap();
    symlink(home(&world), world.root.join("way-out")).unwrap();
    Command::new("mknod").arg(world.root.join("device")).args(["c", "1", "3"]).status().unwrap();
    let mounted = world.root.join("mounted");
    fs::create_dir(&mounted).unwrap();
    assert!(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&mounted).status().unwrap().success());
    let _unmount = Unmount(mounted.clone());
    fs::write(mounted.join("file"), "").unwrap();
    let ran = run("restore");
    assert!(ran.err.contains("hard links) are left as they are: 1"), "{}", ran.err);
    for path in [world.path("outside"), mounted.clone(), mounted.join("file"), world.root.join("device")] {
        assert_eq!(owner(&path), (0, 0), "{}", path.display());
    }
    assert_eq!(owner(&world.path("storage")), (0, 0));
    assert_eq!(owner(&world.root.join("way-out")), (OWNER, OWNER));
    assert_eq!(owner(&world.root.join("up/loads")), (OWNER, OWNER));

    // A root that belongs to root says nothing about whose the site is.
    chown(&world.root, Some(0), Some(0)).unwrap();
    assert!(run("restore").err.contains("belongs to root"));
    assert_eq!(owner(&world.root.join("index")), (OWNER, OWNER));
}

#[test]
fn wordpress_flushes_its_cache_as_the_sites_owner() {
    let world = world();
    let wp = "#!/bin/sh\n{ id -u; id -G; pwd; printf '%s\\n' \"$@\"; } >HOME/said/wp\n\
              if grep -q '^NoNewPrivs:.*1$' /proc/self/status; then echo held; fi >>HOME/said/wp\n[ ! -e HOME/refuses ]\n";
    let wp = format!("--wp={}", program(&world, "bin/wp", wp));
    fs::create_dir(world.path("said")).unwrap();
    chown(world.path("said"), Some(OWNER), None).unwrap();
    restored(&world, &[&wp], true);
    let (id, root) = (OWNER.to_string(), world.root.display().to_string());
    let path = format!("--path={root}");
    assert_eq!(
        lines(&world.path("said/wp")),
        [&id, &id, &root, &path, "--no-color", "cache", "flush", "held"]
    );
    fs::write(world.path("refuses"), "").unwrap();
    let ran = restored(&world, &[&wp], false);
    assert!(ran.err.contains("wp cache flush failed"), "{}", ran.err);
}

#[test]
fn services_are_reloaded_by_whoever_looks_after_them() {
    let world = world();
    let notes = "#!/bin/sh\necho \"$*\" >>HOME/calls\n[ ! -e HOME/refuses ]\n";
    let systemctl = format!("--systemctl={}", program(&world, "bin/systemctl", notes));
    restored(&world, &["--reload=php8.2-fpm.service", &systemctl], true);
    let jem = format!("--jem={}", program(&world, "bin/jem", notes));
    restored(&world, &["--reload=php", &jem], true);
    assert_eq!(lines(&world.path("calls")), ["try-reload-or-restart php8.2-fpm.service", "service restart"]);
    fs::write(world.path("refuses"), "").unwrap();
    // The others are done all the same.
    let ran = restored(&world, &["--owner", "--reload=php", &jem], false);
    assert!(ran.err.contains("could not be restarted"), "{}", ran.err);
    assert_eq!(owner(&world.root.join("up/loads")), (OWNER, OWNER));
}

#[test]
fn what_is_not_possible_is_said_and_is_no_failure() {
    let world = world();
    let wp = format!("--wp={}", program(&world, "bin/wp", "#!/bin/sh\ntouch HOME/ran\n"));
    let ran = restored(&world, &["--wp=/nowhere/wp"], true);
    assert!(ran.err.contains("there is no /nowhere/wp"), "{}", ran.err);
    // As a user who can give nothing away and be nobody else.
    let mut command = vec![shipped(&world, "after-restore"), format!("--root={}", world.root.display())];
    command.extend(["--owner".to_owned(), wp.clone()]);
    let hook = named(&command).replace('}', ", user: nobody}");
    world.configure("databases: []", None, &format!("hooks:\n  after-settle: [{hook}]\n"));
    let ran = world.run(&RESTORE).expect(0);
    assert!(
        ran.err.contains("only root can give") && ran.err.contains("only root can run wp"),
        "{}",
        ran.err
    );
    assert!(!world.path("ran").exists());
    for argument in ["--wrong", "--reload=-H"] {
        restored(&world, &[argument], false);
    }
    fs::remove_file(world.root.join("wp-config.php")).unwrap();
    world.backup();
    assert!(restored(&world, &[&wp], true).err.contains("is no WordPress"));
    assert!(!world.path("ran").exists());
}
