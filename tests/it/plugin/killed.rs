//! A restore whose Lifeboat is killed while its plugin is at work: that one is ended, and what was live comes back.

use std::fs;

use super::{data, leftovers, until, world};
use crate::world::World;

/// Of a restore that finds a file `block` nothing is heard until it is gone.
const SCRIPT: &str = r#"
case $1 in
describe) echo '{"version": 1, "engine": "box", "server": "s", "name": "n"}' ;;
dump) echo "lifeboat-dump 1"; echo "part a 3"; cat "$W/data"; echo "sum $(sha256sum <"$W/data" | cut -d ' ' -f 1)"; echo "end 1 3" ;;
restore)
    "$LIFEBOAT" plugin unpack "$TMPDIR"
    if [ -f "$W/block" ]; then
        trap '' TERM
        echo half >"$W/data"
        touch "$W/blocked"
        while [ -f "$W/block" ]; do sleep 0.05; done
    fi
    cp "$TMPDIR/a" "$W/data" ;;
esac
"#;

#[test]
fn what_was_live_comes_back_and_no_earlier_restore_goes_on() {
    let world = killed_at_work();
    assert_eq!(data(&world), "half\n");

    let before = at_work(&world);
    assert!(!before.is_empty());
    fs::remove_file(world.path("blocked")).unwrap();
    fs::rename(world.path("block"), world.path("unblock")).unwrap();
    // The earlier one would go on now, behind the back of the one that puts things right.
    world.run(&["recover"]).expect(0);
    assert_eq!(data(&world), "two");
    assert!(at_work(&world).is_empty(), "{:?}", at_work(&world));
    assert!(leftovers(&world).is_empty());
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_eq!(data(&world), "one");
}

/// One that is deaf to the polite signal is ended all the same.
#[test]
fn an_earlier_restore_that_hangs_is_ended() {
    let world = killed_at_work();
    // Those that come find it no more; the one at work never looks again.
    let stopped = at_work(&world);
    for process in &stopped {
        std::process::Command::new("kill").args(["-STOP", process]).status().unwrap();
    }
    fs::remove_file(world.path("block")).unwrap();
    world.run(&["recover"]).expect(0);
    assert_eq!(data(&world), "two");
    assert!(at_work(&world).is_empty());
}

/// A site whose restore was killed while its plugin was at work, which goes on.
fn killed_at_work() -> World {
    let world = world("x", "600s", SCRIPT);
    world.backup();
    fs::write(world.path("data"), "two").unwrap();
    fs::write(world.path("block"), "").unwrap();
    let mut child = world.command(&["restore", "--at", "latest", "--yes"]).spawn().unwrap();
    until("the restore", || world.path("blocked").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    world
}

/// Processes of restores of this site.
fn at_work(world: &World) -> Vec<String> {
    let mark = format!("LIFEBOAT_RESTORES={}", world.path("state/demo/box").display());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.parse::<u32>().is_ok())
        .filter(|name| {
            let environment = fs::read(format!("/proc/{name}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        })
        .collect()
}
