//! `lifeboat init`: from a directory to a first backup, without a secret shown or a trace left where it fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::world::Ran;

const WP_CONFIG: &str = "<?php define('DB_NAME', 'shop'); define('DB_USER', 'wp'); define('DB_PASSWORD', 'canary'); \
                         define('DB_HOST', 'localhost'); $table_prefix = 'wp_';";

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir_all(place.path("www/shop")).unwrap();
        fs::create_dir(place.path("storage")).unwrap();
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command.arg("-c").arg(self.path("etc/lifeboat.yaml")).args(arguments);
        Ran::of(&command.output().unwrap())
    }

    fn init(&self, storage: &Path, more: &[&str]) -> Ran {
        let (root, state) = (self.path("www/shop"), self.path("state"));
        let fixed = [
            "init",
            "--root",
            root.to_str().unwrap(),
            "--storage",
            storage.to_str().unwrap(),
            "--state",
            state.to_str().unwrap(),
        ];
        self.run(&[&fixed[..], more].concat())
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_wordpress_is_recognised_and_its_secrets_stay_where_they_are() {
    let place = Place::new();
    fs::write(place.path("www/shop/wp-config.php"), WP_CONFIG).unwrap();
    fs::write(place.path("www/shop/wp-settings.php"), "<?php").unwrap();
    let ran = place.init(&place.path("storage"), &[]).expect(0);
    assert!(ran.out.contains("schema \"shop\" on the local socket"), "{}", ran.out);
    assert!(ran.out.contains("RECOVERY SHEET") && ran.out.contains("restic -r"), "{}", ran.out);
    let config = fs::read_to_string(place.path("etc/lifeboat.yaml")).unwrap();
    let password = fs::read_to_string(place.path("state/shop/password")).unwrap();
    assert!(password.trim().len() >= 40);
    for text in [&ran.out, &ran.err, &config] {
        assert!(!text.contains(password.trim()) && !text.contains("canary"), "{text}");
    }
    for private in ["etc/lifeboat.yaml", "state/shop/password", "state/shop/master.key"] {
        assert_eq!(mode(&place.path(private)), 0o600, "{private}");
    }
    place.run(&["config", "check"]).expect(0);
    place.run(&["snapshots"]).expect(0);
    // Twice is a mistake, and changes nothing.
    let again = place.init(&place.path("storage"), &[]).expect(2);
    assert!(again.err.contains("exists already"), "{}", again.err);
    place.run(&["snapshots"]).expect(0);
}

#[test]
fn the_password_is_shown_to_who_asks_for_it_and_opens_the_repository_for_restic() {
    let place = Place::new();
    let ran = place.init(&place.path("storage"), &["--show-password"]).expect(0);
    let password = fs::read_to_string(place.path("state/shop/password")).unwrap();
    assert!(ran.out.contains(password.trim()));
    place.run(&["backup"]).expect(0);
    let listed = Command::new("restic")
        .args(["snapshots", "--no-cache", "-r"])
        .arg(place.path("storage/shop"))
        .env("RESTIC_PASSWORD", password.trim())
        .output();
    assert!(Ran::of(&listed.unwrap()).expect(0).out.contains("1 snapshots"));
}

#[test]
fn an_init_that_fails_leaves_nothing_behind() {
    let place = Place::new();
    let ran = place.init(&place.path("no/such/storage"), &[]);
    assert_ne!(ran.code, 0);
    assert!(!place.path("etc/lifeboat.yaml").exists() && !place.path("state/shop/password").exists());
    assert!(!place.path("no").exists());
    place.init(&place.path("storage"), &[]).expect(0);
}
