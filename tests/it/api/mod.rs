//! The agent as others ask it: over HTTP, with tokens, as a process of its own.

mod contract;
mod crowd;
mod page;
mod routes;
mod safety;
mod specs;
mod story;

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent as Http, Body};

use crate::world::World;

const PATIENCE: Duration = Duration::from_mins(1);

/// An agent that answers on loopback; killed when the test is over.
pub(crate) struct Server {
    pub(crate) world: World,
    child: Child,
    pub(crate) address: String,
    /// Of a token that may do everything.
    pub(crate) token: String,
    http: Http,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Server {
    /// With one site that has a repository and one snapshot.
    pub(crate) fn start() -> Self {
        let world = World::new("databases: []");
        world.write("page.html", "hello");
        world.write("wp-content/uploads/photo.jpg", vec![7; 100_000]);
        world.init();
        world.backup();
        Self::of(world)
    }

    pub(crate) fn of(world: World) -> Self {
        let address = free_address();
        let token = token(&world, "everything", "admin");
        let child = begin(&world, &address);
        let config = Http::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE));
        let server = Self { world, child, address, token, http: config.build().into() };
        server.wait_until("it is ready", || server.log().contains("ready: "));
        server
    }

    /// The agent and its runs are gone in an instant, and another one takes over.
    pub(crate) fn crash_and_restart(&mut self) {
        // It fails only if there are none.
        let _ = std::process::Command::new("pkill")
            .args(["-KILL", "-P", &self.pid().to_string()])
            .status()
            .unwrap();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = begin(&self.world, &self.address);
        self.wait_until("it is ready again", || self.log().contains("ready: "));
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.world.path("agent.log")).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A new token with these scopes, separated by commas.
    pub(crate) fn token(&self, name: &str, scopes: &str) -> String {
        token(&self.world, name, scopes)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Some(&self.token), None)
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(&self.token), Some(body))
    }

    /// Begins a run; its name.
    pub(crate) fn begin(&self, path: &str, body: &Value) -> String {
        let answer = self.post(path, body);
        assert_eq!(answer.status, 202, "{path}: {}", answer.text());
        answer.json()["run"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of a run.
    pub(crate) fn end_of(&self, run: &str) -> Value {
        let mut last = Value::Null;
        self.wait_until("the run is over", || {
            last = self.json(&format!("/v1/sites/demo/runs/{run}"));
            matches!(last["standing"].as_str(), Some("ended" | "crashed"))
        });
        last
    }

    pub(crate) fn ask(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let mut headers: Vec<(&str, String)> = Vec::new();
        headers.extend(token.map(|token| ("authorization", format!("Bearer {token}"))));
        let text = body.map(Value::to_string);
        headers.extend(text.as_ref().map(|_| ("content-type", "application/json".to_owned())));
        self.send(method, path, &headers, text.as_deref().unwrap_or_default())
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> Answer {
        Answer::of(self.begin_to_send(method, path, headers, body))
    }

    /// For answers that have no end.
    pub(crate) fn begin_to_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Response<Body> {
        let mut request = ureq::http::Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.http
            .run(request.body(body.to_owned()).unwrap())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, mut reached: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !reached() {
            assert!(begun.elapsed() < PATIENCE, "not within a minute: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Answer {
    fn of(mut response: Response<Body>) -> Self {
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
        Self { status, headers, body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }
}

fn begin(world: &World, address: &str) -> Child {
    let path = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let log = File::create(world.path("agent.log")).unwrap();
    world
        .command(&["agent", "--sites", &path("conf.d"), "--listen", &path("agent.sock"), "--listen", address])
        .args(["--tokens", &path("tokens.json"), "--audit", &path("audit.jsonl")])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn token(world: &World, name: &str, scopes: &str) -> String {
    let file = world.path("tokens.json");
    let made = world.json(0, &["token", "add", name, "--scope", scopes, "--tokens", file.to_str().unwrap()]);
    made["result"]["token"].as_str().unwrap().to_owned()
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
