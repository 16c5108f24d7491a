//! The .rpm, below a root of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::{Packages, ran, temporary};
use crate::world::Ran;

/// Scriptlets run in that root, where there is no shell: they are looked at by themselves.
fn rpm(root: &Path, arguments: &[&str], package: &Path) -> Ran {
    ran(Command::new("rpm").arg("--root").arg(root).args(arguments).arg(package))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
        & 0o7777
}

#[test]
fn is_installed_upgraded_and_removed() {
    let (old, new) = (Packages::build("0.0.1"), Packages::build("0.0.2"));
    let directory = temporary();
    let root = directory.path();
    let at = |name: &str| root.join(name);
    ran(Command::new("rpm").arg("--root").arg(root).arg("--initdb")).expect(0);

    // Debian's rpm knows no glibc as a package; what is asked for is looked at below.
    let quietly = ["--nodeps", "--noscripts"];
    rpm(root, &[&["--install"][..], &quietly].concat(), &old.rpm).expect(0);
    for (name, expected) in [
        ("usr/bin/lifeboat", 0o755),
        ("usr/lib/systemd/system/lifeboat.service", 0o644),
        ("etc/lifeboat", 0o700),
        ("etc/lifeboat/conf.d", 0o700),
        ("var/lib/lifeboat", 0o700),
        ("usr/share/man/man1/lifeboat.1.gz", 0o644),
        ("usr/share/man/man1/lifeboat-restore.1.gz", 0o644),
        ("usr/share/bash-completion/completions/lifeboat", 0o644),
        ("usr/share/zsh/site-functions/_lifeboat", 0o644),
        ("usr/share/fish/vendor_completions.d/lifeboat.fish", 0o644),
        ("usr/share/doc/lifeboat/LICENSE-MIT", 0o644),
        ("usr/share/doc/lifeboat/examples/lifeboat.yaml", 0o644),
    ] {
        assert_eq!(mode(&at(name)), expected, "{name}");
    }
    fs::write(at("etc/lifeboat/lifeboat.yaml"), "site").unwrap();
    rpm(root, &[&["--upgrade"][..], &quietly].concat(), &new.rpm).expect(0);
    let installed = rpm(root, &["--query"], Path::new("lifeboat")).expect(0).out;
    assert!(installed.starts_with("lifeboat-0.0.2-1."), "{installed}");

    rpm(root, &[&["--erase"][..], &quietly].concat(), Path::new("lifeboat")).expect(0);
    assert!(!at("usr/bin/lifeboat").exists() && !at("usr/share/doc/lifeboat").exists());
    assert!(at("etc/lifeboat/lifeboat.yaml").exists(), "what was configured stays");
}

#[test]
fn asks_for_an_old_glibc_and_its_scripts_are_sound() {
    let packages = Packages::build("0.0.1");
    let query = |what: &str| ran(Command::new("rpm").args(["-qp", what]).arg(&packages.rpm)).expect(0).out;
    let requires = query("--requires");
    assert!(requires.contains("GLIBC_2.17"), "{requires}");
    assert!(!requires.contains("GLIBC_2.2.5.") && !requires.contains("libgcc_s"), "{requires}");
    assert!(
        !["2.18", "2.28", "2.34"].iter().any(|newer| requires.contains(&format!("GLIBC_{newer}"))),
        "{requires}"
    );

    let parts = ["%{POSTIN}", "%{PREUN}", "%{POSTUN}"].map(|part| query(&format!("--queryformat={part}")));
    // With a stand-in for `systemctl`: the first argument is how many versions are there afterwards.
    let directory = temporary();
    let log = directory.path().join("log");
    let stand_in = directory.path().join("systemctl");
    fs::write(&stand_in, format!("#!/bin/sh\necho \"$*\" >> {}\n", log.display())).unwrap();
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).unwrap();
    let call = |part: &str, versions: &str, configured: bool| {
        // As on a machine with systemd; a file that is there, or is not, in the place of the configuration.
        let body = part.replace("-d /run/systemd/system", "-d /").replace(
            "/etc/lifeboat/lifeboat.yaml",
            if configured { "/etc/hostname" } else { "/nonexistent" },
        );
        drop(fs::remove_file(&log));
        let path = format!("{}:/usr/bin:/bin", directory.path().display());
        let done =
            ran(Command::new("/bin/sh").args(["-ec", &body, "sh", versions]).env("PATH", path)).expect(0);
        (fs::read_to_string(&log).unwrap_or_default(), done.out)
    };
    let (asked, said) = call(&parts[0], "1", false);
    assert_eq!(asked, "daemon-reload\n");
    assert!(said.contains("lifeboat init"), "{said}");
    assert_eq!(call(&parts[0], "1", true).0, "daemon-reload\nenable --now lifeboat.service\n");
    assert_eq!(call(&parts[0], "2", true).0, "daemon-reload\n");
    assert_eq!(call(&parts[1], "0", true).0, "disable --now lifeboat.service\n");
    assert_eq!(call(&parts[1], "1", true).0, "");
    assert_eq!(call(&parts[2], "1", true).0, "daemon-reload\ntry-restart lifeboat.service\n");
    assert_eq!(call(&parts[2], "0", true).0, "daemon-reload\n");
}
