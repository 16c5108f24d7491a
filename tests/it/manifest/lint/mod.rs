//! A linter for manifests: what the platform would refuse, pass over in silence, or trip over at the wrong moment. The platform
//! publishes neither a schema nor a validator.

mod action;
mod form;
mod placeholder;
mod script;
mod vocabulary;

use std::fmt::{self, Display, Formatter};

use serde_yaml::{Mapping, Value};

use self::placeholder::Scope;
use self::script::Check;
use self::vocabulary::{ONLY_INSTALL, TARGETS, TOP};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The path in the document, such as `actions.backup[0].cmd`, or the name of a file beside it.
    pub(super) place: String,
    /// The line in the document, as near as the path leads.
    pub(super) line: usize,
    pub(super) reason: String,
}

impl Display for Problem {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} (line {}): {}", self.place, self.line, self.reason)
    }
}

/// Everything that is wrong with a manifest; `file` gives what lies beside it, by its relative path.
pub(super) fn lint(text: &str, file: &dyn Fn(&str) -> Option<String>) -> Vec<Problem> {
    let root = match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Mapping(root)) => root,
        Ok(_) => return vec![Problem { place: ".".into(), line: 1, reason: "not a map of keys".into() }],
        Err(error) => {
            let line = error.location().map_or(1, |at| at.line());
            return vec![Problem { place: ".".into(), line, reason: format!("not YAML: {error}") }];
        }
    };
    let mut lint =
        Lint { text, file, root: &root, problems: Vec::new(), checks: Vec::new(), scripts: Vec::new() };
    lint.top();
    form::check(&mut lint);
    action::check(&mut lint);
    placeholder::check(&mut lint);
    script::check(&mut lint);
    lint.problems
}

struct Lint<'a> {
    text: &'a str,
    file: &'a dyn Fn(&str) -> Option<String>,
    root: &'a Mapping,
    problems: Vec<Problem>,
    /// What an interpreter is asked, all at once.
    checks: Vec<Check>,
    /// Each use of a script: its place, its file (none: written out), and the parameters that it is given.
    scripts: Vec<(String, Option<String>, Vec<String>)>,
}

impl<'a> Lint<'a> {
    fn say(&mut self, place: &str, reason: impl Into<String>) {
        let line = self.line_of(place);
        self.problems.push(Problem { place: place.to_owned(), line, reason: reason.into() });
    }

    fn line_of(&self, place: &str) -> usize {
        Lines::new(self.text).find(place) + 1
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.root.get(key)
    }

    /// Names of the manifest's own actions.
    fn own_actions(&self) -> impl Iterator<Item = &'a str> {
        let actions = self.get("actions").and_then(Value::as_mapping);
        actions.into_iter().flat_map(Mapping::keys).filter_map(Value::as_str)
    }

    fn forms(&self) -> Vec<(&'a str, &'a Value)> {
        let Some(settings) = self.get("settings").and_then(Value::as_mapping) else { return Vec::new() };
        if settings.contains_key("fields") {
            return vec![("main", self.root.get("settings").expect("is there"))];
        }
        settings.iter().filter_map(|(name, form)| Some((name.as_str()?, form))).collect()
    }

    fn keys(&mut self, place: &str, map: &Mapping, allowed: &[&str]) {
        for key in map.keys() {
            let name = said(key);
            if !allowed.contains(&name.as_str()) {
                self.say(&join(place, &name), "the platform knows no such key here");
            }
        }
    }

    fn top(&mut self) {
        for key in self.root.keys() {
            let name = said(key);
            if !TOP.contains(&name.as_str()) && !name.starts_with("on") {
                self.say(&name, "the platform knows no such key here");
            }
        }
        for needed in ["type", "name", "id", "baseUrl"] {
            if self.get(needed).and_then(Value::as_str).is_none_or(str::is_empty) {
                self.say(needed, "is missing");
            }
        }
        if self.get("jpsVersion").or(self.get("version")).is_none() {
            self.say("jpsVersion", "is missing");
        }
        let kind = self.get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "install" => {}
            "update" => self.targets(),
            _ => self.say("type", "is neither install nor update"),
        }
        for key in ONLY_INSTALL {
            if kind == "update" && self.get(key).is_some() {
                self.say(key, "is for manifests that make an environment");
            }
        }
        let base = self.get("baseUrl").and_then(Value::as_str).unwrap_or_default();
        if !base.is_empty() && !base.starts_with("https://") {
            self.say(
                "baseUrl",
                "is not an https address: whoever is on the way could change what is installed",
            );
        }
        if self.get("onInstall").is_none() {
            self.say("onInstall", "is missing: nothing would be installed");
        }
        for (name, value) in self.get("globals").and_then(Value::as_mapping).into_iter().flatten() {
            let (name, value) = (said(name), said(value));
            if name.ends_with("Hash")
                && !(value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
            {
                self.say(&join("globals", &name), "is not a SHA-256 in hexadecimal digits");
            }
        }
    }

    fn targets(&mut self) {
        match self.get("targetNodes") {
            None => self.say("targetNodes", "is missing: the add-on would be shown nowhere"),
            Some(Value::Mapping(map)) => {
                self.keys("targetNodes", map, TARGETS);
                for group in map.get("nodeGroup").into_iter().flat_map(texts) {
                    self.group("targetNodes.nodeGroup", &group);
                }
            }
            Some(_) => {}
        }
    }

    fn group(&mut self, place: &str, group: &str) {
        let known = vocabulary::GROUPS.contains(&group)
            || group == "*"
            || group.bytes().all(|byte| byte.is_ascii_digit());
        if !known && !group.contains("${") {
            self.say(place, format!("there is no node group {group}"));
        }
    }

    /// Scripts that run before anything is installed: a file beside the manifest.
    fn init_script(&mut self, place: &str, value: &Value) {
        match value.as_str() {
            Some(text) => self.script(place, text, Vec::new()),
            None => self.say(place, "is no script"),
        }
    }

    /// A script, by its file or written out.
    fn script(&mut self, place: &str, text: &str, params: Vec<String>) {
        let is_file = !text.contains(['\n', ' ', ';']);
        self.scripts.push((place.to_owned(), is_file.then(|| text.to_owned()), params));
        if is_file && (self.file)(text).is_none() {
            self.say(place, format!("there is no file {text}"));
        } else if !is_file {
            self.checks.push(Check::body(place, text));
        }
    }
}

/// The lines of a document by their columns, in which a path is followed as deep as it is written on lines of its own.
struct Lines<'a> {
    /// Where its content begins, and the content; nothing of comments, empty lines, and the lines of other texts.
    lines: Vec<(usize, &'a str)>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let plain = |line: &'a str| {
            let content = line.trim_start();
            let content = if content.starts_with('#') { "" } else { content };
            (line.len() - line.trim_start().len(), content)
        };
        Self { lines: text.lines().map(plain).collect() }
    }

    fn find(&self, place: &str) -> usize {
        let (mut rest, mut found, mut column, mut from) = (place, 0, 0, 0);
        while !rest.is_empty() {
            let index = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let index = index.and_then(|(index, rest)| Some((index.parse::<usize>().ok()?, rest)));
            let step = if let Some((index, after)) = index {
                self.item(from, column, index).map(|(line, column)| (line, column, line, after))
            } else {
                let rest = rest.trim_start_matches('.');
                self.key(from, column, rest).map(|(line, length)| (line, column, line + 1, &rest[length..]))
            };
            let Some((line, inner, next, after)) = step else { break };
            let is_key = index.is_none();
            (found, from, rest) = (line, next, after);
            column = if is_key { self.column_after(line, column) } else { inner };
        }
        found
    }

    /// Where the content of what follows a key begins.
    fn column_after(&self, line: usize, column: usize) -> usize {
        let next = self.lines.iter().skip(line + 1).find(|(_, content)| !content.is_empty());
        next.map_or(column, |(next, _)| *next)
    }

    fn item(&self, from: usize, column: usize, index: usize) -> Option<(usize, usize)> {
        let block = self
            .lines
            .iter()
            .enumerate()
            .skip(from)
            .take_while(|(_, (at, content))| content.is_empty() || *at >= column);
        let mut items = block.filter(|(_, (at, content))| *at == column && content.starts_with("- "));
        items.nth(index).map(|(line, _)| (line, column + 2))
    }

    /// The line of the longest key that the path begins with, and the key's length in the path.
    fn key(&self, from: usize, column: usize, path: &str) -> Option<(usize, usize)> {
        let mut best = None;
        for (line, (at, content)) in self.lines.iter().enumerate().skip(from) {
            // The first key of an item stands behind its dash.
            let (at, content) = match content.strip_prefix("- ") {
                Some(rest) if line == from => (at + 2, rest),
                _ => (*at, *content),
            };
            if content.is_empty() || at > column {
                continue;
            }
            if at < column {
                break;
            }
            let key = content.split_once(": ").map_or(content.trim_end_matches(':'), |(key, _)| key);
            let key = key.trim_matches('\'');
            let whole =
                path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
            if whole && best.is_none_or(|(_, length)| key.len() > length) {
                best = Some((line, key.len()));
            }
        }
        best
    }
}

/// What a key or a scalar is as text.
fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => {
            serde_yaml::to_string(value).expect("a scalar").trim_end().to_owned()
        }
        other => format!("{other:?}"),
    }
}

/// A list of texts, or one text with commas.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Sequence(list) => list.iter().map(said).collect(),
        other => said(other).split(',').map(|part| part.trim().to_owned()).collect(),
    }
}

fn join(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

/// What the placeholders of an action may refer to.
fn scope_of(params: Option<&Value>) -> Scope {
    match params {
        Some(Value::Mapping(map)) => Scope::Named(map.keys().map(said).collect()),
        Some(Value::Null) | None => Scope::Nothing,
        Some(_) => Scope::Text,
    }
}
