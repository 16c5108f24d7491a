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
            proven(platform, &shop);
            elsewhere(platform, release);
        });
    }
}

/// The site in two states, each saved by the former add-on, which is then removed.
fn saved_before(platform: &Platform, shop: &Shop<'_>) -> [String; 2] {
    platform.tell("-- the former add-on makes two backups, and is removed");
    assert!(platform.change("market", 101, |node| node.attach("/opt/backup", "127.0.0.1", "/data")));
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

fn proven(platform: &Platform, shop: &Shop<'_>) {
    platform.tell("-- the newest backup is proven to come back, and the log tells of all that was done");
    platform.click("market", "Drill", &[]).unwrap();
    let drills = shop.runs().into_iter().filter(|run| run["kind"] == "drill" && run["outcome"] == "success");
    assert_eq!(drills.count(), 1);
    let log = platform.click("market", "Logs", &[]).unwrap();
    assert!(log.contains("lifeboat --quiet drill: exit code 0"), "{log}");
}

/// Another storage, where the directory is called the same: only with a password that opens what is there, and with the former key kept.
fn other_storage(platform: &Platform, stand: &Shop<'_>) {
    platform.tell("-- another storage, whose backups the password does not open");
    let mut loft = Node::make(202, "loft", "storage");
    loft.address = "127.0.0.3";
    platform.add("loft", "backup", vec![loft]);
    let own = "cd /var/lib/lifeboat/stand; sha256sum identity.json master.key /etc/lifeboat/lifeboat.yaml";
    let (before, key) = (stand.run(own), stand.run("cat /var/lib/lifeboat/stand/master.key | sha256sum"));
    stand.run("cd /etc/lifeboat; cp -p password right; echo wrong >password");
    assert!(platform.click("stand", "Configure", &[("storageName", json!("loft"))]).is_err());
    assert_eq!(stand.run(own), before, "a refused one has changed what opens the former storage");
    stand.run("mv /etc/lifeboat/right /etc/lifeboat/password");
    platform.tell("-- and with the right one");
    let days: Vec<_> =
        ["sun", "mon", "tue", "wed", "thu", "fri", "sat"].map(|day| (day, json!(false))).into();
    let said = platform.click("stand", "Configure", &[("storageName", json!("loft"))]).unwrap();
    assert!(said.contains("No database was found"), "{said}");
    assert_eq!(platform.node("stand", 102).mounts["/opt/backup"], ("127.0.0.3", "/data/stand".to_owned()));
    assert_eq!(stand.run("cat /var/lib/lifeboat/stand/master.key.vault | sha256sum"), key);
    assert_eq!(stand.run("stat -c %a /var/lib/lifeboat/stand/master.key.vault"), "600\n");
    platform.click("stand", "Backup Now", &[]).unwrap();
    platform.tell("-- a form that is refused exchanges no storage");
    let form = [&days[..], &[("storageName", json!("vault")), ("scheduleType", json!("2"))]].concat();
    let refused = platform.click("stand", "Configure", &form).unwrap_err().to_string();
    assert!(refused.contains("Choose at least one day"), "{refused}");
    assert_eq!(platform.node("stand", 102).mounts["/opt/backup"].0, "127.0.0.3");
}

/// An environment that Lifeboat backs up already, while the former backups are on another storage.
fn elsewhere(platform: &Platform, release: &Release) {
    platform.tell("-- installed first: nothing is there to be taken over");
    platform.add("stand", "", vec![Node::make(102, "stand", "cp")]);
    let stand = Shop { platform, env: "stand", node: 102 };
    stand.run(&format!("mkdir -p {ROOT} && echo 'the stand' >{ROOT}/index.html"));
    let values = platform.open_install("stand", &release.backup).filled(&[("storageName", json!("vault"))]);
    platform.install("stand", release.backup.clone(), values).unwrap();
    let refused = platform.click("stand", "Take over old backups", &[]).unwrap_err().to_string();
    assert!(refused.contains("no backups of another add-on"), "{refused}");

    other_storage(platform, &stand);
    platform.tell("-- another storage, on which they are");
    let mut attic = Node::make(201, "attic", "storage");
    // All storages of this lab are one server: this one is reached by another of its addresses.
    attic.address = "127.0.0.2";
    platform.add("attic", "backup", vec![attic]);
    let former = "export RESTIC_PASSWORD=stand GOGC=20; mv /data/stand /data/stand-of-vault; restic init -q -r /data/stand; cd /; mkdir -p var/www/webroot/ROOT; echo old >var/www/webroot/ROOT/index.html; echo >wp_db_backup.sql
        restic --host node102-stand backup -q --tag '2025-02-01_000000_UTC  auto' --time '2025-02-01 00:00:05' -r /data/stand /var/www/webroot/ROOT /wp_db_backup.sql";
    Shop { platform, env: "attic", node: 201 }.run(&format!("export TZ=UTC\n{former}"));
    platform.click("stand", "Configure", &[("storageName", json!("attic"))]).unwrap();
    let again = platform.click("stand", "Take over old backups", &[]).unwrap();
    assert!(again.contains("1 snapshot in the repository"), "{again}");
    assert!(again.contains("its own password opens it already"), "{again}");
    platform.click("stand", "Backup Now", &[]).unwrap();
    let moments = moments(&platform.form("stand", "restore"), "stand");
    assert_eq!(moments.len(), 2, "{moments:?}");
    assert_eq!(moments[1].0, "2025-02-01 00:00:00 UTC (taken over)");
    platform
        .click("stand", "Restore", &[("restoreAt", moments[1].1.clone()), ("restorePart", json!("files"))])
        .unwrap();
    assert_eq!(stand.run(&format!("cat {ROOT}/index.html")), "old\n");
}
