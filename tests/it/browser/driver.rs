//! A `ChromeDriver` with its Chromium, both of them the test's own, and the wire to it: W3C `WebDriver`, and `DevTools` beneath it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::{Value, json};
use tempfile::TempDir;

/// For one command of the wire; pages load within it.
const PATIENCE: Duration = Duration::from_mins(2);

/// As the standard names a reference to an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What went wrong, by the standard's word for it.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: String,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(error: &str, message: impl Into<String>) -> Self {
        Self { error: error.to_owned(), message: message.into() }
    }

    /// Waiting does not mend it: the test, or the browser, is wrong.
    pub(super) fn is_final(&self) -> bool {
        let words = [
            "invalid argument",
            "invalid selector",
            "invalid session id",
            "javascript error",
            "unknown command",
            "session not created",
            "driver gone",
        ];
        words.contains(&self.error.as_str())
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.error, self.message.lines().next().unwrap_or_default())
    }
}

/// Gone with all its processes and files when dropped, also when the test has panicked.
pub(super) struct Driver {
    process: Child,
    /// Held open: it may still have something to say.
    _said: BufReader<ChildStdout>,
    agent: ureq::Agent,
    port: u16,
    session: Option<String>,
    /// Home, profile, downloads and log: nothing is shared with another browser.
    directory: TempDir,
}

impl Driver {
    pub(super) fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("lifeboat-browser-").tempdir().unwrap();
        let log = directory.path().join("chromedriver.log");
        // It takes a free port by itself and says which: a port chosen here could be taken by another test meanwhile.
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", directory.path())
            .env("TMPDIR", directory.path())
            .envs(["XDG_CONFIG_HOME", "XDG_CACHE_HOME"].map(|name| (name, directory.path())))
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log).unwrap())
            .spawn()
            .expect("chromedriver starts (Debian: chromium-driver; tests/run installs it)");
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let port = said.by_ref().lines().map_while(Result::ok).find_map(|line| {
            let port = line.trim().strip_prefix("ChromeDriver was started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        let config = ureq::Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        // Made before anything may fail, so that what was started is ended.
        let mut driver =
            Self { process, _said: said, agent: config.into(), port: 0, session: None, directory };
        driver.port = port.expect("chromedriver says its port");
        let started = driver.call("POST", "/session", &driver.wishes()).unwrap_or_else(|fault| {
            let log = std::fs::read_to_string(driver.path("chromedriver.log")).unwrap_or_default();
            panic!("Chromium does not start: {fault}\n{log}")
        });
        driver.session = Some(started["sessionId"].as_str().unwrap().to_owned());
        driver
    }

    fn wishes(&self) -> Value {
        let profile = format!("--user-data-dir={}", self.path("profile").display());
        let mut arguments = vec![
            "--headless",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            // A page that needs anything from elsewhere fails here as it would on a closed network.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            "--lang=en",
            &profile,
        ];
        if geteuid().is_root() {
            arguments.push("--no-sandbox");
        }
        json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "timeouts": {"script": 100_000, "pageLoad": 100_000},
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {
                "binary": "/usr/bin/chromium",
                "args": arguments,
                "prefs": {
                    "download.default_directory": self.path("downloads"),
                    "download.prompt_for_download": false,
                    "credentials_enable_service": false,
                },
            },
        }}})
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Fault> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = match method {
            "GET" => self.agent.get(&url).call(),
            "DELETE" => self.agent.delete(&url).call(),
            _ => self.agent.post(&url).header("Content-Type", "application/json").send(body.to_string()),
        };
        let gone = |error: ureq::Error| Fault::new("driver gone", error.to_string());
        let mut answer = answer.map_err(gone)?;
        // A screenshot of a long page is larger than what is read by default.
        let text = answer.body_mut().with_config().limit(1 << 28).read_to_string().map_err(gone)?;
        let mut said: Value = serde_json::from_str(&text)
            .map_err(|error| Fault::new("driver gone", format!("{error}: {text}")))?;
        let value = said["value"].take();
        if answer.status().is_success() {
            return Ok(value);
        }
        let word = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Err(Fault { error: word("error"), message: word("message") })
    }

    fn in_session(&self, path: &str) -> String {
        format!("/session/{}{path}", self.session.as_deref().expect("a session"))
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Fault> {
        self.call("GET", &self.in_session(path), &Value::Null)
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value, Fault> {
        self.call("DELETE", &self.in_session(path), &Value::Null)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        self.call("POST", &self.in_session(path), body)
    }

    /// A command of `DevTools`, for what the standard does not have.
    pub(super) fn devtools(&self, command: &str, parameters: &Value) -> Result<Value, Fault> {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Runs where the page's content security policy has no say; `arguments[0]` and on are what is passed.
    pub(super) fn script(&self, script: &str, arguments: &Value) -> Result<Value, Fault> {
        self.post("/execute/sync", &json!({"script": script, "args": arguments}))
    }

    pub(super) fn elements(&self, css: &str) -> Result<Vec<Element>, Fault> {
        let found = self.post("/elements", &json!({"using": "css selector", "value": css}))?;
        Ok(Element::all(&found))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Asked for, Chromium ends in good order; what does not is ended all the same.
        if self.session.is_some() {
            drop(self.delete(""));
        }
        drop(self.process.kill());
        drop(self.process.wait());
        let begun = Instant::now();
        while end_all_of(self.directory.path()) && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Ends every process that was started with this directory among its arguments; whether there was one.
pub(super) fn end_all_of(directory: &Path) -> bool {
    let processes = users_of(directory);
    for process in &processes {
        // It may have ended by itself meanwhile.
        let _ = kill(*process, Signal::SIGKILL);
    }
    !processes.is_empty()
}

pub(super) fn users_of(directory: &Path) -> Vec<Pid> {
    let name = directory.to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ours = processes.filter(|process: &i32| {
        let arguments = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(&name)
    });
    ours.map(Pid::from_raw).collect()
}

/// A reference to an element as the page is now; stale once that is replaced.
#[derive(Clone, Debug)]
pub(super) struct Element(String);

impl Element {
    pub(super) fn of(value: &Value) -> Option<Self> {
        value[ELEMENT].as_str().map(|id| Self(id.to_owned()))
    }

    pub(super) fn all(value: &Value) -> Vec<Self> {
        value.as_array().into_iter().flatten().filter_map(Self::of).collect()
    }

    pub(super) fn path(&self, rest: &str) -> String {
        format!("/element/{}{rest}", self.0)
    }

    /// As an argument of a script.
    pub(super) fn reference(&self) -> Value {
        json!({ELEMENT: self.0})
    }
}
