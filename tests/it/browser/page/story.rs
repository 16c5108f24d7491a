//! A day with a shop and its database: from signing in by keyboard to the undo of a restore.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand::RngCore;
use serde_json::json;

use super::Visitor;
use crate::api::Server;
use crate::browser::By;
use crate::mariadb::MariaDb;
use crate::world::{World, assert_same, fingerprint};

const COMMENT: &str = "Before the relaunch";
const PASSWORD: &str = "a-word-nobody-may-see";
const PHOTO: &str = "wp-content/uploads/photo.jpg";
const FILM: &str = "wp-content/uploads/film.mp4";

struct Shop {
    visitor: Visitor,
    database: MariaDb,
}

/// Files, rows and attributes, as the shop has them at some moment.
struct Moment {
    files: BTreeMap<PathBuf, String>,
    rows: String,
}

/// What no compression makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut noise = vec![0; length];
    rand::rng().fill_bytes(&mut noise);
    noise
}

impl Shop {
    /// Backed up twice; the next backup waits at its step until there is a file `gate`, and then takes some seconds.
    fn open() -> Self {
        let database = MariaDb::start();
        database.sql(
            "",
            &format!(
                "CREATE DATABASE shop; USE shop; CREATE TABLE item (id INT PRIMARY KEY, v TEXT); INSERT INTO item SELECT seq, MD5(seq) FROM seq_1_to_500;
                 CREATE TABLE buyer (id INT PRIMARY KEY, v TEXT); INSERT INTO buyer SELECT seq, MD5(seq) FROM seq_1_to_50;
                 CREATE USER shop@localhost IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO shop@localhost"
            ),
        );
        let world = World::new("");
        let databases = format!(
            "databases: [{{type: mysql, name: shop, host: \"localhost:{}\", user: shop, password: {PASSWORD}}}]",
            database.socket().display()
        );
        let configure = |more: &str| {
            world.configure(&databases, None, more);
            // Its password is written out.
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(world.path("lifeboat.yaml"), private).unwrap();
        };
        configure("");
        world.write("index.html", "<h1>Shop</h1>\n");
        world.write("wp-content/themes/style.css", "h1 { color: teal }\n");
        world.write(PHOTO, noise(300_000));
        world.write(FILM, noise(12 << 20));
        world.init();
        world.backup();
        world.write("about.html", "<p>Since 1998</p>\n");
        world.backup();
        world.write(FILM, noise(12 << 20));
        let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", world.path("gate").display());
        configure(&format!(
            "schedule: daily\nlimits: {{bandwidth: 3MiB}}\nhooks: {{before-save: [{{command: [/bin/sh, -c, \"{wait}\"]}}]}}\n"
        ));
        Self { visitor: Visitor::of(Server::of(world)), database }
    }

    fn root(&self) -> &Path {
        &self.visitor.server.world.root
    }

    fn moment(&self) -> Moment {
        let rows =
            self.database.sql("shop", "SELECT * FROM item ORDER BY id; SELECT * FROM buyer ORDER BY id");
        Moment { files: fingerprint(self.root()), rows }
    }

    #[track_caller]
    fn assert_is(&self, moment: &Moment) {
        let now = self.moment();
        assert_same(&moment.files, &now.files);
        assert_eq!(moment.rows, now.rows);
    }

    /// A page that does not load itself anew keeps what is noted in it.
    fn note(&self) {
        self.visitor.browser.script("window.noted = true", &json!([]));
    }

    #[track_caller]
    fn assert_same_page(&self) {
        assert_eq!(self.visitor.browser.script("return window.noted === true", &json!([])), true);
    }
}

#[test]
fn a_day_with_a_shop() {
    let shop = Shop::open();
    sign_in_by_keyboard(&shop);
    back_up_and_watch(&shop);
    browse_and_download(&shop);
    search(&shop);
    compare(&shop);
    restore_and_undo(&shop);
    drill(&shop);
    look_at_rules_and_settings(&shop);
    sign_out(&shop);
}

fn sign_in_by_keyboard(shop: &Shop) {
    let (visitor, browser) = (&shop.visitor, &shop.visitor.browser);
    visitor.expect(401);
    visitor.open("/");
    browser.see("Sign in");
    visitor.examine("login");
    // The field has the focus from the start.
    browser.write(&visitor.server.token);
    browser.press("Enter");
    // The only site there is.
    browser.wait_until("for the site", |_| visitor.path() == "/sites/demo");
    let cookies = browser.cookies();
    let [cookie] = &cookies[..] else { panic!("{cookies:?}") };
    assert!(cookie.http_only && cookie.same_site == "Strict" && cookie.path == "/", "{cookie:?}");
    assert!(!cookie.value.contains(&visitor.server.token) && !cookie.secure, "unencrypted, on this machine");
    let line = browser.text(&By::css("p.line"));
    assert!(line.contains("acked up") && line.contains("no restore was proven yet"), "{line}");
    visitor.examine("overview");
}

fn back_up_and_watch(shop: &Shop) {
    let (visitor, browser) = (&shop.visitor, &shop.visitor.browser);
    browser.press("Tab");
    assert_eq!(browser.focused(), "link To the content");
    browser.tab_to("textbox Comment (optional)");
    browser.write(COMMENT);
    browser.press("Tab");
    assert_eq!(browser.focused(), "button Back up now");
    browser.press("Enter");
    browser.wait_until("for the run", |_| visitor.path().starts_with("/sites/demo/runs/"));
    browser.see("Saving files and databases");
    visitor.examine("run-at-work");
    visitor.turn_to("Overview");
    browser.see("Saving files and databases");
    visitor.examine("overview-at-work");
    shop.note();
    let numbers = By::css("[data-field=numbers]");
    std::fs::write(visitor.server.world.path("gate"), "").unwrap();
    let mut seen = Vec::new();
    browser.wait_until("for numbers", |page| {
        seen.extend(page.texts(&numbers));
        seen.dedup();
        assert!(page.shows(&By::css("section.work")), "it was over with {seen:?}");
        seen.last().is_some_and(|text| text.contains('%') && text.contains("MiB"))
    });
    let bar = By::css("section.work progress");
    browser.wait_until("for the bar", |page| {
        page.shows(&numbers) && page.attribute(&bar, "value").is_some() || !page.shows(&numbers)
    });
    browser.wait_until("for the end", |page| !page.shows(&By::css("section.work")));
    shop.assert_same_page();
    browser.wait_until("to hear of it", |page| page.texts(&By::css("#announce")) == ["Backup: success"]);
    browser.click(&By::link("Backup").within("table.runs").nth(0));
    visitor.see_success();
    visitor.examine("run-done");
}

fn browse_and_download(shop: &Shop) {
    let (visitor, browser) = (&shop.visitor, &shop.visitor.browser);
    visitor.turn_to("Snapshots");
    let newest = browser.text(&By::css("table.snapshots tbody tr:first-child"));
    assert!(newest.contains(COMMENT), "{newest}");
    visitor.examine("snapshots");
    browser.click(&By::css("table.snapshots tbody tr:first-child th a"));
    browser.see("What is in it");
    browser.see("Download as SQL");
    visitor.examine("snapshot");
    browser.click(&By::link("Browse files"));
    browser.click(&By::link("wp-content/"));
    browser.click(&By::link("uploads/"));
    browser.see("film.mp4");
    visitor.examine("browse");
    browser.click(&By::link("Download photo.jpg"));
    assert!(browser.download("photo.jpg") == std::fs::read(shop.root().join(PHOTO)).unwrap());
    browser.click(&By::link("wp-content").within("nav.crumbs"));
    browser.see("themes/");
}

fn search(shop: &Shop) {
    let (visitor, browser) = (&shop.visitor, &shop.visitor.browser);
    browser.press("/");
    assert_eq!(browser.focused(), "searchbox Search all snapshots for a file");
    browser.write("about");
    browser.press("Enter");
    browser.see("1 path in 3 snapshots");
    assert_eq!(browser.texts(&By::link("Download about.html")).len(), 1, "one version, whatever has it");
    visitor.examine("search");
    browser.click(&By::link("Download about.html"));
    assert_eq!(browser.download("about.html"), b"<p>Since 1998</p>\n");
    browser.fill(&By::css("#q"), "no-such-file");
    browser.submit(&By::css("#q"));
    browser.see("Nothing of this name");
}

fn compare(shop: &Shop) {
    let (visitor, browser) = (&shop.visitor, &shop.visitor.browser);
    visitor.turn_to("Snapshots");
    // From the first to the last.
    browser.click(&By::css("table.snapshots tbody tr:last-child input[name=old]"));
    browser.click(&By::button("Compare the two chosen"));
    browser.see("What changed");
    let changes = browser.text(&By::css("table.changes"));
    assert!(changes.contains("about.html") && changes.contains("film.mp4"), "{changes}");
    assert!(!changes.contains("photo.jpg"), "{changes}");
    visitor.examine("compare");
}

fn restore_and_undo(shop: &Shop) {
    let (visitor, browser) = (&shop.visitor, &shop.visitor.browser);
    visitor.turn_to("Snapshots");
    let when = browser.text(&By::css("table.snapshots tbody tr:first-child th a"));
    let before = shop.moment();
    std::fs::remove_file(shop.root().join(PHOTO)).unwrap();
    visitor.server.world.write("index.html", "<h1>Hacked</h1>\n");
    visitor.server.world.write("shell.php", "<?php\n");
    shop.database.sql(
        "shop",
        "UPDATE item SET v = 'nothing'; DROP TABLE buyer; CREATE TABLE buyer (id INT PRIMARY KEY, v TEXT)",
    );
    let damaged = shop.moment();

    visitor.turn_to("Restore");
    visitor.examine("restore");
    browser.fill(&By::css("#time"), &when);
    browser.click(&By::button("Show what would change"));
    browser.see("Nothing is changed yet");
    let plan = browser.text(&By::css("main"));
    for part in [
        &*when,
        "index.html",
        PHOTO,
        "shell.php",
        "schema \"shop\"",
        "item",
        "500",
        "buyer",
        "50",
        "550 rows",
    ] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    visitor.examine("plan");

    let (name, button) = (By::css("form.confirm input[name=name]"), By::button("Restore now"));
    let is_off = |off: bool| browser.attribute(&button, "disabled").is_some() == off;
    assert!(is_off(true), "without the name");
    browser.fill(&name, "shop");
    assert!(is_off(true), "with another name");
    browser.submit(&name);
    assert!(visitor.path().contains("/plans/"), "nothing was sent");
    shop.assert_is(&damaged);
    browser.fill(&name, "demo");
    assert!(is_off(false), "with the name");
    browser.click(&button);
    browser.wait_until("for the run", |_| visitor.path().contains("-restore-"));
    shop.note();
    visitor.see_success();
    shop.assert_same_page();
    shop.assert_is(&before);
    visitor.examine("run-restored");

    browser.click(&By::link("Undo this restore…"));
    browser.see("Back to how the site was");
    visitor.examine("undo");
    browser.fill(&name, "demo");
    browser.click(&By::button("Undo the restore"));
    browser.wait_until("for the run", |_| visitor.path().starts_with("/sites/demo/runs/"));
    visitor.see_success();
    shop.assert_is(&damaged);
}

fn drill(shop: &Shop) {
    let (visitor, browser) = (&shop.visitor, &shop.visitor.browser);
    visitor.turn_to("Drills");
    browser.see("None was held yet");
    browser.click(&By::button("Run a drill now"));
    browser.wait_until("for the run", |_| visitor.path().contains("-drill-"));
    visitor.see_success();
    visitor.turn_to("Drills");
    browser.see("all came back");
    visitor.examine("drills");
    visitor.turn_to("Overview");
    let line = browser.text(&By::css("p.line"));
    assert!(line.contains("a restore was proven"), "{line}");
    visitor.examine("overview-proven");
}

fn look_at_rules_and_settings(shop: &Shop) {
    let (visitor, browser) = (&shop.visitor, &shop.visitor.browser);
    visitor.turn_to("Runs");
    browser.see("Undo of a restore");
    visitor.examine("runs");
    visitor.turn_to("Retention");
    browser.see("This is a preview");
    visitor.examine("retention");
    visitor.turn_to("Settings");
    browser.see("schedule");
    let source = browser.script("return document.documentElement.outerHTML", &json!([]));
    let source = source.as_str().map(str::to_owned).unwrap_or_default();
    assert!(source.contains("hooks") && !source.contains(PASSWORD) && !source.contains("correct horse"));
    visitor.examine("settings");
}

fn sign_out(shop: &Shop) {
    let (visitor, browser) = (&shop.visitor, &shop.visitor.browser);
    browser.click(&By::button("Sign out"));
    browser.see("You are signed out");
    assert!(browser.cookies().is_empty());
    visitor.open("/sites/demo/settings");
    browser.see("Sign in");
    assert!(!browser.page_text().contains("retention"));
    visitor.assert_quiet();
}
