//! The plugin on the page hooks/plugins.md is one, and the test for authors finds fault with those that are not.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{program, shipped};
use crate::world::{Ran, World};

fn written() -> String {
    let page = fs::read_to_string(shipped("plugins.md")).unwrap();
    let (_, rest) = page.split_once("```sh\n").unwrap();
    let (script, _) = rest.split_once("```").unwrap();
    assert!(script.lines().count() <= 35, "it says thirty lines");
    script.to_owned()
}

fn tried(world: &World, script: &str, more: &[&str]) -> (i32, Value) {
    program(&world.path("plugin"), script);
    fs::write(world.path("data"), "some content").unwrap();
    fs::write(world.path("options"), serde_json::json!({ "file": world.path("data") }).to_string()).unwrap();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (plugin, options) = (text(&world.path("plugin")), text(&world.path("options")));
    let arguments = [&["--json", "plugin", "test", &plugin, "--options", &options], more].concat();
    let ran: Ran = world.run(&arguments);
    let document: Value =
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out));
    (ran.code, document["result"].clone())
}

fn with_verdict(report: &Value, verdict: &str) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["verdict"] == verdict)
        .map(|check| check["what"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_plugin_of_thirty_lines_keeps_the_contract() {
    let world = World::new("databases: []");
    let (code, report) = tried(&world, &written(), &["--yes-overwrite"]);
    assert_eq!((code, &report["passed"]), (0, &true.into()), "{report:#}");
    assert_eq!(with_verdict(&report, "passed").len(), 12, "{report:#}");
    assert_eq!(fs::read_to_string(world.path("data")).unwrap(), "some content");
    let (code, report) = tried(&world, &written(), &[]);
    assert_eq!((code, with_verdict(&report, "left-out")), (0, vec!["restore".to_owned()]), "{report:#}");
}

#[test]
fn each_breach_of_the_contract_is_found() {
    let world = World::new("databases: []");
    let whole = written();
    for (from, to, found) in [
        ("\"version\": 1", "\"version\": 2", vec!["describe says what it is for"]),
        ("exit 2", "exit 0", vec!["an unknown verb is refused"]),
        (
            "\"$LIFEBOAT\" plugin options file",
            "echo option_file={FILE}",
            vec!["what is no JSON is refused", "an unknown option is refused"],
        ),
        ("echo \"end 1 -\"", "echo \"end 2 -\"", vec!["dump writes a whole stream"]),
        (
            "cat \"$option_file\" >\"$copy\"",
            "date +%N >\"$copy\"",
            vec!["two dumps of one content are equal"],
        ),
        (
            "\"$LIFEBOAT\" plugin unpack \"$new\"",
            "\"$LIFEBOAT\" plugin unpack \"$new\" || true",
            vec![
                "restore refuses a stream that ends early",
                "restore refuses a part with a wrong hash",
                "restore refuses a stream without its end",
                "restore refuses what goes on behind the end",
            ],
        ),
        (
            "\"$LIFEBOAT\" plugin unpack \"$new\"",
            "echo x >\"$option_file\"; \"$LIFEBOAT\" plugin unpack \"$new\"",
            vec![
                "restore refuses a stream that ends early",
                "restore refuses a part with a wrong hash",
                "restore refuses a stream without its end",
                "restore refuses what goes on behind the end",
            ],
        ),
        (
            "mv \"$option_file.new\" \"$option_file\"",
            "echo other >\"$option_file\"",
            vec!["restore brings back what was dumped"],
        ),
    ] {
        assert!(whole.contains(from), "{from}");
        let to = to.replace("{FILE}", &world.path("data").to_string_lossy());
        let (code, report) = tried(&world, &whole.replace(from, &to), &["--yes-overwrite"]);
        let failed = with_verdict(&report, "failed");
        assert_eq!(code, 1, "{to}");
        assert!(found.iter().all(|what| failed.contains(&(*what).to_owned())), "{to}: {failed:?} {report:#}");
        assert_eq!(found.len(), failed.len(), "{to}: {failed:?}");
    }
}
