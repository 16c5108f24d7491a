//! Executes the actions of a manifest, one after the other, until one fails or says stop.

use std::fmt::{self, Display, Formatter};

use serde_json::{Map, Value, json};

use super::api::{self, Asked};
use super::script::Scripting;
use super::{Addon, Platform, resolve};

/// Why a list of actions ended before its end.
#[derive(Debug, Clone)]
pub(in crate::manifest) enum Stop {
    /// A pop-up.
    Message { kind: String, message: String },
    /// The operation of the platform is not done.
    Refused { message: String },
    /// A result other than zero.
    Failed { response: Value },
}

impl Display for Stop {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { kind, message } => write!(out, "{kind}: {message}"),
            Self::Refused { message } => write!(out, "REFUSED: {message}"),
            Self::Failed { response } => {
                write!(out, "FAILED: {}", response["error"].as_str().unwrap_or_default().trim_end())
            }
        }
    }
}

pub(super) struct Runner<'a> {
    platform: &'a Platform,
    env: String,
    addon: Addon,
    globals: Map<String, Value>,
    response: Value,
    event: Value,
    scripting: Scripting,
}

impl<'a> Runner<'a> {
    pub(super) fn new(platform: &'a Platform, env: &str, addon: Addon) -> Self {
        let globals = addon.manifest["globals"].as_object().cloned().unwrap_or_default();
        Self {
            platform,
            env: env.to_owned(),
            addon,
            globals,
            response: json!({}),
            event: json!({}),
            scripting: Scripting::start(),
        }
    }

    /// What placeholders can refer to.
    fn seen(&self, this: &Value) -> Value {
        let inner = self.platform.lock();
        let mut nodes = Map::new();
        // Before it is made, an environment has none.
        for node in inner.environments.iter().filter(|env| env.name == self.env).flat_map(|env| &env.nodes) {
            let list = nodes.entry(node.group).or_insert_with(|| json!([]));
            list.as_array_mut().unwrap().push(json!({ "id": node.id, "ismaster": node.master }));
        }
        json!({
            "env": {
                "envName": self.env, "domain": format!("{}.example.com", self.env), "appid": format!("appid-{}", self.env),
            },
            "nodes": nodes,
            "targetNodes": { "nodeGroup": "cp" },
            "settings": self.addon.settings,
            "globals": self.globals,
            "this": this,
            "response": self.response,
            "event": self.event,
            "user": { "email": "owner@example.com" },
            "baseUrl": self.addon.manifest["baseUrl"],
        })
    }

    pub(super) fn text(&self, value: &Value) -> String {
        resolve::text(value.as_str().unwrap_or_default(), &self.seen(&Value::Null))
    }

    pub(super) fn event(&mut self, name: &str, about: &Value, group: Option<&str>) -> Result<(), Stop> {
        self.event = about.clone();
        let manifest = self.addon.manifest.clone();
        for (key, actions) in manifest.as_object().unwrap() {
            let (event, filter) = key.split_once('[').map_or((key.as_str(), None), |(event, filter)| {
                (event.trim(), Some(filter.trim_end_matches(']')))
            });
            let heard = key == name || (event == name && filter.is_none_or(|filter| Some(filter) == group));
            if heard {
                self.list(actions, &Value::Null)?;
            }
        }
        Ok(())
    }

    /// A script that makes a form.
    pub(super) fn init(&mut self, script: &str, settings: &Value, jps: &Value) -> Value {
        let returned =
            self.script(script, &Value::Null, &json!({ "settings": settings, "jps": jps }), &Value::Null);
        assert!(returned.is_object(), "{script} returns {returned}");
        returned
    }

    /// The nodes that a manifest asks for, by its own script.
    pub(super) fn nodes(&mut self, settings: &Map<String, Value>) -> Value {
        let script = self.addon.manifest["onBeforeInstall"].as_str().expect("a script").to_owned();
        self.init(&script, &json!(settings), &Value::Null)["nodes"].clone()
    }

    pub(super) fn action(&mut self, name: &str, this: &Value) -> Result<(), Stop> {
        let body = self.addon.manifest["actions"][name].clone();
        assert!(!body.is_null(), "there is no action {name}");
        self.list(&body, this)
    }

    fn list(&mut self, actions: &Value, this: &Value) -> Result<(), Stop> {
        let one = [actions.clone()];
        let items = actions.as_array().map_or(&one[..], Vec::as_slice);
        let mut taken = false;
        for item in items {
            match item {
                Value::String(name) => self.action(name, &Value::Null)?,
                Value::Object(map) => self.entry(map, this, &mut taken)?,
                other => panic!("{other} is no action"),
            }
        }
        Ok(())
    }

    fn entry(&mut self, map: &Map<String, Value>, this: &Value, taken: &mut bool) -> Result<(), Stop> {
        if let Some(script) = map.get("script").and_then(Value::as_str) {
            let params = resolve::value(map.get("params").unwrap_or(&Value::Null), &self.seen(this));
            let returned = self.script(script, &params, &json!({}), this);
            return self.ended(returned);
        }
        for (key, value) in map {
            let word = key.split(['(', '[', ' ']).next().unwrap();
            match word {
                "user" | "params" => {}
                "cmd" => self.cmd(key, value, this)?,
                "if" => {
                    let condition = resolve::text(key.strip_prefix("if").unwrap(), &self.seen(this));
                    *taken = self.scripting.condition(&condition);
                    if *taken {
                        self.list(value, this)?;
                    }
                }
                "else" => {
                    if !*taken {
                        self.list(value, this)?;
                    }
                }
                "stopEvent" => {
                    let value = resolve::value(value, &self.seen(this));
                    return Err(Stop::Refused {
                        message: value["message"].as_str().unwrap_or_default().to_owned(),
                    });
                }
                "setGlobals" => {
                    let value = resolve::value(value, &self.seen(this));
                    self.globals.extend(value.as_object().unwrap().clone());
                }
                "install" => self.install(&resolve::value(value, &self.seen(this)))?,
                method if method.starts_with("env.") => {
                    let given = resolve::value(value, &self.seen(this));
                    self.platform.tell(&format!("  {method} of {}: {given}", self.env));
                    let response = api::act(self.platform, &self.env, method, &given);
                    self.ended(response)?;
                }
                own => {
                    let given = resolve::value(value, &self.seen(this));
                    self.action(own, &given)?;
                }
            }
        }
        Ok(())
    }

    fn cmd(&mut self, key: &str, value: &Value, this: &Value) -> Result<(), Stop> {
        let group = key.split_once('[').map_or("cp", |(_, rest)| rest.trim_end_matches(']')).to_owned();
        let command = resolve::text(value.as_str().unwrap(), &self.seen(this));
        let nodes: Vec<u32> = {
            let mut inner = self.platform.lock();
            let nodes = &inner.environment(&self.env).nodes;
            nodes.iter().filter(|node| node.group == group).map(|node| node.id).collect()
        };
        for node in nodes {
            self.platform.tell(&format!("  commands on node {node} of {}", self.env));
            let response = api::exec(self.platform, &self.env, node, &command);
            self.ended(response)?;
        }
        Ok(())
    }

    fn script(&mut self, script: &str, params: &Value, more: &Value, this: &Value) -> Value {
        let body = self.addon.files.get(script).cloned().unwrap_or_else(|| script.to_owned());
        let body = resolve::text(&body, &self.seen(this));
        let asked = json!({
            "body": body, "params": params, "session": "session", "signature": "signature",
            "appid": format!("appid-{}", self.env), "settings": more["settings"], "jps": more["jps"],
            "MANIFEST": *self.addon.manifest,
        });
        let platform = self.platform;
        self.scripting.run(&asked, &mut |method, args| {
            if method == "env.control.ExecCmdById" {
                let said = args[3].as_str().unwrap_or_default();
                let verb = said
                    .split("lifeboat/node ")
                    .nth(1)
                    .map(|rest| rest.split(['"', '\\', ';']).next().unwrap().trim_end());
                // What only looks is not told.
                if let Some(verb) = verb.filter(|verb| {
                    !["form", "list", "busy", "knows", "untold", "borrowed", "away"].contains(verb)
                }) {
                    let verb = verb.split(' ').map(super::shown_word).collect::<Vec<_>>().join(" ");
                    platform.tell(&format!(
                        "  node {} of {}: {verb}",
                        args[2].to_string().trim_matches('"'),
                        args[0].as_str().unwrap_or_default()
                    ));
                }
            }
            api::answer(platform, &Asked { method, args })
        })
    }

    /// What a script or a command came to.
    fn ended(&mut self, returned: Value) -> Result<(), Stop> {
        self.response = returned;
        match &self.response["result"] {
            Value::Number(number) if number.as_i64() == Some(0) => Ok(()),
            Value::String(kind) if kind == "0" => Ok(()),
            Value::String(kind) => {
                let message = self.response["message"].as_str().unwrap_or_default().to_owned();
                Err(Stop::Message { kind: kind.clone(), message })
            }
            _ => Err(Stop::Failed { response: self.response.clone() }),
        }
    }

    /// The add-on in another environment.
    fn install(&mut self, given: &Value) -> Result<(), Stop> {
        let env = given["envName"].as_str().expect("an environment").to_owned();
        assert_eq!(given["jps"]["id"], self.addon.manifest["id"]);
        // A value that could not be resolved is not given.
        let known = |value: &Value| !value.as_str().is_some_and(|text| text.starts_with("${"));
        let settings = given["settings"].as_object().unwrap().iter().filter(|(_, value)| known(value));
        let settings = settings.map(|(name, value)| (name.clone(), value.clone())).collect();
        self.platform.install(&env, self.addon.clone(), settings).map(drop)
    }
}
