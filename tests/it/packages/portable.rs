//! The binary for old systems, on an old system.

use std::fs;
use std::process::Command;

use super::{Chroot, portable_binary, ran};

#[test]
fn the_binary_needs_nothing_newer_than_glibc_2_17() {
    let binary = portable_binary();
    let symbols = ran(Command::new("readelf").args(["-W", "-V"]).arg(&binary)).expect(0).out;
    let mut versions: Vec<Vec<u32>> = symbols
        .split("GLIBC_")
        .skip(1)
        .map(|rest| rest.split(|letter: char| !letter.is_ascii_digit() && letter != '.').next().unwrap())
        .filter(|version| !version.is_empty())
        .map(|version| version.split('.').map(|part| part.parse().unwrap()).collect())
        .collect();
    versions.sort();
    assert!(versions.len() > 3, "{symbols}");
    assert!(versions.last().unwrap().as_slice() <= [2, 17].as_slice(), "{versions:?}");

    let needed = ran(Command::new("readelf").args(["-W", "-d"]).arg(&binary)).expect(0).out;
    let libraries: Vec<_> = needed
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .map(|line| line.split(['[', ']']).nth(1).unwrap().split('.').next().unwrap())
        .collect();
    let of_glibc =
        ["libc", "libm", "libpthread", "librt", "libdl", "libutil", "ld-linux-x86-64", "ld-linux-aarch64"];
    assert!(libraries.iter().all(|library| of_glibc.contains(library)), "{libraries:?}");
}

/// `demo` judges itself: each file and row is compared.
#[test]
fn an_old_debian_saves_a_site_with_a_database_and_brings_it_back() {
    let debian = Chroot::new();
    fs::copy(portable_binary(), debian.path("usr/bin/lifeboat")).unwrap();
    assert_eq!(debian.did("ldd --version | head -n 1 | grep -o '2\\.[0-9]*$'"), "2.31\n");
    assert!(debian.did("lifeboat --version").starts_with("lifeboat "));
    let demo = debian.did("lifeboat demo --dir /root/demo");
    assert!(demo.contains("PROVEN: "), "{demo}");

    // The same by hand, with what only a real site has: an owner, a hard link, and a file that must go.
    debian.did(
        "lifeboat='lifeboat -c /root/demo/lifeboat.yaml'; cd /root/demo/site
         echo first > page.txt; chown 33:33 page.txt; chmod 640 page.txt; ln page.txt twin.txt
         $lifeboat backup
         echo second > page.txt; rm twin.txt; touch later.txt
         $lifeboat restore --at latest --yes",
    );
    let seen = debian
        .did("cd /root/demo/site; cat twin.txt; stat -c '%u %g %a %h' page.txt; ls later.txt 2>&1 || true");
    assert!(seen.starts_with("first\n33 33 640 2\n"), "{seen}");
    assert!(seen.contains("No such file"), "{seen}");
}
