//! The resident half, as a process of its own with real sites, signals and kills.

mod client;
mod enabled;
mod history;
mod life;
mod metrics;
mod monitoring;
mod news;
mod ontime;
mod requests;

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::world::World;

/// Long enough for a slow machine, short enough to wait for.
const PATIENCE: Duration = Duration::from_mins(1);

/// An agent at work; it is killed when the test is over.
struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    fn start(world: &World, arguments: &[&str]) -> Self {
        Self::start_with(world, arguments, &[])
    }

    fn start_with(world: &World, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let log = world.path(&format!("agent-{}.log", rand::random::<u32>()));
        let path = |name: &str| world.path(name).to_str().unwrap().to_owned();
        // All that it makes is the world's: the places of this machine are one for all agents.
        let places = [
            ("--sites", path("conf.d")),
            ("--listen", path("agent.sock")),
            ("--tokens", path("tokens.json")),
            ("--audit", path("audit.jsonl")),
        ];
        let child = world
            .command(&["agent"])
            .args(places.iter().flat_map(|(option, path)| [*option, path.as_str()]))
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let agent = Self { child, log };
        agent.wait_for("ready: ");
        agent
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        wait_until(|| self.log().contains(text), || format!("{text:?} did not come:\n{}", self.log()));
    }

    /// Does not wait for the next minute: reading the configuration anew is a look too.
    fn wake(&self) {
        self.signal(Signal::SIGHUP);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().cast_signed()), signal).unwrap();
    }

    /// Its exit code, once it is gone.
    #[track_caller]
    fn wait(mut self) -> Option<i32> {
        let mut code = None;
        wait_until(
            || {
                let ended = self.child.try_wait().unwrap();
                code = ended.and_then(|status| status.code());
                ended.is_some()
            },
            || "the agent did not end".to_owned(),
        );
        code
    }

    /// The processes of the runs at work.
    fn runs(&self) -> Vec<i32> {
        let list = format!("/proc/{0}/task", self.pid());
        let mut found = Vec::new();
        for task in std::fs::read_dir(list).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().map(|pid| pid.parse::<i32>().unwrap()));
        }
        found
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let runs = self.runs();
        drop(self.child.kill());
        drop(self.child.wait());
        for run in runs {
            // It may have ended with the agent.
            let _ = kill(Pid::from_raw(run), Signal::SIGKILL);
        }
    }
}

#[track_caller]
fn wait_until(mut reached: impl FnMut() -> bool, told: impl Fn() -> String) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < PATIENCE, "{}", told());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A site with a repository and this schedule.
fn scheduled(databases: &str, more: &str) -> World {
    let world = World::new(databases);
    world.configure(databases, None, more);
    world.write("page", "hello");
    world.init();
    world
}

/// The history, the newest first.
fn runs(world: &World) -> Vec<Value> {
    world.json(0, &["runs", "-n", "1000"])["result"].as_array().unwrap().clone()
}

fn text<'a>(run: &'a Value, key: &str) -> &'a str {
    run[key].as_str().unwrap_or_default()
}
