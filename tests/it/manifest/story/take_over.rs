//! What the former add-on saved, taken over: by the installation, and by Configure and the menu where Lifeboat was there first.

use std::path::Path;

use serde_json::{Value, json};

use super::super::engine::{Form, Node, Platform};
use super::{ROOT, Release, Shop, until};

/// Two backups of the former add-on: their names, the times that restic has of them, and why they were made.
const FORMER: [(&str, &str, &str); 2] = [
    ("2025-01-05_030000_UTC", "2025-01-05 03:00:07", "auto"),
    ("2025-01-06_120000_UTC", "2025-01-06 12:00:04", "manual"),
];

/// The former add-on's calls, word for word: the storage is at /opt/backup, and the environment's name is the password.
const SAVE: &str = "cd /root && mysqldump --socket=/run/mysqld/mysqld.sock -u root shop --force --single-transaction --quote-names --opt --databases >wp_db_backup.sql \
    && GOGC=20 RESTIC_COMPRESSION=off RESTIC_PACK_SIZE=8 RESTIC_READ_CONCURRENCY=8 restic --host \"$(uname -n)\" backup -q --tag \"$TAG\" --time \"$TIME\" -r /opt/backup/$RESTIC_PASSWORD /var/www/webroot/ROOT ~/wp_db_backup.sql";

#[test]
fn old_backups_are_taken_over() {
    super::live("take_over");
}

mod guest {
    use super::*;

    #[test]
    #[ignore = "runs in tests/nfs-lab only, started by the test above"]
    fn story() {
        super::super::in_guest("take_over", |platform, release| {
            platform.add("vault", "backup", vec![Node::make(200, "vault", "storage")]);
            platform.add("market", "", vec![Node::make(101, "market", "cp")]);
            let shop = Shop { platform, env: "market", node: 101 };
            shop.open();

            let states = saved_before(platform, &shop);
            installed(platform, &shop, release);
            restored(platform, &shop, &states);
            gone_on_with(platform, &shop);
        });
    }
}

/// The site in two states, each saved by the former add-on, which is then removed.
fn saved_before(platform: &Platform, shop: &Shop<'_>) -> [String; 2] {
    platform.tell("-- the former add-on makes two backups, and is removed");
    assert!(platform.change("market", 101, |node| node.attach("/opt/backup", "/data")));
    shop.run("RESTIC_PASSWORD=market GOGC=20 restic init -q -r /opt/backup/market");
    let states = FORMER.map(|(stamp, time, cause)| {
        shop.run(&format!("echo 'as it was at {stamp}' >{ROOT}/index.php"));
        shop.sql(&format!("INSERT INTO wp_posts (post_title) VALUES ('{stamp}')"));
        shop.run(&format!(
            "export TZ=UTC RESTIC_PASSWORD=market TAG='{stamp}  {cause}' TIME='{time}'\n{SAVE}"
        ));
        shop.state()
    });
    platform.change("market", 101, |node| node.detach("/opt/backup"));
    states
}

fn installed(platform: &Platform, shop: &Shop<'_>, release: &Release) {
    let values = platform.open_install("market", &release.backup).filled(&[("storageName", json!("vault"))]);
    platform.install("market", release.backup.clone(), values).unwrap();
    platform.tell(&shop.run("grep ^repository /etc/lifeboat/lifeboat.yaml"));
    let status = platform.click("market", "Status", &[]).unwrap();
    assert!(status.contains("can reach the whole storage"), "{status}");
    assert!(!Path::new("/mnt/export/data/market/repository").exists(), "a second repository was begun");
}

/// The moments of this environment, as the form offers them.
fn moments(form: &Form, env: &str) -> Vec<(String, Value)> {
    let moments = form.field("restoreAt")["dependsOn"]["restoreEnv"][env].as_array().unwrap();
    moments
        .iter()
        .map(|moment| (moment["caption"].as_str().unwrap().to_owned(), moment["value"].clone()))
        .collect()
}

/// One of them by the form, another by the name that the former add-on gave it.
fn restored(platform: &Platform, shop: &Shop<'_>, states: &[String; 2]) {
    platform.tell("-- both are offered, and come back with pages and rows");
    let moments = moments(&platform.form("market", "restore"), "market");
    let captions: Vec<_> = moments.iter().map(|(caption, _)| caption.as_str()).collect();
    assert_eq!(captions, ["2025-01-06 12:00:00 UTC (taken over)", "2025-01-05 03:00:00 UTC (taken over)"]);
    shop.change();
    platform.click("market", "Restore", &[("restoreAt", moments[1].1.clone())]).unwrap();
    assert_eq!(shop.state(), states[0]);
    platform.click("market", "Restore", &[("restoreAt", json!(FORMER[1].0))]).unwrap();
    assert_eq!(shop.state(), states[1]);
}

fn gone_on_with(platform: &Platform, shop: &Shop<'_>) {
    platform.tell("-- what is saved from now on is in the same repository");
    platform.click("market", "Backup Now", &[]).unwrap();
    let moments = moments(&platform.form("market", "restore"), "market");
    let taken_over = moments.iter().filter(|(caption, _)| caption.ends_with("(taken over)")).count();
    assert_eq!(taken_over, FORMER.len());
    assert!(moments.len() > FORMER.len());
    // By the password that it had.
    let listed = shop.run("RESTIC_PASSWORD=market restic --no-lock --json snapshots -r /opt/backup/market");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), moments.len(), "restic and the form agree");
    until("the end of runs", || shop.runs().iter().all(|run| run["standing"] != "running"));
}
