//! Scripts of both kinds: their syntax by their own interpreters, and what they ask of the platform and of the manifest.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::vocabulary::METHODS;
use super::{Lint, placeholder};

/// Asks Node about all texts at once: a body of a function, an expression, or a pattern with a text that must match it.
const NODE: &str = r"
const said = require('fs').readFileSync(0, 'utf8');
console.log(JSON.stringify(JSON.parse(said).map(({kind, text, more}) => {
    const plain = text.replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '0');
    try {
        if (kind === 'body') new Function(plain);
        else if (kind === 'expression') new Function('return (' + plain + ');');
        else if (!new RegExp(text).test(more === null ? '' : more) && more !== null) return 'refuses its own default ' + more;
        return null;
    } catch (error) { return String(error.message); }
})));";

pub(super) struct Check {
    place: String,
    kind: &'static str,
    text: String,
    more: Option<String>,
}

impl Check {
    fn new(kind: &'static str, place: &str, text: &str) -> Self {
        Self { place: place.to_owned(), kind, text: text.to_owned(), more: None }
    }

    pub(super) fn body(place: &str, text: &str) -> Self {
        Self::new("body", place, text)
    }

    pub(super) fn expression(place: &str, text: &str) -> Self {
        Self::new("expression", place, text)
    }

    pub(super) fn shell(place: &str, text: &str) -> Self {
        Self::new("shell", place, text)
    }

    pub(super) fn regex(place: &str, text: &str, default: Option<String>) -> Self {
        Self { more: default, ..Self::new("regex", place, text) }
    }
}

pub(super) fn check(lint: &mut Lint<'_>) {
    files(lint);
    let (shell, rest): (Vec<_>, Vec<_>) =
        std::mem::take(&mut lint.checks).into_iter().partition(|check| check.kind == "shell");
    for check in shell {
        if let Some(complaint) = sh(&resolved(&check.text)) {
            lint.say(&check.place, format!("is no script of a shell: {complaint}"));
        }
    }
    for (check, complaint) in rest.iter().zip(node(&rest)) {
        if let Some(complaint) = complaint {
            let what = match check.kind {
                "body" => "is no script",
                "expression" => "is no condition",
                _ => "is no fitting pattern",
            };
            lint.say(&check.place, format!("{what}: {complaint}"));
        }
    }
}

fn files(lint: &mut Lint<'_>) {
    let uses = lint.scripts.clone();
    let names: BTreeSet<_> = uses.iter().filter_map(|(_, file, _)| file.clone()).collect();
    for name in names {
        let Some(text) = (lint.file)(&name) else { continue };
        lint.checks.push(Check::body(&name, &text));
        placeholder::text(lint, &name, &text, &placeholder::Scope::Nothing);
        bare(lint, &name, &text);
        methods(lint, &name, &text);
        let asked = parameters(&text);
        for (place, _, given) in uses.iter().filter(|(_, file, _)| file.as_ref() == Some(&name)) {
            for one in asked.iter().filter(|one| !given.contains(one)) {
                // An optional one is given by some callers only, and the script says so by an empty default.
                if !text.contains(&format!("getParam(\"{one}\") || \"\"")) {
                    lint.say(place, format!("{name} asks for the parameter {one}, and is not given it"));
                }
            }
            let by_name = text.contains("getParam(name)");
            for one in given.iter().filter(|one| !asked.contains(*one) && !by_name) {
                lint.say(place, format!("{name} never asks for the parameter {one}"));
            }
        }
    }
}

/// A placeholder that stands in code, not in a string, becomes code: what cannot be resolved is a syntax error then.
fn bare(lint: &mut Lint<'_>, name: &str, text: &str) {
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("${") {
            if line[..at].matches('"').count() % 2 == 0 {
                lint.say(name, format!("has a placeholder outside of a string: {}", line.trim()));
            }
        }
    }
}

fn methods(lint: &mut Lint<'_>, name: &str, text: &str) {
    for (at, _) in text.match_indices("api.") {
        let whole = |char: char| char.is_alphanumeric() || char == '.';
        if text[..at].chars().next_back().is_some_and(|before| whole(before) || before == '"') {
            continue;
        }
        let method: String = text[at + 4..].chars().take_while(|char| whole(*char)).collect();
        if !METHODS.contains(&method.as_str()) {
            lint.say(name, format!("the platform has no method {method}"));
        }
    }
}

fn parameters(text: &str) -> BTreeSet<String> {
    let found = text.match_indices("getParam(\"").map(|(at, start)| &text[at + start.len()..]);
    let named = found.filter_map(|rest| rest.split('"').next().map(str::to_owned));
    // A script's own function by which it asks.
    let by_function = ["value(\"", "checked(\""].into_iter().flat_map(|call| text.match_indices(call));
    let more =
        by_function.filter_map(|(at, start)| text[at + start.len()..].split('"').next().map(str::to_owned));
    if text.contains("getParam(name)") { named.chain(more).collect() } else { named.collect() }
}

/// The text with a word in place of each placeholder.
fn resolved(text: &str) -> String {
    let mut plain = text.to_owned();
    for inner in placeholder::find(text).0 {
        plain = plain.replace(&format!("${{{inner}}}"), "word");
    }
    plain
}

fn sh(text: &str) -> Option<String> {
    let mut child = Command::new("sh")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("start sh");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("give it the text");
    let output = child.wait_with_output().expect("run sh");
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

fn node(checks: &[Check]) -> Vec<Option<String>> {
    let asked: Vec<Value> = checks
        .iter()
        .map(|check| json!({ "kind": check.kind, "text": check.text, "more": check.more }))
        .collect();
    let mut child = Command::new("node")
        .args(["-e", NODE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start node");
    let text = serde_json::to_vec(&asked).expect("is JSON");
    child.stdin.take().expect("piped").write_all(&text).expect("ask node");
    let output = child.wait_with_output().expect("run node");
    assert!(output.status.success(), "node could not look at the scripts");
    serde_json::from_slice(&output.stdout).expect("what node says is JSON")
}
