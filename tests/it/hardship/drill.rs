//! A drill finds what would be found on the day of the restore, by name and time, and leaves nothing behind.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use lifeboat::database;
use lifeboat::dump::{DumpFile, Feed, Summary, no_previous};
use lifeboat::error::Result;
use lifeboat::event::Cx;
use lifeboat::repo::{Contents, Place, Repo};
use serde_json::Value;

use crate::mariadb::MariaDb;
use crate::story::wordpress;
use crate::world::{World, assert_same, fingerprint};

/// A site with a schema, saved once.
pub(super) struct Site {
    pub(super) server: MariaDb,
    pub(super) world: World,
}

impl Site {
    pub(super) fn new(more: &str) -> Self {
        let server = MariaDb::start();
        server.sql(
            "",
            "CREATE DATABASE shop; USE shop; CREATE TABLE item (id INT PRIMARY KEY, v TEXT); INSERT INTO item SELECT seq, MD5(seq) FROM seq_1_to_500;
             CREATE TABLE buyer (id INT PRIMARY KEY, v TEXT); INSERT INTO buyer SELECT seq, MD5(seq) FROM seq_1_to_50",
        );
        let world = World::new("");
        let socket = server.socket().display().to_string();
        let databases =
            format!("databases: [{{type: mysql, name: shop, host: \"localhost:{socket}\", user: root}}]");
        world.configure(&databases, None, more);
        for number in 0..40_u8 {
            world.write(&format!("files/{number}"), vec![number; 20_000 + usize::from(number)]);
        }
        world.init();
        world.backup();
        Self { server, world }
    }

    /// Names of everything that a drill could leave behind.
    pub(super) fn names(&self) -> Vec<String> {
        let beside = fs::read_dir(self.world.path("")).unwrap();
        let mut all: Vec<_> =
            beside.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        all.extend(self.server.schemas());
        all.sort();
        all
    }

    /// A drill that must find something; what it says about it.
    fn finds(&self, arguments: &[&str]) -> String {
        let live = (fingerprint(&self.world.root), self.names());
        let ran = self.world.run(&[&["drill"], arguments].concat()).expect(1);
        assert!(ran.err.contains("does not come back as it should"), "{}", ran.err);
        assert_same(&live.0, &fingerprint(&self.world.root));
        assert_eq!(live.1, self.names(), "nothing is left behind");
        ran.err
    }

    /// Of the newest snapshot.
    pub(super) fn verdict(&self) -> Value {
        self.world.snapshots().last().unwrap()["drill"]["verdict"].clone()
    }

    /// Saves a snapshot whose dump was tampered with on its way, as no list in it knows.
    fn save_tampered(&self, tamper: fn(DumpFile) -> Option<DumpFile>) {
        let job = self.world.job();
        let place = Place::local(&self.world.path("storage"));
        let repo = Repo::open(&place, &job.repo, &Cx::silent()).unwrap();
        let database = database::open(&job.databases[0]);
        let feed = database.begin(&no_previous, &Cx::silent()).unwrap();
        let contents = Contents {
            site: "demo".into(),
            root: Some(self.world.root.clone()),
            doubt_empty: true,
            exclude: Vec::new(),
            feeds: vec![(database.directory(), Box::new(Tampered { feed, tamper }))],
            tags: Vec::new(),
            comment: None,
            moment: Timestamp::now(),
            seen: None,
        };
        repo.save(contents, &Cx::silent()).unwrap();
    }
}

struct Tampered {
    feed: Box<dyn Feed>,
    tamper: fn(DumpFile) -> Option<DumpFile>,
}

impl Feed for Tampered {
    fn moment(&self) -> Timestamp {
        self.feed.moment()
    }

    fn next(&mut self, cx: &Cx) -> Result<Option<DumpFile>> {
        while let Some(file) = self.feed.next(cx)? {
            if let Some(file) = (self.tamper)(file) {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    fn summary(&self) -> Summary {
        self.feed.summary()
    }
}

#[test]
fn a_good_snapshot_is_proven_and_nothing_is_left_behind() {
    let site = Site::new("");
    assert!(site.world.run(&["doctor"]).out.contains("no snapshot was ever drilled"));
    let before = (fingerprint(&site.world.root), site.names());
    let drilled = site.world.json(0, &["drill"])["result"]["drilled"].clone();
    assert_same(&before.0, &fingerprint(&site.world.root));
    assert_eq!(before.1, site.names());
    assert_eq!((drilled["files"].as_u64(), drilled["rows"].as_u64()), (Some(40), Some(550)), "{drilled:#}");
    assert_eq!(site.verdict(), "proven");
    assert!(site.world.run(&["snapshots"]).out.contains("proven 20"));
    assert!(site.world.run(&["doctor"]).expect(0).out.contains("last proven restore"));

    // Three more come, and two are kept: the proven one stays beside them.
    site.world.configure(&site.databases(), None, "");
    let proven = site.world.snapshots()[0]["id"].clone();
    for number in 0..4 {
        site.world.write("more", format!("{number}"));
        site.world.backup();
    }
    let left = site.world.snapshots();
    assert_eq!((left.len(), &left[0]["id"]), (4, &proven), "the last three and the proven one");
    let said = site.world.run(&["forget", "--dry-run"]).expect(0).out;
    assert!(said.contains("the newest that a drill has proven"), "{said}");
}

impl Site {
    fn databases(&self) -> String {
        let socket = self.server.socket().display().to_string();
        format!("databases: [{{type: mysql, name: shop, host: \"localhost:{socket}\", user: root}}]")
    }
}

#[test]
fn a_large_site_is_proven_part_by_part() {
    let site = Site::new("");
    let mut files = 0;
    for part in 1..=4 {
        let drilled = site.world.json(0, &["drill", "--sample", "25%"])["result"]["drilled"].clone();
        assert_eq!((&drilled["part"], &drilled["parts"]), (&part.into(), &4.into()));
        assert_eq!(drilled["rows"].as_u64(), Some(550));
        files += drilled["files"].as_u64().unwrap();
        assert_eq!(site.verdict(), if part < 4 { "in-part" } else { "proven" });
    }
    assert_eq!(files, 40, "every file was restored once");
    // A budget leads to parts as well, in which the databases take turns.
    let told = site.world.run(&["drill", "--max-bytes", "1"]).expect(0);
    assert!(!told.out.contains("part 1 of"), "it fits: {}", told.out);
    site.world.write("large", vec![7; 3 << 20]);
    site.world.backup();
    let mut rows = Vec::new();
    for _ in 1..=4 {
        let drilled = site.world.json(0, &["drill", "--max-bytes", "1"])["result"]["drilled"].clone();
        assert_eq!(drilled["parts"], 4);
        rows.push(drilled["rows"].as_u64().unwrap());
    }
    assert_eq!((rows, site.verdict()), (vec![550, 0, 0, 0], "proven".into()));
}

#[test]
fn a_flipped_bit_in_a_pack_is_found_and_the_file_named() {
    let site = Site::new("");
    let mut packs: Vec<PathBuf> = Vec::new();
    for directory in fs::read_dir(site.world.repository().join("data")).unwrap() {
        packs.extend(fs::read_dir(directory.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    let largest = packs.into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut data = fs::read(&largest).unwrap();
    data[20] ^= 1;
    fs::write(&largest, data).unwrap();
    let said = site.finds(&[]);
    assert!(said.contains("files/") || said.contains("item") || said.contains("README"), "{said}");
    assert!(said.contains("of 20"), "by its time: {said}");
    assert_eq!(site.verdict(), "failed");
    assert!(site.world.run(&["doctor"]).expect(1).out.contains("failed"));
    // The same content lives on: stored anew, it is proven.
    site.world.run(&["check", "--read-data", "--repair"]).expect(1);
    site.world.backup();
    site.world.run(&["drill"]).expect(0);
    assert_eq!(site.verdict(), "proven");
}

#[test]
fn a_row_or_a_table_that_is_missing_is_found() {
    let site = Site::new("");
    site.save_tampered(|mut file| {
        if file.path.starts_with("data/item") {
            let first = file.data.iter().position(|byte| *byte == b'\n').unwrap();
            file.data.drain(..=first);
        }
        Some(file)
    });
    let said = site.finds(&[]);
    assert!(said.contains("item"), "{said}");
    assert_eq!(site.verdict(), "failed");
    site.save_tampered(|file| (!file.path.starts_with("data/buyer")).then_some(file));
    let said = site.finds(&[]);
    assert!(said.contains("buyer"), "{said}");
}

#[test]
fn a_hook_may_look_at_what_came_back_and_turn_it_down() {
    let site = Site::new("");
    let (seen, databases) = (site.world.path("seen"), site.databases());
    let hook = |end: &str| {
        let script = format!("cat > {}; {end}", seen.display());
        site.world.configure(
            &databases,
            None,
            &format!("hooks: {{drill: [{{command: [/bin/sh, -c, \"{script}\"]}}]}}\n"),
        );
    };
    hook("exit 0");
    site.world.run(&["drill"]).expect(0);
    let input: Value = serde_json::from_slice(&fs::read(&seen).unwrap()).unwrap();
    let state = &input["run"];
    let copy = state["scratch"]["databases"][0][1].as_str().unwrap();
    assert!(copy.starts_with("shop__restore_"), "{state:#}");
    assert!(state["scratch"]["files"].as_str().unwrap().ends_with("/tree"), "{state:#}");
    hook("exit 1");
    let said = site.finds(&[]);
    assert!(said.contains("drill hook"), "{said}");
    assert_eq!(site.verdict(), "failed");
}

#[test]
fn what_a_wordpress_needs_is_missed() {
    let site = wordpress::Site::install(None);
    site.slim();
    site.world.init();
    let drill = |name: &str| {
        site.world.backup();
        let ran = site.world.run(&["drill"]);
        assert_eq!(ran.code, 1, "{name}: {}", ran.err);
        assert!(ran.err.contains(name), "{name}: {}", ran.err);
    };
    site.world.backup();
    site.world.run(&["drill"]).expect(0);
    let version = site.world.root.join("wp-includes/version.php");
    let good = fs::read(&version).unwrap();
    fs::write(&version, vec![0; good.len()]).unwrap();
    drill("wp-includes/version.php: is part of WordPress' core and no PHP");
    fs::write(&version, &good).unwrap();
    fs::rename(site.world.root.join("wp-load.php"), site.world.path("away")).unwrap();
    drill("wp-load.php: a file of WordPress' core is missing");
    fs::rename(site.world.path("away"), site.world.root.join("wp-load.php")).unwrap();
    let plugins = "UPDATE wp_options SET option_value='a:1:{i:0;s:11:\"gone/go.php\";}' WHERE option_name='active_plugins'";
    site.server.sql("shop", plugins);
    drill("wp-content/plugins/gone/go.php: the plugin is active");
    site.server.sql(
        "shop",
        "UPDATE wp_options SET option_value='a:1:{i:0;s:99:\"x' WHERE option_name='active_plugins'",
    );
    drill("option active_plugins: cannot be read");
    site.server.sql("shop", "UPDATE wp_options SET option_value='a:0:{}' WHERE option_name='active_plugins'; DELETE FROM wp_options WHERE option_name='siteurl'");
    drill("option siteurl: is not there");
    site.server.sql("shop", "DROP TABLE wp_posts");
    drill("table wp_posts: WordPress cannot run without it");
}

#[test]
fn a_killed_drill_proves_nothing_and_is_cleared_away() {
    let site = Site::new("");
    let names = site.names();
    for after in [230, 260, 300, 350, 420] {
        let mut child = site.world.command(&["--quiet", "drill"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(after));
        child.kill().unwrap();
        let ended = child.wait().unwrap().success();
        site.world.run(&["recover"]).expect(0);
        let mut now = site.names();
        now.retain(|name| name != "state");
        assert_eq!(
            now,
            names.iter().filter(|name| *name != "state").cloned().collect::<Vec<_>>(),
            "after {after} ms"
        );
        let told = site.world.snapshots()[0]["drill"]["verdict"].clone();
        assert!(ended || told != "failed", "a kill is no fault of the snapshot: {told}");
        // A kill while all is removed again comes after the verdict.
        if ended || told == "proven" {
            break;
        }
        assert_eq!(told, Value::Null);
    }
    site.world.run(&["drill"]).expect(0);
}
