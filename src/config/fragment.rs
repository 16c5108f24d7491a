//! The part of a configuration that a recipe prints: read, and written anew, so that nothing but plain values gets in.

use serde_json::{Map, Value};

use super::document::plain;
use super::yaml;
use crate::error::{Error, Result};

/// YAML lines for a configuration, each as it stands at its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    pub(super) databases: Option<String>,
    /// Of the section `site`.
    pub(super) exclude: Option<String>,
    pub(super) hooks: Option<String>,
    pub(super) quiesce: Option<String>,
}

impl Fragment {
    /// Reads what a recipe printed. Whether the values are right is found when the configuration is.
    pub fn read(text: &str) -> Result<Self> {
        let node = yaml::parse(text).map_err(|refusal| {
            let line = refusal.line.map(|line| format!("line {line} ")).unwrap_or_default();
            Error::usage(format!("{line}{}", refusal.text)).with_remedy(refusal.remedy)
        })?;
        let Value::Object(sections) = plain(&node) else {
            return Err(Error::usage("is not a group of keys"));
        };
        let write = |key: &str, value: Value| {
            let document = Value::Object(Map::from_iter([(key.to_owned(), value)]));
            yaml::write(&document, &[&node]).map(|text| text.to_string()).map_err(Error::usage)
        };
        let mut found = Self::default();
        for (key, value) in sections {
            match (key.as_str(), value) {
                ("databases", value) => found.databases = Some(write("databases", value)?),
                ("hooks", value) => found.hooks = Some(write("hooks", value)?),
                ("quiesce", value) => found.quiesce = Some(write("quiesce", value)?),
                ("site", Value::Object(site)) if site.keys().eq(["exclude"]) => {
                    let text = write("exclude", site["exclude"].clone())?;
                    found.exclude = Some(text.split_inclusive('\n').flat_map(|line| ["  ", line]).collect());
                }
                (key, _) => {
                    return Err(Error::usage(format!("says {key}, which is not a recipe's to say"))
                        .with_remedy("let it print databases, site.exclude, hooks and quiesce alone"));
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_are_written_anew() {
        let text = "databases:\n  - {type: sqlite, path: '/a ''b'' \"c\"'}\nsite:\n  exclude: ['/x: y', \"*.log\"]\nhooks: {}\n";
        let found = Fragment::read(text).unwrap();
        assert_eq!(found.databases.unwrap(), "databases:\n- type: sqlite\n  path: /a 'b' \"c\"\n");
        assert_eq!(found.exclude.unwrap(), "  exclude:\n  - '/x: y'\n  - '*.log'\n");
        assert_eq!(found.hooks.unwrap(), "hooks: {}\n");
    }

    #[test]
    fn nothing_else_gets_in() {
        for text in [
            "storage: {type: local, path: /}",
            "site: {root: /}",
            "site: {exclude: [], root: /}",
            "state: /etc",
            "notify: {}",
            "- a",
            "databases: [",
            "a",
            "",
        ] {
            assert!(Fragment::read(text).is_err(), "{text}");
        }
    }
}
