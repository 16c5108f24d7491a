//! What a plugin says of itself and of its database; believed only as far as it is well formed.

use serde::{Deserialize, Serialize};

use super::call::{Call, Verb};
use crate::database::PluginSpec;
use crate::error::{Context, Error, Result};
use crate::event::Cx;

/// The version of the contract between plugins and us.
pub const PROTOCOL: u32 = 1;

/// Kinds of databases that are dumped without a plugin, in other forms.
const TAKEN: [&str; 4] = ["mysql", "postgresql", "sqlite", "plugin"];

const LONGEST_WORD: usize = 40;
const LONGEST_TEXT: usize = 300;

/// The answer to `describe`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Of the contract.
    pub version: u32,
    /// What kind of database it is, such as `redis`; a dump is only taken back by the same kind.
    pub engine: String,
    /// Product and version as the server calls itself.
    pub server: String,
    /// For people, without secrets: `Redis on 127.0.0.1:6379`.
    pub name: String,
    /// Whether the database must be held still by `quiesce` while it is dumped.
    #[serde(default)]
    pub quiesce: bool,
    /// Whether a dump says when its content is fixed, by a `moment` record.
    #[serde(default)]
    pub moment: bool,
    /// Names of the parts of a dump, if they are known before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// Equal whenever the content is equal, for a database of which two dumps of one content differ; asked for by tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl Description {
    /// Starts the plugin and asks; it must answer and end well.
    pub(super) fn ask(spec: &PluginSpec, cx: &Cx) -> Result<Self> {
        let mut call = Call::start(spec, Verb::Describe, cx)?;
        let name = call.name();
        let answer = call.ask(spec).map(drop).and_then(|()| call.answer());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(call.fail(error)),
        };
        call.end()?;
        Self::parse(&answer).with_context(|| format!("understand {name}"))
    }

    pub(super) fn parse(answer: &[u8]) -> Result<Self> {
        let found: Self = serde_json::from_slice(answer)
            .context("read the answer as JSON")
            .remedy("it must be one object with version, engine, server and name")?;
        if found.version != PROTOCOL {
            return Err(Error::failed(format!(
                "it speaks version {} of the contract, and this program version {PROTOCOL}",
                found.version
            ))
            .with_remedy("install a plugin that fits this version of Lifeboat"));
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if found.engine.is_empty() || found.engine.len() > LONGEST_WORD || !found.engine.bytes().all(plain) {
            return Err(Error::failed(format!("its engine {:.60?} is not a plain word", found.engine))
                .with_remedy("use up to 40 small letters, digits and dashes, such as redis"));
        }
        if TAKEN.contains(&found.engine.as_str()) {
            return Err(Error::failed(format!("its engine {} is one that needs no plugin", found.engine)));
        }
        let texts = [("server", &found.server), ("name", &found.name)];
        let texts = texts.into_iter().chain(found.fingerprint.iter().map(|text| ("fingerprint", text)));
        for (key, text) in texts {
            if text.is_empty() || text.len() > LONGEST_TEXT || text.chars().any(char::is_control) {
                let what = format!("its {key} is empty, has control characters, or is very long");
                return Err(Error::failed(what).with_remedy("use one line of up to 300 bytes"));
            }
        }
        if let Some(part) = found.parts.iter().find(|part| !super::frame::is_name(part)) {
            return Err(Error::failed(format!("it names a part {part:.60?}, which is not a plain name")));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(change: impl FnOnce(&mut Value)) -> Result<Description> {
        let mut answer =
            json!({"version": 1, "engine": "redis", "server": "Redis 7", "name": "Redis on a socket"});
        change(&mut answer);
        Description::parse(answer.to_string().as_bytes())
    }

    #[test]
    fn only_what_is_well_formed_is_believed() {
        let found = parse(|_| {}).unwrap();
        assert_eq!((found.engine.as_str(), found.quiesce, found.moment), ("redis", false, false));
        assert!(parse(|answer| answer["more"] = json!([1])).is_ok(), "later versions may say more");
        for (key, value) in [
            ("version", json!(2)),
            ("version", json!("1")),
            ("engine", json!("mysql")),
            ("engine", json!("../redis")),
            ("engine", json!("")),
            ("server", json!("a\nb")),
            ("name", json!("x".repeat(301))),
            ("name", json!(null)),
            ("quiesce", json!("yes")),
            ("parts", json!(["a/b"])),
            ("fingerprint", json!("\u{1b}[2J")),
        ] {
            assert!(parse(|answer| answer[key] = value.clone()).is_err(), "{key}: {value}");
        }
        assert!(Description::parse(b"{}").is_err() && Description::parse(b"").is_err());
    }
}
