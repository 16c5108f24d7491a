//! What people do by way of the API, from the first backup to the undo of a restore.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use super::Server;

fn ids(server: &Server) -> Vec<String> {
    let snapshots = server.json("/v1/sites/demo/snapshots");
    let id = |snapshot: &Value| snapshot["id"].as_str().unwrap().to_owned();
    snapshots.as_array().unwrap().iter().map(id).collect()
}

#[test]
fn back_up_look_restore_and_undo() {
    let server = Server::start();
    server.world.write("page.html", "changed");
    let run = server.begin("/v1/sites/demo/backups", &json!({"comment": "before the relaunch"}));
    let done = server.end_of(&run);
    assert_eq!(
        (done["outcome"].as_str(), done["kind"].as_str()),
        (Some("success"), Some("backup")),
        "{done:#}"
    );
    assert!(done["saved"]["files"].as_u64().unwrap() >= 2);
    let events = server.json(&format!("/v1/sites/demo/runs/{run}/events"));
    assert_eq!(events.as_array().unwrap().last().unwrap()["event"], "run-finished");
    assert_eq!(server.get("/v1/sites/demo/status").status, 204);

    let ids = ids(&server);
    assert_eq!(ids.len(), 2);
    let newest = server.json("/v1/sites/demo/snapshots")[0].clone();
    assert_eq!(newest["comment"], "before the relaunch");
    let root = server.world.root.display().to_string();
    let listing = server.json(&format!("/v1/sites/demo/snapshots/{}/files?path={root}", ids[0]));
    let names: Vec<_> =
        listing.as_array().unwrap().iter().map(|entry| entry["path"].as_str().unwrap()).collect();
    assert_eq!(names, [format!("{root}/page.html"), format!("{root}/wp-content")], "one level alone");
    let content = server.get(&format!("/v1/sites/demo/snapshots/{}/content?path={root}/page.html", ids[1]));
    assert_eq!(content.body, b"hello");
    assert!(content.header("content-disposition").unwrap().starts_with("attachment"));
    let photo = server.get(&format!(
        "/v1/sites/demo/snapshots/{}/content?path={root}/wp-content/uploads/photo.jpg",
        ids[1]
    ));
    assert_eq!(photo.body, vec![7; 100_000]);
    let missing = server.get(&format!("/v1/sites/demo/snapshots/{}/content?path={root}/none", ids[1]));
    assert_eq!(missing.status, 404, "{}", missing.text());

    let diff = server.json(&format!("/v1/sites/demo/snapshots/{}/diff?with={}", ids[1], ids[0]));
    let changes = diff["changes"].as_array().unwrap();
    let page = changes.iter().find(|change| change["path"].as_str().unwrap().ends_with("page.html"));
    assert_eq!(
        (page.unwrap()["kind"].as_str(), diff["added"].as_u64()),
        (Some("changed"), Some(0)),
        "{diff:#}"
    );
    let found = server.json("/v1/sites/demo/find?pattern=photo");
    assert!(found["paths"][0]["path"].as_str().unwrap().ends_with("photo.jpg"), "{found:#}");

    let plan = server.post("/v1/sites/demo/plans", &json!({"at": ids[1]}));
    assert_eq!(plan.status, 200, "{}", plan.text());
    let plan = plan.json();
    assert_eq!(plan["files"]["differences"]["changed"], 1, "{plan:#}");
    let run = server.begin("/v1/sites/demo/restores", &json!({"plan": plan["id"]}));
    let done = server.end_of(&run);
    assert_eq!(done["outcome"], "success", "{done:#}");
    let page = || std::fs::read_to_string(server.world.root.join("page.html")).unwrap();
    assert_eq!(page(), "hello");
    let run = server.begin("/v1/sites/demo/undo", &json!({}));
    assert_eq!(server.end_of(&run)["outcome"], "success");
    assert_eq!(page(), "changed");
    // The same plan once more: the site is as it was then, and what has been done was done.
    let verdicts = server.json("/v1/sites/demo/retention");
    assert!(verdicts["verdicts"].as_array().unwrap().len() >= 2);
}

#[test]
fn drills_checks_pins_and_requests() {
    let server = Server::start();
    let run = server.begin("/v1/sites/demo/drills", &json!({}));
    assert_eq!(server.end_of(&run)["outcome"], "success");
    assert_eq!(server.json("/v1/sites/demo/snapshots")[0]["drill"]["verdict"], "proven");
    let run = server.begin("/v1/sites/demo/checks", &json!({"read_data": 100}));
    assert_eq!(server.end_of(&run)["outcome"], "success");
    let pinned = server.ask(
        "PUT",
        "/v1/sites/demo/snapshots/latest/pin",
        Some(&server.token),
        Some(&json!({"for": "30d"})),
    );
    assert_eq!(pinned.status, 200, "{}", pinned.text());
    assert!(server.json("/v1/sites/demo/snapshots")[0]["pin"]["until"].is_string());
    let unpinned = server.ask("DELETE", "/v1/sites/demo/snapshots/latest/pin", Some(&server.token), None);
    assert_eq!(unpinned.status, 200, "{}", unpinned.text());
    assert!(server.json("/v1/sites/demo/snapshots")[0]["pin"].is_null());
    let asked = server.post("/v1/sites/demo/requests", &json!({"reason": "a new page"}));
    assert_eq!(asked.status, 202);
    assert_eq!(server.json("/v1/sites/demo/requests")[0]["reason"], "a new page");
}

#[test]
fn a_run_at_work_is_seen_and_can_be_cancelled() {
    let world = crate::world::World::new("databases: []");
    world.configure("databases: []", None, "hooks: {before-save: [{command: [/bin/sleep, \"60\"]}]}\n");
    world.write("page", "x");
    world.init();
    let server = Server::of(world);
    let bearer = [("authorization", format!("Bearer {}", server.token))];
    let stream = server.begin_to_send("GET", "/v1/events?site=demo", &bearer, "");
    let mut lines = BufReader::new(stream.into_body().into_reader()).lines().map_while(Result::ok);
    assert_eq!(lines.next().unwrap(), "event: sites");
    let run = server.begin("/v1/sites/demo/backups", &json!({}));
    let waiting = server.begin("/v1/sites/demo/checks", &json!({}));
    server.wait_until("it is at work", || server.get("/v1/sites/demo/status").status == 200);
    server.wait_until("it is at its step", || server.json("/v1/sites/demo/status")["step"] == "save");
    assert_eq!(server.json("/v1/sites/demo/status")["id"], run.as_str());
    assert_eq!(server.json(&format!("/v1/sites/demo/runs/{waiting}"))["standing"], "waiting");
    let cancel = |run: &str| server.post(&format!("/v1/sites/demo/runs/{run}/cancel"), &json!({})).status;
    assert_eq!((cancel(&waiting), cancel(&run)), (202, 202));
    let done = server.end_of(&run);
    assert_eq!(done["outcome"], "cancelled", "{done:#}");
    assert_eq!(server.end_of(&waiting)["outcome"], "cancelled");
    assert_eq!(cancel(&run), 422, "it is over");
    // Who listened heard of its end.
    let told =
        lines.filter_map(|line| Some(serde_json::from_str::<Value>(line.strip_prefix("data: ")?).unwrap()));
    let mut ends = told.filter(|data| data["id"] == run.as_str() && data["standing"] == "ended");
    assert_eq!(ends.next().unwrap()["outcome"], "cancelled");
}

#[test]
fn a_run_that_somebody_begins_by_hand_is_seen_too() {
    let server = Server::start();
    let bearer = [("authorization", format!("Bearer {}", server.token))];
    let stream = server.begin_to_send("GET", "/v1/events", &bearer, "");
    let mut lines = BufReader::new(stream.into_body().into_reader()).lines().map_while(Result::ok);
    assert_eq!(lines.next().unwrap(), "event: sites");
    server.world.run(&["backup", "--run-id", "by-hand"]).expect(0);
    let mut told = lines.filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    assert_eq!(
        told.find(|data| data["id"] == "by-hand" && data["standing"] == "ended").unwrap()["outcome"],
        "success"
    );
}

#[test]
fn a_listener_whose_token_is_revoked_hears_nothing_more() {
    let server = Server::start();
    let mine = server.token("mine", "read");
    let stream =
        server.begin_to_send("GET", "/v1/events", &[("authorization", format!("Bearer {mine}"))], "");
    let mut lines = BufReader::new(stream.into_body().into_reader()).lines().map_while(Result::ok);
    assert_eq!(lines.next().unwrap(), "event: sites");
    let file = server.world.path("tokens.json");
    server.world.run(&["token", "revoke", "mine", "--tokens", file.to_str().unwrap()]).expect(0);
    let run = server.begin("/v1/sites/demo/backups", &json!({}));
    server.end_of(&run);
    // The stream ends instead of going on.
    assert!(!lines.any(|line| line.contains(&run)));
}

#[test]
fn what_was_asked_for_is_done_by_the_next_agent() {
    let world = crate::world::World::new("databases: []");
    world.configure("databases: []", None, "hooks: {before-save: [{command: [/bin/sleep, \"60\"]}]}\n");
    world.write("page", "x");
    world.init();
    let mut server = Server::of(world);
    let backup = server.begin("/v1/sites/demo/backups", &json!({}));
    let check = server.begin("/v1/sites/demo/checks", &json!({}));
    server.wait_until("it is at its step", || {
        server.json(&format!("/v1/sites/demo/runs/{backup}"))["step"] == "save"
    });
    server.crash_and_restart();
    // What had begun is a crash and is not begun again by itself; what had not is done now.
    assert_eq!(server.end_of(&backup)["standing"], "crashed");
    assert_eq!(server.end_of(&check)["outcome"], "success");
    let asked = || {
        let memory = std::fs::read_to_string(server.world.path("state/demo/agent.json")).unwrap();
        serde_json::from_str::<Value>(&memory).unwrap()["asked"].clone()
    };
    server.wait_until("what is over is not asked for any more", || asked() == json!({}));
}
