//! Reads what a database plugin is told, and fetches the secrets in it when it is told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::duration;
use super::secret::{self, Privacy, SecretRef, Way, command};
use super::shape::Database;
use super::walk::{At, optional};
use crate::database::{PluginSpec, plugin};
use crate::error::Result;
use crate::sys::secret::Secret;

const DEFAULT_TIMEOUT: Duration = Duration::from_hours(1);
const MAX_TIMEOUT: Duration = Duration::from_hours(7 * 24);

/// A group with one of these alone refers to a secret.
const PLACES: [&str; 4] = ["file", "env", "command", "credential"];

/// A text under a key that ends so is a secret that is written out.
const SECRETS: [&str; 4] = ["password", "passphrase", "secret", "token"];

/// A value that a plugin is told.
#[derive(Clone, Debug)]
pub enum OptionValue {
    Secret(SecretRef),
    /// No list and no group.
    Plain(Value),
    List(Vec<OptionValue>),
    Group(BTreeMap<String, OptionValue>),
}

pub(super) fn read(at: &At<'_>, privacy: &Privacy) -> Option<Database> {
    let table = at.table(&["type", "name", "command", "options", "timeout"])?;
    let name = table.need("name", "choose a short name, such as cache").and_then(|at| name(&at));
    let remedy = "write the plugin's program with its whole path as a list";
    let command = table.need("command", remedy).and_then(|at| {
        // Whoever may only change the configuration must not bring in a program.
        at.has_secret(Way::Program);
        command(&at)
    });
    let options = optional(&table, "options", |at| group(at, privacy));
    let timeout = optional(&table, "timeout", |at| {
        let range = (Duration::from_secs(1)..=MAX_TIMEOUT, "1s to 168h");
        duration::between(at, range, "write it like 30m or 2h")
    });
    Some(Database::Plugin {
        name: name?,
        command: command?,
        options: options.ok()?.unwrap_or_default(),
        timeout: timeout.ok()?.unwrap_or(DEFAULT_TIMEOUT),
    })
}

/// It names a directory in every snapshot.
fn name(at: &At<'_>) -> Option<String> {
    let name = at.text()?;
    if !plugin::is_name(name) || name.len() > 64 {
        at.complain(
            "is not a plain name",
            "use up to 64 letters, digits, dots, dashes and underscores, such as cache",
        );
        return None;
    }
    Some(name.to_owned())
}

fn group(at: &At<'_>, privacy: &Privacy) -> Option<BTreeMap<String, OptionValue>> {
    let table = at.any_group()?;
    let mut options = BTreeMap::new();
    let keys: Vec<_> = table.keys().collect();
    for key in &keys {
        if let Some(value) = table.get(key).and_then(|at| value(key, &at, privacy)) {
            options.insert((*key).to_owned(), value);
        }
    }
    (options.len() == keys.len()).then_some(options)
}

fn value(key: &str, at: &At<'_>, privacy: &Privacy) -> Option<OptionValue> {
    let is_secret = SECRETS.iter().any(|end| key.to_ascii_lowercase().ends_with(end));
    if at.is_map() {
        let keys: Vec<_> = at.any_group()?.keys().collect();
        let refers = matches!(keys[..], [key] if PLACES.contains(&key));
        return if refers || is_secret {
            secret::read(at, privacy).map(OptionValue::Secret)
        } else {
            group(at, privacy).map(OptionValue::Group)
        };
    }
    if at.is_list() {
        let items = at.list()?;
        let values: Vec<_> = items.iter().filter_map(|at| value(key, at, privacy)).collect();
        return (values.len() == items.len()).then_some(OptionValue::List(values));
    }
    if is_secret {
        secret::read(at, privacy).map(OptionValue::Secret)
    } else {
        at.plain().map(OptionValue::Plain)
    }
}

/// What the plugin is started with; its secrets are fetched here. `key` is where the configuration has it.
pub(super) fn spec(
    (name, command, timeout): (&str, &[String], Duration),
    options: &BTreeMap<String, OptionValue>,
    key: &str,
    scratch: PathBuf,
) -> Result<PluginSpec> {
    let mut secrets = Vec::new();
    let key = format!("{key}.options");
    let options = resolve(&OptionValue::Group(options.clone()), &key, &mut secrets)?;
    Ok(PluginSpec {
        name: name.to_owned(),
        command: command.to_vec(),
        request: plugin::request(name, &options),
        secrets,
        timeout,
        scratch,
    })
}

fn resolve(value: &OptionValue, key: &str, secrets: &mut Vec<Secret>) -> Result<Value> {
    Ok(match value {
        OptionValue::Plain(value) => value.clone(),
        OptionValue::Secret(reference) => {
            let secret = reference.resolve(key)?;
            secrets.push(secret.clone());
            Value::from(secret.reveal())
        }
        OptionValue::List(items) => {
            let values = (0..)
                .zip(items)
                .map(|(number, item): (usize, _)| resolve(item, &format!("{key}[{number}]"), secrets));
            Value::Array(values.collect::<Result<_>>()?)
        }
        OptionValue::Group(group) => {
            let values = group
                .iter()
                .map(|(name, value)| Ok((name.clone(), resolve(value, &format!("{key}.{name}"), secrets)?)));
            Value::Object(values.collect::<Result<_>>()?)
        }
    })
}
