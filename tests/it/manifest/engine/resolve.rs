//! Placeholders, resolved from what an action can see. What cannot be resolved stays as it is, as on the platform.

use serde_json::{Map, Value};

/// A text that is one placeholder becomes its value, of whatever kind.
pub(super) fn value(value: &Value, seen: &Value) -> Value {
    match value {
        Value::String(whole) => {
            let inner = whole.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            match inner.filter(|inner| !inner.contains("${")).and_then(|inner| look_up(inner, seen)) {
                Some(found) => found,
                None => Value::String(text(whole, seen)),
            }
        }
        Value::Array(list) => list.iter().map(|item| self::value(item, seen)).collect(),
        Value::Object(map) => {
            let resolved = map.iter().map(|(key, item)| (text(key, seen), self::value(item, seen)));
            Value::Object(resolved.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

pub(super) fn text(text: &str, seen: &Value) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        out += before;
        let Some((inner, behind)) = after.split_once('}') else {
            out += "${";
            rest = after;
            continue;
        };
        match look_up(inner, seen) {
            Some(Value::String(found)) => out += &found,
            Some(found) => out += &found.to_string(),
            None => {
                out += "${";
                out += inner;
                out.push('}');
            }
        }
        rest = behind;
    }
    out + rest
}

fn look_up(inner: &str, seen: &Value) -> Option<Value> {
    let (path, default) = match inner.split_once(':') {
        Some((path, default)) => (path, Some(default)),
        None => (inner, None),
    };
    let mut at = seen;
    for part in path.split('.') {
        at = match at {
            Value::Array(list) => match part {
                "first" => list.first(),
                "last" => list.last(),
                "master" => list.iter().find(|node| node["ismaster"] == true),
                _ => part.parse::<usize>().ok().and_then(|index| list.get(index)),
            },
            other => other.get(part),
        }
        .unwrap_or(&Value::Null);
    }
    if at.is_null() { default.map(|default| Value::String(default.to_owned())) } else { Some(at.clone()) }
}
