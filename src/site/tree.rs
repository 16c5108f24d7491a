//! What a file of settings says, as a tree: literal values, and in their places the reasons why others cannot be told.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map as JsonMap, Value as Json};

/// Why something cannot be told from the source alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Counted from 1; `None` if the thing is nowhere in the file.
    pub line: Option<u32>,
    /// Goes after the name: `comes from the function getenv()`, `is not defined`.
    pub why: String,
}

/// How PHP names what is in an array, or a property.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Number(i64),
    Text(Vec<u8>),
}

/// A value; it may be or hold a secret, so that it has no `Debug` that shows it.
#[derive(Clone, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    Number(i64),
    /// May be other than UTF-8.
    Text(Vec<u8>),
    Map(Map),
    Unreadable(Unreadable),
}

/// An array, an object's properties, or a section of a file.
#[derive(Clone, Default, PartialEq)]
pub struct Map {
    entries: BTreeMap<Key, Tree>,
    /// There may be more in it than what is listed.
    rest: Option<Unreadable>,
    /// What `$a[] = ...` would be called; it does not go back when something is removed.
    next: i64,
}

/// Where a value is looked for, as in `db.connection.default.host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(pub Vec<String>);

/// What stands where no value could be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// There is no such thing.
    Absent,
    Unreadable(Unreadable),
}

impl Key {
    /// As PHP does it: `'7'` and `7` are one key, `'07'` is another.
    pub fn of(text: &[u8]) -> Self {
        let number = std::str::from_utf8(text).ok().and_then(|text| {
            text.parse::<i64>().ok().filter(|number| number.to_string() == text).map(Self::Number)
        });
        number.unwrap_or_else(|| Self::Text(text.to_vec()))
    }
}

/// Names, which are no secrets.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(&String::from_utf8_lossy(text)),
        }
    }
}

impl Path {
    /// Steps are parted by dots; a backslash takes the meaning from a dot behind it.
    pub fn parse(text: &str) -> Self {
        let (mut steps, mut step) = (Vec::new(), String::new());
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '.' => steps.push(std::mem::take(&mut step)),
                '\\' => step.extend(letters.next()),
                _ => step.push(letter),
            }
        }
        steps.push(step);
        Self(steps)
    }
}

impl Tree {
    pub fn text(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }

    pub fn unreadable(line: u32, why: impl Into<String>) -> Self {
        Self::Unreadable(Unreadable { line: Some(line), why: why.into() })
    }

    /// Walks down; a step that is no key of its map is absent, unless there may be more in the map than is known.
    pub fn get(&self, steps: &[String]) -> Result<&Self, Miss> {
        let mut here = self;
        for step in steps {
            let map = match here {
                Self::Map(map) => map,
                Self::Unreadable(why) => return Err(Miss::Unreadable(why.clone())),
                _ => return Err(Miss::Absent),
            };
            here = map.find(&Key::of(step.as_bytes()))?;
        }
        match here {
            Self::Unreadable(why) => Err(Miss::Unreadable(why.clone())),
            found => Ok(found),
        }
    }

    /// As PHP puts it into a text: `true` is `1`, `false` and `null` are empty; `None` for what holds others.
    pub fn raw(&self) -> Option<Vec<u8>> {
        match self {
            Self::Null | Self::Bool(false) => Some(Vec::new()),
            Self::Bool(true) => Some(b"1".to_vec()),
            Self::Number(number) => Some(number.to_string().into_bytes()),
            Self::Text(text) => Some(text.clone()),
            Self::Map(_) | Self::Unreadable(_) => None,
        }
    }

    /// The tree with `null` for what cannot be read, and each such place with its reason.
    pub fn json(&self) -> (Json, Vec<(String, Unreadable)>) {
        let mut missing = Vec::new();
        let json = self.write(&mut Vec::new(), &mut missing);
        (json, missing)
    }

    fn write(&self, path: &mut Vec<String>, missing: &mut Vec<(String, Unreadable)>) -> Json {
        let here = |path: &[String]| {
            path.iter()
                .map(|step| step.replace('\\', "\\\\").replace('.', "\\."))
                .collect::<Vec<_>>()
                .join(".")
        };
        match self {
            Self::Null => Json::Null,
            Self::Bool(yes) => Json::Bool(*yes),
            Self::Number(number) => Json::from(*number),
            Self::Text(text) => {
                if let Ok(text) = std::str::from_utf8(text) {
                    return Json::String(text.to_owned());
                }
                let why = "is a text that is not UTF-8".to_owned();
                missing.push((here(path), Unreadable { line: None, why }));
                Json::Null
            }
            Self::Unreadable(why) => {
                missing.push((here(path), why.clone()));
                Json::Null
            }
            Self::Map(map) => {
                if let Some(why) = &map.rest {
                    missing.push((here(path), why.clone()));
                }
                let mut down = |key: &Key, value: &Self| {
                    path.push(key.to_string());
                    let json = value.write(path, missing);
                    path.pop();
                    json
                };
                if map.is_list() {
                    map.entries.iter().map(|(key, value)| down(key, value)).collect()
                } else {
                    let pairs = map.entries.iter().map(|(key, value)| (key.to_string(), down(key, value)));
                    Json::Object(pairs.collect::<JsonMap<_, _>>())
                }
            }
        }
    }
}

impl From<&Json> for Tree {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(yes) => Self::Bool(*yes),
            Json::Number(number) => {
                number.as_i64().map_or_else(|| Self::text(&number.to_string()), Self::Number)
            }
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::Map(Map::of(
                (0..).zip(items).map(|(number, item)| (Key::Number(number), Self::from(item))),
            )),
            Json::Object(map) => Self::Map(Map::of(
                map.iter().map(|(key, value)| (Key::of(key.as_bytes()), Self::from(value))),
            )),
        }
    }
}

impl Map {
    pub fn of(entries: impl IntoIterator<Item = (Key, Tree)>) -> Self {
        let mut map = Self::default();
        entries.into_iter().for_each(|(key, value)| map.insert(key, value));
        map
    }

    /// Of which nothing is known but that it holds something.
    pub fn unknown(why: Unreadable) -> Self {
        Self { rest: Some(why), ..Self::default() }
    }

    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.entries.keys()
    }

    /// Why there may be more keys than those.
    pub fn rest(&self) -> Option<&Unreadable> {
        self.rest.as_ref()
    }

    pub fn insert(&mut self, key: Key, value: Tree) {
        self.count(&key);
        self.entries.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &Key) {
        self.entries.remove(key);
    }

    /// Everything that was in it may have been replaced by something that is not known.
    pub(super) fn doubt(&mut self, why: Unreadable) {
        self.entries.clear();
        self.rest = Some(why);
    }

    /// What `$a[] = ...` would be called; `None` if that cannot be told.
    pub(super) fn next(&self) -> Option<Key> {
        self.rest.is_none().then_some(Key::Number(self.next))
    }

    fn count(&mut self, key: &Key) {
        if let Key::Number(number) = key {
            self.next = self.next.max(number.saturating_add(1));
        }
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Tree> {
        self.entries.get_mut(key)
    }

    pub(super) fn set_rest(&mut self, why: Unreadable) {
        self.rest = Some(why);
    }

    /// What is there, or what is put there now.
    pub(super) fn or_insert(&mut self, key: Key, value: impl FnOnce() -> Tree) -> &mut Tree {
        self.count(&key);
        self.entries.entry(key).or_insert_with(value)
    }

    pub(super) fn find(&self, key: &Key) -> Result<&Tree, Miss> {
        match (self.entries.get(key), &self.rest) {
            (Some(tree), _) => Ok(tree),
            (None, Some(why)) => Err(Miss::Unreadable(why.clone())),
            (None, None) => Err(Miss::Absent),
        }
    }

    fn is_list(&self) -> bool {
        !self.entries.is_empty()
            && (0..).zip(self.entries.keys()).all(|(number, key)| *key == Key::Number(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_parted_by_dots_that_are_not_escaped() {
        for (text, steps) in [
            ("a", vec!["a"]),
            ("a.b", vec!["a", "b"]),
            (r"a\.b.c", vec!["a.b", "c"]),
            (r"a\\.b", vec![r"a\", "b"]),
            ("a..b", vec!["a", "", "b"]),
            ("a\\", vec!["a"]),
        ] {
            assert_eq!(Path::parse(text).0, steps, "{text}");
        }
    }

    #[test]
    fn keys_are_phps() {
        assert_eq!(Key::of(b"7"), Key::Number(7));
        assert_eq!(Key::of(b"-7"), Key::Number(-7));
        for text in ["07", "-0", "+7", "7.0", "", " 7", "99999999999999999999"] {
            assert_eq!(Key::of(text.as_bytes()), Key::Text(text.as_bytes().to_vec()));
        }
    }

    #[test]
    fn what_cannot_be_read_is_null_and_named() {
        let mut map = Map::of([
            (Key::of(b"a.b"), Tree::unreadable(3, "comes from x")),
            (Key::of(b"c"), Tree::Number(1)),
        ]);
        map.insert(Key::of(b"d"), Tree::Text(vec![0xff]));
        let (json, missing) = Tree::Map(map).json();
        assert_eq!(json, serde_json::json!({"a.b": null, "c": 1, "d": null}));
        let places: Vec<_> = missing.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(places, [r"a\.b", "d"]);
    }
}
