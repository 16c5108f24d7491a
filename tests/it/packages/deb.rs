//! The .deb in a chroot of an old Debian: install, upgrade, remove, purge.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Chroot, Packages, ran};

/// Writes down what it is asked for, and keeps in files what systemd would know: running, enabled.
const SYSTEMCTL: &str = r#"#!/bin/sh
asked=
for word; do case $word in --*) ;; *) asked="$asked $word" ;; esac; done
case $asked in
  *is-active*) test -e /run/fake-active ;;
  " show "*) printf 'LoadState=loaded\nUnitFileState=disabled\nActiveState=inactive\n' ;;
  " preset lifeboat.service" | " enable lifeboat.service")
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ln -sf /lib/systemd/system/lifeboat.service /etc/systemd/system/multi-user.target.wants/ ;;
  *is-enabled*)
    test -L /etc/systemd/system/multi-user.target.wants/lifeboat.service || { echo disabled; exit 1; }
    echo enabled ;;
  " start lifeboat.service") echo start >> /log; touch /run/fake-active ;;
  " stop lifeboat.service") echo stop >> /log; rm -f /run/fake-active ;;
  " restart lifeboat.service") echo restart >> /log; touch /run/fake-active ;;
  *) exit 0 ;;
esac
"#;

const WANTS: &str = "etc/systemd/system/multi-user.target.wants/lifeboat.service";

struct Machine {
    debian: Chroot,
}

impl Machine {
    /// With both versions of the package in its root directory.
    fn new() -> Self {
        let debian = Chroot::new();
        for version in ["0.0.1", "0.0.2"] {
            fs::copy(Packages::build(version).deb, debian.path(&format!("{version}.deb"))).unwrap();
        }
        fs::write(debian.path("usr/bin/systemctl"), SYSTEMCTL).unwrap();
        fs::set_permissions(debian.path("usr/bin/systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(debian.path("run/systemd/system")).unwrap();
        // A minimal system leaves documentation out; what the package has is looked at here.
        drop(fs::remove_dir_all(debian.path("etc/dpkg/dpkg.cfg.d")));
        Self { debian }
    }

    #[track_caller]
    fn dpkg(&self, arguments: &str) -> String {
        self.debian.did(&format!("dpkg {arguments} 2>&1"))
    }

    /// What the service manager was asked for since the last call.
    fn asked(&self) -> String {
        let log = self.debian.path("log");
        let asked = fs::read_to_string(&log).unwrap_or_default();
        drop(fs::remove_file(log));
        asked
    }

    fn is_enabled(&self) -> bool {
        self.debian.path(WANTS).is_symlink()
    }

    fn mode(&self, name: &str) -> u32 {
        let path = self.debian.path(name);
        fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
            & 0o7777
    }

    fn has(&self, name: &str) -> bool {
        self.debian.path(name).exists()
    }

    /// A site with everything that its state may hold, set up and backed up by the installed program.
    fn set_up(&self) {
        self.debian.did(
            "mkdir -p /srv/site /srv/backups; echo page > /srv/site/index.html
             lifeboat init --root /srv/site --storage /srv/backups --name shop; lifeboat backup",
        );
    }

    /// The one directory to which a purge has moved things.
    fn aside(&self) -> String {
        let all = self.debian.did("ls -d /var/backups/lifeboat-*");
        assert_eq!(all.lines().count(), 1, "{all}");
        all.trim().to_owned()
    }
}

#[test]
fn from_the_first_installation_to_its_return() {
    let machine = Machine::new();
    let said = machine.dpkg("-i /0.0.1.deb");
    assert!(said.contains("lifeboat init"), "{said}");
    assert!(!machine.is_enabled(), "nothing is enabled without a configuration");
    assert_eq!(machine.asked(), "");
    for (name, mode) in [
        ("usr/bin/lifeboat", 0o755),
        ("lib/systemd/system/lifeboat.service", 0o644),
        ("etc/lifeboat", 0o700),
        ("etc/lifeboat/conf.d", 0o700),
        ("var/lib/lifeboat", 0o700),
        ("usr/share/man/man1/lifeboat.1.gz", 0o644),
        ("usr/share/man/man1/lifeboat-key-add.1.gz", 0o644),
        ("usr/share/bash-completion/completions/lifeboat", 0o644),
        ("usr/share/zsh/vendor-completions/_lifeboat", 0o644),
        ("usr/share/fish/vendor_completions.d/lifeboat.fish", 0o644),
        ("usr/share/lifeboat/hooks/README.md", 0o644),
        ("usr/share/lifeboat/hooks/platform/hook", 0o755),
        ("usr/share/lifeboat/hooks/redis/plugin", 0o755),
        ("usr/share/lifeboat/hooks/wordpress/recipe", 0o755),
        ("usr/share/doc/lifeboat/copyright", 0o644),
        ("usr/share/doc/lifeboat/examples/lifeboat.yaml", 0o644),
    ] {
        assert_eq!(machine.mode(name), mode, "{name}");
    }
    assert_eq!(machine.debian.did("dpkg --verify lifeboat"), "");
    machine.debian.did("bash -n /usr/share/bash-completion/completions/lifeboat");

    // An agent that does not run is not started by an upgrade, and one that runs is exchanged.
    machine.set_up();
    machine.dpkg("-i /0.0.2.deb");
    assert_eq!(machine.asked(), "");
    machine.debian.did("systemctl enable lifeboat.service; systemctl start lifeboat.service; rm /log");
    machine.dpkg("-i /0.0.1.deb");
    assert_eq!(machine.asked(), "restart\n");

    machine.dpkg("-r lifeboat");
    assert_eq!(machine.asked(), "stop\n");
    assert!(!machine.has("usr/bin/lifeboat"));
    assert!(machine.has("etc/lifeboat/lifeboat.yaml") && machine.has("var/lib/lifeboat/shop/password"));

    // Back it works on with what it had, and is what it was: enabled and running.
    machine.dpkg("-i /0.0.2.deb");
    assert!(machine.is_enabled());
    assert_eq!(machine.asked(), "start\n");
    assert_eq!(
        machine.debian.did("lifeboat --json snapshots | grep -o '\"short_id\"\\|\"id\"' | sort -u | wc -l"),
        "1\n"
    );
}

#[test]
fn is_enabled_where_somebody_has_configured_it_before() {
    let machine = Machine::new();
    fs::create_dir_all(machine.debian.path("etc/lifeboat/conf.d")).unwrap();
    fs::write(machine.debian.path("etc/lifeboat/conf.d/shop.yaml"), "site: {}").unwrap();
    machine.dpkg("-i /0.0.1.deb");
    assert!(machine.is_enabled());
    assert_eq!(machine.asked(), "start\n");
}

#[test]
fn purge_loses_no_key() {
    let machine = Machine::new();
    machine.dpkg("-i /0.0.1.deb");
    machine.set_up();
    let password = fs::read(machine.debian.path("var/lib/lifeboat/shop/password")).unwrap();
    // What restores leave to a person, and a site whose restore was killed.
    for (name, text) in [
        ("shop/former.json", "[]"),
        ("killed/restore.json", "{}"),
        ("killed/drills.json", "{}"),
        ("tokens.json", "[]"),
    ] {
        let path = machine.debian.path("var/lib/lifeboat").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let said = machine.dpkg("-P lifeboat");
    assert!(!machine.has("etc/lifeboat") && !machine.has("var/lib/lifeboat"), "{said}");

    let aside = machine.aside();
    assert!(said.contains(&aside), "{said}");
    assert_eq!(machine.mode(&aside), 0o700);
    assert_eq!(machine.debian.did(&format!("find {aside} -perm /077")), "");
    let left = machine.debian.did(&format!("cd {aside}; find . -type f | sort"));
    assert_eq!(
        left.lines().collect::<Vec<_>>(),
        [
            "./etc-lifeboat/lifeboat.yaml",
            "./var-lib-lifeboat/killed/drills.json",
            "./var-lib-lifeboat/killed/restore.json",
            "./var-lib-lifeboat/shop/former.json",
            "./var-lib-lifeboat/shop/master.key",
            "./var-lib-lifeboat/shop/password",
        ]
    );
    assert_eq!(
        fs::read(machine.debian.path(&format!("{aside}/var-lib-lifeboat/shop/password"))).unwrap(),
        password
    );

    // With what was moved aside the backups open: by the program, and by restic.
    machine.dpkg("-i /0.0.2.deb");
    machine.debian.did(&format!(
        "cp -a {aside}/etc-lifeboat/. /etc/lifeboat/; cp -a {aside}/var-lib-lifeboat/. /var/lib/lifeboat/
         rm -r /var/lib/lifeboat/killed; lifeboat restore --at latest --to /root/back"
    ));
    assert_eq!(machine.debian.did("find /root/back -name index.html -exec cat {} +"), "page\n");
    let restic = ran(std::process::Command::new("restic")
        .args(["--no-cache", "--repo"])
        .arg(machine.debian.path("srv/backups/shop"))
        .arg("--password-file")
        .arg(machine.debian.path(&format!("{aside}/var-lib-lifeboat/shop/password")))
        .args(["check", "--read-data"]));
    restic.expect(0);
}

#[test]
fn purge_leaves_a_storage_where_it_is() {
    let machine = Machine::new();
    machine.dpkg("-i /0.0.1.deb");
    machine.debian.did(
        "mkdir -p /srv/site /var/lib/lifeboat/backups; echo page > /srv/site/index.html
         lifeboat init --root /srv/site --storage /var/lib/lifeboat/backups --name shop; lifeboat backup",
    );
    let said = machine.dpkg("-P lifeboat");
    assert!(said.contains("/var/lib/lifeboat was left where it is"), "{said}");
    assert!(
        machine.has("var/lib/lifeboat/backups/shop/config") && machine.has("var/lib/lifeboat/shop/password")
    );
    assert!(machine.has(&format!("{}/etc-lifeboat/lifeboat.yaml", machine.aside())));
}

#[test]
fn purge_of_what_was_never_used_leaves_nothing() {
    let machine = Machine::new();
    machine.dpkg("-i /0.0.1.deb");
    machine.dpkg("-P lifeboat");
    for name in
        ["etc/lifeboat", "var/lib/lifeboat", "usr/share/doc/lifeboat", "etc/systemd/system/lifeboat.service"]
    {
        assert!(!machine.has(name) && !machine.debian.path(name).is_symlink(), "{name}");
    }
    assert_eq!(machine.debian.did("ls /var/backups | grep lifeboat || true"), "");
}

#[test]
fn both_packages_are_the_same_bytes_each_time() {
    let (one, two) = (Packages::build("0.0.1"), Packages::build("0.0.1"));
    assert!(fs::read(one.deb).unwrap() == fs::read(two.deb).unwrap(), "the .deb differs");
    assert!(fs::read(one.rpm).unwrap() == fs::read(two.rpm).unwrap(), "the .rpm differs");
}
