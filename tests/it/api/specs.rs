//! Sites and how they are backed up, as documents.

use serde_json::{Value, json};

use super::{Answer, Server};

const PLACE: &str = "/v1/sites/demo/configuration";

fn send(server: &Server, method: &str, path: &str, body: &Value) -> Answer {
    server.ask(method, path, Some(&server.token), Some(body))
}

#[test]
fn a_patch_keeps_what_it_does_not_name() {
    let server = Server::start();
    let before = server.json(PLACE);
    assert_eq!(before["retention"], json!({"last": 3}));
    let patched = send(&server, "PATCH", PLACE, &json!({"retention": {"daily": 7}, "enabled": false}));
    assert_eq!(patched.status, 200, "{}", patched.text());
    let now = server.json(PLACE);
    assert_eq!(now, patched.json());
    assert_eq!(now["retention"], json!({"last": 3, "daily": 7}));
    let without = |document: &Value| {
        let mut document = document.clone();
        document.as_object_mut().unwrap().retain(|key, _| key != "retention" && key != "enabled");
        document
    };
    assert_eq!(without(&now), without(&before));
    // The file that people edit has it, and the former text is beside it.
    assert!(std::fs::read_to_string(server.world.path("lifeboat.yaml")).unwrap().contains("daily"));
    assert!(server.world.path("lifeboat.yaml.former").exists());
    let removed = send(&server, "PATCH", PLACE, &json!({"retention": {"daily": null}, "enabled": null}));
    assert_eq!(without(&removed.json()), without(&before));
    assert_eq!(server.json(PLACE)["retention"], json!({"last": 3}));
}

#[test]
fn what_is_wrong_is_refused_with_all_its_mistakes_and_changes_nothing() {
    let server = Server::start();
    let before = (server.json(PLACE), std::fs::read(server.world.path("lifeboat.yaml")).unwrap());
    for (patch, key) in [
        (json!({"retention": {"dayly": 7}}), "retention"),
        (json!({"schedule": {"backup": "61 * * * *"}}), "schedule"),
        (json!({"hooks": {"after-run": [{"command": ["/bin/sh", "-c", "id"]}]}}), "hooks"),
        (json!({"repository": {"password": {"command": ["/bin/cat", "/etc/shadow"]}}}), "repository"),
        (json!({"repository": {"password": "written out"}}), "repository"),
        (json!({"site": {"name": "other"}}), "site.name"),
        (json!({"state": "/elsewhere"}), "state"),
        (json!([1, 2]), ""),
    ] {
        let answer = send(&server, "PATCH", PLACE, &patch);
        assert_eq!(answer.status, 422, "{patch}: {}", answer.text());
        let problems = answer.json()["problems"].as_array().cloned().unwrap_or_default();
        assert!(
            problems.iter().any(|problem| problem["path"].as_str().unwrap().starts_with(key)),
            "{patch}: {problems:?}"
        );
    }
    assert_eq!(server.json(PLACE), before.0);
    assert_eq!(std::fs::read(server.world.path("lifeboat.yaml")).unwrap(), before.1);
}

#[test]
fn a_site_is_added_given_a_repository_and_backed_up() {
    let server = Server::start();
    let root = server.world.path("second");
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("index.html"), "second").unwrap();
    let document = json!({
        "site": {"name": "second", "root": root}, "databases": [],
        "storage": {"type": "local", "path": server.world.path("storage")},
        "repository": {"password": {"file": server.world.path("password")}},
        "state": server.world.path("state"), "schedule": "daily", "retention": {"daily": "4@L"},
    });
    let made = server.post("/v1/sites", &document);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(server.post("/v1/sites", &document).status, 409, "there is one of this name");
    let names = server.json("/v1/sites");
    let names: Vec<_> = names.as_array().unwrap().iter().map(|site| site["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["demo", "second"]);
    let repository = server.post("/v1/sites/second/repository", &json!({}));
    assert_eq!(repository.status, 201, "{}", repository.text());
    assert!((400..500).contains(&server.post("/v1/sites/second/repository", &json!({})).status));
    let run = server.begin("/v1/sites/second/backups", &json!({}));
    server.wait_until("it is saved", || {
        server.json(&format!("/v1/sites/second/runs/{run}"))["outcome"] == "success"
    });
    let bad = server.post("/v1/sites", &json!({"site": {"name": "../third", "root": root}}));
    assert_eq!(bad.status, 422, "{}", bad.text());
    let whole = send(&server, "PUT", "/v1/sites/second/configuration", &document);
    assert_eq!(whole.status, 200, "{}", whole.text());
}
