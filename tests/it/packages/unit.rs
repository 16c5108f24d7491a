//! The unit: how much it takes away, and that what it leaves is enough.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;

use super::{ran, temporary, top};
use crate::world::{Ran, World};

/// What `systemd-analyze security` says, times ten; each directive that would bring it lower is argued in the unit.
const EXPOSURE: u32 = 43;

fn unit() -> PathBuf {
    top().join("manifests/systemd/lifeboat.service")
}

#[test]
fn is_exposed_no_more_than_it_says() {
    let policy = |threshold: u32| {
        ran(Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", &format!("--threshold={threshold}")])
            .arg(unit()))
    };
    let seen = policy(EXPOSURE).expect(0);
    let said = format!("{}.{}", EXPOSURE / 10, EXPOSURE % 10);
    assert!(seen.out.contains(&format!("lifeboat.service: {said} ")), "{}", seen.out);
    assert_ne!(policy(EXPOSURE - 1).code, 0, "the bound can be lower");
    let read = |name: &str| fs::read_to_string(top().join(name)).unwrap();
    assert!(
        read("manifests/packages/README.md").contains(&format!("says {said} ")),
        "the page tells another number"
    );
}

#[test]
fn is_understood_by_systemd() {
    let directory = temporary();
    let copy = directory.path().join("lifeboat.service");
    let text =
        fs::read_to_string(unit()).unwrap().replace("/usr/bin/lifeboat", env!("CARGO_BIN_EXE_lifeboat"));
    fs::write(&copy, text).unwrap();
    let seen = ran(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy)).expect(0);
    // It warns of what it ignores, and ends well nevertheless.
    assert!(!seen.err.contains("lifeboat.service"), "{}", seen.err);
}

/// A call of the program with no more capabilities than the unit leaves.
fn bounded(world: &World, arguments: &[&str]) -> Ran {
    let text = fs::read_to_string(unit()).unwrap();
    let left: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("CapabilityBoundingSet="))
        .flat_map(str::split_whitespace)
        .map(|name| format!("+{}", name.trim_start_matches("CAP_").to_lowercase()))
        .collect();
    assert!(left.len() > 5, "{left:?}");
    let call = world.command(arguments);
    ran(Command::new("setpriv")
        .arg(format!("--bounding-set=-all,{}", left.join(",")))
        .arg(call.get_program())
        .args(call.get_args()))
}

#[test]
fn leaves_the_rights_that_a_restore_needs() {
    let world = World::new("databases: []");
    world.write("page.txt", "first");
    fs::create_dir(world.root.join("shared")).unwrap();
    let line = format!(
        "cd {}; chown 33:34 page.txt shared; chmod 2770 shared; chmod 600 page.txt
         mknod null c 1 3; setfattr -n trusted.note -v kept page.txt; setcap cap_net_raw+ep page.txt",
        world.root.display()
    );
    ran(Command::new("/bin/sh").args(["-ec", &line])).expect(0);
    world.init();
    bounded(&world, &["backup"]).expect(0);

    world.write("page.txt", "second");
    fs::remove_file(world.root.join("null")).unwrap();
    fs::remove_dir(world.root.join("shared")).unwrap();
    bounded(&world, &["restore", "--at", "latest", "--yes"]).expect(0);
    let page = fs::metadata(world.root.join("page.txt")).unwrap();
    assert_eq!((page.uid(), page.gid(), page.permissions().mode() & 0o7777), (33, 34, 0o600));
    assert_eq!(fs::metadata(world.root.join("shared")).unwrap().permissions().mode() & 0o7777, 0o2770);
    assert_ne!(fs::metadata(world.root.join("null")).unwrap().rdev(), 0);
    let attributes =
        ran(Command::new("getfattr").args(["-d", "-m", "-"]).arg(world.root.join("page.txt"))).expect(0).out;
    assert!(
        attributes.contains("trusted.note=\"kept\"") && attributes.contains("security.capability"),
        "{attributes}"
    );
}
