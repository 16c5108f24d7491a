//! From installation to removal: used, cloned, redeployed, and installed again.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::engine::{Addon, Node, Platform, Stop};
use super::{ROOT, Shop, until};

#[test]
fn the_add_on_lives_its_life() {
    super::live("life");
}

mod guest {
    use super::*;

    #[test]
    #[ignore = "runs in tests/nfs-lab only, started by the test above"]
    fn story() {
        super::super::in_guest("life", |platform, release| {
            platform.add("vault", "backup", vec![Node::make(200, "vault", "storage")]);
            platform.add("shop", "", vec![Node::make(101, "shop", "cp")]);
            let shop = Shop { platform, env: "shop", node: 101 };
            shop.open();

            install(platform, &release.backup);
            let first = use_it(platform, &shop);
            always_unmounted(platform, &shop);
            copied(platform, &shop, &first);
            renewed(platform, &shop);
            refused(platform, &shop, &first);
            removed(platform, &shop, &release.backup);
        });
    }
}

fn install(platform: &Platform, addon: &Addon) {
    // A file on the way was changed: nothing of it stays.
    let mut forged = (*addon.manifest).clone();
    forged["globals"]["programHash"] = json!("0".repeat(64));
    let form = platform.open_install("shop", addon);
    assert_eq!(form.field("storageName")["values"], json!([{ "value": "vault", "caption": "vault" }]));
    let values = form.filled(&[("storageName", json!("vault")), ("backupCount", json!(30))]);
    let forged = Addon { manifest: Arc::new(forged), ..addon.clone() };
    let refused = platform.install("shop", forged, values.clone());
    assert!(matches!(refused, Err(Stop::Failed { .. })));
    let node = platform.node("shop", 101);
    assert_ne!(node.run("ls /usr/local/bin/lifeboat").code, 0);

    platform.lock().others.push("wp-backup");
    assert!(platform.install("shop", addon.clone(), values.clone()).is_err(), "beside another add-on");
    platform.lock().others.clear();

    platform.install("shop", addon.clone(), values).unwrap();
    let modes = node.run("stat -c '%a %n' /etc/lifeboat /etc/lifeboat/password /etc/lifeboat/lifeboat.yaml; cat /etc/jelastic/redeploy.conf");
    platform.tell(&modes.out);
    assert_eq!(node.run("cat /etc/lifeboat/password").out.trim().len(), 40);
}

/// Backups by button and schedule, a restore by its time and its undo. The time of the first backup, as the form shows it.
fn use_it(platform: &Platform, shop: &Shop<'_>) -> Value {
    let good = shop.state();
    platform.click("shop", "Backup Now", &[]).unwrap();
    platform.tell("-- a schedule of every ten seconds, and a backup that nobody asks for");
    let seconds =
        [("scheduleType", json!("3")), ("cronTime", json!("*/10 * * * * *")), ("tz", json!("Europe/Berlin"))];
    platform.click("shop", "Configure", &seconds).unwrap();
    until("a scheduled backup", || {
        shop.runs().iter().any(|run| run["cause"] == "scheduled" && run["outcome"] == "success")
    });
    let form = platform.form("shop", "main");
    assert_eq!(form.field("cronTime")["value"], "*/10 * * * * *", "the form shows what is in force");
    platform
        .click("shop", "Configure", &[("scheduleType", json!("1")), ("every", json!("monthly"))])
        .unwrap();
    until("the end of runs", || shop.runs().iter().all(|run| run["standing"] != "running"));

    let form = platform.form("shop", "restore");
    let moments = form.field("restoreAt")["dependsOn"]["restoreEnv"]["shop"].as_array().unwrap().clone();
    assert!(moments.len() >= 2, "{moments:?}");
    let first = moments.last().unwrap()["value"].clone();
    assert!(moments.last().unwrap()["caption"].as_str().unwrap().ends_with(" UTC"));
    platform.tell("-- pages and rows are broken, and come back");
    shop.change();
    let broken = shop.state();
    assert_ne!(good, broken);
    platform.click("shop", "Restore", &[("restoreAt", first.clone())]).unwrap();
    assert_eq!(shop.state(), good);
    assert!(
        !Path::new(&format!("{}{ROOT}/stranger.php", platform.node("shop", 101).root().display())).exists()
    );
    until("mail about the restore", || {
        platform.lock().mails.iter().any(|mail| mail.contains("restore success"))
    });
    platform.click("shop", "Undo the last restore", &[]).unwrap();
    assert_eq!(shop.state(), broken);
    platform.click("shop", "Restore", &[("restoreAt", first.clone())]).unwrap();
    assert_eq!(shop.state(), good);
    first
}

/// The storage is there for the time of a run, asked for by an event of the node.
fn always_unmounted(platform: &Platform, shop: &Shop<'_>) {
    platform.tell("-- the storage is reached only while it is needed");
    platform
        .click(
            "shop",
            "Configure",
            &[("isAlwaysUmount", json!(true)), ("scheduleType", json!("2")), ("sun", json!(false))],
        )
        .unwrap();
    platform.tell(&shop.run("grep -A 1 ^schedule /etc/lifeboat/lifeboat.yaml"));
    assert!(platform.node("shop", 101).mounts.is_empty());
    platform.click("shop", "Backup Now", &[]).unwrap();
    until("the storage goes", || platform.node("shop", 101).mounts.is_empty());
    assert!(!platform.form("shop", "restore").field("restoreAt").is_null());
    until("the storage goes again", || platform.node("shop", 101).mounts.is_empty());
    platform.click("shop", "Configure", &[("isAlwaysUmount", json!(false))]).unwrap();
}

fn copied(platform: &Platform, shop: &Shop<'_>, first: &Value) {
    platform.tell("-- a clone: it has all files of the shop, also those that say whose backups these are");
    let before = shop.snapshots();
    platform.happens("shop", "onBeforeClone", &json!({}), None).unwrap();
    // The platform copies a disk at one moment.
    shop.run("mariadb-admin --no-defaults --socket=/run/mysqld/mysqld.sock shutdown; while pgrep -x mariadbd >/dev/null; do sleep 0.2; done");
    let copy = platform.node("shop", 101).copy_as(301, "copy");
    shop.start_database();
    platform.add("copy", "", vec![copy]);
    let clone = Shop { platform, env: "copy", node: 301 };
    clone.start_database();
    // As the platform mounts it there too, before the add-on hears of it.
    assert!(platform.change("copy", 301, |node| node.attach("/opt/backup", "127.0.0.1", "/data/shop")));
    let refused = clone.try_run("lifeboat backup 2>&1");
    assert_ne!(refused.code, 0, "a copy backs up under the shop's name");
    assert!(refused.out.contains("this node is a copy of node101-shop"), "{}", refused.out);
    assert_eq!(shop.snapshots(), before);
    let about = json!({ "response": { "env": { "envName": "copy" } } });
    platform.happens("shop", "onAfterClone", &about, None).unwrap();
    platform.click("copy", "Backup Now", &[]).unwrap();
    assert_eq!((shop.snapshots(), clone.snapshots()), (before, 1));
    assert_ne!(shop.run("cat /etc/lifeboat/password"), clone.run("cat /etc/lifeboat/password"));
    assert!(clone.run("cat /etc/lifeboat/lifeboat.yaml").contains("name: copy,"));

    platform.tell("-- a backup of the shop, restored into the clone by a key that is lent for it");
    let keys = shop.run("lifeboat --json key list 2>/dev/null");
    clone.change();
    clone.sql("INSERT INTO wp_options VALUES ('home', 'http://copy.example.com')");
    let from = [("restoreEnv", json!("shop")), ("restoreAt", first.clone())];
    platform.click("copy", "Restore", &from).unwrap();
    assert_eq!(clone.state(), shop.state());
    assert_eq!(
        clone.sql("SELECT * FROM wp_options"),
        "siteurl\thttp://copy.example.com\n",
        "addresses name the clone"
    );
    until("the key is given back", || platform.node("copy", 301).mounts.len() == 1);
    until("the key is taken back", || shop.run("lifeboat --json key list 2>/dev/null") == keys);
}

fn renewed(platform: &Platform, shop: &Shop<'_>) {
    platform.tell("-- a redeploy: another container with the same volumes");
    let before = shop.snapshots();
    platform.happens("shop", "onBeforeRedeployContainer", &json!({}), Some("cp")).unwrap();
    platform.change("shop", 101, Node::redeploy);
    shop.start_database();
    platform.happens("shop", "onAfterRedeployContainer", &json!({}), Some("cp")).unwrap();
    until("the agent", || shop.try_run("lifeboat --quiet status").code == 0);
    assert_eq!(shop.snapshots(), before);
    platform.click("shop", "Backup Now", &[]).unwrap();
    assert!(shop.snapshots() > before);
    let status = platform.click("shop", "Status", &[]).map_err(|stop| stop.to_string());
    assert!(status.unwrap().contains("backup"));
}

/// While a restore goes on in the background, nothing takes the ground from under it.
fn refused(platform: &Platform, shop: &Shop<'_>, first: &Value) {
    platform.tell("-- a restore that takes long, and somebody who deletes the environment meanwhile");
    shop.run(
        "printf 'before-swap-files:\\n  - {command: [/usr/local/sbin/wait-for-me], timeout: 200s}\\n' >/etc/lifeboat/hooks.yaml
         printf '#!/bin/sh\\nwhile [ ! -e /run/go-on ]; do sleep 0.2; done\\n' >/usr/local/sbin/wait-for-me; chmod 755 /usr/local/sbin/wait-for-me
         echo 3 >/etc/lifeboat/wait",
    );
    platform.click("shop", "Configure", &[]).unwrap();
    let background = platform.click("shop", "Restore", &[("restoreAt", first.clone())]).unwrap();
    assert!(background.contains("in the background"), "{background}");
    // Another run ended meanwhile, and this one is not told as if it had.
    let told = "onCustomNodeEvent [name:lifeboat-result]";
    platform.happens("shop", told, &json!({}), None).unwrap();
    let crashed = platform.lock().mails.iter().find(|mail| mail.contains("crashed")).cloned();
    assert_eq!(crashed, None, "a run that goes on is told as one that crashed");
    for (event, group) in
        [("onBeforeDelete", None), ("onBeforeRedeployContainer", Some("cp")), ("onBeforeClone", None)]
    {
        let refused = platform.happens("shop", event, &json!({}), group);
        assert!(matches!(refused, Err(Stop::Refused { .. })), "{event}");
    }
    let reconfigured = platform.click("shop", "Configure", &[]);
    assert!(matches!(reconfigured, Err(Stop::Refused { .. })));
    let mails = platform.lock().mails.len();
    shop.run("touch /run/go-on; echo 600 >/etc/lifeboat/wait");
    until("the end of the restore", || platform.lock().mails.len() > mails);
    assert!(platform.lock().mails.last().unwrap().contains("restore success"), "{:?}", platform.lock().mails);
    platform.happens("shop", "onBeforeDelete", &json!({}), None).unwrap();
}

fn removed(platform: &Platform, shop: &Shop<'_>, addon: &Addon) {
    platform.tell("-- uninstalled: the backups and what opens them stay");
    let (before, node) = (shop.snapshots(), platform.node("shop", 101));
    platform.happens("shop", "onUninstall", &json!({}), None).unwrap();
    let left = node.run("ls -d /usr/local/bin/lifeboat /usr/local/lib/lifeboat /etc/cron.d/lifeboat /etc/lifeboat/password 2>/dev/null");
    assert_eq!(left.out, "/etc/lifeboat/password\n");
    assert!(platform.node("shop", 101).mounts.is_empty());
    assert!(!node.does_run("lifeboat"), "the agent still runs");
    assert!(Path::new("/mnt/export/data/shop/repository/config").exists());

    platform.tell("-- installed again: it goes on where it was");
    let values = platform
        .open_install("shop", addon)
        .filled(&[("storageName", json!("vault")), ("backupCount", json!(30))]);
    platform.install("shop", addon.clone(), values).unwrap();
    platform.click("shop", "Backup Now", &[]).unwrap();
    assert!(shop.snapshots() > before, "the former backups are gone");

    platform.tell("-- uninstalled with its backups, which takes the environment's name");
    let wrong =
        platform.click("shop", "Delete backups at uninstall", &[("purgeName", json!("vault"))]).unwrap();
    assert!(wrong.contains("not the name"), "{wrong}");
    platform.click("shop", "Delete backups at uninstall", &[("purgeName", json!("shop"))]).unwrap();
    platform.happens("shop", "onUninstall", &json!({}), None).unwrap();
    assert!(!Path::new("/mnt/export/data/shop/repository").exists());
    assert!(Path::new("/mnt/export/data/copy/repository/config").exists(), "the clone's backups are its own");
    assert_ne!(node.run("ls -d /etc/lifeboat").code, 0);
}
