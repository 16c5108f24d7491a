//! Forms, their fields, and the buttons that open them.

use std::collections::BTreeSet;

use serde_yaml::{Mapping, Value};

use super::script::Check;
use super::vocabulary::{BUTTON, FIELD, FIELD_TYPES, FORM};
use super::{Lint, join, said};

/// Shown, and not submitted.
const SILENT: [&str; 4] = ["displayfield", "spacer", "compositefield", "tooltip"];

pub(super) fn check(lint: &mut Lint<'_>) {
    if let Some(value) = lint.get("onBeforeInit") {
        lint.init_script("onBeforeInit", value);
    }
    if let Some(value) = lint.get("onBeforeInstall") {
        lint.init_script("onBeforeInstall", value);
    }
    for (name, form) in lint.forms() {
        let place = join("settings", name);
        let Some(map) = form.as_mapping() else {
            lint.say(&place, "is not a form");
            continue;
        };
        lint.keys(&place, map, FORM);
        if let Some(script) = map.get("onBeforeInit") {
            lint.init_script(&join(&place, "onBeforeInit"), script);
        }
        match map.get("fields") {
            Some(Value::Sequence(fields)) => {
                self::fields(lint, &join(&place, "fields"), fields, &mut BTreeSet::new());
            }
            _ => lint.say(&join(&place, "fields"), "is not a list of fields"),
        }
    }
    for kind in ["buttons", "menu"] {
        buttons(lint, kind);
    }
}

fn fields(lint: &mut Lint<'_>, place: &str, all: &[Value], names: &mut BTreeSet<String>) {
    for (at, value) in all.iter().enumerate() {
        let place = format!("{place}[{at}]");
        match value.as_mapping() {
            Some(map) => field(lint, &place, map, names),
            None => lint.say(&place, "is not a field"),
        }
    }
}

fn field(lint: &mut Lint<'_>, place: &str, map: &Mapping, names: &mut BTreeSet<String>) {
    let kind = map.get("type").map_or_else(|| "string".to_owned(), said);
    let Some((_, more)) = FIELD_TYPES.iter().find(|(name, _)| *name == kind) else {
        lint.say(&join(place, "type"), format!("there is no type of field {kind}"));
        return;
    };
    lint.keys(place, map, &[FIELD, more].concat());
    let name = map.get("name").map(said);
    match &name {
        None if !SILENT.contains(&kind.as_str()) => {
            lint.say(&join(place, "name"), "is missing: the value could not be asked for");
        }
        Some(name) if !names.insert(name.clone()) => {
            lint.say(&join(place, "name"), format!("{name} is the name of another field of this form"));
        }
        _ => {}
    }
    if let Some(required) = map.get("required").filter(|required| !required.is_bool()) {
        lint.say(&join(place, "required"), format!("{} is neither true nor false", said(required)));
    }
    if let Some(regex) = map.get("regex") {
        lint.checks.push(Check::regex(&join(place, "regex"), &said(regex), map.get("default").map(said)));
    }
    values(lint, place, &kind, map);
    range(lint, place, map);
    if let Some(Value::Sequence(items)) = map.get("items") {
        fields(lint, &join(place, "items"), items, names);
    }
    show_if(lint, place, &kind, map, names);
}

/// The values that can be chosen, whichever way they are written.
fn choices(values: &Value) -> Option<Vec<String>> {
    match values {
        Value::Mapping(map) => Some(map.keys().map(said).collect()),
        Value::Sequence(list) => {
            let value = |entry: &Value| Some(said(entry.get("value").or(entry.get("name"))?));
            list.iter().map(value).collect()
        }
        _ => None,
    }
}

fn values(lint: &mut Lint<'_>, place: &str, kind: &str, map: &Mapping) {
    let needs = ["list", "radiolist", "radio-fieldset", "checkboxlist"].contains(&kind);
    let Some(values) = map.get("values") else {
        if needs && map.get("dependsOn").is_none() {
            lint.say(&join(place, "values"), "is missing: there is nothing to choose");
        }
        return;
    };
    let Some(choices) = choices(values) else {
        lint.say(&join(place, "values"), "is neither a map nor a list of {value, caption}");
        return;
    };
    let free = map.get("editable").and_then(Value::as_bool) == Some(true);
    if let Some(default) = map.get("default").map(said)
        && !choices.is_empty()
        && !free
        && !choices.contains(&default)
    {
        lint.say(&join(place, "default"), format!("{default} is none of the values"));
    }
}

fn range(lint: &mut Lint<'_>, place: &str, map: &Mapping) {
    let number = |key: &str| map.get(key).and_then(Value::as_f64);
    let (Some(min), Some(max)) = (number("min"), number("max")) else { return };
    if min > max {
        lint.say(&join(place, "max"), format!("{max} is below the minimum {min}"));
    } else if number("default").is_some_and(|default| default < min || default > max) {
        lint.say(&join(place, "default"), format!("is not between {min} and {max}"));
    }
}

fn show_if(lint: &mut Lint<'_>, place: &str, kind: &str, map: &Mapping, names: &mut BTreeSet<String>) {
    let Some(shown) = map.get("showIf") else { return };
    let place = join(place, "showIf");
    let Some(shown) = shown.as_mapping() else {
        lint.say(&place, "is not a map of values to fields");
        return;
    };
    let allowed = match kind {
        "toggle" | "checkbox" => vec!["true".to_owned(), "false".to_owned()],
        _ => map.get("values").and_then(choices).unwrap_or_default(),
    };
    for (value, inner) in shown {
        let (value, place) = (said(value), join(&place, &said(value)));
        if !allowed.contains(&value) {
            lint.say(&place, format!("{value} is none of the values"));
        }
        match inner {
            Value::Sequence(inner) => fields(lint, &place, inner, names),
            Value::Mapping(inner) => field(lint, &place, inner, names),
            _ => lint.say(&place, "is no list of fields"),
        }
    }
}

fn buttons(lint: &mut Lint<'_>, kind: &str) {
    let entries = match lint.get(kind) {
        None => return,
        Some(Value::Sequence(entries)) => entries.clone(),
        Some(Value::Mapping(entry)) => vec![Value::Mapping(entry.clone())],
        Some(_) => return lint.say(kind, "is not a list of buttons"),
    };
    let mut captions = BTreeSet::new();
    for (at, entry) in entries.iter().enumerate() {
        let place = format!("{kind}[{at}]");
        let Some(map) = entry.as_mapping() else {
            lint.say(&place, "is not a button");
            continue;
        };
        lint.keys(&place, map, BUTTON);
        let caption = map.get("caption").map(said);
        match caption {
            None => lint.say(&join(&place, "caption"), "is missing"),
            Some(caption) if !captions.insert(caption.clone()) => {
                lint.say(&join(&place, "caption"), format!("there is another {caption}"));
            }
            Some(_) => {}
        }
        button(lint, &place, map);
    }
}

fn button(lint: &mut Lint<'_>, place: &str, map: &Mapping) {
    let form = map.get("settings").map(said);
    match map.get("action").map(said) {
        None if map.get("href").is_none() => {
            lint.say(&join(place, "action"), "is missing: nothing would happen");
        }
        Some(action) if !lint.own_actions().any(|own| own == action) => {
            lint.say(&join(place, "action"), format!("there is no action {action}"));
        }
        _ => {}
    }
    let Some(form) = form else {
        for key in ["title", "submitButtonText"].into_iter().filter(|key| map.contains_key(*key)) {
            lint.say(&join(place, key), "belongs to a form, and this button has none");
        }
        return;
    };
    if map.contains_key("href") {
        lint.say(&join(place, "href"), "cannot stand beside a form");
    }
    let found = lint.forms().into_iter().find(|(name, _)| *name == form);
    match found {
        None => lint.say(&join(place, "settings"), format!("there is no form {form}")),
        Some((_, found)) if found.get("submitUnchanged").and_then(Value::as_bool) != Some(true) => {
            lint.say(
                &format!("settings.{form}"),
                "has no submitUnchanged: the button would refuse the form as it opens",
            );
        }
        Some(_) => {}
    }
}
