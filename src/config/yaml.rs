//! The only code that knows YAML: turns a text into plain nodes, each with its place, within limits a hostile text cannot pass.

use std::cell::Cell;
use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeSeed, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::Value as Json;
use zeroize::Zeroizing;

/// A configuration has a hundred values; aliases can multiply a short text into millions.
const MAX_NODES: u32 = 10_000;
const MAX_DEPTH: u32 = 16;
const STOP: &str = "the place that was looked for";

/// Where a node is: its number in the order of reading, from which its line can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place(u32);

pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

pub(super) enum Value {
    Null,
    Bool(bool),
    /// As it would be printed, which is not always as it was written.
    Number(String),
    /// May be a secret.
    Text(Zeroizing<String>),
    List(Vec<Node>),
    /// In the order of the text; duplicates are still there.
    Map(Vec<Entry>),
}

pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Node,
}

/// Why a text is no configuration at all.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Counted from 1.
    pub(super) line: Option<usize>,
    pub(super) text: String,
    pub(super) remedy: &'static str,
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Node, Refusal> {
    read(text, None).map_err(|error| refusal(&error, text))
}

/// The line of a node, counted from 1. The reader is run again and stopped there: only a failing reader tells where it is.
pub(super) fn line_of(text: &str, place: Place) -> Option<usize> {
    read(text, Some(place)).err()?.location().map(|location| location.line())
}

fn read(text: &str, stop_at: Option<Place>) -> Result<Node, serde_yaml::Error> {
    let counter = Cell::new(0);
    Reader { counter: &counter, stop_at, depth: 0 }.deserialize(serde_yaml::Deserializer::from_str(text))
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    counter: &'a Cell<u32>,
    stop_at: Option<Place>,
    depth: u32,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let place = Place(self.counter.get());
        self.counter.set(place.0 + 1);
        deserializer.deserialize_any(At { reader: self, place })
    }
}

struct At<'a> {
    reader: Reader<'a>,
    place: Place,
}

impl At<'_> {
    fn node<E: serde::de::Error>(&self, value: Value) -> Result<Node, E> {
        self.enter()?;
        Ok(Node { place: self.place, value })
    }

    fn enter<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.reader.stop_at == Some(self.place) {
            return Err(E::custom(STOP));
        }
        if self.place.0 >= MAX_NODES {
            return Err(E::custom(format_args!("holds more than {MAX_NODES} values")));
        }
        if self.reader.depth > MAX_DEPTH {
            return Err(E::custom(format_args!("nests deeper than {MAX_DEPTH} levels")));
        }
        Ok(())
    }

    fn inner(&self) -> Reader<'_> {
        Reader { depth: self.reader.depth + 1, ..self.reader }
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
        self.node(Value::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Node, E> {
        self.node(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Node, E> {
        self.node(Value::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node, E> {
        self.node(Value::Number(value.to_string()))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Node, E> {
        self.node(Value::Number(value.to_string()))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Node, E> {
        self.node(Value::Number(value.to_string()))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Node, E> {
        self.node(Value::Number(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        self.node(Value::Number(value.to_string()))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Node, E> {
        self.node(Value::Text(Zeroizing::new(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        self.enter()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner())? {
            list.push(item);
        }
        Ok(Node { place: self.place, value: Value::List(list) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        self.enter()?;
        let mut map = Vec::new();
        while let Some(key) = entries.next_key_seed(self.inner())? {
            let value = entries.next_value_seed(self.inner())?;
            map.push(Entry { key: key_text(&key.value), place: key.place, value });
        }
        Ok(Node { place: self.place, value: Value::Map(map) })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        self.enter()?;
        Err(A::Error::custom(
            "has a tag (a word that begins with an exclamation mark), which means nothing here",
        ))
    }
}

/// The text of a document, with keys in the order of the first of these in which they are.
pub(super) fn write(document: &Json, like: &[&Node]) -> Result<Zeroizing<String>, String> {
    let text = serde_yaml::to_string(&Ordered { value: document, like: like.to_vec() });
    text.map(Zeroizing::new).map_err(|error| error.to_string())
}

/// A value as it is written.
struct Ordered<'a> {
    value: &'a Json,
    like: Vec<&'a Node>,
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Json::Object(map) => {
                let likes = || {
                    self.like.iter().flat_map(|node| match &node.value {
                        Value::Map(entries) => entries.as_slice(),
                        _ => &[],
                    })
                };
                let of =
                    |key: &str| likes().filter(|entry| entry.key == key).map(|entry| &entry.value).collect();
                let mut keys: Vec<&String> = Vec::with_capacity(map.len());
                let ordered = likes().filter_map(|entry| map.get_key_value(&entry.key));
                for (key, _) in ordered.chain(map) {
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                }
                let mut out = to.serialize_map(Some(keys.len()))?;
                for key in keys {
                    out.serialize_entry(key, &Ordered { value: &map[key], like: of(key) })?;
                }
                out.end()
            }
            Json::Array(items) => {
                let mut out = to.serialize_seq(Some(items.len()))?;
                for (number, item) in items.iter().enumerate() {
                    let known = self.like.iter().filter_map(|node| match &node.value {
                        Value::List(known) => known.get(number),
                        _ => None,
                    });
                    let like = known.collect();
                    out.serialize_element(&Ordered { value: item, like })?;
                }
                out.end()
            }
            plain => plain.serialize(to),
        }
    }
}

/// Keys that are no texts cannot be right; as texts they are found to be unknown.
fn key_text(key: &Value) -> String {
    match key {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) => text.clone(),
        Value::Text(text) => text.to_string(),
        Value::List(_) => "[...]".to_owned(),
        Value::Map(_) => "{...}".to_owned(),
    }
}

/// What the YAML library says, and what it means to somebody who has not written a YAML library.
const MEANINGS: [(&str, &str, &str); 11] = [
    ("unknown anchor", "has an asterisk where a text would begin", ASTERISK),
    ("scanning an alias", "has an asterisk where a text would begin", ASTERISK),
    ("scanning an anchor", "has an ampersand (&) where a text would begin", "put the text in quotes"),
    (
        "cannot start any token",
        "has a character that no text can begin with",
        "use spaces, never tabs, to indent, and put a text that begins with @, ` or % in quotes",
    ),
    (
        "mapping values are not allowed",
        "has a key or a colon where none can be",
        "line up the keys that belong together, and put a text with a colon in it in quotes",
    ),
    (
        "did not find expected key",
        "has a line that does not fit the ones around it",
        "line up the keys that belong together, and look for a quote that is missing",
    ),
    ("'-' indicator", "has a line that does not fit the list around it", "line up the dashes of the list"),
    (
        "',' or",
        "has a bracket or brace that is not closed, or a comma is missing",
        "look for the missing ], } or comma",
    ),
    (
        "unexpected end of stream",
        "has a quote that is not closed",
        "look for the missing quote at the end of a text",
    ),
    (
        "could not find expected ':'",
        "has a line that is no key with a value",
        "write key: value, with a space behind the colon",
    ),
    (
        "more than one document",
        "holds more than one document",
        "remove the line with three dashes, and what is below it",
    ),
];

const ASTERISK: &str =
    "put the text in quotes, as in schedule: \"*/5 * * * *\"; to YAML a bare * is a reference";

fn refusal(error: &serde_yaml::Error, text: &str) -> Refusal {
    let message = error.to_string();
    let line = opening_line(&message).or_else(|| error.location().map(|location| location.line()));
    if let Some((_, meaning, remedy)) = MEANINGS.iter().find(|(sign, ..)| message.contains(sign)) {
        // An asterisk in the text of the library's message is only worth the hint if there is one in the file.
        if *remedy != ASTERISK || text.contains('*') {
            return Refusal { line, text: (*meaning).to_owned(), remedy };
        }
    }
    let limits = ["holds more than", "nests deeper", "has a tag"];
    match limits.iter().find_map(|limit| message.find(limit)) {
        Some(at) => {
            let end = message[at..].find(" at line").map_or(message.len(), |end| at + end);
            Refusal {
                line,
                text: message[at..end].to_owned(),
                remedy: "keep the file plain: keys, texts and lists",
            }
        }
        None => Refusal { line, text: format!("is not valid YAML ({message})"), remedy: "correct that line" },
    }
}

/// Where a quote or bracket was opened that has no end: the library itself points at the end of the file.
fn opening_line(message: &str) -> Option<usize> {
    let opened = [
        "scanning a quoted scalar at line ",
        "parsing a flow mapping at line ",
        "parsing a flow sequence at line ",
    ];
    let at = opened.iter().find_map(|sign| message.find(sign).map(|at| at + sign.len()))?;
    message[at..].split(' ').next()?.parse().ok()
}
