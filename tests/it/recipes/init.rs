//! `lifeboat init` with recipes: which one it takes, what it writes, and what it does not believe.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::{PROGRAM, Site, hooks};

fn init(site: &Site, recipes: &Path) -> (Output, Value) {
    let ran = Command::new(PROGRAM)
        .arg("-c")
        .arg(site.path("lifeboat.yaml"))
        .args(["--json", "init", "--name", "demo", "--root"])
        .arg(&site.root)
        .arg("--storage")
        .arg(site.path("storage"))
        .arg("--state")
        .arg(site.path("state"))
        .arg("--recipes")
        .arg(recipes)
        .output()
        .unwrap();
    let document = serde_json::from_slice(&ran.stdout).unwrap();
    (ran, document)
}

fn laravel() -> Site {
    let site = Site::with(&[
        ("artisan", ""),
        ("bootstrap/app.php", ""),
        (".env", "DB_CONNECTION=mysql\nDB_HOST=db\nDB_DATABASE=shop\nDB_USERNAME=u\nDB_PASSWORD='first'\n"),
    ]);
    fs::create_dir(site.path("storage")).unwrap();
    site
}

#[test]
fn an_application_is_recognised_and_its_password_followed() {
    let site = laravel();
    let (ran, document) = init(&site, &hooks());
    assert!(ran.status.success(), "{document:#}");
    assert_eq!(document["result"]["recipe"], "laravel");
    assert_eq!(document["result"]["databases"], 1);
    let text = fs::read_to_string(site.path("lifeboat.yaml")).unwrap();
    assert!(!text.contains("first"), "the password was copied:\n{text}");
    let config = lifeboat::config::load(&site.path("lifeboat.yaml")).unwrap();
    assert!(config.site.exclude.contains(&"/storage/framework/down".to_owned()), "{text}");
    assert!(config.hooks.contains_key("quiesce") && config.hooks.contains_key("resume"), "{text}");
    for password in ["first", "an other"] {
        site.write(".env", &format!("DB_CONNECTION=mysql\nDB_PASSWORD='{password}'\n"));
        let Some(lifeboat::config::Database::Mysql { password: Some(reference), .. }) =
            config.databases.as_ref().and_then(|list| list.first())
        else {
            panic!("{text}")
        };
        assert_eq!(reference.resolve("databases[0].password").unwrap().reveal(), password);
    }
}

#[test]
fn wordpress_is_recognised_natively_and_held_still_by_its_recipe() {
    let site = Site::with(&[
        ("wp-load.php", ""),
        ("wp-settings.php", ""),
        (
            "wp-config.php",
            "<?php define('DB_NAME', 'wp'); define('DB_USER', 'u'); define('DB_PASSWORD', 'p'); define('DB_HOST', 'h');",
        ),
    ]);
    fs::create_dir(site.path("storage")).unwrap();
    let (ran, document) = init(&site, &hooks());
    assert!(ran.status.success(), "{document:#}");
    assert_eq!(
        (&document["result"]["recipe"], &document["result"]["databases"]),
        (&"wordpress".into(), &1.into())
    );
    let config = lifeboat::config::load(&site.path("lifeboat.yaml")).unwrap();
    assert!(config.databases.is_none() && config.hooks.contains_key("quiesce"));
}

#[test]
fn an_application_whose_settings_cannot_be_read_is_refused() {
    let site = laravel();
    site.write(".env", "DB_CONNECTION=mysql\nDB_DATABASE=${X}\n");
    let (ran, document) = init(&site, &hooks());
    assert_eq!(ran.status.code(), Some(2), "{document:#}");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("holds laravel, but cannot read DB_DATABASE"), "{message}");
    assert!(!site.path("lifeboat.yaml").exists());
    // Somebody who knows better leaves the recipes out.
    let (ran, document) = init(&site, Path::new("none"));
    assert!(ran.status.success(), "{document:#}");
    assert_eq!(document["result"]["recipe"], Value::Null);
}

#[test]
fn nothing_but_a_recipes_own_sections_is_believed() {
    for (body, mode, words) in [
        ("echo 'storage: {type: local, path: /}'", 0o755, "says storage, which is not a recipe's to say"),
        ("echo 'databases: ['", 0o755, "is not valid YAML"),
        ("echo 'databases: [{type: mysql, nam: x}]'", 0o755, "databases[0]"),
        ("exit 3", 0o755, "ended with exit status: 3"),
        ("yes", 0o755, "ended with"),
        ("exit 1", 0o777, "may be written by others"),
    ] {
        let site = laravel();
        let recipe = site.path("recipes/shop/recipe");
        fs::create_dir_all(recipe.parent().unwrap()).unwrap();
        let body = if body == "yes" { "yes | head -c 100000" } else { body };
        fs::write(&recipe, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&recipe, Permissions::from_mode(mode)).unwrap();
        let (ran, document) = init(&site, &site.path("recipes"));
        assert!(!ran.status.success(), "{body}");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{body}: {message}");
        assert!(!site.path("lifeboat.yaml").exists(), "{body}");
    }
}
