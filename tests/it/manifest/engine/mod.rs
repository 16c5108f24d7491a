//! A platform in small: environments of nodes with roots of their own, a manifest that is installed in them, and its events,
//! buttons and scripts executed as its documentation describes.

mod api;
mod form;
mod node;
mod resolve;
mod run;
mod script;
mod server;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

pub(super) use self::form::Form;
pub(super) use self::node::Node;
use self::run::Runner;
pub(super) use self::run::Stop;
pub(super) use self::server::serve;

#[derive(Clone)]
pub(super) struct Platform {
    inner: Arc<Mutex<Inner>>,
}

pub(super) struct Inner {
    pub(super) environments: Vec<Environment>,
    /// What people of the platform see, in its order.
    transcript: String,
    /// The same as it comes, with the seconds: for who wonders where a story ended.
    log: Option<File>,
    begun: Instant,
    /// Of whom the transcript is: events come when they come.
    telling: Option<std::thread::ThreadId>,
    pub(super) mails: Vec<String>,
    /// Other add-ons in the account.
    pub(super) others: Vec<&'static str>,
    /// Sources that the storage does not export.
    pub(super) refused: Vec<String>,
    ended: bool,
}

pub(super) struct Environment {
    pub(super) name: String,
    pub(super) scope: String,
    pub(super) groups: Vec<String>,
    pub(super) nodes: Vec<Node>,
    pub(super) addon: Option<Addon>,
}

/// A manifest that is installed, with what it was told.
#[derive(Clone)]
pub(super) struct Addon {
    pub(super) manifest: Arc<Value>,
    pub(super) settings: Map<String, Value>,
    /// Its scripts, by their relative paths.
    pub(super) files: Arc<BTreeMap<String, String>>,
}

impl Platform {
    pub(super) fn new(log: &Path) -> Self {
        let inner = Inner {
            environments: Vec::new(),
            transcript: String::new(),
            log: File::create(log).ok(),
            begun: Instant::now(),
            telling: Some(std::thread::current().id()),
            mails: Vec::new(),
            others: Vec::new(),
            refused: Vec::new(),
            ended: false,
        };
        let platform = Self { inner: Arc::new(Mutex::new(inner)) };
        let listening = platform.clone();
        std::thread::spawn(move || listening.hear());
        platform
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, line: &str) {
        let mut inner = self.lock();
        if inner.telling == Some(std::thread::current().id()) {
            inner.transcript += line.trim_end();
            inner.transcript.push('\n');
            let seconds = inner.begun.elapsed().as_secs();
            if let Some(log) = &mut inner.log {
                writeln!(log, "{seconds:>4} {}", line.trim_end()).expect("write the log");
            }
        }
    }

    pub(super) fn transcript(&self) -> String {
        self.lock().transcript.clone()
    }

    pub(super) fn add(&self, name: &str, scope: &str, nodes: Vec<Node>) {
        let (name, scope) = (name.to_owned(), scope.to_owned());
        self.lock().environments.push(Environment { name, scope, groups: Vec::new(), nodes, addon: None });
    }

    /// An environment as a manifest describes it, whose nodes are numbered from here on.
    pub(super) fn create(
        &self,
        env: &str,
        first: u32,
        addon: &Addon,
        values: Map<String, Value>,
    ) -> Result<String, Stop> {
        let asked = Runner::new(self, env, addon.clone()).nodes(&values);
        let mut nodes = Vec::new();
        for asked in asked.as_array().unwrap() {
            assert_eq!(asked["nodeGroup"], "storage");
            let count = u32::try_from(asked["count"].as_u64().unwrap()).unwrap();
            nodes.extend((first..first + count).map(|id| Node::make(id, env, "storage")));
        }
        nodes.iter_mut().skip(1).for_each(|node| node.master = false);
        self.add(env, "", nodes);
        self.install(env, addon.clone(), values)
    }

    /// Another node of an environment, which is not the master.
    pub(super) fn join(&self, env: &str, mut node: Node) {
        node.master = false;
        self.lock().environment(env).nodes.push(node);
    }

    /// A node that is there no more.
    pub(super) fn leave(&self, env: &str, id: u32) {
        self.change(env, id, Node::restart);
        self.lock().environment(env).nodes.retain(|node| node.id != id);
    }

    /// Another node of the layer is its master from now on.
    pub(super) fn promote(&self, env: &str, id: u32) {
        for node in &mut self.lock().environment(env).nodes {
            node.master = node.id == id;
        }
    }

    pub(super) fn node(&self, env: &str, id: u32) -> Node {
        self.change(env, id, |node| node.clone())
    }

    pub(super) fn change<T>(&self, env: &str, id: u32, change: impl FnOnce(&mut Node) -> T) -> T {
        let mut inner = self.lock();
        let node = inner.environment(env).nodes.iter_mut().find(|node| node.id == id);
        change(node.unwrap_or_else(|| panic!("{env} has no node {id}")))
    }

    /// The form that is shown at installation, as its scripts made it.
    pub(super) fn open_install(&self, env: &str, addon: &Addon) -> Form {
        let manifest = (*addon.manifest).clone();
        let mut runner = Runner::new(self, env, addon.clone());
        let returned = match manifest["onBeforeInit"].as_str() {
            Some(script) => runner.init(script, &manifest["settings"], &manifest)["settings"].clone(),
            None => match manifest["settings"]["main"]["onBeforeInit"].as_str() {
                Some(script) => {
                    json!({ "main": runner.init(script, &manifest["settings"]["main"], &manifest) })
                }
                None => manifest["settings"].clone(),
            },
        };
        Form::new(&returned["main"])
    }

    pub(super) fn install(
        &self,
        env: &str,
        mut addon: Addon,
        values: Map<String, Value>,
    ) -> Result<String, Stop> {
        addon.settings = values;
        self.tell(&format!("INSTALL in {env}"));
        let mut runner = Runner::new(self, env, addon.clone());
        let ended = runner.event("onInstall", &json!({}), None);
        if ended.is_ok() {
            self.lock().environment(env).addon = Some(addon.clone());
        }
        let said = ended.map(|()| runner.text(&addon.manifest["success"]));
        self.told(&said);
        said
    }

    /// A button or an entry of the menu, by its caption; with what was chosen in its form, if it has one.
    pub(super) fn click(&self, env: &str, caption: &str, chosen: &[(&str, Value)]) -> Result<String, Stop> {
        let addon = self.addon(env);
        let button = ["buttons", "menu"]
            .iter()
            .flat_map(|list| addon.manifest[*list].as_array().unwrap())
            .find(|button| button["caption"] == caption)
            .unwrap_or_else(|| panic!("there is no button {caption}"));
        self.tell(&format!("CLICK {caption} in {env}"));
        if let Some(form) = button["settings"].as_str() {
            let values = self.form(env, form).filled(chosen);
            for (name, value) in &values {
                self.tell(&format!("  {name}: {}", shown(value)));
            }
            self.lock().environment(env).addon.as_mut().unwrap().settings.extend(values);
        }
        let addon = self.addon(env);
        let mut runner = Runner::new(self, env, addon);
        let ended = runner.action(button["action"].as_str().unwrap(), &Value::Null);
        let said = match ended {
            Ok(()) => Ok(button["successText"].as_str().unwrap_or("done").to_owned()),
            // A pop-up that is no error.
            Err(Stop::Message { kind, message }) if kind != "error" => Ok(format!("{kind}: {message}")),
            Err(stop) => Err(stop),
        };
        self.told(&said);
        said
    }

    /// A form as it opens.
    pub(super) fn form(&self, env: &str, name: &str) -> Form {
        let addon = self.addon(env);
        let form = addon.manifest["settings"][name].clone();
        let form = match form["onBeforeInit"].as_str() {
            Some(script) => Runner::new(self, env, addon.clone()).init(script, &form, &addon.manifest),
            None => form,
        };
        Form::new(&form)
    }

    /// Something happens to an environment. Before it does, the add-on may refuse.
    pub(super) fn happens(
        &self,
        env: &str,
        event: &str,
        about: &Value,
        group: Option<&str>,
    ) -> Result<(), Stop> {
        self.tell(&format!("EVENT {event} of {env}"));
        let addon = self.addon(env);
        let ended = Runner::new(self, env, addon).event(event, about, group);
        self.told(&ended.as_ref().map(|()| "done".to_owned()).map_err(Clone::clone));
        ended
    }

    fn told(&self, ended: &Result<String, Stop>) {
        let said = match ended {
            Ok(said) => said.clone(),
            Err(stop) => stop.to_string(),
        };
        for line in said.trim_end().lines().take(2) {
            self.tell(&format!("  > {}", plain(line)));
        }
    }

    pub(super) fn addon(&self, env: &str) -> Addon {
        self.lock().environment(env).addon.clone().unwrap_or_else(|| panic!("{env} has no add-on"))
    }

    /// Nodes raise events; whoever installed an add-on there hears them, whatever else is under way.
    fn hear(&self) {
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let inner = self.lock();
            if inner.ended {
                return;
            }
            let raised: Vec<_> = inner
                .environments
                .iter()
                .flat_map(|env| {
                    env.nodes.iter().flat_map(Node::events).map(|event| (env.name.clone(), event))
                })
                .collect();
            drop(inner);
            for (env, name) in raised {
                let platform = self.clone();
                std::thread::spawn(move || {
                    let addon = platform.lock().environment(&env).addon.clone();
                    if let Some(addon) = addon {
                        let event = format!("onCustomNodeEvent [name:{name}]");
                        let ended = Runner::new(&platform, &env, addon).event(&event, &json!({}), None);
                        if let Err(stop) = ended {
                            platform.lock().mails.push(format!("{event}: {stop}"));
                        }
                    }
                });
            }
        }
    }

    pub(super) fn end(&self) {
        let nodes: Vec<_> = self.lock().environments.iter().flat_map(|env| env.nodes.clone()).collect();
        self.lock().ended = true;
        nodes.iter().for_each(Node::stop);
    }
}

impl Inner {
    pub(super) fn environment(&mut self, name: &str) -> &mut Environment {
        let found = self.environments.iter_mut().find(|env| env.name == name);
        found.unwrap_or_else(|| panic!("there is no environment {name}"))
    }

    /// Where a node is reached, by its number alone.
    pub(super) fn address(&self, node: u32) -> &'static str {
        let mut nodes = self.environments.iter().flat_map(|env| &env.nodes);
        nodes.find(|one| one.id == node).unwrap_or_else(|| panic!("there is no node {node}")).address
    }
}

/// What a person sees, without what is different each time.
pub(super) fn plain(line: &str) -> String {
    // A restore that was over at once is no measure.
    let line = line.strip_suffix(", a guess").unwrap_or(line);
    line.split_whitespace().map(plain_word).collect::<Vec<_>>().join(" ")
}

fn plain_word(word: &str) -> String {
    let bare = word.trim_matches(|char: char| !char.is_ascii_alphanumeric());
    let rest = |is: &str| word.replace(bare, is);
    let digits = bare.chars().filter(char::is_ascii_digit).count();
    if bare.starts_with("http") {
        rest("URL")
    } else if ["B", "KiB", "MiB"].contains(&bare) {
        rest("UNIT")
    } else if bare.contains("Z-") || bare.contains("before-restore-") {
        rest("NAME")
    } else if bare.len() >= 8 && bare.chars().all(|char| char.is_ascii_hexdigit()) {
        rest("ID")
    } else if !bare.is_empty()
        && bare.replace(',', "").trim_end_matches(['K', 'M', 'G']).parse::<f64>().is_ok()
    {
        rest("N")
    } else if digits >= 6 && bare.contains(['-', ':']) {
        rest("TIME")
    } else {
        word.to_owned()
    }
}

fn shown(value: &Value) -> String {
    plain_word(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// A word of a command, likewise.
fn shown_word(word: &str) -> String {
    if word.len() > 60 { "...".to_owned() } else { shown(&json!(word)) }
}
