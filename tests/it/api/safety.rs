//! What a hostile caller tries.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::Server;

#[test]
fn names_in_requests_lead_nowhere() {
    let server = Server::start();
    std::fs::write(server.world.path("secret"), "do not tell").unwrap();
    let secret = server.world.path("secret").display().to_string();
    for path in [
        "/v1/sites/..%2F..%2Fetc/runs".to_owned(),
        "/v1/sites/demo/runs/..%2F..%2Fagent".to_owned(),
        "/v1/sites/demo/runs/..%2Fagent.json/events".to_owned(),
        format!("/v1/sites/demo/snapshots/latest/content?path={secret}"),
        "/v1/sites/demo/snapshots/latest/content?path=/../../etc/passwd".to_owned(),
        "/v1/sites/demo/snapshots/--help/files".to_owned(),
        "/v1/sites/demo/snapshots/latest/files?path=--config=/etc/passwd".to_owned(),
        "/v1/sites/demo/find?pattern=--help".to_owned(),
        "/v1/sites/demo/snapshots/--sql/sql?database=--help".to_owned(),
    ] {
        let answer = server.get(&path);
        assert!(
            answer.status == 200 || (400..500).contains(&answer.status),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
        let text = answer.text();
        for leak in ["do not tell", "root:", "Usage:", "correct horse"] {
            assert!(!text.contains(leak), "{path}: {text}");
        }
    }
    for (path, body) in [
        ("/v1/sites/demo/plans", json!({"at": "--yes"})),
        ("/v1/sites/demo/plans", json!({"at": "latest", "include": ["--to=/"]})),
        ("/v1/sites/demo/restores", json!({"plan": "--yes --at=latest"})),
        ("/v1/sites/demo/backups", json!({"comment": "a\u{1b}[2Jb"})),
        ("/v1/sites/demo/backups", json!({"comment": "a\u{202e}b"})),
        ("/v1/sites/demo/backups", json!({"pin": "--help"})),
        ("/v1/sites/demo/backups", json!({"unknown": 1})),
        ("/v1/sites/demo/drills", json!({"sample": -1})),
    ] {
        let answer = server.post(path, &body);
        assert!(
            (400..500).contains(&answer.status) || answer.status == 200,
            "{path} {body}: {} {}",
            answer.status,
            answer.text()
        );
    }
    assert_eq!(std::fs::read_to_string(server.world.root.join("page.html")).unwrap(), "hello");
}

#[test]
fn what_is_too_large_or_of_another_kind_is_refused() {
    let server = Server::start();
    let bearer = ("authorization", format!("Bearer {}", server.token));
    let large = format!("{{\"comment\": \"{}\"}}", "x".repeat(2 << 20));
    let json = ("content-type", "application/json".to_owned());
    let answer = server.send("POST", "/v1/sites/demo/backups", &[bearer.clone(), json.clone()], &large);
    assert_eq!(answer.status, 413);
    let form = ("content-type", "application/x-www-form-urlencoded".to_owned());
    let answer = server.send("POST", "/v1/sites/demo/backups", &[bearer.clone(), form], "comment=x");
    assert_eq!(answer.status, 415);
    let answer = server.send("POST", "/v1/sites/demo/backups", &[bearer.clone(), json], "{");
    assert_eq!(answer.status, 422);
    let host = ("host", "evil.example".to_owned());
    let answer = server.send("GET", "/v1/sites", &[bearer, host], "");
    assert_eq!(answer.status, 403, "a name that somebody else has point here");
    assert!(answer.json()["remedy"].as_str().unwrap().contains("127.0.0.1"));
}

#[test]
fn secrets_and_sockets_are_private() {
    let server = Server::start();
    let mode = |name: &str| std::fs::metadata(server.world.path(name)).unwrap().permissions().mode() & 0o777;
    for name in ["tokens.json", "audit.jsonl", "agent.sock", "agent.sock.token"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    let bare = server.world.run(&["agent", "--listen", "0.0.0.0:0"]);
    drop(bare);
    let kept = std::fs::read_to_string(server.world.path("tokens.json")).unwrap();
    let secret = server.token.rsplit('_').next().unwrap();
    assert!(!kept.contains(secret));
    for path in
        ["/v1/sites", "/v1/sites/demo", "/v1/sites/demo/runs", "/metrics", "/readyz", "/v1/openapi.json"]
    {
        let text = server.get(path).text();
        assert!(!text.contains("correct horse") && !text.contains(secret), "{path}");
    }
    let answer = server.get("/v1/sites");
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
