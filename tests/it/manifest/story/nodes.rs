//! A storage of several nodes, made by its own manifest, and a layer of several: more and fewer of them, another master, other hardware,
//! another owner.

use serde_json::json;

use super::super::engine::{Node, Platform};
use super::{ROOT, Release, Shop, until};

#[test]
fn more_nodes_and_fewer() {
    super::live("nodes");
}

mod guest {
    use super::*;

    #[test]
    #[ignore = "runs in tests/nfs-lab only, started by the test above"]
    fn story() {
        super::super::in_guest("nodes", |platform, release| {
            storage(platform, release);
            platform.add("shop", "", vec![Node::make(101, "shop", "cp")]);
            let first = Shop { platform, env: "shop", node: 101 };
            first.run(&format!("mkdir -p {ROOT} && echo 'the first page' >{ROOT}/index.html"));
            let form = platform.open_install("shop", &release.backup);
            let said = platform.install("shop", release.backup.clone(), form.filled(&[])).unwrap();
            assert!(said.contains("No database was found: files alone"), "{said}");
            platform.click("shop", "Backup Now", &[]).unwrap();
            let status = platform.click("shop", "Status", &[]).unwrap();
            assert!(status.contains("No database was found: files alone"), "{status}");

            more(platform, &first);
            let second = Shop { node: 102, ..first };
            another_master(platform, &first, &second);
            moved(platform, &second);
            given_away(platform, &second);
            removed(platform);
        });
    }
}

/// Made, looked into, enlarged and renewed.
fn storage(platform: &Platform, release: &Release) {
    let form = platform.open_install("vault", &release.storage);
    assert_eq!(form.field("size")["max"], 50, "no more than the account may have");
    assert_eq!(form.field("nodes")["max"], 5, "an odd number of nodes");
    platform.create("vault", 200, &release.storage, form.filled(&[("topology", json!("cluster"))])).unwrap();
    let node = platform.node("vault", 202);
    assert_eq!(
        node.run("stat -c %a /data; /usr/local/bin/lifeboat adopt --list /data >/dev/null").out,
        "711\n"
    );
    platform.click("vault", "Resize", &[("newSize", json!(20))]).unwrap();
    let contents = platform.click("vault", "Contents", &[]).unwrap();
    assert!(contents.contains("/data"), "{contents}");
    platform.change("vault", 202, Node::redeploy);
    assert_ne!(platform.node("vault", 202).run("ls /usr/local/bin/lifeboat").code, 0, "a new container");
    platform.happens("vault", "onAfterRedeployContainer", &json!({}), Some("storage")).unwrap();
    platform.join("vault", Node::make(203, "vault", "storage"));
    platform.happens("vault", "onAfterScaleOut", &json!({}), Some("storage")).unwrap();
    for id in [202, 203] {
        assert_eq!(platform.node("vault", id).run("/usr/local/bin/lifeboat --version").code, 0);
    }
}

/// A node that stands by has what it needs, reaches nothing, and does nothing.
fn stands_by(platform: &Platform, id: u32, master: &Shop<'_>) {
    let spare = Shop { node: id, ..*master };
    let node = platform.node("shop", id);
    for file in ["/etc/lifeboat/password", "/etc/lifeboat/lifeboat.yaml", "/var/lib/lifeboat/shop/master.key"]
    {
        let show = format!("stat -c %a {file}; cat {file} | sha256sum");
        assert_eq!(spare.run(&show), master.run(&show), "{file} on node {id}");
    }
    assert!(!node.does_run("lifeboat"), "two nodes work");
    assert!(node.mounts.is_empty());
    let refused = spare.try_run("lifeboat backup 2>&1");
    assert_ne!(refused.code, 0);
    assert!(refused.out.contains("another node of shop makes its backups"), "{}", refused.out);
    assert_eq!(
        spare
            .run("/usr/local/lib/lifeboat/node start; ls /etc/cron.d/lifeboat 2>/dev/null || :")
            .lines()
            .count(),
        1
    );
    assert!(!platform.node("shop", id).does_run("lifeboat"), "a start of the node starts a second agent");
}

fn more(platform: &Platform, first: &Shop<'_>) {
    platform.tell("-- two more nodes: one with all files of the first, one with none");
    platform.join("shop", first.platform.node("shop", 101).copy_as(102, "shop"));
    platform.join("shop", Node::make(103, "shop", "cp"));
    Shop { node: 103, ..*first }.run(&format!("mkdir -p {ROOT}"));
    // As the platform may mount it there too.
    assert!(platform.change("shop", 102, |node| node.attach("/opt/backup", "127.0.0.1", "/data/shop")));
    platform.happens("shop", "onAfterScaleOut", &json!({}), Some("cp")).unwrap();
    assert!(platform.node("shop", 101).does_run("lifeboat"), "the master goes on");
    platform.click("shop", "Configure", &[("backupCount", json!(7))]).unwrap();
    assert!(first.run("grep ^retention /etc/lifeboat/lifeboat.yaml").contains("last: 7"));
    for id in [102, 103] {
        stands_by(platform, id, first);
    }
}

fn another_master(platform: &Platform, first: &Shop<'_>, second: &Shop<'_>) {
    platform.tell("-- another node is the master, and the former one is removed");
    let before = first.snapshots();
    platform.promote("shop", 102);
    platform.happens("shop", "onAfterAddNode", &json!({}), Some("cp")).unwrap();
    until("the new master's agent", || second.try_run("lifeboat --quiet status").code == 0);
    stands_by(platform, 101, second);
    platform.leave("shop", 101);
    platform.happens("shop", "onAfterScaleIn", &json!({}), Some("cp")).unwrap();
    platform.click("shop", "Backup Now", &[]).unwrap();
    assert_eq!(second.snapshots(), before + 1, "not in the same repository");
}

fn moved(platform: &Platform, shop: &Shop<'_>) {
    platform.tell("-- other hardware: all is started anew, and the storage has another address");
    for id in [102, 103] {
        platform.change("shop", id, Node::restart);
    }
    for id in 200..=203 {
        platform.change("vault", id, |node| node.address = "127.0.0.2");
    }
    assert_ne!(shop.try_run("lifeboat --json snapshots").code, 0, "it is reached without a mount");
    platform.happens("shop", "onAfterMigrate", &json!({}), None).unwrap();
    platform.tell(&shop.run("grep ^storage /etc/lifeboat/lifeboat.yaml"));
    until("the agent", || shop.try_run("lifeboat --quiet status").code == 0);
    platform.click("shop", "Backup Now", &[]).unwrap();
}

fn given_away(platform: &Platform, shop: &Shop<'_>) {
    platform.tell("-- another owner, to whom the storage was given first");
    platform.change("shop", 102, |node| node.detach("/opt/backup"));
    platform.happens("shop", "onAfterConfirmTransfer", &json!({}), None).unwrap();
    assert_eq!(shop.try_run("lifeboat --json snapshots").code, 0);
    platform.tell("-- another owner, who was not given the storage");
    let vault = platform.lock().environments.remove(0);
    let refused = platform.happens("shop", "onAfterConfirmTransfer", &json!({}), None);
    assert!(refused.unwrap_err().to_string().contains("The backup storage vault is gone"));
    platform.lock().environments.insert(0, vault);
}

fn removed(platform: &Platform) {
    platform.tell("-- uninstalled: what stands by keeps nothing");
    platform.happens("shop", "onUninstall", &json!({}), None).unwrap();
    let left = "ls -d /usr/local/bin/lifeboat /usr/local/lib/lifeboat /etc/cron.d/lifeboat /etc/lifeboat/password /var/lib/lifeboat 2>/dev/null";
    assert_eq!(platform.node("shop", 102).run(left).out, "/etc/lifeboat/password\n/var/lib/lifeboat\n");
    assert_eq!(platform.node("shop", 103).run(left).out, "");
}
