//! Each route that is described: who may ask, and that the description is true.

use serde_json::{Value, json};

use super::Server;

const SCOPES: [&str; 4] = ["read", "backup", "restore", "admin"];

/// What is described, with examples for the names in paths.
fn operations(document: &Value) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let scope = operation["security"][0]["token"][0].as_str();
            let scope = scope.unwrap_or_else(|| panic!("{method} {path} says nothing about who may"));
            let filled = path
                .replace("{site}", "demo")
                .replace("{snapshot}", "latest")
                .replace("{run}", "20260101T000000Z-backup-0000");
            assert!(!filled.contains('{'), "{filled}");
            all.push((method.to_uppercase(), filled, scope.to_owned()));
        }
    }
    all
}

/// The pages, as the code lists them: method, path with examples, and the scope it names.
fn pages() -> Vec<(String, String, String)> {
    let code = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/page/mod.rs")).unwrap();
    let route = |line: &str| {
        let (method, rest) = line.trim().strip_prefix('.')?.split_once("(\"")?;
        let (path, rest) = rest.split_once("\", ")?;
        let scope = rest.strip_prefix("scope(Scope::")?.split(')').next()?.to_lowercase();
        let filled = path.replace("{site}", "demo").replace("{snapshot}", "latest").replace("{plan}", "p");
        Some((method.to_uppercase(), filled.replace("{run}", "20260101T000000Z-backup-0000"), scope))
    };
    code.lines().filter_map(route).collect()
}

fn allows(scopes: &str, wanted: &str) -> bool {
    scopes == wanted || scopes == "admin" || wanted == "read"
}

#[track_caller]
fn judge(status: u16, is_allowed: bool, what: &str) {
    if is_allowed {
        assert!(status != 401 && status != 403 && status < 500, "{what}: {status}");
    } else {
        assert_eq!(status, 403, "{what}");
    }
}

#[test]
fn every_route_asks_for_a_token_and_its_scope() {
    let server = Server::start();
    let tokens: Vec<_> = SCOPES.iter().map(|scope| (*scope, server.token(scope, scope))).collect();
    let operations = operations(&server.json("/v1/openapi.json"));
    assert!(operations.len() > 25, "{}", operations.len());
    for (method, path, scope) in &operations {
        let body = json!({});
        let body = (method != "GET").then_some(&body);
        assert_eq!(server.ask(method, path, None, body).status, 401, "{method} {path}");
        for (has, token) in &tokens {
            let headers = [
                ("authorization", format!("Bearer {token}")),
                ("content-type", "application/json".to_owned()),
            ];
            let text = body.map(Value::to_string).unwrap_or_default();
            // The stream of events has no end; its head says enough.
            let answer = server.begin_to_send(method, path, &headers, &text);
            let status = answer.status().as_u16();
            judge(status, allows(has, scope), &format!("{method} {path} with {has}"));
        }
    }
    // Others than the described ones there are not, and even that is told to no stranger.
    for path in ["/v1/nothing", "/v1", "/v1/sites/demo/nothing", "/v2/sites"] {
        assert_eq!(server.ask("GET", path, None, None).status, 401, "{path}");
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    let wrong = server.ask("DELETE", "/v1/sites", Some(&server.token), None);
    assert_eq!((wrong.status, wrong.header("content-type")), (405, Some("application/problem+json")));
}

#[test]
fn every_page_asks_for_a_token_and_its_scope() {
    let server = Server::start();
    let tokens: Vec<_> = SCOPES.iter().map(|scope| (*scope, server.token(scope, scope))).collect();
    let pages = pages();
    assert!(pages.len() > 20, "{pages:?}");
    let form = ("content-type", "application/x-www-form-urlencoded".to_owned());
    for (method, path, scope) in &pages {
        let bare = server.send(method, path, &[form.clone(), ("accept", "text/html".to_owned())], "");
        assert_eq!(bare.status, 401, "{method} {path}");
        for (has, token) in &tokens {
            let bearer = ("authorization", format!("Bearer {token}"));
            let status = server.send(method, path, &[bearer, form.clone()], "").status;
            judge(status, allows(has, scope), &format!("{method} {path} with {has}"));
        }
    }
}

#[test]
fn a_token_that_is_wrong_old_or_revoked_lets_nobody_in() {
    let server = Server::start();
    let status = |token: &str| server.ask("GET", "/v1/sites", Some(token), None).status;
    let mine = server.token("mine", "read");
    assert_eq!(status(&mine), 200);
    let file = server.world.path("tokens.json");
    server.world.run(&["token", "revoke", "mine", "--tokens", file.to_str().unwrap()]).expect(0);
    assert_eq!(status(&mine), 401, "at once, and without a restart");
    for wrong in ["", "lb_", "x", "lb_0000_0000", &mine[..mine.len() - 1], &format!("{}x", server.token)] {
        let answer = status(wrong);
        assert!(matches!(answer, 401 | 429), "{wrong:?}: {answer}");
    }
    // By now whoever guesses here has to wait, and nobody else.
    assert_eq!(server.get("/v1/sites").status, 200);
    let answer = server.ask("GET", "/v1/sites", Some("lb_0000_0000"), None);
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    let audit = std::fs::read_to_string(server.world.path("audit.jsonl")).unwrap();
    assert!(audit.lines().count() >= 7 && audit.contains("401") && !audit.contains("lb_"), "{audit}");
}
