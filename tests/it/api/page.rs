//! The page without a browser: who gets in, what is refused, and what stands in the HTML.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, Request, StatusCode};

use crate::world::World;

const PATIENCE: Duration = Duration::from_mins(1);

/// An agent that listens, and tokens for it; it is killed when the test is over.
struct Agent {
    child: Child,
    log: PathBuf,
    address: String,
    browser: ureq::Agent,
    admin: String,
    read: String,
}

/// What was answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

/// Somebody who is logged in.
struct Visitor<'a> {
    agent: &'a Agent,
    cookie: String,
    csrf: String,
}

impl Agent {
    fn start(world: &World) -> Self {
        let (admin, read) = (token(world, "admin"), token(world, "read"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let log = world.path("agent.log");
        let sites = world.path("conf.d");
        let child = world
            .command(&["agent", "--sites", sites.to_str().unwrap(), "--listen", &address])
            .args(["--tokens".into(), world.path("tokens.json"), "--audit".into(), world.path("audit.jsonl")])
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).proxy(None);
        // A refusal may come before the body was read, and ends the connection.
        let config = config.max_idle_connections(0);
        let agent = Self { child, log, address, browser: config.build().into(), admin, read };
        wait_until(&|| {
            let said = std::fs::read_to_string(&agent.log).unwrap();
            said.contains("answers at") && said.contains("ready: ")
        });
        let bearer = format!("Bearer {}", agent.read);
        wait_until(&|| {
            agent.send("GET", "/v1/sites", &[("authorization", &bearer)], "").body.contains("demo")
        });
        agent
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if !headers.iter().any(|(name, _)| *name == "accept") {
            request = request.header("accept", "text/html,application/xhtml+xml");
        }
        if method == "POST" {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answered = self.browser.run(request.body(body.to_owned()).unwrap()).unwrap();
        let (head, mut body) = answered.into_parts();
        Answer { status: head.status, headers: head.headers, body: body.read_to_string().unwrap() }
    }

    fn log_in(&self, token: &str) -> Visitor<'_> {
        let answer = self.send("POST", "/login", &[], &format!("token={token}&next=%2F"));
        assert_eq!(answer.status, 303, "{}", answer.body);
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let mut visitor = Visitor { agent: self, cookie, csrf: String::new() };
        visitor.csrf = visitor.get("/sites/demo").hidden("csrf");
        visitor
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(std::thread::panicking() || !said.contains("panicked"), "{said}");
    }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn hidden(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let at = self.body.find(&mark).unwrap_or_else(|| panic!("no {name} in {}", self.body));
        self.body[at + mark.len()..].split('"').next().unwrap().to_owned()
    }
}

impl Visitor<'_> {
    fn get(&self, path: &str) -> Answer {
        self.agent.send("GET", path, &[("cookie", &self.cookie)], "")
    }

    /// With the word that our own pages know.
    fn post(&self, path: &str, fields: &str) -> Answer {
        self.post_bare(path, &format!("csrf={}&{fields}", self.csrf))
    }

    fn post_bare(&self, path: &str, body: &str) -> Answer {
        self.agent.send("POST", path, &[("cookie", &self.cookie), ("sec-fetch-site", "same-origin")], body)
    }

    /// Looks at a run until its page says how it ended.
    fn watch(&self, path: &str) -> String {
        let mut page = String::new();
        let begun = Instant::now();
        while !page.contains("class=\"card result") {
            assert!(begun.elapsed() < PATIENCE, "{page}");
            std::thread::sleep(Duration::from_millis(100));
            page = self.get(path).body;
        }
        page
    }
}

fn token(world: &World, scope: &str) -> String {
    let file = world.path("tokens.json");
    let made =
        world.run(&["token", "add", scope, "--scope", scope, "--tokens", file.to_str().unwrap()]).expect(0);
    made.out.lines().next().unwrap().to_owned()
}

fn wait_until(is_so: &dyn Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A site with two snapshots, between which a file came and one changed.
fn site() -> World {
    let world = World::new("databases: []");
    world.init();
    world.write("index.html", "one");
    world.write(HOSTILE, "x");
    world.backup();
    world.write("index.html", "another one");
    world.write("new.txt", "new");
    world.backup();
    world
}

const HOSTILE: &str = "up/<img src=x onerror=alert(1)>\"'&\n\u{1b}[31m\u{202e}.txt";

#[test]
fn a_login_gives_a_cookie_that_no_script_and_no_other_site_gets() {
    let world = site();
    let agent = Agent::start(&world);
    let wrong = agent.send("POST", "/login", &[], "token=lb_0_wrong&next=%2F");
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("This token lets nobody in") && wrong.header("set-cookie").is_empty());
    let elsewhere = [("sec-fetch-site", "cross-site")];
    let form = |next: &str| format!("token={}&next={next}", agent.admin);
    assert_eq!(agent.send("POST", "/login", &elsewhere, &form("%2F")).status, 403);
    assert_eq!(agent.send("POST", "/login", &[("origin", "https://evil.example")], &form("%2F")).status, 403);
    for (next, place) in [
        ("%2Fsites%2Fdemo%2Fruns%3Flimit%3D5", "/sites/demo/runs?limit=5"),
        ("%2F%2Fevil.example", "/"),
        ("https%3A%2F%2Fevil.example", "/"),
        ("%2F%5Cevil.example", "/"),
        ("", "/"),
    ] {
        let right = agent.send("POST", "/login", &[("sec-fetch-site", "same-origin")], &form(next));
        assert_eq!((right.status.as_u16(), right.header("location")), (303, place));
        let cookie = right.header("set-cookie");
        let flags: Vec<_> = cookie.split("; ").skip(1).collect();
        // Unencrypted on this machine, so not `Secure`.
        assert_eq!(flags, ["HttpOnly", "SameSite=Strict", "Path=/"]);
        assert!(!cookie.contains(&agent.admin));
    }
    for _ in 0..10 {
        agent.send("POST", "/login", &[], "token=guess");
    }
    assert_eq!(agent.send("POST", "/login", &[], &form("%2F")).status, 303, "nobody is locked out by others");
    let guessed = agent.send("POST", "/login", &[], "token=guess");
    assert_eq!(guessed.status, 429, "who guesses waits, and is told so on a page");
    assert!(guessed.body.contains("<h1>") && !guessed.header("retry-after").is_empty());
}

#[test]
fn who_is_not_logged_in_logs_in_and_goes_on() {
    let world = site();
    let agent = Agent::start(&world);
    let first = agent.send("GET", "/sites/demo/runs?limit=7", &[], "");
    assert_eq!(first.status, 401);
    assert_eq!(first.hidden("next"), "/sites/demo/runs?limit=7");
    assert!(!first.body.contains("session has ended"));
    let program = agent.send("GET", "/sites/demo/runs", &[("accept", "application/json")], "");
    assert_eq!(program.header("content-type"), "application/problem+json");
    assert_eq!(agent.send("GET", "/v1/sites", &[], "").header("content-type"), "application/problem+json");

    let visitor = agent.log_in(&agent.admin);
    assert_eq!(visitor.get("/").header("location"), "/sites/demo", "the only site there is");
    let out = visitor.post("/logout", "");
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    let after = visitor.get("/sites/demo/drills");
    assert_eq!((after.status.as_u16(), after.hidden("next").as_str()), (401, "/sites/demo/drills"));
    assert!(after.body.contains("Your session has ended"));
    let lost = visitor.post("/sites/demo/backup", "");
    assert_eq!((lost.status.as_u16(), lost.hidden("next").as_str()), (401, "/sites/demo"));
    assert!(lost.body.contains("nothing was done"));

    // A token that is revoked lets in no more, also who is inside.
    let visitor = agent.log_in(&agent.read);
    let tokens = world.path("tokens.json");
    world.run(&["token", "revoke", "read", "--tokens", tokens.to_str().unwrap()]).expect(0);
    wait_until(&|| visitor.get("/sites/demo").status == 401);
}

#[test]
fn a_form_of_another_page_does_nothing() {
    let world = site();
    let agent = Agent::start(&world);
    let visitor = agent.log_in(&agent.admin);
    let other = agent.log_in(&agent.admin);
    let before = world.json(0, &["runs"])["result"].as_array().unwrap().len();
    let wrong = ["", "csrf=", "csrf=wrong", &format!("csrf={}", other.csrf)];
    let acts = ["backup", "drill", "check", "undo", "restore", "runs/x/cancel", "snapshots/x/pin", "plans/x"];
    for body in wrong {
        for act in acts {
            let answer = visitor.post_bare(&format!("/sites/demo/{act}"), body);
            assert_eq!(answer.status, 403, "{act} {body}");
        }
        assert_eq!(visitor.post_bare("/logout", body).status, 403);
    }
    let right = format!("csrf={}", visitor.csrf);
    let elsewhere = [("cookie", visitor.cookie.as_str()), ("sec-fetch-site", "cross-site")];
    assert_eq!(agent.send("POST", "/sites/demo/backup", &elsewhere, &right).status, 403);
    assert_eq!(world.json(0, &["runs"])["result"].as_array().unwrap().len(), before);
    let begun = visitor.post_bare("/sites/demo/backup", &right);
    assert_eq!(begun.status, 303);
    assert!(visitor.watch(begun.header("location")).contains("success"));
}

#[test]
fn a_restore_is_planned_confirmed_by_name_and_undone() {
    let world = site();
    let agent = Agent::start(&world);
    let visitor = agent.log_in(&agent.admin);
    let snapshots = world.snapshots();
    let first = snapshots[0]["id"].as_str().unwrap();
    let choice = visitor.get("/sites/demo/restore");
    assert!(choice.body.contains(first));
    let planned = visitor.post("/sites/demo/restore", &format!("at={first}&part=everything"));
    assert_eq!(planned.status, 303, "{}", planned.body);
    let place = planned.header("location").to_owned();
    let plan = visitor.get(&place).body;
    assert!(
        plan.contains("Nothing is changed yet") && plan.contains("new.txt") && plan.contains("set aside")
    );
    let restores = || {
        let runs = world.json(0, &["runs"]);
        runs["result"].as_array().unwrap().iter().filter(|run| run["kind"] == "restore").count()
    };
    for name in ["", "Demo", "demo2", "de+mo"] {
        let refused = visitor.post(&place, &format!("name={name}"));
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains("Nothing was done"));
    }
    assert_eq!(restores(), 0);
    assert!(world.root.join("new.txt").exists());

    let begun = visitor.post(&place, "name=demo");
    assert_eq!(begun.status, 303, "{}", begun.body);
    let ended = visitor.watch(begun.header("location"));
    assert!(ended.contains("Undo this restore"), "{ended}");
    assert_eq!(std::fs::read(world.root.join("index.html")).unwrap(), b"one");
    assert!(!world.root.join("new.txt").exists());

    assert_eq!(visitor.post("/sites/demo/undo", "name=").status, 422);
    let undone = visitor.post("/sites/demo/undo", "name=+demo+");
    assert_eq!(undone.status, 303, "{}", undone.body);
    visitor.watch(undone.header("location"));
    assert_eq!(std::fs::read(world.root.join("index.html")).unwrap(), b"another one");
    assert!(world.root.join("new.txt").exists());
    assert_eq!(restores(), 2);
}

#[test]
fn a_token_that_can_only_look_sees_no_buttons_and_has_none() {
    let world = site();
    let agent = Agent::start(&world);
    let visitor = agent.log_in(&agent.read);
    let id = world.snapshots()[0]["id"].as_str().unwrap().to_owned();
    for path in ["", "/snapshots", "/drills", &format!("/snapshots/{id}"), "/runs"] {
        let page = visitor.get(&format!("/sites/demo{path}"));
        assert_eq!(page.status, 200, "{path}");
        let forms = page.body.matches("method=\"post\"").count();
        assert_eq!(forms, page.body.matches("action=\"/logout\"").count(), "{path}: {}", page.body);
        assert!(!page.body.contains("/restore"), "{path}");
    }
    assert!(visitor.get("/sites/demo").body.contains("This token can only look."));
    let snapshot = visitor.get(&format!("/sites/demo/snapshots/{id}")).body;
    assert!(
        !snapshot.contains("/sql?") && !snapshot.contains("/content?"),
        "content is not for who can only look"
    );
    let acts = ["backup", "drill", "check", "restore", "undo", "plans/x", "runs/x/cancel"];
    for act in acts {
        let answer = visitor.post(&format!("/sites/demo/{act}"), "name=demo&at=latest");
        assert_eq!(answer.status, 403, "{act}");
    }
    let answer = visitor.get("/sites/demo/restore");
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("<h1>") && answer.body.contains("scope restore"));
}

/// Every link of a site is followed: each page is there, asks nothing of the browser that its policy forbids, and obeys no name.
#[test]
fn every_page_is_there_and_keeps_to_its_policy() {
    let world = site();
    let agent = Agent::start(&world);
    let visitor = agent.log_in(&agent.admin);
    let drill = visitor.post("/sites/demo/drill", "");
    visitor.watch(drill.header("location"));
    let mut known = BTreeSet::from(["/sites/demo".to_owned()]);
    let mut next = VecDeque::from(["/sites/demo".to_owned()]);
    let (mut names, mut files) = (0, BTreeSet::new());
    while let Some(path) = next.pop_front() {
        let page = visitor.get(&path);
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'self'"));
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("cache-control"), "no-store");
        keeps_to_policy(&path, &page.body);
        names += page.body.matches("&lt;img src=x onerror=alert(1)&gt;").count();
        for link in page.body.split("href=\"").skip(1) {
            let link = link.split('"').next().unwrap().replace("&amp;", "&");
            if link.starts_with("/sites/") && known.len() < 120 && known.insert(link.clone()) {
                next.push_back(link);
            } else if link.contains("/content?path=") {
                files.insert(link);
            }
        }
    }
    let read: BTreeSet<String> = files
        .iter()
        .map(|link| {
            let file = visitor.get(link);
            assert_eq!(file.status, 200, "{link}: {}", file.body);
            assert!(file.header("content-disposition").starts_with("attachment; "), "{link}");
            file.body
        })
        .collect();
    for content in ["one", "another one", "new", "x"] {
        assert!(read.contains(content), "{content:?} was not to be had by {files:?}");
    }
    assert!(known.len() > 12, "{known:?}");
    assert!(names > 0, "the file with the hostile name was not met");
}

#[track_caller]
fn keeps_to_policy(path: &str, page: &str) {
    let lower = page.to_lowercase();
    for forbidden in
        [" style=", "<style", " onclick", " onload", "javascript:", "<img", "http://", "https://"]
    {
        assert!(!lower.contains(forbidden), "{path}: {forbidden}");
    }
    for script in page.split("<script").skip(1) {
        assert!(script.starts_with(" src=\"/assets/"), "{path}: {}", script.get(..40).unwrap_or(script));
    }
    for letter in ['\u{1b}', '\u{202e}'] {
        assert!(!page.contains(letter), "{path} obeys a name");
    }
    for form in page.split("<form").skip(1).filter(|form| form.split('>').next().unwrap().contains("post")) {
        assert!(
            form.split("</form>").next().unwrap().contains("name=\"csrf\""),
            "{path}: a form without its word"
        );
    }
}

#[test]
fn style_and_script_are_of_this_program_and_kept_by_the_browser() {
    let world = site();
    let agent = Agent::start(&world);
    let login = agent.send("GET", "/login", &[], "");
    assert_eq!(login.status, 200);
    let mut seen = 0;
    for part in login.body.split('"').filter(|part| part.starts_with("/assets/")) {
        let asset = agent.send("GET", part, &[], "");
        assert_eq!(asset.status, 200, "{part}");
        assert!(asset.header("cache-control").contains("immutable") && !asset.body.is_empty());
        let again = agent.send("GET", part, &[("if-none-match", asset.header("etag"))], "");
        assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
        seen += 1;
    }
    assert_eq!(seen, 3);
    assert_eq!(agent.send("GET", "/assets/other.js", &[], "").status, 404);
}
