//! The example, the schema and the reader agree with each other.

use std::collections::BTreeSet;
use std::path::Path;

use lifeboat::config::{self, SecretRef, Starter, starter};
use lifeboat::schedule::{Elect, Level};
use serde_json::Value;
use tempfile::TempDir;

use super::write;

#[test]
fn the_example_is_accepted() {
    let home = TempDir::new().unwrap();
    let config = config::load(&write(&home.path().join("shop.yaml"), config::example(), 0o644)).unwrap();
    assert_eq!(config.site.name, "shop");
    assert_eq!(config.databases.as_ref().map(Vec::len), Some(5));
    assert_eq!(config.retention.last, Some(7));
    let policy = config.retention.policy();
    assert_eq!(policy.levels.of(Level::Weekly), Elect { keep: 4, reference: 6 });
    assert_eq!((policy.floor, policy.brake, policy.grace.as_secs()), (3, 50, 7 * 86_400));
    assert_eq!(config.hooks["before-dump"][0].timeout.as_secs(), 30);
}

#[test]
fn the_schema_describes_the_example() {
    let example: Value = serde_yaml::from_str(config::example()).unwrap();
    let schema = config::schema();
    if let Err(error) = check(&example, &schema, &schema) {
        panic!("{error}");
    }
    for (key, value) in [("nonsense", Value::Null), ("state", Value::from(7)), ("site", Value::from("shop"))]
    {
        let mut broken = example.clone();
        broken[key] = value;
        assert!(check(&broken, &schema, &schema).is_err(), "{key}");
    }
}

/// Every key of the schema is in the example, so that the reader has accepted each of them.
#[test]
fn the_example_leaves_nothing_out() {
    let mut keys = BTreeSet::new();
    collect(&config::schema(), &mut keys);
    for key in keys {
        assert!(config::example().contains(&format!("{key}:")), "{key} is not in the example");
    }
}

fn collect(schema: &Value, keys: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| collect(value, keys));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, keys)),
        _ => {}
    }
}

/// As much of JSON Schema as ours uses.
pub(crate) fn check(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).ok_or(format!("no {reference}"))?;
        check(value, target, root)?;
    }
    for union in ["anyOf", "oneOf"] {
        if let Some(options) = schema[union].as_array() {
            let results: Vec<_> = options.iter().map(|option| check(value, option, root)).collect();
            if !results.iter().any(Result::is_ok) {
                return Err(format!("{value} fits none of {results:?}"));
            }
        }
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        return Err(format!("{value} is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Err(format!("{value} is not in {}", schema["enum"]));
    }
    check_type(value, &schema["type"])?;
    check_properties(value, schema, root)?;
    for item in value.as_array().into_iter().flatten() {
        check(item, &schema["items"], root)?;
    }
    Ok(())
}

fn check_type(value: &Value, types: &Value) -> Result<(), String> {
    let fits = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        other => panic!("{other}"),
    };
    let fine = match types {
        Value::String(name) => fits(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(fits),
        _ => true,
    };
    if fine { Ok(()) } else { Err(format!("{value} is not of type {types}")) }
}

fn check_properties(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let Some(map) = value.as_object() else { return Ok(()) };
    for (key, inner) in map {
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => return Err(format!("{key} is not known")),
            (Value::Null, additional) => check(inner, additional, root)?,
            (property, _) => check(inner, property, root)?,
        }
    }
    for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !map.contains_key(key) {
            return Err(format!("{key} is missing in {value}"));
        }
    }
    Ok(())
}

#[test]
fn the_starter_is_accepted() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("shop.yaml");
    for (root, storage, name) in [
        ("/var/www/webroot/ROOT", "/backup", "site"),
        ("/srv/my shop: \"x\" #1/html", "nfs://10.0.0.5/data", "my-shop---x---1"),
        ("/home/null/public_html", "nfs://[fd00::5]/data/lifeboat", "null"),
    ] {
        let password = SecretRef::Literal(lifeboat::sys::secret::Secret::new("p\"a: #'\\ß{"));
        let text = starter(&Starter {
            name: None,
            root: Path::new(root),
            storage,
            mountpoint: Path::new("/mnt/lifeboat"),
            adopts: None,
            password,
            state: None,
            databases: None,
            recipe: None,
        })
        .unwrap();
        let config = config::load(&write(&file, &text, 0o600))
            .unwrap_or_else(|problems| panic!("{problems}\n{}", &*text));
        assert_eq!(
            (config.site.name.as_str(), config.site.root.as_path()),
            (name, Path::new(root)),
            "{}",
            &*text
        );
        assert_eq!(config.repository_password().unwrap().reveal(), "p\"a: #'\\ß{");
    }
}

#[test]
fn the_starter_refuses_what_could_not_work() {
    let start = |root: &str, storage: &str| {
        let password = SecretRef::File("/etc/lifeboat/password".into());
        starter(&Starter {
            name: None,
            root: Path::new(root),
            storage,
            mountpoint: Path::new("/mnt/lifeboat"),
            adopts: None,
            password,
            state: None,
            databases: None,
            recipe: None,
        })
        .map(drop)
    };
    assert!(start("/var/www/shop", "/backup").is_ok());
    assert!(
        start("/var/www/shop", "/var/www/shop/backup")
            .unwrap_err()
            .to_string()
            .contains("lies inside the site")
    );
    assert!(start("/var/www/shop", "backup").is_err());
    assert!(start("/var/www/shop", "nfs://server").is_err());
    assert!(start("/", "/backup").is_err());
}
