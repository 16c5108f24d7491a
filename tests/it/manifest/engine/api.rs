//! The platform's methods that the manifests call, answered as its documentation says.

use serde_json::{Value, json};

use super::{Environment, Platform};

pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) args: &'a [Value],
}

impl Asked<'_> {
    fn text(&self, at: usize) -> String {
        match self.args.get(at) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    fn number(&self, at: usize) -> u32 {
        self.text(at).parse().unwrap_or_else(|_| panic!("{} is given {:?}", self.method, self.args))
    }
}

fn done() -> Value {
    json!({ "result": 0 })
}

fn described(env: &Environment) -> Value {
    let nodes: Vec<_> = env
        .nodes
        .iter()
        .map(|node| json!({ "id": node.id, "nodeGroup": node.group, "ismaster": node.master, "intIP": node.address }))
        .collect();
    json!({
        "result": 0,
        "env": { "envName": env.name, "displayName": env.name, "domain": format!("{}.example.com", env.name), "appid": format!("appid-{}", env.name), "status": 1, "properties": { "projectScope": env.scope } },
        "envGroups": env.groups.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "nodes": nodes,
    })
}

/// Answers one call; `own` is the environment whose add-on calls.
pub(super) fn answer(platform: &Platform, asked: &Asked<'_>) -> Value {
    match asked.method {
        "env.control.GetEnvs" => {
            let infos: Vec<_> = platform.lock().environments.iter().map(described).collect();
            json!({ "result": 0, "infos": infos })
        }
        "env.control.GetEnvInfo" => {
            let name = asked.text(0);
            platform
                .lock()
                .environments
                .iter()
                .find(|env| env.name == name)
                .map_or(json!({ "result": 11 }), described)
        }
        "env.control.ExecCmdById" => {
            assert_eq!(asked.text(1), "session", "the second argument of ExecCmdById is the session");
            let commands: Value = serde_json::from_str(&asked.text(3)).expect("commands as JSON");
            let command = commands[0]["command"].as_str().expect("a command").to_owned();
            exec(platform, &asked.text(0), asked.number(2), &command)
        }
        "env.file.GetMountPoints" => {
            let mounts = platform.node(&asked.text(0), asked.number(2)).mounts;
            let points: Vec<_> = mounts
                .iter()
                .map(|(at, (_, source))| json!({ "path": at, "sourcePath": source, "type": "EXTERNAL" }))
                .collect();
            json!({ "result": 0, "array": points })
        }
        "env.file.AddMountPointById" => {
            let (env, node, point, source) = (asked.text(0), asked.number(2), asked.text(3), asked.text(6));
            assert_eq!(asked.text(4), "nfs4");
            let server = platform.lock().address(asked.number(7));
            platform.tell(&format!("  mount of {source} at {point} on node {node} of {env}"));
            if platform.lock().refused.contains(&source) {
                return json!({ "result": 2060, "error": "this path is not exported" });
            }
            platform.change(&env, node, |node| {
                if node.mounts.contains_key(&point) {
                    return json!({ "result": 2031, "error": "there is a mount point" });
                }
                if node.attach(&point, server, &source) {
                    done()
                } else {
                    json!({ "result": 99, "error": "mount failed" })
                }
            })
        }
        "env.file.RemoveMountPointById" => {
            let point = asked.text(3);
            platform.tell(&format!("  unmount of {point} on node {} of {}", asked.number(2), asked.text(0)));
            platform.change(&asked.text(0), asked.number(2), |node| {
                node.detach(&point);
                done()
            })
        }
        "marketplace.app.GetAddonList" => {
            json!({ "result": 0, "apps": platform.lock().others.iter().map(|id| json!({ "app_id": id, "isInstalled": true })).collect::<Vec<_>>() })
        }
        "env.control.SetDiskLimitByGroup" => {
            assert_eq!((asked.text(1), asked.text(2)), ("session".to_owned(), "storage".to_owned()));
            platform.tell(&format!("  disk of {}: {} MB", asked.text(0), asked.number(3)));
            done()
        }
        "billing.account.GetQuotas" => {
            let quotas = [("storage.node.disk.limitation", 50_000), ("environment.maxsamenodescount", 6)];
            let found = quotas.iter().filter(|(name, _)| *name == asked.text(0));
            let found: Vec<_> = found.map(|(name, value)| json!({ "quota": name, "value": value })).collect();
            json!({ "result": 0, "array": found })
        }
        "message.email.Send" => {
            platform.lock().mails.push(format!("to {}: {}", asked.text(3), asked.text(5)));
            done()
        }
        other => panic!("the engine has no method {other}"),
    }
}

/// A method that stands in a manifest as an action: the platform adds whose it is.
pub(super) fn act(platform: &Platform, env: &str, method: &str, given: &Value) -> Value {
    let mut inner = platform.lock();
    let env = inner.environment(env);
    match method {
        "env.control.AttachEnvGroup" => {
            env.groups.push(given["envGroup"].as_str().expect("a group").to_owned());
        }
        "env.control.ApplyEnvProperty" => {
            given["data"]["projectScope"].as_str().expect("a scope").clone_into(&mut env.scope);
        }
        other => panic!("the engine has no action {other}"),
    }
    done()
}

pub(super) fn exec(platform: &Platform, env: &str, node: u32, command: &str) -> Value {
    let node = platform.node(env, node);
    // Without the platform held: what runs there may itself raise events that ask for something.
    let ran = node.run(command);
    let response = json!({ "out": ran.out, "errOut": ran.err, "exitStatus": ran.code });
    let result = if ran.code == 0 { 0 } else { 4109 };
    json!({ "result": result, "error": ran.err, "responses": [response], "out": ran.out, "errOut": ran.err })
}
