//! Walks through the nodes of a configuration with the path at hand, and notes whatever is not as it should be.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};

use serde_json::Value as Json;

use super::document::number;
use super::problem::Findings;
use super::secret::Way;
use super::suggest::closest;
use super::yaml::{Entry, Node, Place, Value};

/// A value and where it is. Every reading method returns `None` after it has noted what is wrong.
#[derive(Clone)]
pub(super) struct At<'a> {
    node: &'a Node,
    pub(super) path: String,
    findings: &'a Findings,
}

/// A mapping whose keys are known to be right; the values are still to be read.
pub(super) struct Table<'a> {
    at: At<'a>,
    entries: &'a [Entry],
    known: Vec<String>,
}

impl<'a> At<'a> {
    pub(super) fn root(node: &'a Node, findings: &'a Findings) -> Self {
        Self { node, path: String::new(), findings }
    }

    pub(super) fn complain(&self, text: impl Display, remedy: impl Display) {
        self.findings.add(self.node.place, &self.path, text, remedy);
    }

    /// Notes that this is, or leads to, a secret.
    pub(super) fn has_secret(&self, way: Way) {
        self.findings.note_secret(self.node.place, way);
    }

    fn inner(&self, node: &'a Node, path: String) -> Self {
        Self { node, path, findings: self.findings }
    }

    fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A mapping with none but these keys, each at most once.
    pub(super) fn table(&self, known: &[&str]) -> Option<Table<'a>> {
        self.group(known, |key| advice(key, known, &one_of(known)))
    }

    /// A mapping whose keys are not looked at yet.
    pub(super) fn peek(&self, known: &[&str]) -> Option<Table<'a>> {
        if let Value::Map(entries) = &self.node.value {
            return Some(Table {
                at: self.clone(),
                entries,
                known: known.iter().map(|&key| key.to_owned()).collect(),
            });
        }
        let some =
            if known.len() > 10 { format!("{}, ...", known[..5].join(", ")) } else { known.join(", ") };
        let remedy = format!("write its keys below it, further to the right, each with a colon: {some}");
        let whole = "write at least site, storage and repository: lifeboat config example shows how";
        self.wrong_type("a group of keys", if self.path.is_empty() { whole } else { &remedy });
        None
    }

    /// The same with other words for a key that is not known.
    pub(super) fn group(&self, known: &[&str], advice: impl Fn(&str) -> String) -> Option<Table<'a>> {
        let table = self.peek(known)?;
        let mut seen = BTreeSet::new();
        for entry in table.entries {
            // A hostile file has keys as long as it likes.
            let key: String = entry.key.chars().filter(|char| !char.is_control()).take(60).collect();
            if !known.contains(&entry.key.as_str()) {
                self.findings.add(entry.place, &self.below(&key), "is not a known key", advice(&key));
            } else if !seen.insert(&entry.key) {
                self.findings.add(
                    entry.place,
                    &self.below(&key),
                    "is there a second time",
                    "remove one of the two",
                );
            }
        }
        Some(table)
    }

    pub(super) fn list(&self) -> Option<Vec<At<'a>>> {
        let Value::List(items) = &self.node.value else {
            self.wrong_type("a list", "write one item on each line behind a dash, or [] for none");
            return None;
        };
        let item = |(number, node)| self.inner(node, format!("{}[{number}]", self.path));
        Some(items.iter().enumerate().map(item).collect())
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self.node.value, Value::Number(_))
    }

    pub(super) fn is_yes_no(&self) -> bool {
        matches!(self.node.value, Value::Bool(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// A mapping that may have any keys, each once.
    pub(super) fn any_group(&self) -> Option<Table<'a>> {
        if let Value::Map(entries) = &self.node.value {
            let known: Vec<_> = entries.iter().map(|entry| entry.key.as_str()).collect();
            return self.group(&known, |_| String::new());
        }
        self.wrong_type(
            "a group of keys",
            "write its keys below it, further to the right, each with a colon",
        );
        None
    }

    /// A value without others in it, as it is.
    pub(super) fn plain(&self) -> Option<Json> {
        match &self.node.value {
            Value::Null => Some(Json::Null),
            Value::Bool(yes) => Some(Json::Bool(*yes)),
            Value::Number(text) => Some(number(text)),
            Value::Text(text) => Some(Json::String(text.to_string())),
            Value::List(_) | Value::Map(_) => {
                self.wrong_type("one value", "write one value behind the colon");
                None
            }
        }
    }

    /// It is a group of keys, and this is one of them.
    pub(super) fn has(&self, key: &str) -> bool {
        matches!(&self.node.value, Value::Map(entries) if entries.iter().any(|entry| entry.key == key))
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// A text that is not empty and has no control characters.
    pub(super) fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) if text.trim().is_empty() => {
                self.complain("is empty", "write a value, or remove the key");
                None
            }
            Value::Text(text) if text.chars().any(char::is_control) => {
                self.complain("has a line end, tab or other control character in it", "write it on one line");
                None
            }
            Value::Text(text) => Some(text.as_str()),
            Value::Number(_) | Value::Bool(_) => {
                self.complain("is a number or a yes/no to YAML, and must be a text", "put it in quotes");
                None
            }
            _ => {
                self.wrong_type("a text", "write one text behind the colon, or remove the key");
                None
            }
        }
    }

    /// A text that may have several lines.
    pub(super) fn lines(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) if text.contains('\n') && !text.trim().is_empty() => {
                let wrong = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
                if text.contains(wrong) {
                    self.complain("has a control character in it", "write it as plain lines");
                    return None;
                }
                Some(text.as_str())
            }
            _ => self.text(),
        }
    }

    pub(super) fn texts(&self) -> Option<Vec<String>> {
        let items = self.list()?;
        let texts: Vec<_> = items.iter().filter_map(|item| item.text().map(str::to_owned)).collect();
        (texts.len() == items.len()).then_some(texts)
    }

    /// One of a few words; `otherwise` is the remedy if none of them seems to be meant.
    pub(super) fn choice<T: Clone>(&self, choices: &[(&str, T)], otherwise: &str) -> Option<T> {
        let text = self.text()?;
        if let Some((_, chosen)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(chosen.clone());
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.complain("has a value that is not known", advice(text, &words, otherwise));
        None
    }

    pub(super) fn yes_no(&self) -> Option<bool> {
        if let Value::Bool(yes) = self.node.value {
            return Some(yes);
        }
        self.wrong_type("true or false", "write true or false, without quotes");
        None
    }

    pub(super) fn whole_number(&self, range: RangeInclusive<u32>, remedy: &str) -> Option<u32> {
        let number = match &self.node.value {
            Value::Number(text) => text.parse().ok().filter(|number| range.contains(number)),
            _ => None,
        };
        if number.is_none() {
            let (least, most) = range.into_inner();
            self.complain(format!("must be a whole number from {least} to {most}"), remedy);
        }
        number
    }

    /// A path from the root of the file system, without `..`.
    pub(super) fn absolute_path(&self) -> Option<PathBuf> {
        let path = Path::new(self.text()?);
        if !path.is_absolute() {
            self.complain("must be a whole path", "begin it with /");
            return None;
        }
        if path.components().any(|part| part == Component::ParentDir) {
            self.complain("must not have .. in it", "write the directory that is really meant");
            return None;
        }
        // Without a trailing slash, doubled slashes and dots.
        Some(path.components().collect())
    }

    fn wrong_type(&self, wanted: &str, remedy: &str) {
        let is = match &self.node.value {
            Value::Null => "is empty",
            Value::Bool(_) => "is a yes/no",
            Value::Number(_) => "is a number",
            Value::Text(_) => "is a text",
            Value::List(_) => "is a list",
            Value::Map(_) => "is a group of keys",
        };
        self.complain(format_args!("{is}, and must be {wanted}"), remedy);
    }
}

impl<'a> Table<'a> {
    /// A value that may be left out.
    pub(super) fn get(&self, key: &str) -> Option<At<'a>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(self.at.inner(&entry.value, self.at.below(key)))
    }

    /// A value that must be there. One that seems to be there under a mistyped key was complained about already.
    pub(super) fn need(&self, key: &str, remedy: impl Display) -> Option<At<'a>> {
        let found = self.get(key);
        let mistyped =
            |entry: &Entry| closest(&entry.key, self.known.iter().map(String::as_str)) == Some(key);
        if found.is_none() && !self.entries.iter().any(mistyped) {
            self.at.findings.add(self.place(), &self.at.below(key), "is missing", remedy);
        }
        found
    }

    /// Keys in the order of the file.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    fn place(&self) -> Place {
        self.at.node.place
    }
}

/// Something is wrong and has been noted.
pub(super) struct Noted;

/// A value that may be left out.
pub(super) fn optional<'a, T>(
    table: &Table<'a>,
    key: &str,
    read: impl FnOnce(&At<'a>) -> Option<T>,
) -> Result<Option<T>, Noted> {
    table.get(key).map(|at| read(&at).ok_or(Noted)).transpose()
}

/// Reads `type`, which decides what else there may be.
pub(super) fn kind<T: Clone>(
    at: &At<'_>,
    every_key: &[&str],
    kinds: &[(&str, T)],
    advice: &str,
) -> Option<T> {
    let chosen = at.peek(every_key)?.need("type", advice).and_then(|at| at.choice(kinds, advice));
    if chosen.is_none() {
        // At least say which keys no type would have.
        at.table(every_key);
    }
    chosen
}

/// The word that was probably meant, or else this.
fn advice(word: &str, known: &[&str], otherwise: &str) -> String {
    closest(word, known.iter().copied())
        .map_or_else(|| otherwise.to_owned(), |meant| format!("did you mean {meant}?"))
}

fn one_of(words: &[&str]) -> String {
    match words {
        [word] => format!("the only key here is {word}"),
        _ => format!("use one of {}", words.join(", ")),
    }
}
