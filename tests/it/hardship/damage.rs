//! Files of the repository cut off, changed by a bit, or gone: `check` names them, and the next backup and restore do the
//! right thing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::world::{World, assert_same, fingerprint};

/// Two snapshots with little in common.
fn world() -> World {
    let world = World::new("databases: []");
    for number in 0..20_u8 {
        world.write(&format!("a/{number}"), vec![number; 50_000 + usize::from(number)]);
    }
    world.init();
    world.backup();
    for number in 0..20_u8 {
        world.write(&format!("b/{number}"), vec![100 + number; 70_000 + usize::from(number)]);
    }
    world.backup();
    world
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Harm {
    Cut,
    Flip,
    Gone,
}

fn harm(path: &Path, harm: Harm) {
    let mut data = fs::read(path).unwrap();
    match harm {
        Harm::Cut => data.truncate(data.len() / 2),
        Harm::Flip => {
            let middle = data.len() / 2;
            data[middle] ^= 1;
        }
        Harm::Gone => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, data).unwrap();
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn every_damage_is_found_and_named() {
    for kind in ["data", "index", "snapshots", "keys"] {
        for how in [Harm::Cut, Harm::Flip, Harm::Gone] {
            if how == Harm::Gone && kind != "data" {
                continue; // nothing else refers to these: only packs are known to be missing
            }
            let world = world();
            let victim = files(&world.repository().join(kind)).remove(0);
            harm(&victim, how);
            let report = world.run(&["check", "--read-data"]).expect(1);
            assert!(report.out.contains(&name(&victim)), "{kind} {how:?}\n{}", report.out);
            if how != Harm::Flip {
                // A wrong size or a missing file needs no reading.
                assert_ne!(world.run(&["check"]).code, 0, "{kind} {how:?}");
            }
        }
    }
}

#[test]
fn a_restore_from_a_damaged_pack_names_it_and_leaves_the_site_alone() {
    for how in [Harm::Cut, Harm::Flip, Harm::Gone] {
        let world = world();
        for pack in files(&world.repository().join("data")) {
            harm(&pack, how);
        }
        world.write("a/0", "live");
        let before = fingerprint(&world.root);
        let ran = world.run(&["restore", "--at", "latest", "--yes"]).expect(1);
        assert!(ran.err.contains("damaged") || ran.err.contains("data/"), "{how:?}\n{}", ran.err);
        assert_same(&before, &fingerprint(&world.root));
        assert_eq!(
            files(&world.path("")).iter().filter(|path| path.to_string_lossy().contains(".site.")).count(),
            0
        );
    }
}

#[test]
fn a_damaged_snapshot_file_harms_no_other() {
    let world = world();
    let victim = files(&world.repository().join("snapshots")).remove(0);
    harm(&victim, Harm::Flip);
    let listed = world.run(&["snapshots"]).expect(0);
    assert!(listed.err.contains(&name(&victim)), "{}", listed.err);
    assert_eq!(listed.out.lines().filter(|line| line.contains("demo")).count(), 1);
    world.run(&["backup"]).expect(0);
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    world.run(&["check", "--repair"]).expect(1);
    assert!(world.repository().join("damaged").join(format!("snapshots-{}", name(&victim))).exists());
    world.run(&["check", "--read-data"]).expect(0);
    world.restic_is_content();
}

#[test]
fn after_a_repair_the_next_backup_stores_anew_what_was_lost() {
    for (kind, how) in
        [("data", Harm::Cut), ("data", Harm::Flip), ("data", Harm::Gone), ("index", Harm::Flip)]
    {
        let world = world();
        let before = fingerprint(&world.root);
        for victim in files(&world.repository().join(kind)) {
            harm(&victim, how);
        }
        if how != Harm::Flip || kind == "index" {
            // A backup beside such damage must not end in a success that cannot be restored.
            assert_ne!(world.run(&["backup"]).code, 0, "{kind} {how:?}");
        }
        world.run(&["check", "--read-data", "--repair"]).expect(1);
        world.run(&["backup"]).expect(0);
        world.write("a/0", "broken");
        world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
        assert_same(&before, &fingerprint(&world.root));
    }
}

/// A quarter each time: four checks read every pack once, wherever the damage is, and the next backup heals what still lives.
#[test]
fn checks_of_a_share_walk_through_all_of_it_and_what_lives_is_healed() {
    let world = world();
    for number in 0..6_u8 {
        world.write(&format!("c/{number}"), vec![200 + number; 60_000 + usize::from(number)]);
        world.run(&["backup", "--no-rotation"]).expect(0);
    }
    let packs = files(&world.repository().join("data"));
    assert!(packs.len() > 8, "{packs:?}");
    let check = |code: i32| world.json(code, &["check", "--read-data-subset", "25%"])["result"].clone();
    let size: u64 = packs.iter().map(|pack| fs::metadata(pack).unwrap().len()).sum();
    let mut read = 0;
    let lists = world.json(0, &["check"])["result"]["report"]["bytes_read"].as_u64().unwrap();
    for part in 1..=4 {
        let done = check(0);
        assert_eq!((&done["walk"]["part"], &done["walk"]["parts"]), (&part.into(), &4.into()));
        assert_eq!(done["walk"]["all_read"].is_null(), part < 4, "{done:#}");
        read += done["report"]["bytes_read"].as_u64().unwrap() - lists;
    }
    assert_eq!(read, size, "every pack once");

    let live = packs.iter().max_by_key(|pack| fs::metadata(pack).unwrap().len()).unwrap();
    harm(live, Harm::Flip);
    let mut found = Vec::new();
    for _ in 1..=4 {
        let ran = world.run(&["--json", "check", "--read-data-subset", "25%"]);
        let done: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        let damages = done["result"]["report"]["damages"].as_array().unwrap().clone();
        assert_eq!(ran.code, i32::from(!damages.is_empty()), "{done:#}");
        // What lists and directories tell is told each time.
        found.extend(damages.into_iter().filter(|damage| damage["kind"] == "pack"));
        assert_eq!(done["result"]["report"]["snapshots"], 8);
    }
    assert_eq!(found.len(), 1, "found once in a round: {found:?}");
    assert!(found[0]["file"].as_str().unwrap().ends_with(&name(live)));
    assert!(!found[0]["affects"].as_object().unwrap().is_empty(), "by snapshot and path: {found:?}");

    world.run(&["check", "--read-data", "--repair"]).expect(1);
    let before = fingerprint(&world.root);
    world.backup();
    world.run(&["drill"]).expect(0);
    fs::remove_dir_all(world.root.join("a")).unwrap();
    fs::remove_dir_all(world.root.join("b")).unwrap();
    world.run(&["restore", "--at", "latest", "--yes", "--no-safety"]).expect(0);
    assert_same(&before, &fingerprint(&world.root));

    // Another share is another walk; a memory that is broken is none.
    // What only older snapshots had is still missed.
    let done = world.json(1, &["check", "--read-data-subset", "50%"])["result"]["walk"].clone();
    assert_eq!((&done["part"], &done["parts"]), (&1.into(), &2.into()));
    fs::write(world.job().state.join("check.json"), "{").unwrap();
    let said = world.run(&["check", "--read-data-subset", "50%"]).expect(1).out;
    assert!(said.contains("this was part 1 of 2: everything is read once in 2 checks"), "{said}");
}
