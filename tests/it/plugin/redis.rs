//! The shipped plugin for Redis on a real server: backup, restore, undo, and restores that are killed.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{private, shipped, until};
use crate::world::World;

const PASSWORD: &str = "p'w \"x";

/// Processes whose directory is below this one, or was: a server writes its title over what else it could be known by.
fn at_work_in(place: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ours = |entry: &fs::DirEntry| {
        fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(place))
    };
    entries.filter(ours).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A server of our own, gone when dropped.
struct Redis {
    server: Child,
    port: u16,
}

impl Redis {
    fn start(directory: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "bind 127.0.0.1\nport {port}\ndir {}\nsave \"\"\nlogfile log\nrequirepass \"{}\"\nrepl-diskless-sync-delay 0\n",
            directory.display(),
            PASSWORD.replace('"', "\\\"")
        );
        let file = directory.join("redis.conf");
        fs::write(&file, settings).unwrap();
        let server = Command::new("redis-server").arg(&file).stdout(Stdio::null()).spawn().unwrap();
        let redis = Self { server, port };
        until("the server's start", || redis.ask(&["PING"]) == "PONG");
        redis
    }

    fn ask(&self, command: &[&str]) -> String {
        let mut asked = Command::new("redis-cli");
        asked.args(["-p", &self.port.to_string()]).args(command).env("REDISCLI_AUTH", PASSWORD);
        let said = asked.stderr(Stdio::null()).output().unwrap().stdout;
        String::from_utf8_lossy(&said).trim().replace('\r', "")
    }

    fn info(&self, section: &str) -> String {
        self.ask(&["INFO", section])
    }

    /// Everything that somebody could see in it: keys of two databases, of each kind, with their times to live.
    fn content(&self) -> String {
        let script = "local all = {}
            for database = 0, 3, 3 do
                redis.call('SELECT', database)
                local keys = redis.call('KEYS', '*')
                table.sort(keys)
                for _, key in ipairs(keys) do
                    local kind = redis.call('TYPE', key).ok
                    local value
                    if kind == 'string' then value = redis.call('GET', key)
                    elseif kind == 'list' then value = table.concat(redis.call('LRANGE', key, 0, -1), ',')
                    elseif kind == 'zset' then value = table.concat(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'), ',')
                    elseif kind == 'stream' then value = cjson.encode(redis.call('XRANGE', key, '-', '+'))
                    else
                        value = redis.call(kind == 'set' and 'SMEMBERS' or 'HGETALL', key)
                        table.sort(value)
                        value = table.concat(value, ',')
                    end
                    all[#all + 1] = database .. ' ' .. key .. ' ' .. kind .. ' ' .. redis.call('PEXPIRETIME', key) .. ' ' .. value
                end
            end
            return table.concat(all, '\\n')";
        let found = self.ask(&["EVAL", script, "0"]);
        assert!(!found.starts_with("ERR"), "{found}");
        found
    }

    fn fill(&self) {
        for command in [
            &["SET", "s", "a \"quoted\" text"][..],
            &["SET", "soon", "x", "EX", "100000"],
            &["RPUSH", "l", "1", "2", "3"],
            &["SADD", "set", "b", "a"],
            &["HSET", "h", "k", "v"],
            &["ZADD", "z", "1.5", "m"],
            &["XADD", "x", "1-1", "f", "v"],
            &["-n", "3", "SET", "other", "database"],
            &["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 7 end)"],
        ] {
            let said = self.ask(command);
            assert!(!said.contains("ERR"), "{command:?}: {said}");
        }
    }

    /// As it was found: a master that was told no password.
    #[track_caller]
    fn is_free(&self) {
        assert!(self.info("replication").contains("role:master"), "{}", self.info("replication"));
        assert_eq!(self.ask(&["CONFIG", "GET", "masterauth"]), "masterauth");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

fn site(redis: &Redis) -> World {
    let world = World::new("databases: []");
    private(&world.path("login"), &format!("{PASSWORD}\n"));
    let databases = format!(
        "databases: [{{type: plugin, name: cache, command: [{}], options: {{port: {}, password: {{file: {}}}}}}}]",
        shipped("redis/plugin").display(),
        redis.port,
        world.path("login").display()
    );
    world.configure(&databases, None, "");
    world.write("index.php", "<?php");
    world.init();
    world
}

fn change(redis: &Redis) {
    redis.ask(&["FLUSHALL"]);
    redis.ask(&["FUNCTION", "FLUSH"]);
    redis.ask(&["SET", "s", "HACKED"]);
}

#[test]
fn a_server_comes_back_and_goes_again() {
    let home = tempfile::tempdir().unwrap();
    let redis = Redis::start(home.path());
    redis.fill();
    let world = site(&redis);
    let before = redis.content();
    assert!(before.lines().count() == 8 && before.contains("other"), "{before}");
    world.backup();
    change(&redis);
    let after = redis.content();

    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_eq!(redis.content(), before);
    assert_eq!(redis.ask(&["FCALL", "f", "0"]), "7");
    redis.is_free();
    world.run(&["restore", "--undo", "--yes"]).expect(0);
    assert_eq!(redis.content(), after);
    world.run(&["restore", "--undo", "--yes"]).expect(0);
    assert_eq!(redis.content(), before);
    redis.is_free();
}

#[test]
fn a_killed_restore_is_put_right_and_the_server_is_let_go() {
    let home = tempfile::tempdir().unwrap();
    let redis = Redis::start(home.path());
    redis.fill();
    for number in 0..100 {
        redis.ask(&["SET", &format!("key{number}"), "value"]);
    }
    let world = site(&redis);
    world.backup();
    change(&redis);
    let after = redis.content();

    // It loads what it fetches slowly, so that there is a time between.
    redis.ask(&["CONFIG", "SET", "key-load-delay", "20000"]);
    let mut child = world.command(&["restore", "--at", "latest", "--yes"]).spawn().unwrap();
    until("the exchange", || redis.info("replication").contains("master_host:127.76.66.1"));
    child.kill().unwrap();
    child.wait().unwrap();
    redis.ask(&["CONFIG", "SET", "key-load-delay", "0"]);
    world.run(&["recover"]).expect(0);
    assert_eq!(redis.content(), after);
    redis.is_free();
    assert_eq!(at_work_in(&world.path("state")), Vec::<String>::new());
}

#[test]
fn what_a_killed_restore_left_is_let_go_by_the_next() {
    let home = tempfile::tempdir().unwrap();
    let redis = Redis::start(home.path());
    redis.fill();
    let (world, before) = (site(&redis), redis.content());
    world.backup();
    redis.ask(&["SET", "s", "HACKED"]);
    redis.ask(&["CONFIG", "SET", "masterauth", "lifeboat-0123"]);
    redis.ask(&["REPLICAOF", "127.76.66.1", "1"]);
    world.run(&["restore", "--at", "latest", "--yes"]).expect(0);
    assert_eq!(redis.content(), before);
    redis.is_free();
}

#[test]
fn a_replica_of_somebody_else_is_refused_and_stays_one() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (redis, master) = (Redis::start(home.path()), Redis::start(other.path()));
    redis.fill();
    let world = site(&redis);
    world.backup();
    redis.ask(&["CONFIG", "SET", "masterauth", PASSWORD]);
    redis.ask(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
    until("the link", || redis.info("replication").contains("master_link_status:up"));
    let before = redis.content();
    let ran = world.run(&["restore", "--at", "latest", "--yes"]).expect(1);
    assert!(ran.err.contains("restore into its master"), "{}", ran.err);
    assert!(redis.info("replication").contains("master_host:127.0.0.1"));
    assert_eq!(redis.content(), before);
}

#[test]
fn it_keeps_the_contract() {
    let home = tempfile::tempdir().unwrap();
    let redis = Redis::start(home.path());
    redis.fill();
    let world = World::new("databases: []");
    let options = serde_json::json!({ "port": redis.port, "password": PASSWORD });
    fs::write(world.path("options"), options.to_string()).unwrap();
    let (plugin, options) = (shipped("redis/plugin"), world.path("options"));
    let (plugin, options) = (plugin.to_str().unwrap(), options.to_str().unwrap());
    world.run(&["plugin", "test", plugin, "--options", options, "--yes-overwrite"]).expect(0);
}
