//! How recipes hold a site still, and give it back as they found it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::process::Command;

use super::Site;

/// An application, what its tree needs, its maintenance file, and what must be in that.
type Held<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

const FILES: [Held<'_>; 6] = [
    ("wordpress", &[], ".maintenance", "<?php $upgrading = "),
    ("laravel", &[("storage/framework/", "")], "storage/framework/down", "\"status\":503"),
    ("magento", &[("var/", "")], "var/.maintenance.flag", ""),
    ("nextcloud", &[("config/", "")], "config/lifeboat.config.php", "'maintenance' => true"),
    (
        "moodle",
        &[("data/", ""), ("config.php", "<?php $CFG->dataroot = '@ROOT@/data';")],
        "data/climaintenance.html",
        "<html>",
    ),
    ("mediawiki", &[("images/", ""), ("LocalSettings.php", "<?php")], "images/lock_yBgMBwiR", "This wiki"),
];

#[test]
fn a_site_is_held_still_and_given_back() {
    for (application, files, name, content) in FILES {
        let site = Site::with(files);
        let file = site.root.join(name);
        for _ in 0..2 {
            // Twice: what a killed run left must not stand in the way of the next.
            let ran = site.recipe(application, "quiesce");
            assert!(ran.status.success(), "{application}: {}", site.plain(&ran.stderr));
            assert!(fs::read_to_string(&file).unwrap().contains(content), "{application}");
            assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o644, "{application}");
        }
        for _ in 0..2 {
            let ran = site.recipe(application, "resume");
            assert!(ran.status.success(), "{application}: {}", site.plain(&ran.stderr));
            assert!(!file.exists(), "{application}");
        }
    }
}

#[test]
fn what_the_owner_had_set_stays() {
    for (application, files, name, _) in FILES {
        let site = Site::with(files);
        let file = site.root.join(name);
        fs::write(&file, "by hand").unwrap();
        for verb in ["quiesce", "resume"] {
            assert!(site.recipe(application, verb).status.success(), "{application}");
            assert_eq!(fs::read_to_string(&file).unwrap(), "by hand", "{application}");
        }
    }
}

#[test]
fn php_reads_what_is_written() {
    for (application, name, script) in [
        ("wordpress", ".maintenance", "include $argv[1]; exit($upgrading > time() + 2900 ? 0 : 1);"),
        (
            "nextcloud",
            "config/lifeboat.config.php",
            "include $argv[1]; exit($CONFIG === ['maintenance' => true] ? 0 : 1);",
        ),
        (
            "laravel",
            "storage/framework/down",
            "$d = json_decode(file_get_contents($argv[1]), true); exit($d['status'] === 503 && $d['except'] === [] ? 0 : 1);",
        ),
    ] {
        let site = Site::with(&[("config/", ""), ("storage/framework/", "")]);
        assert!(site.recipe(application, "quiesce").status.success());
        let php = Command::new("php").args(["-r", script, "--"]).arg(site.root.join(name)).output().unwrap();
        assert!(php.status.success(), "{application}: {php:?}");
    }
}

#[test]
fn those_without_a_maintenance_file_say_so() {
    for application in ["symfony", "drupal", "joomla", "prestashop"] {
        let ran = Site::with(&[]).recipe(application, "quiesce");
        assert_eq!(ran.status.code(), Some(1), "{application}");
        assert!(
            String::from_utf8_lossy(&ran.stderr).contains("no maintenance mode that a file switches on"),
            "{application}"
        );
    }
}

/// As root a link that the site's owner laid would have led anywhere.
#[test]
fn the_file_is_made_as_the_sites_owner() {
    let site = Site::with(&[("storage/framework/", "")]);
    // The owner must be able to come here.
    fs::set_permissions(site.root.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    for directory in ["", "storage", "storage/framework"] {
        chown(site.root.join(directory), Some(65_534), Some(65_534)).unwrap();
    }
    let ran = site.recipe("laravel", "quiesce");
    assert!(ran.status.success(), "{}", site.plain(&ran.stderr));
    let file = site.root.join("storage/framework/down");
    assert_eq!(file.metadata().unwrap().uid(), 65_534);
    assert!(site.recipe("laravel", "resume").status.success());
    assert!(!file.exists());

    let elsewhere = site.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_dir(site.root.join("storage/framework")).unwrap();
    symlink(&elsewhere, site.root.join("storage/framework")).unwrap();
    let ran = site.recipe("laravel", "quiesce");
    assert_eq!(ran.status.code(), Some(1), "{}", site.plain(&ran.stderr));
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}
