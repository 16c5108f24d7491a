//! The command line as a client: another process asks the agent, over its socket, loopback and TLS.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Agent, runs, scheduled, text, wait_until};
use crate::notify::servers::Certificates;
use crate::world::{Ran, World};

const SLOW: &str = "hooks: {before-save: [{command: [/bin/sleep, \"60\"]}]}\n";

/// A command line that asks the agent of this world.
fn asking(world: &World, arguments: &[&str]) -> Command {
    let mut command = world.command(arguments);
    command.arg("--agent").arg(world.path("agent.sock"));
    command
}

fn ask(world: &World, arguments: &[&str]) -> Ran {
    Ran::of(&asking(world, arguments).output().unwrap())
}

#[track_caller]
fn ask_json(world: &World, code: i32, arguments: &[&str]) -> Value {
    let ran = ask(world, &[&["--json"], arguments].concat()).expect(code);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
}

/// Asks, and does not wait for it to be done.
fn begin_to_ask(world: &World, arguments: &[&str]) -> Child {
    asking(world, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Ran {
    Ran::of(&child.wait_with_output().unwrap())
}

/// The first run at work of a site, as `status` tells it.
fn at_work(world: &World) -> Value {
    ask_json(world, 0, &["status"])["result"]["sites"][0]["runs"][0].clone()
}

#[track_caller]
fn wait_for_step(world: &World, step: &str) -> String {
    wait_until(|| at_work(world)["step"] == step, || format!("{:#}", at_work(world)));
    text(&at_work(world), "id").to_owned()
}

#[test]
fn a_backup_by_the_agent_is_looked_on_as_one_that_is_made_here() {
    let world = scheduled("databases: []", "");
    let _agent = Agent::start(&world, &[]);
    let ran = ask(&world, &["backup", "--remote"]).expect(0);
    assert!(ran.out.contains("the agent backs up demo as "), "{}", ran.out);
    assert!(
        ran.out.contains("saved: 3 files, ") && ran.out.contains("3 new, 0 changed, 0 unmodified"),
        "{}",
        ran.out
    );
    for step in ["claim", "mount", "open", "lock", "save", "verify"] {
        assert_eq!(ran.err.matches(&format!("✓ {step} ")).count(), 1, "{step}: {}", ran.err);
    }
    let done =
        ask_json(&world, 0, &["backup", "--remote", "--comment", "before the 'update'", "--pin", "30d"]);
    let state = &done["result"]["state"];
    assert_eq!((&done["exit_code"], &state["outcome"]), (&Value::from(0), &Value::from("success")));
    assert_eq!(state["id"], done["result"]["run"]);
    let snapshots: Vec<_> =
        world.snapshots().iter().map(|snapshot| text(snapshot, "id").to_owned()).collect();
    assert!(snapshots.contains(&text(state, "snapshot").to_owned()), "{snapshots:?}: {state:#}");
    let newest = world.snapshots().into_iter().find(|snapshot| snapshot["id"] == state["snapshot"]).unwrap();
    assert_eq!(text(&newest, "comment"), "before the 'update'");
    assert!(newest["pin"]["until"].is_string(), "{newest:#}");
    let wrong = ask(&world, &["backup", "--remote", "--comment", "two\nlines"]).expect(2);
    assert!(wrong.err.contains("comment"), "{}", wrong.err);
    assert!(runs(&world).iter().all(|run| text(run, "outcome") == "success"));
    assert_eq!(runs(&world).len(), 2);
}

#[test]
fn programs_hear_each_state_and_then_one_document() {
    let world = scheduled("databases: []", "hooks: {before-save: [{command: [/bin/sleep, \"2\"]}]}\n");
    let _agent = Agent::start(&world, &[]);
    let ran = ask(&world, &["--json", "backup", "--remote"]).expect(0);
    let states: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(states.iter().all(|state| state["event"] == "run"), "{}", ran.err);
    assert!(states.iter().any(|state| state["run"]["step"] == "save"), "{}", ran.err);
    assert_eq!(states.last().unwrap()["run"]["outcome"], "success");
}

#[test]
fn the_end_of_a_run_is_the_exit_code_of_who_asked_for_it() {
    let world = scheduled("databases: []", "hooks: {before-save: [{command: [/bin/false]}]}\n");
    let agent = Agent::start(&world, &[]);
    let ran = ask(&world, &["backup", "--remote"]).expect(1);
    assert!(ran.err.contains("error: ") && ran.err.contains("hook"), "{}", ran.err);
    let failed = ask_json(&world, 1, &["backup", "--remote"]);
    assert_eq!(failed["error"]["kind"], "failed");

    let configure = |hooks: &str| {
        let before = agent.log().matches("reloaded").count();
        world.configure("databases: []", None, hooks);
        agent.wake();
        wait_until(|| agent.log().matches("reloaded").count() > before, || agent.log());
    };
    configure("hooks: {before-dump: [{command: [/bin/sh, -c, \"exit 75\"]}]}\n");
    ask(&world, &["backup", "--remote"]).expect(75);
    configure("");
    ask(&world, &["backup", "--remote"]).expect(0);
    // A site that was emptied is not believed.
    std::fs::remove_file(world.root.join("page")).unwrap();
    let ran = ask(&world, &["backup", "--remote"]).expect(3);
    assert!(
        ran.err.contains("not mounted") && ran.out.contains("INCOMPLETE: 1 thing"),
        "{}\n{}",
        ran.out,
        ran.err
    );
}

/// A run that was promised has an end, also if its process never got to be one.
#[test]
fn a_run_that_cannot_begin_is_told_with_the_reason() {
    let world = scheduled("databases: []", "");
    let _agent = Agent::start(&world, &[]);
    // What the agent had accepted is spoiled under it.
    std::fs::write(world.path("state/demo/agent.yaml"), "site: {nmae: x}\n").unwrap();
    let ran = ask(&world, &["backup", "--remote"]).expect(1);
    assert!(ran.err.contains("nmae"), "{}", ran.err);
    assert!(runs(&world).is_empty());
}

#[test]
fn a_run_at_work_is_shown_with_its_step_and_can_be_stopped() {
    let world = scheduled("databases: []", SLOW);
    let agent = Agent::start(&world, &[]);
    let idle = ask(&world, &["status"]).expect(0);
    assert!(idle.out.contains("demo  idle"), "{}", idle.out);
    let nothing = ask(&world, &["cancel"]).expect(2);
    assert!(nothing.err.contains("nothing at work for demo"), "{}", nothing.err);

    let follower = begin_to_ask(&world, &["backup", "--remote"]);
    let run = wait_for_step(&world, "save");
    let shown = ask(&world, &["status"]).expect(0);
    assert!(shown.out.contains(&format!("backup {run}: save")), "{}", shown.out);
    let ran = ask(&world, &["cancel"]).expect(0);
    assert!(ran.out.contains(&format!("{run} is asked to stop")), "{}", ran.out);
    let ended = end(follower).expect(130);
    assert!(ended.err.contains("cancelled"), "{}", ended.err);
    wait_until(|| at_work(&world).is_null(), || agent.log());
    let idle = ask(&world, &["status"]).expect(0);
    assert!(idle.out.contains("demo  idle"), "{}", idle.out);
    assert!(
        idle.out.lines().any(|line| line.contains("backup") && line.contains("cancelled")),
        "{}",
        idle.out
    );
    assert_eq!(text(&runs(&world)[0], "outcome"), "cancelled");
}

#[test]
fn a_run_that_waits_is_taken_back_by_the_beginning_of_its_name() {
    let world = scheduled("databases: []", SLOW);
    let agent = Agent::start(&world, &[]);
    let first = ask(&world, &["backup", "--remote", "--no-wait"]).expect(0);
    let first = first.out.trim().to_owned();
    assert_eq!(wait_for_step(&world, "save"), first);
    let follower = begin_to_ask(&world, &["backup", "--remote"]);
    let queue = || ask_json(&world, 0, &["status"])["result"]["sites"][0]["queue"].clone();
    wait_until(|| !queue()[0].is_null(), || agent.log());
    let second = text(&queue()[0], "run").to_owned();
    let shown = ask(&world, &["status"]).expect(0);
    assert!(shown.out.contains(&format!("waits: {second}")), "{}", shown.out);

    let ran = ask(&world, &["cancel", &first[..8]]).expect(2);
    assert!(ran.err.contains("several runs begin with"), "{}", ran.err);
    let ran = ask(&world, &["cancel", "nothing"]).expect(2);
    assert!(ran.err.contains("no run \"nothing\"") && ran.err.contains("try: "), "{}", ran.err);
    let taken = ask_json(&world, 0, &["cancel", &second[..second.len() - 1]]);
    assert_eq!((text(&taken["result"], "run"), text(&taken["result"], "was")), (second.as_str(), "waiting"));
    let ended = end(follower).expect(130);
    assert!(ended.err.contains("it was taken back before it began"), "{}", ended.err);
    assert!(queue()[0].is_null());
    assert_eq!(text(&at_work(&world), "id"), first, "the other one goes on");
    let gone = ask_json(&world, 0, &["cancel"]);
    assert_eq!((text(&gone["result"], "run"), text(&gone["result"], "was")), (first.as_str(), "running"));
    wait_until(
        || runs(&world).len() == 1 && text(&runs(&world)[0], "outcome") == "cancelled",
        || agent.log(),
    );
}

#[test]
fn who_stops_looking_on_does_not_stop_the_run() {
    let world = scheduled("databases: []", "hooks: {before-save: [{command: [/bin/sleep, \"4\"]}]}\n");
    let agent = Agent::start(&world, &[]);
    let follower = begin_to_ask(&world, &["backup", "--remote"]);
    let run = wait_for_step(&world, "save");
    kill(Pid::from_raw(follower.id().cast_signed()), Signal::SIGINT).unwrap();
    let ran = end(follower).expect(130);
    assert!(
        ran.err.contains(&format!("{run} goes on")) && ran.err.contains("lifeboat cancel"),
        "{}",
        ran.err
    );
    wait_until(|| text(&runs(&world)[0], "outcome") == "success", || agent.log());
}

#[test]
fn an_agent_that_goes_and_comes_back_is_waited_for() {
    let world = scheduled("databases: []", "hooks: {before-save: [{command: [/bin/sleep, \"4\"]}]}\n");
    let agent = Agent::start(&world, &[]);
    let follower = begin_to_ask(&world, &["backup", "--remote"]);
    wait_for_step(&world, "save");
    // It lets the run end, and is gone with its token.
    agent.signal(Signal::SIGTERM);
    assert_eq!(agent.wait(), Some(0));
    let _next = Agent::start(&world, &[]);
    let ran = end(follower).expect(0);
    assert!(ran.out.contains("saved: 3 files"), "{}", ran.out);
}

#[test]
fn the_history_is_listed_as_it_is_here() {
    let world = scheduled("databases: []", "");
    world.backup();
    world.run(&["check"]).expect(0);
    let _agent = Agent::start(&world, &[]);
    let remote = ask(&world, &["runs", "--remote"]).expect(0);
    let words = |text: &str| {
        text.lines().skip(1).map(|line| line.split("  ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words(&remote.out), words(&world.run(&["runs"]).expect(0).out));
    let one = ask_json(&world, 0, &["runs", "--remote", "-n", "1"]);
    let id = text(&one["result"][0], "id").to_owned();
    assert_eq!(one["result"].as_array().unwrap().len(), 1);
    let told = ask(&world, &["runs", "--remote", &id[..id.len() - 1]]).expect(0);
    assert!(told.out.contains("check began (manual)") && told.out.ends_with(": success\n"), "{}", told.out);
    ask(&world, &["runs", "--remote", "nothing"]).expect(2);
}

#[test]
fn without_an_agent_it_is_said_and_what_to_do() {
    let world = scheduled("databases: []", "");
    for arguments in [&["status"][..], &["top"], &["cancel"], &["backup", "--remote"], &["runs", "--remote"]]
    {
        let ran = ask(&world, arguments).expect(1);
        assert!(
            ran.err.contains("no agent answers at ") && ran.err.contains("lifeboat agent"),
            "{}",
            ran.err
        );
        let document = ask_json(&world, 1, arguments);
        assert!(document["error"]["remedy"].is_string(), "{document:#}");
    }
    // One that was killed leaves its socket behind.
    drop(Agent::start(&world, &[]));
    assert!(world.path("agent.sock").exists());
    let ran = ask(&world, &["status"]).expect(1);
    assert!(ran.err.contains("no agent answers at "), "{}", ran.err);
}

#[test]
fn options_of_asking_and_of_doing_do_not_mix() {
    let world = scheduled("databases: []", "");
    for option in ["--no-rotation", "--scheduled", "--tag=x"] {
        let ran = ask(&world, &["backup", "--remote", option]).expect(2);
        assert!(ran.err.contains("cannot be used with") && ran.err.contains("--remote"), "{}", ran.err);
    }
    let ran = ask(&world, &["backup"]).expect(2);
    assert!(ran.err.contains("--agent") && ran.err.contains("add --remote"), "{}", ran.err);
    world.run(&["runs", "--site", "demo"]).expect(2);
    world.run(&["backup", "--no-wait"]).expect(2);
    ask(&world, &["runs", "--remote", "--follow"]).expect(2);
    for place in ["http://backup.example:1", "https://user@host", "host"] {
        world.run(&["status", "--agent", place]).expect(2);
    }
}

/// Root may open every socket: somebody else asks here.
#[test]
fn another_users_agent_says_who_may_ask() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let world = scheduled("databases: []", "");
    let _agent = Agent::start(&world, &[]);
    // A copy that everybody may start, and a directory that everybody may enter.
    let place = tempfile::tempdir().unwrap();
    let binary = place.path().join("lifeboat");
    std::fs::copy(env!("CARGO_BIN_EXE_lifeboat"), &binary).unwrap();
    for path in [place.path().to_owned(), binary.clone(), world.path("")] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(&binary);
    command
        .args(["status", "--agent"])
        .arg(world.path("agent.sock"))
        .stdin(Stdio::null())
        .uid(65_534)
        .gid(65_534);
    let ran = Ran::of(&command.output().unwrap()).expect(1);
    assert!(ran.err.contains("belongs to another user") && ran.err.contains("--token-file"), "{}", ran.err);
}

#[test]
fn of_several_sites_one_is_named() {
    let (world, other) = (scheduled("databases: []", SLOW), scheduled("databases: []", ""));
    let sites = world.path("conf.d");
    std::fs::create_dir(&sites).unwrap();
    let configuration = std::fs::read_to_string(other.path("lifeboat.yaml")).unwrap();
    let configuration = configuration.replace("name: demo", "name: other");
    std::fs::write(other.path("lifeboat.yaml"), &configuration).unwrap();
    other.init();
    std::fs::write(sites.join("other.yaml"), &configuration).unwrap();
    let agent = Agent::start(&world, &[]);
    let all = ask(&world, &["status"]).expect(0);
    assert!(all.out.contains("demo") && all.out.contains("other"), "{}", all.out);
    let one = ask(&world, &["status", "--site", "other"]).expect(0);
    assert!(!one.out.contains("demo ") && one.out.contains("other"), "{}", one.out);
    ask(&world, &["status", "--site", "nothing"]).expect(2);
    ask(&world, &["backup", "--remote", "--site", "other"]).expect(0);
    assert_eq!(runs(&other).len(), 1);
    // That of the configuration.
    let run = ask(&world, &["backup", "--remote", "--no-wait"]).expect(0).out;
    assert_eq!(wait_for_step(&world, "save"), run.trim());
    // A name needs no site.
    ask(&world, &["cancel", run.trim()]).expect(0);
    wait_until(|| text(&runs(&world)[0], "outcome") == "cancelled", || agent.log());
    let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    command.args(["-c", "/nonexistent", "backup", "--remote", "--agent"]).arg(world.path("agent.sock"));
    let ran = Ran::of(&command.stdin(Stdio::null()).output().unwrap()).expect(2);
    assert!(ran.err.contains("give --site with one of: demo, other"), "{}", ran.err);
}

#[test]
fn a_token_is_asked_for_elsewhere_and_allows_what_it_says() {
    let world = scheduled("databases: []", "");
    let certificates = Certificates::new();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = free();
    let tokens = world.path("tokens.json");
    let file = |name: &str, scope: &str| {
        let made =
            world.json(0, &["token", "add", name, "--scope", scope, "--tokens", tokens.to_str().unwrap()]);
        let path = world.path(name);
        std::fs::write(&path, text(&made["result"], "token")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (look, act) = (file("look", "read"), file("act", "backup"));
    let url = format!("http://127.0.0.1:{port}");
    let plain = Agent::start(&world, &["--listen", &format!("127.0.0.1:{port}")]);
    let bare = world.run(&["status", "--agent", &url]).expect(2);
    assert!(bare.err.contains("--token-file"), "{}", bare.err);
    world.run(&["status", "--agent", &url, "--token-file", &look]).expect(0);
    let from_environment =
        world.command(&["status", "--agent", &url]).env("LIFEBOAT_TOKEN_FILE", &look).output();
    Ran::of(&from_environment.unwrap()).expect(0);
    let refused = world.run(&["backup", "--remote", "--agent", &url, "--token-file", &look]).expect(2);
    assert!(refused.err.contains("needs a token with the scope backup"), "{}", refused.err);
    world.run(&["backup", "--remote", "--agent", &url, "--token-file", &act]).expect(0);
    std::fs::write(&look, "lb_000000000000_wrong").unwrap();
    let wrong = world.run(&["status", "--agent", &url, "--token-file", &look]).expect(2);
    assert!(
        wrong.err.contains("does not know this token") && !wrong.err.contains("lb_0000"),
        "{}",
        wrong.err
    );
    std::fs::set_permissions(&act, std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = world.run(&["status", "--agent", &url, "--token-file", &act]).expect(2);
    assert!(open.err.contains("everybody can read the token"), "{}", open.err);
    std::fs::set_permissions(&act, std::fs::Permissions::from_mode(0o600)).unwrap();
    drop(plain);

    let port = free();
    let [certificate, key, ca] =
        ["cert.pem", "key.pem", "ca.pem"].map(|name| certificates.path(name).to_str().unwrap().to_owned());
    let address = format!("127.0.0.1:{port}");
    let arguments = ["--listen", &address, "--tls-certificate", &certificate, "--tls-key", &key];
    let _encrypted = Agent::start(&world, &arguments);
    let url = format!("https://localhost:{port}");
    world.run(&["backup", "--remote", "--agent", &url, "--token-file", &act, "--ca", &ca]).expect(0);
    let stranger = world.run(&["status", "--agent", &url, "--token-file", &act]).expect(1);
    assert!(stranger.err.contains("not to be trusted") && stranger.err.contains("--ca"), "{}", stranger.err);
    let url = format!("https://127.0.0.1:{port}");
    world.run(&["status", "--agent", &url, "--token-file", &act, "--ca", &ca]).expect(1);
}

/// Lines of a process as they come, until it is asked to stop.
struct Lines {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
    seen: String,
}

impl Lines {
    fn of(mut child: Child) -> Self {
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said, seen: String::new() }
    }

    #[track_caller]
    fn wait_for(&mut self, wanted: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "{wanted:?} did not come:\n{}", self.seen);
            self.seen.push_str(&line);
            if line.contains(wanted) {
                return line;
            }
        }
    }

    /// What it still says, and its exit code.
    fn stop(mut self) -> (String, Option<i32>) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT).unwrap();
        self.said.read_to_string(&mut self.seen).unwrap();
        let code = self.child.wait().unwrap().code();
        (self.seen, code)
    }
}

#[test]
fn top_tells_lines_where_there_is_no_terminal() {
    let world = scheduled("databases: []", "");
    let agent = Agent::start(&world, &[]);
    let mut people = Lines::of(begin_to_ask(&world, &["top"]));
    let mut programs = Lines::of(begin_to_ask(&world, &["--json", "status", "--watch"]));
    people.wait_for("demo  idle");
    programs.wait_for("\"sites\"");
    let run = ask(&world, &["backup", "--remote", "--no-wait"]).expect(0).out.trim().to_owned();
    people.wait_for(&format!("demo: {run} ended success"));
    loop {
        let line: Value = serde_json::from_str(&programs.wait_for("\"run\"")).unwrap();
        if line["data"]["standing"] == "ended" {
            assert_eq!(
                (text(&line["data"], "id"), &line["data"]["outcome"]),
                (run.as_str(), &Value::from("success"))
            );
            break;
        }
    }
    // An agent that is gone is waited for.
    drop(agent);
    people.wait_for("! ");
    programs.wait_for("\"lost\"");
    let next = Agent::start(&world, &[]);
    people.wait_for("demo  idle");
    let again = ask(&world, &["backup", "--remote", "--no-wait"]).expect(0).out.trim().to_owned();
    people.wait_for(&format!("demo: {again} ended success"));
    let (told, code) = people.stop();
    assert_eq!(code, Some(0), "{}", next.log());
    assert!(!told.contains('\u{1b}'), "no terminal, no escapes: {told:?}");
    let (told, code) = programs.stop();
    assert_eq!(code, Some(0));
    assert!(told.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{told}");
}

#[test]
fn the_token_is_seen_nowhere_but_in_its_file() {
    let world = scheduled("databases: []", "hooks: {before-save: [{command: [/bin/sleep, \"3\"]}]}\n");
    let agent = Agent::start(&world, &[]);
    let token = std::fs::read_to_string(world.path("agent.sock.token")).unwrap();
    let secret = token.trim().splitn(3, '_').last().unwrap().to_owned();
    assert!(secret.len() > 40);
    let mut outputs = Vec::new();
    let follower = begin_to_ask(&world, &["--json", "backup", "--remote"]);
    let run = wait_for_step(&world, "save");
    for process in [vec![follower.id().cast_signed()], agent.runs()].concat() {
        for file in ["cmdline", "environ"] {
            let text = std::fs::read(format!("/proc/{process}/{file}")).unwrap();
            outputs.push((format!("{file} of {process}"), String::from_utf8_lossy(&text).into_owned()));
        }
    }
    for arguments in [&["status"][..], &["--json", "status"], &["runs", "--remote"], &["cancel", "nothing"]] {
        let ran = ask(&world, arguments);
        outputs.push((format!("{arguments:?}"), ran.out + &ran.err));
    }
    let ended = end(follower).expect(0);
    outputs.push(("backup --remote".to_owned(), ended.out + &ended.err));
    for name in
        [format!("state/demo/runs/{run}.jsonl"), "state/demo/agent.json".to_owned(), "audit.jsonl".to_owned()]
    {
        outputs.push((name.clone(), std::fs::read_to_string(world.path(&name)).unwrap()));
    }
    outputs.push(("the log".to_owned(), agent.log()));
    for (name, text) in &outputs {
        assert!(!text.is_empty() || name.starts_with("environ"), "{name} says nothing: it was not looked at");
        assert!(!text.contains(&secret), "{name} has the token");
    }
    assert!(outputs.iter().any(|(name, text)| name == "audit.jsonl" && text.contains("/backups")));
}
