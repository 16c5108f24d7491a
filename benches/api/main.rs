//! What it costs a backup that many look on: `cargo bench --bench api [-- MEGABYTES [ROUNDS]]`.
//!
//! Backups of the same site into new repositories, in alternation: alone, and with 200 listeners to the stream of events (a third of
//! them slow, a third deaf) and 10,000 requests spread over it. Prints the ratio of the medians of their durations.
#![allow(clippy::print_stdout)]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rand::RngCore;
use serde_json::Value;

const LISTENERS: usize = 200;
const REQUESTS: u32 = 10_000;
const ASKERS: u32 = 4;

struct Agent {
    child: Child,
    address: String,
    token: String,
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let (megabytes, rounds) = (numbers.next().unwrap_or(1500), numbers.next().unwrap_or(5));
    let place = tempfile::tempdir().expect("make a directory");
    write_site(place.path(), megabytes);
    // How long a backup takes alone says how fast to ask during one that is not.
    let first = one(place.path(), None).0;
    let (mut alone, mut watched, mut memory) = (Vec::new(), Vec::new(), 0.0_f64);
    for round in 1..=rounds {
        let (quiet, _) = one(place.path(), None);
        let (busy, peak) = one(place.path(), Some(first));
        println!("round {round}: alone {quiet:.2} s, watched {busy:.2} s, agent {peak:.1} MiB at most");
        alone.push(quiet);
        watched.push(busy);
        memory = memory.max(peak);
    }
    let (quiet, busy) = (median(alone), median(watched));
    println!(
        "median alone {quiet:.2} s, watched {busy:.2} s: ratio {:.3}; agent {memory:.1} MiB at most",
        busy / quiet
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn write_site(place: &Path, megabytes: u32) {
    let root = place.join("site");
    let mut data = vec![0; 100_000];
    for number in 0..megabytes * 10 {
        let directory = root.join(format!("d{}", number % 97));
        fs::create_dir_all(&directory).expect("make a directory");
        rand::rng().fill_bytes(&mut data);
        fs::write(directory.join(format!("f{number}")), &data).expect("write a file");
    }
    let password = place.join("password");
    fs::write(&password, "correct horse battery staple\n").expect("write a password");
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).expect("protect a password");
    let text = format!(
        "site: {{name: demo, root: {place}/site}}\ndatabases: []\nstorage: {{type: local, path: {place}/storage}}\n\
         repository: {{password: {{file: {place}/password}}}}\nstate: {place}/state\n",
        place = place.display(),
    );
    fs::write(place.join("lifeboat.yaml"), text).expect("write a configuration");
}

/// One first backup; its seconds, and the most memory that the agent took, in MiB.
fn one(place: &Path, crowd: Option<f64>) -> (f64, f64) {
    for name in ["storage", "state"] {
        drop(fs::remove_dir_all(place.join(name)));
    }
    fs::create_dir(place.join("storage")).expect("make the storage");
    let job = lifeboat::config::load(&place.join("lifeboat.yaml")).expect("read it").job().expect("a job");
    lifeboat::run::init(&job, &lifeboat::event::Cx::silent()).expect("make a repository");
    let agent = Agent::start(place);
    let done = AtomicBool::new(false);
    let asked = AtomicU32::new(0);
    let (run, seconds) = std::thread::scope(|scope| {
        if let Some(expected) = crowd {
            let mut listeners: Vec<_> = (0..LISTENERS).map(|_| agent.listen()).collect();
            let (agent, done, asked) = (&agent, &done, &asked);
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    hear(&mut listeners);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let apart = Duration::from_secs_f64(expected * f64::from(ASKERS) / f64::from(REQUESTS));
            for _ in 0..ASKERS {
                scope.spawn(move || agent.ask_on(apart, done, asked));
            }
        }
        let run = agent.begin();
        let end = loop {
            let run = agent.get(&format!("/v1/sites/demo/runs/{run}"));
            if run["standing"] == "ended" {
                break run;
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        done.store(true, Ordering::SeqCst);
        assert_eq!(end["outcome"], "success", "{end:#}");
        let time = |key: &str| {
            end[key].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("a time")
        };
        (run, time("finished").duration_since(time("started")).as_secs_f64())
    });
    if crowd.is_some() {
        println!("  {run}: {} requests were answered", asked.load(Ordering::SeqCst));
    }
    let status = fs::read_to_string(format!("/proc/{}/status", agent.child.id())).expect("read its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    let peak: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    (seconds, peak / 1024.0)
}

fn hear(listeners: &mut [TcpStream]) {
    let mut buffer = vec![0; 64 << 10];
    for (number, listener) in listeners.iter_mut().enumerate() {
        let most = match number % 3 {
            0 => buffer.len(),
            1 => 1,
            _ => continue,
        };
        match listener.read(&mut buffer[..most]) {
            Ok(size) => assert!(size > 0, "a stream ended"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

impl Agent {
    fn start(place: &Path) -> Self {
        let tokens = place.join("tokens.json");
        drop(fs::remove_file(&tokens));
        let made = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
            .args(["--json", "token", "add", "bench", "--scope", "admin", "--tokens"])
            .arg(&tokens)
            .output()
            .expect("make a token");
        let made: Value = serde_json::from_slice(&made.stdout).expect("a token");
        let address =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").to_string();
        let child = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
            .arg("-c")
            .arg(place.join("lifeboat.yaml"))
            .args(["agent", "--listen", &address, "--sites"])
            .arg(place.join("none"))
            .arg("--tokens")
            .arg(&tokens)
            .arg("--audit")
            .arg(place.join("audit.jsonl"))
            .stderr(Stdio::null())
            .spawn()
            .expect("start the agent");
        let begun = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(30), "the agent does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        let agent =
            Self { child, address, token: made["result"]["token"].as_str().expect("a token").to_owned() };
        while agent.get("/v1/sites").as_array().is_none_or(Vec::is_empty) {
            std::thread::sleep(Duration::from_millis(50));
        }
        agent
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> Value {
        let request = ureq::get(self.url(path)).header("authorization", format!("Bearer {}", self.token));
        let text = request.call().expect("an answer").into_body().read_to_string().expect("a text");
        serde_json::from_str(&text).expect("JSON")
    }

    fn begin(&self) -> String {
        let request = ureq::post(self.url("/v1/sites/demo/backups"))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json");
        let text = request.send("{}").expect("an answer").into_body().read_to_string().expect("a text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        answer["run"].as_str().expect("a run").to_owned()
    }

    fn listen(&self) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("connect");
        let request = format!(
            "GET /v1/events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\r\n",
            self.address, self.token
        );
        stream.write_all(request.as_bytes()).expect("ask");
        stream.set_nonblocking(true).expect("do not wait");
        stream
    }

    /// Asks again and again until it is done, or has asked enough.
    fn ask_on(&self, apart: Duration, done: &AtomicBool, asked: &AtomicU32) {
        let client: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let (url, bearer) = (self.url("/v1/sites/demo/status"), format!("Bearer {}", self.token));
        let begun = Instant::now();
        for number in 0..REQUESTS / ASKERS {
            if done.load(Ordering::SeqCst) {
                return;
            }
            let answer = client.get(&url).header("authorization", &bearer).call().expect("an answer");
            assert!(answer.status().is_success(), "{}", answer.status());
            drop(answer.into_body().read_to_vec().expect("a body"));
            asked.fetch_add(1, Ordering::SeqCst);
            let due = begun + apart * (number + 1);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
