//! Hooks that are files beside the configuration, and `lifeboat hooks`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use crate::config::schema::check;
use crate::world::World;

fn world(yaml: &str) -> World {
    let world = World::new("databases: []");
    world.write("index", "content");
    world.configure("databases: []", None, yaml);
    world
}

/// Writes down that it ran.
fn add(world: &World, place: &str) {
    let hook = world.path(place);
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let order = world.path("order");
    fs::write(&hook, format!("#!/bin/sh\necho {place} >> {}\n", order.display())).unwrap();
    fs::set_permissions(&hook, Permissions::from_mode(0o755)).unwrap();
}

fn order(world: &World) -> String {
    fs::read_to_string(world.path("order")).unwrap_or_default().trim().replace('\n', " ")
}

#[test]
fn files_run_in_the_order_of_their_names_before_what_the_configuration_names() {
    let world = world("");
    for place in [
        "hooks.d/before-run/20-b",
        "hooks.d/before-run/10-a",
        "hooks.d/before-run/B",
        "hooks.d/before-run/a",
        "hooks.d/before-run/30-c.sh",
        "hooks.d/before-run/old~",
        "hooks.d/sites/demo/before-run/00-mine",
        "hooks.d/sites/other/before-run/00-not-mine",
        "named",
    ] {
        add(&world, place);
    }
    symlink(world.path("named"), world.path("hooks.d/before-run/z-link")).unwrap();
    let yaml = format!("hooks: {{before-run: [{{command: [{}]}}]}}\n", world.path("named").display());
    world.configure("databases: []", None, &yaml);
    world.init();
    world.run(&["backup"]).expect(0);
    assert_eq!(
        order(&world),
        "hooks.d/before-run/10-a hooks.d/before-run/20-b hooks.d/before-run/B hooks.d/before-run/a named \
         hooks.d/sites/demo/before-run/00-mine named"
    );
    let ran = world.run(&["hooks", "list"]).expect(0);
    for word in ["30-c.sh is not run", "old~ is not run", "hooks.d of the site", "configuration", "600 s"] {
        assert!(ran.out.contains(word), "{word} is missing in\n{}", ran.out);
    }
    let listed = world.json(0, &["hooks", "list"]);
    assert_eq!(listed["result"]["hooks"].as_array().unwrap().len(), 7);
    assert_eq!(listed["result"]["ignored"].as_array().unwrap().len(), 2);
}

#[test]
fn directory_of_no_point_is_an_error_that_names_it() {
    let world = world("");
    world.init();
    add(&world, "hooks.d/before-dmup/flush");
    for command in [&["backup"][..], &["hooks", "list"], &["config", "check"]] {
        let ran = world.run(command).expect(2);
        assert!(
            ran.err.contains("hooks.d/before-dmup is for no point") && ran.err.contains("try:"),
            "{}",
            ran.err
        );
    }
    // A name with a dot is how a directory is taken out of use.
    fs::rename(world.path("hooks.d/before-dmup"), world.path("hooks.d/before-dump.off")).unwrap();
    world.run(&["backup"]).expect(0);
    assert!(world.run(&["hooks", "check"]).expect(0).out.contains("before-dump.off is not run"));
}

#[test]
fn directory_that_others_may_write_is_not_looked_into() {
    for place in ["hooks.d", "hooks.d/before-run", "hooks.d/sites/demo/after-run"] {
        let world = world("");
        world.init();
        add(&world, "hooks.d/before-run/a");
        add(&world, "hooks.d/sites/demo/after-run/b");
        fs::set_permissions(world.path(place), Permissions::from_mode(0o777)).unwrap();
        let ran = world.run(&["backup"]).expect(1);
        assert!(ran.err.contains(&format!("{place} may be written by others")), "{}", ran.err);
        assert_eq!(order(&world), "");
    }
}

#[test]
fn file_that_cannot_be_run_is_said_by_the_run() {
    let world = world("");
    world.init();
    add(&world, "hooks.d/before-run/a");
    fs::set_permissions(world.path("hooks.d/before-run/a"), Permissions::from_mode(0o644)).unwrap();
    let ran = world.run(&["backup"]).expect(1);
    assert!(
        ran.err.contains("before-run/a is not executable") && ran.err.contains("chmod +x"),
        "{}",
        ran.err
    );
    // It was there when the run began.
    add(&world, "hooks.d/before-run/a");
    fs::write(
        world.path("hooks.d/before-run/a"),
        format!("#!/bin/sh\nrm {}\n", world.path("hooks.d/after-run/b").display()),
    )
    .unwrap();
    add(&world, "hooks.d/after-run/b");
    let ran = world.run(&["backup"]).expect(0);
    assert!(ran.err.contains("after-run hook: look at") && ran.err.contains("No such file"), "{}", ran.err);
}

#[test]
fn files_can_hold_the_site_still() {
    let world = world("");
    add(&world, "hooks.d/quiesce/stop");
    world.configure("databases: []", None, "quiesce: {mode: full}\n");
    let ran = world.run(&["backup"]).expect(2);
    assert!(ran.err.contains("needs a hook `resume`") && !ran.err.contains("`quiesce`,"), "{}", ran.err);
    add(&world, "hooks.d/sites/demo/resume/start");
    world.init();
    world.run(&["backup"]).expect(0);
    assert_eq!(order(&world), "hooks.d/quiesce/stop hooks.d/sites/demo/resume/start");
}

#[test]
fn check_finds_what_would_not_be_run() {
    let world = world("");
    for place in ["hooks.d/before-run/good", "hooks.d/before-run/theirs", "hooks.d/after-run/plain", "named"]
    {
        add(&world, place);
    }
    fs::set_permissions(world.path("hooks.d/before-run/theirs"), Permissions::from_mode(0o757)).unwrap();
    fs::set_permissions(world.path("hooks.d/after-run/plain"), Permissions::from_mode(0o644)).unwrap();
    symlink(world.path("gone"), world.path("hooks.d/always")).unwrap_or_default();
    let yaml = format!(
        "hooks:\n  drill:\n    - {{command: [{}], sha256: \"{}\", user: no-such-user}}\n    - {{command: [{}], writable: [/no-such-place]}}\n",
        world.path("named").display(),
        "0".repeat(64),
        world.path("gone").display()
    );
    world.configure("databases: []", None, &yaml);
    let ran = world.run(&["hooks", "check"]).expect(1);
    for text in [
        "✓ before-run",
        "theirs may be written by others",
        "plain is not executable",
        "not the program that was pinned",
        "there is no user no-such-user",
        "No such file or directory",
        "/no-such-place is no directory",
    ] {
        assert!(ran.out.contains(text), "{text} is missing in\n{}", ran.out);
    }
    let checked = world.json(1, &["hooks", "check"]);
    let hooks = checked["result"]["hooks"].as_array().unwrap();
    let flaws = |hook: &Value| hook["flaws"].as_array().unwrap().len();
    assert_eq!(hooks.iter().map(flaws).collect::<Vec<_>>(), [1, 0, 1, 2, 2]);
    assert_eq!(order(&world), "", "to check is not to run");
}

#[test]
fn hooks_are_tried_by_hand() {
    let world = world("");
    let answer = |place: &str, script: &str| {
        add(&world, place);
        fs::write(world.path(place), format!("#!/bin/sh\n{script}\n")).unwrap();
    };
    answer("hooks.d/before-run/10-note", r#"echo '{"note": "hello", "tags": ["x"]}'"#);
    answer("hooks.d/before-run/20-skip", r#"echo '{"skip": "not today"}'"#);
    add(&world, "hooks.d/before-run/30-never");
    add(&world, "hooks.d/after-run/a");
    answer("hooks.d/after-run/b", "exit 5");

    let shown = world.json(0, &["hooks", "run", "before-run", "--dry-run"]);
    assert_eq!(order(&world), "");
    let first = &shown["result"][0];
    assert_eq!(first["environment"]["LIFEBOAT_POINT"], "before-run");
    assert_eq!((&first["input"]["version"], &first["input"]["run"]["site"]), (&json!(1), &json!("demo")));
    let ran = world.run(&["hooks", "run", "before-run", "--dry-run"]).expect(0);
    assert!(ran.out.contains("LIFEBOAT_SITE=demo") && ran.out.contains("\"version\": 1"), "{}", ran.out);

    let tried = world.json(75, &["hooks", "run", "before-run"]);
    let verdicts: Vec<_> = tried["result"].as_array().unwrap().iter().map(|hook| &hook["verdict"]).collect();
    assert_eq!(verdicts, ["go-on", "skip"]);
    assert_eq!(tried["result"][0]["answer"], json!({"note": "hello", "tags": ["x"]}));
    assert!(tried["result"][1]["error"].as_str().unwrap().contains("not today"));
    assert_eq!(order(&world), "");
    let ran = world.run(&["hooks", "run", "after-run"]).expect(0);
    assert!(ran.out.contains("warned") && ran.err.contains("exit status: 5"), "{}{}", ran.out, ran.err);
    assert_eq!(order(&world), "hooks.d/after-run/a");
    world.run(&["hooks", "run", "before-nothing"]).expect(2);
    assert!(world.run(&["hooks", "run", "drill"]).expect(0).out.contains("no hooks at drill"));
}

/// What hooks are really given, and what they may answer, is what the schema says.
#[test]
fn schema_describes_what_is_said() {
    let schema: Value = serde_json::from_str(&world("").run(&["hooks", "schema"]).expect(0).out).unwrap();
    let world = world("");
    world.init();
    let keep = world.path("inputs");
    fs::create_dir(&keep).unwrap();
    for point in lifeboat::hook::points() {
        add(&world, &format!("hooks.d/{point}/keep"));
        let script = format!("#!/bin/sh\ncat > {}/{point}-$LIFEBOAT_KIND\n", keep.display());
        fs::write(world.path(&format!("hooks.d/{point}/keep")), script).unwrap();
    }
    world.run(&["backup"]).expect(0);
    world.run(&["drill"]).expect(0);
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    let mut seen = 0;
    for entry in fs::read_dir(keep).unwrap() {
        let path = entry.unwrap().path();
        let input: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        check(&input, &schema["properties"]["input"], &schema)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        seen += 1;
    }
    assert!(seen > 40, "{seen}");
    let answer = &schema["properties"]["answer"];
    for (right, document) in [
        (true, json!({})),
        (true, json!({"skip": "x", "exclude": ["a"], "tags": ["b"], "note": null})),
        (false, json!({"skipp": "x"})),
        (false, json!({"exclude": "a"})),
        (false, json!({"note": 1})),
    ] {
        assert_eq!(check(&document, answer, &schema).is_ok(), right, "{document}");
    }
}

/// What authors copy works.
#[test]
fn examples_of_the_readme_do_what_they_say() {
    let readme = include_str!("../../../hooks/README.md");
    let block = |language: &str, number: usize| {
        let begin = format!("```{language}\n");
        let text = readme.split(&begin).nth(number).unwrap_or_else(|| panic!("no {language} {number}"));
        text.split("```").next().unwrap().to_owned()
    };
    let world = world("");
    for (place, script) in [("before-run/deploy", block("sh", 1)), ("always/tell", block("python", 1))] {
        add(&world, &format!("hooks.d/{place}"));
        fs::write(world.path(&format!("hooks.d/{place}")), script).unwrap();
    }
    world.init();
    let done = world.json(0, &["backup"]);
    let run = &done["result"]["run"];
    assert_eq!(run["exclude"], json!(["/var/cache/", "/public/build/"]));
    assert!(run["notes"].to_string().contains("backup of demo: success, 0 steps failed"), "{}", run["notes"]);
    assert!(block("sh", 2).contains("exec curl --fail"));
    for point in lifeboat::hook::points().iter().filter(|point| !point.contains('-')) {
        assert!(readme.contains(&format!("| `{point}` |")), "{point} is not told of");
    }
    for step in lifeboat::event::Step::ALL {
        assert!(readme.contains(&format!("`{}`", step.name())), "{} is not told of", step.name());
    }
}
