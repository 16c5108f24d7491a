//! Placeholders: known, and to be resolved where they stand. One that is not stays in the text as it is.

use std::collections::BTreeSet;

use serde_yaml::{Mapping, Value};

use super::vocabulary::{OF_NODES, ROOTS};
use super::{Lint, join, said};

/// What an action was given by who calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// Whatever is said of it elsewhere.
    Any,
    Nothing,
    /// `${this}` alone.
    Text,
    Named(BTreeSet<String>),
}

/// The insides of all placeholders of a text, outermost only, and whether one does not end.
pub(super) fn find(text: &str) -> (Vec<&str>, bool) {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(start) = rest.find("${") {
        let mut depth = 1;
        let end = rest[start + 2..].char_indices().find(|(_, char)| {
            depth += i32::from(*char == '{') - i32::from(*char == '}');
            depth == 0 || *char == '\n'
        });
        match end {
            Some((length, '}')) => {
                found.push(&rest[start + 2..start + 2 + length]);
                rest = &rest[start + 2 + length + 1..];
            }
            _ => return (found, true),
        }
    }
    (found, false)
}

/// Looks at every text of the document that nobody else looks at.
pub(super) fn check(lint: &mut Lint<'_>) {
    let root = lint.root;
    for (key, value) in root {
        walk(lint, &said(key), value);
    }
}

fn walk(lint: &mut Lint<'_>, place: &str, value: &Value) {
    match value {
        Value::String(text) => self::text(lint, place, text, &Scope::Any),
        Value::Sequence(items) => {
            for (at, value) in items.iter().enumerate() {
                walk(lint, &format!("{place}[{at}]"), value);
            }
        }
        Value::Mapping(map) => {
            for (key, value) in map {
                let key = said(key);
                // Commands are looked at with their own rules.
                if key.split(['[', ' ']).next() == Some("cmd") {
                    continue;
                }
                let place = join(place, &key);
                if key.contains("${") {
                    text(lint, &place, &key, &Scope::Any);
                }
                walk(lint, &place, value);
            }
        }
        _ => {}
    }
}

/// An own action is called: what it refers to as `${this...}` must be among what it is given, or have a default.
pub(super) fn called(lint: &mut Lint<'_>, place: &str, name: &str, scope: &Scope) {
    let body = lint.get("actions").and_then(|actions| actions.get(name));
    let Some(body) = body else { return };
    let text = serde_yaml::to_string(body).expect("was read from YAML");
    let mut missing = BTreeSet::new();
    for inner in find(&text).0 {
        let Some(wanted) = inner.strip_prefix("this.") else { continue };
        let bare: String = wanted.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
        let given = match scope {
            Scope::Named(names) => names.contains(&bare),
            Scope::Any => true,
            Scope::Nothing | Scope::Text => false,
        };
        if !given && !wanted[bare.len()..].starts_with(':') {
            missing.insert(bare);
        }
    }
    for name in missing {
        lint.say(place, format!("is not given {name}, to which it refers as ${{this.{name}}}"));
    }
}

pub(super) fn text(lint: &mut Lint<'_>, place: &str, text: &str, scope: &Scope) {
    let (found, unfinished) = find(text);
    if unfinished {
        lint.say(place, "has a placeholder that does not end");
    }
    for inner in found {
        if let Some(reason) = wrong(lint, inner) {
            lint.say(place, reason);
        }
        if inner.starts_with("this") && *scope == Scope::Nothing {
            lint.say(place, format!("${{{inner}}} refers to what no caller gives"));
        }
    }
}

/// Why a placeholder cannot be resolved.
fn wrong(lint: &Lint<'_>, inner: &str) -> Option<String> {
    let name = inner.split(':').next().unwrap_or_default();
    if name.starts_with('@') {
        return None;
    }
    let mut parts = name.split('.');
    let head = parts.next().unwrap_or_default();
    let root = head.split(['[', '(']).next().unwrap_or_default();
    let Some((_, members)) = ROOTS.iter().find(|(known, _)| *known == root) else {
        return Some(format!("${{{inner}}} is no placeholder that the platform knows"));
    };
    let member = parts.next().map(|part| part.split(['[', '(']).next().unwrap_or_default());
    let unknown = |what: &str| Some(format!("${{{inner}}} refers to {what}, which there is not"));
    match (root, member) {
        ("settings", Some(member)) => {
            let known = member == "jelastic_email" || name.contains('(') || fields(lint).contains(member);
            (!known).then(|| format!("${{{inner}}} refers to a field that no form has"))
        }
        ("globals", Some(member)) => {
            let globals = lint.get("globals").and_then(Value::as_mapping);
            let known = globals.is_some_and(|globals| globals.contains_key(member));
            (!known).then(|| format!("${{{inner}}} refers to a global that is not set"))
        }
        ("nodes", _) => {
            let last = name.rsplit('.').next().unwrap_or_default();
            (!OF_NODES.contains(&last))
                .then(|| format!("${{{inner}}} asks for something that nodes do not have"))
        }
        ("env" | "targetNodes" | "event" | "user" | "fn", None) => unknown("nothing"),
        (_, Some(member)) if !members.is_empty() && !members.contains(&member) => unknown(member),
        _ => None,
    }
}

/// Names of the fields of all forms, also of those that a form's own script makes.
fn fields(lint: &Lint<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (_, form) in lint.forms() {
        collect(form, &mut names);
        let script = form.get("onBeforeInit").and_then(Value::as_str).and_then(|path| (lint.file)(path));
        let script = script.unwrap_or_default();
        for (at, _) in script.match_indices("name: \"") {
            names.extend(script[at + 7..].split('"').next().map(str::to_owned));
        }
    }
    names
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Sequence(list) => list.iter().for_each(|value| collect(value, names)),
        Value::Mapping(map) => {
            names.extend(map.get("name").map(said));
            map_values(map).for_each(|value| collect(value, names));
        }
        _ => {}
    }
}

fn map_values(map: &Mapping) -> impl Iterator<Item = &Value> {
    map.iter().map(|(_, value)| value)
}
