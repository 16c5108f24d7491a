//! Pins, brake, clock and grace through the binary, with stock restic as the witness.

use std::fs;

use serde_json::Value;

use crate::world::World;

/// A site whose retention is this YAML.
fn world(retention: &str) -> World {
    let world = World::new("databases: []");
    world.write("index", "old");
    let text = fs::read_to_string(world.path("lifeboat.yaml")).unwrap();
    let text = text.replace("retention: {last: 3}", &format!("retention: {retention}"));
    fs::write(world.path("lifeboat.yaml"), text).unwrap();
    world.init();
    world
}

fn rules(world: &World, from: &str, to: &str) {
    let text = fs::read_to_string(world.path("lifeboat.yaml")).unwrap();
    assert!(text.contains(from));
    fs::write(world.path("lifeboat.yaml"), text.replace(from, to)).unwrap();
}

fn saved(world: &World, arguments: &[&str]) -> String {
    let done = world.json(0, &[&["backup", "--no-rotation"], arguments].concat());
    done["result"]["snapshot"]["id"].as_str().unwrap().to_owned()
}

fn by_restic(world: &World, days: impl IntoIterator<Item = u32>) {
    for day in days {
        let (time, root) = (format!("2020-01-{day:02} 00:00:00"), world.root.display().to_string());
        world.restic(&["backup", "--host", "demo", "--time", &time, &root]).expect(0);
    }
}

fn ids(world: &World) -> Vec<String> {
    world.snapshots().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn verdict(world: &World, id: &str) -> Value {
    let document = world.json(0, &["forget", "--dry-run"]);
    let all = document["result"]["verdicts"].as_array().unwrap().clone();
    all.iter().find(|pair| pair[0]["id"] == id).unwrap_or_else(|| panic!("no verdict on {id}"))[1].clone()
}

#[test]
fn a_pinned_snapshot_stays_and_restic_knows_why() {
    let world = world("{last: 1}");
    let first = saved(&world, &[]);
    world.json(0, &["drill"]);
    let done = world.json(0, &["pin", &first[..8], "--until", "2036-12-31"]);
    let pinned = done["result"]["snapshot"]["id"].as_str().unwrap().to_owned();
    assert_eq!(done["result"]["former_id"], first.as_str());
    assert_ne!(pinned, first);
    for _ in 0..2 {
        world.backup();
    }
    let listed = world.snapshots();
    let ours = listed.iter().find(|one| one["id"] == pinned.as_str()).expect("the pin did not hold");
    assert_eq!((listed.len(), &ours["original"]), (2, &Value::from(first.as_str())));
    assert_eq!(ours["pin"]["until"], "2036-12-31T22:59:59Z");
    assert_eq!(ours["drill"]["verdict"], "proven", "the proof was lost with the id");
    let shown = world.run(&["snapshots"]).expect(0).out;
    assert!(shown.contains("pinned until 2036-12-31 23:59:59 CET"), "{shown}");

    // The independent witness: it finds it by the tag and by nothing else, and reads all of it.
    let tag = "pin-until=2036-12-31T22:59:59Z";
    let theirs: Value =
        serde_json::from_str(&world.restic(&["snapshots", "--json", "--tag", tag]).expect(0).out).unwrap();
    assert_eq!((theirs.as_array().unwrap().len(), theirs[0]["id"].as_str()), (1, Some(pinned.as_str())));
    assert_eq!(theirs[0]["tags"], serde_json::json!(["complete", "manual", tag]));
    world.restic_is_content();
    world.restic(&["restore", &pinned, "--target", world.path("out").to_str().unwrap()]).expect(0);
    let index = world.path("out").join(world.root.strip_prefix("/").unwrap()).join("index");
    assert_eq!(fs::read_to_string(index).unwrap(), "old");

    // It is found by the id it had; and a node that lost its state knows of the pin as well.
    fs::remove_file(world.path("state/demo/drills.json")).unwrap();
    world.run(&["forget"]).expect(0);
    assert!(ids(&world).contains(&pinned));
    let done = world.json(0, &["unpin", &first]);
    let unpinned = done["result"]["snapshot"]["id"].as_str().unwrap().to_owned();
    assert_eq!(done["result"]["snapshot"]["original"], first.as_str());
    assert_eq!(verdict(&world, &unpinned)["rule"], "unneeded");
    world.run(&["forget"]).expect(0);
    assert!(!ids(&world).contains(&unpinned));
}

#[test]
fn a_pin_ends_by_itself_and_can_be_changed() {
    let world = world("{last: 1}");
    let over = saved(&world, &["--tag", "pin-until=2020-01-01T00:00:00Z"]);
    let held = saved(&world, &["--pin", "2d"]);
    let good = saved(&world, &["--pin"]);
    let last = saved(&world, &[]);
    let shown = world.run(&["snapshots"]).expect(0).out;
    assert!(shown.contains("pin ended 2020-01-01 01:00:00 CET") && shown.contains("pinned until"), "{shown}");
    assert_eq!(verdict(&world, &good)["reason"], "is tagged pin");
    let until: jiff::Timestamp = verdict(&world, &held)["until"].as_str().unwrap().parse().unwrap();
    let hours = until.duration_since(jiff::Timestamp::now()).as_hours();
    assert!((46..=49).contains(&hours), "{hours}");
    world.run(&["forget"]).expect(0);
    assert_eq!(ids(&world), [held.clone(), good.clone(), last]);
    assert!(!ids(&world).contains(&over));

    // A second pin takes the place of the first; the same again changes nothing.
    let done = world.json(0, &["pin", &held, "--until", "2036-01-01"]);
    let longer = done["result"]["snapshot"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        done["result"]["snapshot"]["tags"],
        serde_json::json!(["complete", "manual", "pin-until=2036-01-01T22:59:59Z"])
    );
    let again = world.json(0, &["pin", &longer, "--until", "2036-01-01"]);
    assert_eq!(again["result"]["snapshot"]["id"], longer.as_str());
    let said = world.run(&["pin", &longer]).expect(0).out;
    assert!(
        said.contains("is pinned for good") && said.contains(&format!("its id was {}", &longer[..8])),
        "{said}"
    );
    world.run(&["pin", &good, "--until", "2020-01-01"]).expect(2);
    world.run(&["pin", &good, "--for", "2w"]).expect(2);
    world.run(&["pin", &good, "--for", "2d", "--until", "2036-01-01"]).expect(2);
    world.run(&["backup", "--pin", "soon"]).expect(2);
    let kept = saved(&world, &["--tag", "keep", "--pin", "1y"]);
    let said = world.run(&["unpin", &kept]).expect(0).out;
    assert!(said.contains("held by its tag keep"), "{said}");
}

/// A kill between writing the new file and removing the old one leaves both: nothing is lost, and the next rotation clears up.
#[test]
fn a_killed_change_of_tags_leaves_two_of_the_same_and_never_none() {
    let world = world("{last: 2}");
    let first = saved(&world, &[]);
    let file = world.repository().join("snapshots").join(&first);
    let before = fs::read(&file).unwrap();
    let done = world.json(0, &["pin", &first, "--for", "30d"]);
    let pinned = done["result"]["snapshot"]["id"].as_str().unwrap().to_owned();
    assert!(!file.exists());
    fs::write(&file, &before).unwrap();

    let (one, two) = (saved(&world, &[]), saved(&world, &[]));
    assert_eq!(ids(&world).len(), 4);
    world.restic_is_content();
    assert_eq!(verdict(&world, &first)["rule"], "superseded");
    world.run(&["forget"]).expect(0);
    let left = ids(&world);
    assert_eq!(left.len(), 3);
    assert!([&pinned, &one, &two].iter().all(|id| left.contains(id)));
    world.restic_is_content();
}

#[test]
fn the_brake_holds_until_it_is_told_to_let_go() {
    let world = world("{last: 20}");
    by_restic(&world, 1..=9);
    saved(&world, &[]);
    rules(&world, "last: 20", "last: 4");
    let shown = world.run(&["forget", "--dry-run"]).expect(0).out;
    let refused = "6 of 10 complete snapshots would go at once, more than the brake of 50% lets through";
    assert!(shown.contains(&format!("REFUSED: {refused}")), "{shown}");
    assert!(shown.contains("6 snapshots to go, but none would be removed; nothing was changed"), "{shown}");
    let document = world.json(0, &["forget", "--dry-run"]);
    assert_eq!(document["result"]["refused"], serde_json::json!({"why": "brake", "text": refused}));
    let ran = world.run(&["forget"]).expect(1);
    assert!(ran.err.contains(refused) && ran.err.contains("lifeboat forget --force"), "{}", ran.err);
    // The backup is good all the same, and says so.
    let ran = world.run(&["backup"]).expect(0);
    assert!(
        ran.err.contains("nothing is rotated: 7 of 11") && ran.err.contains("forget --force"),
        "{}",
        ran.err
    );
    assert_eq!(ids(&world).len(), 11);
    world.run(&["forget", "--force"]).expect(0);
    assert_eq!(ids(&world).len(), 4);
    rules(&world, "last: 4", "last: 1, brake: 100%");
    world.run(&["forget"]).expect(0);
    assert_eq!(ids(&world).len(), 1);
}

#[test]
fn a_snapshot_from_the_future_stops_the_rotation_once() {
    let world = world("{last: 2}");
    by_restic(&world, 1..=3);
    let root = world.root.display().to_string();
    world.restic(&["backup", "--host", "demo", "--time", "2099-01-01 00:00:00", &root]).expect(0);
    let ran = world.run(&["backup"]).expect(0);
    assert!(
        ran.err.contains("nothing is rotated") && ran.err.contains("one of them is wrong"),
        "{}",
        ran.err
    );
    assert_eq!(world.json(0, &["forget", "--dry-run"])["result"]["refused"]["why"], "clock");
    assert_eq!(ids(&world).len(), 5);
    world.run(&["forget", "--force"]).expect(0);
    assert_eq!(ids(&world).len(), 3);
    // It was seen, and stops nothing from now on.
    world.backup();
    assert_eq!(ids(&world).len(), 3);
}

#[test]
fn grace_is_told_and_kept() {
    let world = world("{daily: 2, grace: 7d}");
    by_restic(&world, 1..=4);
    let shown = world.run(&["forget", "--dry-run"]).expect(0).out;
    assert_eq!(shown.matches("to be removed after").count(), 2, "{shown}");
    assert!(shown.contains("0 snapshots would be removed, 2 later; nothing was changed"), "{shown}");
    assert!(shown.contains("daily 2 of 2 (2020-01-03)"), "{shown}");
    assert!(!world.path("state/demo/rotation.json").exists(), "a dry run has noted something");
    world.run(&["forget"]).expect(0);
    assert_eq!(ids(&world).len(), 4);
    let notes = fs::read_to_string(world.path("state/demo/rotation.json")).unwrap();
    let memory: Value = serde_json::from_str(&notes).unwrap();
    assert_eq!(memory["doomed"].as_object().unwrap().len(), 2);
    // A week later.
    let today = jiff::Timestamp::now().strftime("%Y-%m-%dT").to_string();
    let earlier = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(200)).unwrap();
    let earlier = notes.replace(&today, &earlier.strftime("%Y-%m-%dT").to_string());
    assert_ne!(earlier, notes);
    fs::write(world.path("state/demo/rotation.json"), earlier).unwrap();
    world.run(&["forget"]).expect(0);
    assert_eq!(ids(&world).len(), 2);
    world.run(&["forget"]).expect(0);
    let notes = fs::read_to_string(world.path("state/demo/rotation.json")).unwrap();
    assert!(!notes.contains('T'), "what is gone is still remembered: {notes}");
}
