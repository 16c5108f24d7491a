//! Looking at what was saved: one directory, a search through all snapshots, what was said of a snapshot.

use std::fs;
use std::path::Path;

use lifeboat::event::Cx;
use lifeboat::repo::Mode;
use lifeboat::run;
use serde_json::Value;

use crate::world::World;

const NONE: &str = "databases: []";

fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap()).collect()
}

#[test]
fn one_directory_is_listed_without_what_is_below() {
    let world = World::new(NONE);
    world.write("a/b/c/d", "deep");
    world.write("a/file", "x");
    world.write("z", "x");
    world.init();
    world.backup();
    let root = world.root.to_str().unwrap();
    let listed = |path: &str, depth: &[&str]| -> Vec<String> {
        let done = world.json(0, &[&["ls", "latest", path], depth].concat());
        assert_eq!(done["result"]["snapshot"]["site"], "demo");
        let short = |path: &str| path.strip_prefix(root).unwrap_or(path).to_owned();
        texts(&done["result"]["entries"], "path").into_iter().map(short).collect()
    };
    assert_eq!(listed(root, &["--depth", "1"]), ["/a", "/z"]);
    assert_eq!(listed(root, &["--depth", "2"]), ["/a", "/a/b", "/a/file", "/z"]);
    assert_eq!(listed(root, &[]), ["/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/file", "/z"]);
    assert_eq!(listed(&format!("{root}/a/b/c"), &["--depth", "1"]), ["/a/b/c/d"]);
    assert_eq!(listed(&format!("{root}/z"), &["--depth", "1"]), ["/z"], "a file is itself");
    assert_eq!(listed("/", &["--depth", "1"])[0], "/@lifeboat");
    let ran = world.run(&["ls", "latest", root, "--depth", "0"]).expect(2);
    assert!(ran.err.contains("not a whole number of 1 or more"), "{}", ran.err);
}

/// A page shows one directory of a site with a million files.
#[test]
fn to_list_one_directory_reads_no_other() {
    let world = World::new(NONE);
    for directory in 0..20 {
        for file in 0..30 {
            world.write(&format!("{directory}/a-name-of-some-length-{file}"), format!("{directory} {file}"));
        }
    }
    world.init();
    world.backup();
    run::with_repo(&world.job(), Mode::Shared, "test", &Cx::silent(), |repo| {
        let (reader, snapshot) = (repo.reader()?, repo.snapshots()?.remove(0));
        let read = |path: &Path, levels| {
            let before = repo.bytes_read();
            let entries = reader.list(&snapshot, path, levels).unwrap().len();
            (entries, repo.bytes_read() - before)
        };
        let (entries, shallow) = read(&world.root, Some(1));
        assert_eq!(entries, 20);
        // What was read is remembered: these are the trees of one more directory, and of the nineteen others.
        let (entries, one) = read(&world.root.join("7"), Some(1));
        assert_eq!(entries, 30);
        let (entries, others) = read(&world.root, None);
        assert_eq!(entries, 20 * 31);
        assert!(one > 0 && shallow > 0 && others > 15 * one, "{shallow} {one} {others}");
        Ok(())
    })
    .unwrap();
}

/// Sets the time of a file of the site, so that what a search says of it is known.
fn age(world: &World, name: &str, seconds: u64) {
    let file = fs::File::options().write(true).open(world.root.join(name)).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
}

fn find(world: &World, arguments: &[&str]) -> Value {
    world.json(0, &[&["find"], arguments].concat())["result"].clone()
}

#[test]
fn a_file_is_found_in_all_snapshots_with_its_versions() {
    let world = World::new(NONE);
    world.write("docs/Invoice-7.pdf", "first");
    age(&world, "docs/Invoice-7.pdf", 1_700_000_000);
    world.write("docs/other", "stays");
    world.write("copy/Invoice-7.pdf", "copy");
    world.init();
    let backup = || {
        let done = world.json(0, &["backup", "--no-rotation"]);
        done["result"]["snapshot"]["id"].as_str().unwrap().to_owned()
    };
    let first = backup();
    world.write("docs/Invoice-7.pdf", "second one");
    backup();
    // The version of the first snapshot once more: not a third one.
    world.write("docs/Invoice-7.pdf", "first");
    age(&world, "docs/Invoice-7.pdf", 1_700_000_000);
    let third = backup();
    fs::remove_file(world.root.join("copy/Invoice-7.pdf")).unwrap();
    let newest = backup();

    let found = find(&world, &["invoice"]);
    assert_eq!((found["newest"].as_str(), found["snapshots"].as_u64()), (Some(newest.as_str()), Some(4)));
    let root = world.root.display();
    assert_eq!(
        texts(&found["paths"], "path"),
        [format!("{root}/copy/Invoice-7.pdf"), format!("{root}/docs/Invoice-7.pdf")]
    );
    let (copy, docs) = (&found["paths"][0], &found["paths"][1]);
    assert_eq!((&copy["in_newest"], &docs["in_newest"]), (&Value::Bool(false), &Value::Bool(true)));
    assert_eq!(texts(&copy["versions"], "snapshot"), [third.as_str()], "the newest that has it");
    let versions = docs["versions"].as_array().unwrap();
    assert_eq!(texts(&docs["versions"], "kind"), ["file", "file"], "{docs:#}");
    assert_eq!(versions[0]["snapshot"], newest.as_str());
    assert_eq!((&versions[0]["size"], &versions[0]["mtime"]), (&5.into(), &"2023-11-14T22:13:20Z".into()));
    assert_eq!((&versions[0]["in_newest"], &versions[1]["in_newest"]), (&true.into(), &false.into()));
    assert_eq!(versions[1]["size"], 10);
    assert!(versions.iter().all(|version| version["snapshot"] != first.as_str()));

    let said = world.run(&["find", "invoice"]).expect(0).out;
    assert!(said.contains("there now") && said.contains("gone") && said.contains("2 paths in 4 snapshots"));
    assert!(said.contains(&newest[..8]) && said.contains("2023-11-14 23:13:20"), "{said}");
    // The witness names the same snapshots for these paths.
    let restic = world.restic(&["find", "--json", "Invoice-7.pdf"]).expect(0).out;
    let by_restic: Value = serde_json::from_str(&restic).unwrap();
    assert_eq!(by_restic.as_array().unwrap().len(), 4, "{by_restic:#}");
}

#[test]
fn patterns_mean_names_paths_or_parts_of_names() {
    let world = World::new(NONE);
    for name in ["wp-content/a.PHP", "wp-content/uploads/2026/logo.png", "index.php", "old/index.php", "x[1]"]
    {
        world.write(name, name);
    }
    world.init();
    world.backup();
    let root = world.root.to_str().unwrap();
    let named = |arguments: &[&str]| -> Vec<String> {
        let found = find(&world, arguments);
        let names = texts(&found["paths"], "path").into_iter();
        names.map(|path| path.strip_prefix(root).unwrap_or(path).trim_start_matches('/').to_owned()).collect()
    };
    let in_site = |pattern: &str| named(&[pattern, "--path", root]);
    assert_eq!(in_site(".php"), ["index.php", "old/index.php", "wp-content/a.PHP"]);
    assert_eq!(in_site("*.php"), ["index.php", "old/index.php"], "a pattern means its letters");
    assert_eq!(in_site("LOGO"), ["wp-content/uploads/2026/logo.png"]);
    assert_eq!(in_site("uploads/**/*.png"), ["wp-content/uploads/2026/logo.png"]);
    assert_eq!(in_site("uploads/*.png"), [""; 0], "a star does not pass over a directory");
    assert_eq!(in_site("uploads/2026"), ["wp-content/uploads/2026"]);
    assert_eq!(in_site("old"), ["old"]);
    assert_eq!(in_site("*o*/"), ["old", "wp-content", "wp-content/uploads"], "directories alone");
    assert_eq!(in_site("x\\[1\\]"), ["x[1]"]);
    assert_eq!(named(&[&format!("{root}/*.php")]), ["index.php"]);
    assert_eq!(named(&["site/index.php"]), ["index.php"]);
    assert_eq!(named(&["php", "--path", &format!("{root}/old")]), ["old/index.php"]);
    assert_eq!(
        named(&["php", "--path", &format!("{root}/old/index.php")]),
        ["old/index.php"],
        "the file there"
    );
    assert_eq!(named(&["old", "--path", &format!("{root}/old")]), [""; 0], "only what is below");
    assert_eq!(named(&["php", "--path", "/no/such/place"]), [""; 0]);
    // What is no file of the site is found by who asks for it.
    assert_eq!(named(&["manifest"]), [""; 0]);
    assert_eq!(named(&["manifest", "--path", "/@lifeboat"]), ["@lifeboat/manifest.json"]);
    for wrong in ["", "/", "*[", "{a,*", &"x".repeat(2000)] {
        let ran = world.run(&["find", wrong]).expect(2);
        assert!(ran.err.contains("pattern"), "{}", ran.err);
    }
}

#[test]
fn a_search_says_how_much_it_leaves_out_and_what_it_could_not_read() {
    let world = World::new(NONE);
    for number in 0..30 {
        world.write(&format!("many/page-{number:02}"), "x");
    }
    world.init();
    world.backup();
    let found = find(&world, &["page", "--limit", "7"]);
    assert_eq!((found["paths"].as_array().unwrap().len(), found["left_out"].as_u64()), (7, Some(23)));
    assert!(texts(&found["paths"], "path")[6].ends_with("page-06"));
    let said = world.run(&["find", "page", "--limit", "7"]).expect(0).out;
    assert!(said.contains("23 paths not listed"), "{said}");

    // A snapshot between two others loses its directories.
    let before = packs(&world);
    world.write("deep/only/page-here", "x");
    world.backup();
    let of_second: Vec<_> = packs(&world).into_iter().filter(|pack| !before.contains(pack)).collect();
    fs::remove_dir_all(world.root.join("deep")).unwrap();
    world.backup();
    assert_eq!(find(&world, &["page"])["paths"].as_array().unwrap().len(), 31);
    for pack in of_second {
        fs::remove_file(pack).unwrap();
    }
    let found = world.json(3, &["find", "page"])["result"].clone();
    assert_eq!(found["unreadable"], 1, "{found:#}");
    assert_eq!(found["paths"].as_array().unwrap().len(), 30);
    let ran = world.run(&["find", "page"]).expect(3);
    assert!(ran.out.contains("INCOMPLETE") && ran.err.contains("cannot be read"), "{}{}", ran.out, ran.err);
}

fn packs(world: &World) -> Vec<std::path::PathBuf> {
    let directories = fs::read_dir(world.repository().join("data")).unwrap().flatten();
    directories
        .flat_map(|directory| fs::read_dir(directory.path()).unwrap().flatten())
        .map(|pack| pack.path())
        .collect()
}

#[test]
fn what_was_said_of_a_snapshot_stays_with_it() {
    let world = World::new(NONE);
    world.write("page", "x");
    world.init();
    let comment = "  before the update to 7.1: <b>ß</b> & \"quotes\"  ";
    let done = world.json(0, &["backup", "--comment", comment]);
    assert_eq!(done["result"]["snapshot"]["comment"], comment.trim());
    world.backup();
    let id = world.snapshots()[0]["id"].as_str().unwrap().to_owned();
    // With other tags it is another file.
    world.run(&["pin", &id]).expect(0);
    let listed = world.snapshots();
    assert_eq!(listed[0]["comment"], comment.trim());
    assert!(listed[1].get("comment").is_none());
    assert!(world.run(&["snapshots"]).expect(0).out.contains("before the update to 7.1"));
    let long = "x".repeat(1000);
    world.run(&["backup", "--comment", &long]).expect(0);
    let said = world.run(&["snapshots"]).expect(0).out;
    assert!(said.contains(&format!("{}…", "x".repeat(60))) && !said.contains(&"x".repeat(61)), "{said}");

    for wrong in ["", "  ", "two\nlines", "bell\u{7}", "\u{202e}turned", &"x".repeat(1001)] {
        let ran = world.run(&["backup", "--comment", wrong]).expect(2);
        assert!(ran.err.contains("the comment "), "{}", ran.err);
    }
    assert_eq!(world.snapshots().len(), 3);
    world.restic_is_content();
    let by_restic: Value =
        serde_json::from_str(&world.restic(&["snapshots", "--json"]).expect(0).out).unwrap();
    assert_eq!(by_restic.as_array().unwrap().len(), 3);
    world.restic(&["tag", "--add", "by-restic"]).expect(0);
    world.run(&["check"]).expect(0);
    assert!(
        world.snapshots().iter().all(|snapshot| snapshot.get("comment").is_none()),
        "restic keeps it now"
    );
}

#[test]
fn two_snapshots_are_compared_in_part_and_counted_as_a_whole() {
    let world = World::new(NONE);
    for number in 0..10 {
        world.write(&format!("a/{number}"), "old");
    }
    world.write("b/same", "x");
    world.write("b/gone", "x");
    world.init();
    let old = world.backup();
    for number in 0..10 {
        world.write(&format!("a/{number}"), "new content");
    }
    fs::remove_file(world.root.join("b/gone")).unwrap();
    world.write("b/deep/new", "12345");
    let new = world.backup();
    let root = world.root.to_str().unwrap();
    let diff =
        |arguments: &[&str]| world.json(0, &[&["diff", &old, &new], arguments].concat())["result"].clone();
    let changed = |diff: &Value| -> Vec<String> {
        let below = |path: &str| format!("/{path}").strip_prefix(root).unwrap().to_owned();
        diff["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| format!("{} {}", one["kind"].as_str().unwrap(), below(one["path"].as_str().unwrap())))
            .collect()
    };
    let count = |diff: &Value| {
        ["added", "removed", "changed", "metadata"].map(|kind| diff["counts"][kind].as_u64().unwrap())
    };
    let part = diff(&["--path", &format!("{root}/b")]);
    assert_eq!((part["old"]["id"].as_str(), part["new"]["id"].as_str()), (Some(&*old), Some(&*new)));
    assert_eq!(changed(&part), ["added /b/deep", "added /b/deep/new", "removed /b/gone"]);
    assert_eq!(
        (count(&part), part["unchanged"].as_u64(), part["bytes"].as_u64()),
        ([2, 1, 0, 0], Some(1), Some(5))
    );
    let cut = diff(&["--path", &format!("{root}/a"), "--limit", "3"]);
    assert_eq!(changed(&cut), ["changed /a/0", "changed /a/1", "changed /a/2"]);
    assert_eq!((count(&cut), cut["left_out"].as_u64()), ([0, 0, 10, 0], Some(7)));
    let counted = diff(&["--path", root, "--limit", "0"]);
    assert_eq!((changed(&counted).len(), count(&counted)[..3].to_vec()), (0, vec![2, 1, 10]));
    let whole = diff(&[]);
    assert_eq!(whole["left_out"], 0);
    assert_eq!(count(&whole).iter().sum::<u64>(), whole["changes"].as_array().unwrap().len() as u64);
    assert_eq!(changed(&diff(&["--path", &format!("{root}/b/gone")])), ["removed /b/gone"], "a lone file");
    assert_eq!(count(&diff(&["--path", &format!("{root}/b/same")])), [0; 4]);
    let said = world.run(&["diff", &old, &new, "--path", root, "--limit", "2"]).expect(0).out;
    assert!(
        said.contains("more changes not listed") && said.contains("2 added, 1 removed, 10 changed"),
        "{said}"
    );
    let ran = world.run(&["diff", &old, &new, "--path", "/no/such"]).expect(1);
    assert!(ran.err.contains("neither snapshot has /no/such"), "{}", ran.err);
}
