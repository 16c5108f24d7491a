//! Events and actions: what is called, with what, and what runs on a node.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::{Mapping, Value};

use super::placeholder::{Scope, find};
use super::script::Check;
use super::vocabulary::{BESIDE, BUILT_IN, METHODS, PAIRED, SINGLE};
use super::{Lint, join, said};

/// Which actions call which, to find those that call themselves.
type Calls = BTreeMap<String, BTreeSet<String>>;

pub(super) fn check(lint: &mut Lint<'_>) {
    let (mut calls, mut called) = (Calls::new(), BTreeSet::new());
    let root = lint.root;
    for (key, value) in root {
        let name = said(key);
        if name.starts_with("on") && name != "onBeforeInit" && name != "onBeforeInstall" {
            event(lint, &name);
            list(lint, &name, value, &mut called);
        }
    }
    for (key, value) in root.get("actions").and_then(Value::as_mapping).into_iter().flatten() {
        let (name, mut inner) = (said(key), BTreeSet::new());
        if BUILT_IN.iter().any(|(built_in, _)| *built_in == name) {
            lint.say(&join("actions", &name), "is the name of an action of the platform's own");
        }
        list(lint, &join("actions", &name), value, &mut inner);
        called.extend(inner.iter().cloned());
        calls.insert(name, inner);
    }
    for list in ["buttons", "menu"] {
        let entries = root.get(list).and_then(Value::as_sequence).into_iter().flatten();
        called.extend(entries.filter_map(|entry| Some(said(entry.get("action")?))));
    }
    for name in calls.keys().filter(|name| !called.contains(*name)) {
        lint.say(&join("actions", name), "is called by nothing");
    }
    for name in calls.keys().filter(|name| reaches(&calls, name, name, &mut BTreeSet::new())) {
        lint.say(&join("actions", name), "calls itself, and would never end");
    }
}

fn reaches(calls: &Calls, from: &str, to: &str, seen: &mut BTreeSet<String>) -> bool {
    calls
        .get(from)
        .into_iter()
        .flatten()
        .any(|next| next == to || (seen.insert(next.clone()) && reaches(calls, next, to, seen)))
}

/// `onAfterRedeployContainer [cp]`, `onCustomNodeEvent [name:x]`.
fn event(lint: &mut Lint<'_>, key: &str) {
    let (name, filter) = match key.split_once('[') {
        Some((name, rest)) => (name.trim(), Some(rest)),
        None => (key, None),
    };
    let paired = name.strip_prefix("onBefore").or_else(|| name.strip_prefix("onAfter"));
    if !SINGLE.contains(&name) && !paired.is_some_and(|what| PAIRED.contains(&what)) {
        lint.say(key, format!("there is no event {name}"));
        return;
    }
    let custom = ["onCustomNodeEvent", "onAlert"].contains(&name);
    let Some(filter) = filter else {
        if custom {
            lint.say(key, "has no [name:...]: it would hear everybody's");
        }
        return;
    };
    let Some(filter) = filter.strip_suffix(']') else {
        lint.say(key, "has a filter that does not end");
        return;
    };
    for part in filter.split(',') {
        match part.split_once(':') {
            Some((what, _)) if ["nodeGroup", "nodeType", "nodeId", "name", "id"].contains(&what.trim()) => {}
            Some((what, _)) => lint.say(key, format!("filters by {what}, which is no property of an event")),
            None if custom => lint.say(key, "has no [name:...]: it would hear everybody's"),
            None => lint.group(key, part.trim()),
        }
    }
}

fn list(lint: &mut Lint<'_>, place: &str, value: &Value, called: &mut BTreeSet<String>) {
    match value {
        Value::Sequence(items) if items.is_empty() => lint.say(place, "does nothing"),
        Value::Sequence(items) => {
            let mut after_if = false;
            for (at, item) in items.iter().enumerate() {
                after_if = one(lint, &format!("{place}[{at}]"), item, after_if, called);
            }
        }
        Value::Null => lint.say(place, "does nothing"),
        other => drop(one(lint, place, other, false, called)),
    }
}

/// One item of a list; whether an `else` may follow.
fn one(
    lint: &mut Lint<'_>,
    place: &str,
    item: &Value,
    after_if: bool,
    called: &mut BTreeSet<String>,
) -> bool {
    match item {
        Value::String(name) => {
            call(lint, place, name, None, called);
            false
        }
        Value::Mapping(map) => {
            let mut conditional = false;
            for (key, value) in map {
                let key = said(key);
                let place = join(place, &key);
                conditional |= entry(lint, &place, &key, value, map, after_if, called);
            }
            conditional
        }
        _ => {
            lint.say(place, "is no action");
            false
        }
    }
}

fn entry(
    lint: &mut Lint<'_>,
    place: &str,
    key: &str,
    value: &Value,
    beside: &Mapping,
    after_if: bool,
    called: &mut BTreeSet<String>,
) -> bool {
    let (name, selector) = match key.split_once('[') {
        Some((name, rest)) if !key.starts_with("if") => (name.trim(), Some(rest.trim_end_matches(']'))),
        _ => (key, None),
    };
    for group in selector.into_iter().flat_map(|selector| selector.split(',')) {
        lint.group(place, group.trim());
    }
    let word = name.split('(').next().unwrap_or_default().trim();
    match word {
        "if" | "elif" | "else" => {
            if word != "if" && !after_if {
                lint.say(place, "follows no if");
            }
            let condition = name.strip_prefix(word).unwrap_or_default().trim();
            if word != "else" {
                lint.checks.push(Check::expression(place, condition));
            }
            list(lint, place, value, called);
            true
        }
        "forEach" => {
            list(lint, place, value, called);
            false
        }
        "script" => {
            script(lint, place, value, beside);
            false
        }
        "cmd" => {
            cmd(lint, place, value, beside);
            false
        }
        _ if BESIDE.contains(&word) && beside.len() > 1 => false,
        _ => {
            call(lint, place, name, Some(value), called);
            false
        }
    }
}

fn call(lint: &mut Lint<'_>, place: &str, name: &str, value: Option<&Value>, called: &mut BTreeSet<String>) {
    if lint.own_actions().any(|own| own == name) {
        called.insert(name.to_owned());
        super::placeholder::called(lint, place, name, &super::scope_of(value));
        return;
    }
    if let Some((_, needs)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        for need in needs.iter().filter(|need| value.and_then(|value| value.get(**need)).is_none()) {
            lint.say(&join(place, need), "is missing");
        }
        if name == "stopEvent" {
            let kind = value.and_then(|value| value.get("type")).map(said).unwrap_or_default();
            if !["error", "warning", ""].contains(&kind.as_str()) {
                lint.say(&join(place, "type"), format!("{kind} is neither error nor warning"));
            }
        }
        return;
    }
    let method =
        name.strip_prefix("environment.").map_or_else(|| name.to_owned(), |rest| format!("env.{rest}"));
    if !METHODS.contains(&method.as_str()) {
        lint.say(place, format!("there is no action {name}"));
    }
}

fn script(lint: &mut Lint<'_>, place: &str, value: &Value, beside: &Mapping) {
    let (text, params) = match value {
        Value::Mapping(map) => (map.get("script"), map.get("params")),
        other => (Some(other), beside.get("params")),
    };
    let Some(text) = text.and_then(Value::as_str) else {
        lint.say(place, "is no script");
        return;
    };
    let names = match params {
        None => Vec::new(),
        Some(Value::Mapping(map)) => map.keys().map(said).collect(),
        Some(_) => {
            lint.say(&join(place, "params"), "is not a map");
            Vec::new()
        }
    };
    lint.script(place, text, names);
}

/// What a shell on the node is given, by root unless somebody else is meant.
fn cmd(lint: &mut Lint<'_>, place: &str, value: &Value, beside: &Mapping) {
    let (text, user) = match value {
        Value::Mapping(map) => (map.get("commands"), map.get("user")),
        other => (Some(other), beside.get("user")),
    };
    let text = match text {
        Some(Value::Sequence(lines)) => lines.iter().map(said).collect::<Vec<_>>().join("\n"),
        Some(Value::String(text)) => text.clone(),
        _ => {
            lint.say(place, "has no commands");
            return;
        }
    };
    if user.is_none() {
        lint.say(place, "names no user: it would run as one that may do nothing");
    }
    for inner in find(&text).0 {
        let name: String = inner.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
        if name.chars().all(|char| char.is_uppercase() || char == '_' || char.is_numeric()) {
            lint.say(
                place,
                format!(
                    "${{{inner}}} is taken for a placeholder, and never reaches the shell: write ${name}"
                ),
            );
        }
        if ["settings.", "user.", "event."].iter().any(|root| inner.starts_with(root)) {
            lint.say(
                place,
                format!(
                    "${{{inner}}} is somebody's text in the middle of a command: have a script check it first"
                ),
            );
        }
    }
    lint.checks.push(Check::shell(place, &text));
    // What only a shell could refer to is of no scope.
    super::placeholder::text(lint, place, &text, &Scope::Any);
}
