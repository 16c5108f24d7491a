//! Changing a configuration as a document, over a way on which nobody may bring in programs or secrets.
//!
//! Hooks, and commands that print a secret, would be code that the agent runs. They and secrets that are written out stay as the
//! present text has them: what leaves them out keeps them, and any other difference is a problem that names the key.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::document::{Document, HIDDEN, Spot, Step};
use super::problem::{Problem, Problems};
use super::revise::revise;
use super::secret::Way;
use super::yaml;

const MOST: usize = 100;

const BY_HAND: &str = "leave it out here, and change it in the file on the machine";

/// The text of the configuration that `new` describes, in place of `old`; left out: of another site. `***` where the present one
/// has a secret that is written out means that secret.
pub fn replace(old: Option<&[u8]>, new: &Value) -> Result<Zeroizing<String>, Problems> {
    let old = old.map(Present::read).transpose()?;
    Edit::of(old.as_ref()).finish(new.clone())
}

/// The same by a JSON merge patch (RFC 7396): what it does not name is kept, `null` removes, lists are replaced as a whole.
pub fn merge(old: &[u8], patch: &Value) -> Result<Zeroizing<String>, Problems> {
    let old = Present::read(old)?;
    let mut wanted = old.document.redacted();
    let mut edit = Edit::of(Some(&old));
    edit.apply(&mut wanted, patch, &mut Vec::new());
    edit.finish(wanted)
}

/// The configuration before the change.
struct Present<'a> {
    text: &'a str,
    document: Document,
}

impl<'a> Present<'a> {
    fn read(text: &'a [u8]) -> Result<Self, Problems> {
        let document = Document::read(Path::new("the present configuration"), text)?;
        // Or it could not have been read.
        Ok(Self { text: std::str::from_utf8(text).unwrap_or_default(), document })
    }
}

struct Edit<'a> {
    old: Option<&'a Present<'a>>,
    /// Where the new document has what the old one has, of that which must not be changed.
    kept: BTreeSet<Spot>,
    problems: Vec<Problem>,
    /// Problems beyond those that anybody reads: a hostile document has as many as it likes.
    more: usize,
}

impl<'a> Edit<'a> {
    const fn of(old: Option<&'a Present<'a>>) -> Self {
        Self { old, kept: BTreeSet::new(), problems: Vec::new(), more: 0 }
    }

    fn complain(&mut self, spot: &[Step], text: &str, remedy: &str) {
        let (path, text, remedy) = (named(spot), text.to_owned(), remedy.to_owned());
        if self.problems.len() >= MOST {
            self.more += 1;
        } else if !self.problems.iter().any(|known| known.path == path) {
            self.problems.push(Problem { line: None, path, text, remedy });
        }
    }

    fn way(&self, spot: &Spot) -> Option<Way> {
        self.old?.document.secrets.get(spot).copied()
    }

    fn apply(&mut self, target: &mut Value, patch: &Value, spot: &mut Spot) {
        let Value::Object(patch) = patch else {
            *target = patch.clone();
            return;
        };
        if !target.is_object() {
            *target = Value::Object(Map::new());
        }
        let Some(target) = target.as_object_mut() else { return };
        for (key, value) in patch {
            spot.push(Step::Key(key.clone()));
            if !value.is_null() {
                self.apply(target.entry(key).or_insert(Value::Null), value, spot);
            } else if target.remove(key).is_some() && self.is_fixed(spot) {
                self.complain(spot, "cannot be removed this way", BY_HAND);
            }
            spot.pop();
        }
    }

    /// Left out, it is kept; so to remove it would do nothing.
    fn is_fixed(&self, spot: &Spot) -> bool {
        let top = |key: &str| *spot == [Step::Key(key.to_owned())];
        self.way(spot).is_some() || top("hooks") || top("state")
    }

    fn finish(mut self, mut wanted: Value) -> Result<Zeroizing<String>, Problems> {
        plain_numbers(&mut wanted);
        let old = self.old;
        self.carry(old.map(|old| (&old.document.value, Vec::new())), &mut wanted, &mut Vec::new());
        if let (Some(old), Some(new)) = (old, wanted.as_object_mut()) {
            for key in ["hooks", "state"] {
                if let (false, Some(value)) = (new.contains_key(key), old.document.value.get(key)) {
                    new.insert(key.to_owned(), value.clone());
                }
            }
        }
        self.look_at_hooks(&wanted);
        let file = Path::new("the new configuration");
        let text = self.text(&wanted)?;
        let read = Document::read(file, text.as_bytes());
        match &read {
            Ok(read) if read.value == wanted => self.compare(read),
            Ok(_) => {
                let remedy = "write plain texts, numbers and lists, or edit the file on the machine";
                self.complain(&[], "has something that YAML cannot say", remedy);
            }
            Err(found) => {
                for problem in &found.list {
                    if !self.problems.iter().any(|known| known.path == problem.path) {
                        self.problems.push(Problem { line: None, ..problem.clone() });
                    }
                }
            }
        }
        if !self.problems.is_empty() {
            let more = read.err().map_or(0, |found| found.more);
            let mut problems = Problems::of_document(file, self.problems);
            problems.more += more + self.more;
            return Err(problems);
        }
        Ok(text)
    }

    /// The present text itself where nothing is changed; else as much of it as can be kept.
    fn text(&self, wanted: &Value) -> Result<Zeroizing<String>, Problems> {
        let example = yaml::parse(super::example()).ok();
        let written = match self.old {
            Some(old) if old.document.value == *wanted => return Ok(Zeroizing::new(old.text.to_owned())),
            Some(old) => {
                let revised = revise(old.text, &old.document, wanted);
                let same = |text: &Zeroizing<String>| {
                    Document::read(Path::new(""), text.as_bytes()).is_ok_and(|read| read.value == *wanted)
                };
                if let Some(text) = revised.filter(same) {
                    return Ok(text);
                }
                yaml::write(wanted, &example.iter().chain([&old.document.node]).rev().collect::<Vec<_>>())
            }
            None => yaml::write(wanted, &example.iter().collect::<Vec<_>>()),
        };
        written.map_err(|error| {
            Problems::of_file(
                Path::new("the new configuration"),
                error,
                "write plain texts, numbers and lists",
            )
        })
    }

    /// Brings what is hidden or left out over from the old document, wherever both have the same thing.
    fn carry(&mut self, old: Option<(&Value, Spot)>, new: &mut Value, spot: &mut Spot) {
        match (old, new) {
            (Some((Value::Object(old), at)), Value::Object(new)) => {
                for (key, value) in old {
                    let at = below(&at, Step::Key(key.clone()));
                    spot.push(Step::Key(key.clone()));
                    match self.way(&at) {
                        Some(way) => self.keep(way, value, new, key, spot),
                        None => {
                            if let Some(new) = new.get_mut(key) {
                                self.carry(Some((value, at)), new, spot);
                            }
                        }
                    }
                    spot.pop();
                }
                for (key, value) in new.iter_mut().filter(|(key, _)| !old.contains_key(*key)) {
                    spot.push(Step::Key(key.clone()));
                    self.carry(None, value, spot);
                    spot.pop();
                }
            }
            (_, Value::Object(new)) => {
                for (key, value) in new {
                    spot.push(Step::Key(key.clone()));
                    self.carry(None, value, spot);
                    spot.pop();
                }
            }
            (old, Value::Array(items)) => {
                let (known, at) = match old {
                    Some((Value::Array(known), at)) => (known.as_slice(), at),
                    _ => (&[][..], Vec::new()),
                };
                let counterparts = counterparts(known, items);
                for ((number, item), counterpart) in items.iter_mut().enumerate().zip(counterparts) {
                    spot.push(Step::Item(number));
                    let old = counterpart.map(|number| (&known[number], below(&at, Step::Item(number))));
                    self.carry(old, item, spot);
                    spot.pop();
                }
            }
            (old, new) => {
                if *new == HIDDEN && old.is_none_or(|(old, _)| old != HIDDEN) {
                    let text =
                        "is ***, which stands for a secret that is written out, and there was none here";
                    self.complain(
                        spot,
                        text,
                        "write where the secret is, such as {file: /etc/lifeboat/password}",
                    );
                }
            }
        }
    }

    fn keep(&mut self, way: Way, old: &Value, new: &mut Map<String, Value>, key: &str, spot: &Spot) {
        match new.get(key) {
            Some(value) if value != old && !(way == Way::WrittenOut && value == HIDDEN) => {
                let text = match way {
                    Way::WrittenOut => {
                        "is a secret that is written out in the file, and cannot be changed this way"
                    }
                    Way::Command | Way::Program => {
                        "is a program that the agent runs, and cannot be changed this way"
                    }
                };
                self.complain(spot, text, BY_HAND);
            }
            _ => {
                new.insert(key.to_owned(), old.clone());
                self.kept.insert(spot.clone());
            }
        }
    }

    fn look_at_hooks(&mut self, wanted: &Value) {
        if !wanted.is_object() {
            return;
        }
        let none = Map::new();
        let hooks = |document: &Value| document.get("hooks").and_then(Value::as_object).cloned();
        let old = self.old.and_then(|old| hooks(&old.document.value)).unwrap_or_default();
        let new = hooks(wanted);
        let new = new.as_ref().unwrap_or(&none);
        let points: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for point in points.into_iter().filter(|point| old.get(*point) != new.get(*point)) {
            let spot = [Step::Key("hooks".to_owned()), Step::Key(point.clone())];
            self.complain(
                &spot,
                "is for programs that the agent runs, and cannot be changed this way",
                BY_HAND,
            );
        }
    }

    /// What the reader of configurations found is not to be other than it was.
    fn compare(&mut self, new: &Document) {
        for (spot, way) in &new.secrets {
            if self.kept.contains(spot) {
                continue;
            }
            let (text, remedy) = match way {
                Way::WrittenOut => (
                    "is a secret that is written out, and none can be brought in this way",
                    "write where it is, such as {file: /etc/lifeboat/password}",
                ),
                Way::Command => (
                    "is a program that the agent would run, and none can be brought in this way",
                    "write where the secret is, such as {file: /etc/lifeboat/password}",
                ),
                Way::Program => (
                    "is a program that the agent would run, and none can be brought in this way",
                    "name it in the file on the machine",
                ),
            };
            self.complain(spot, text, remedy);
        }
        let Some(old) = self.old else { return };
        let key = |key: &str| Step::Key(key.to_owned());
        if old.document.config.site.name != new.config.site.name {
            let remedy = "keep it: snapshots under another name belong to another site";
            self.complain(&[key("site"), key("name")], "cannot be changed", remedy);
        }
        if old.document.config.state != new.config.state {
            let remedy = "keep it: what is remembered of the site lies there";
            self.complain(&[key("state")], "cannot be changed", remedy);
        }
    }
}

/// Which items of the old list are meant by those of the new. Each is meant once, and none where it could be another.
fn counterparts(old: &[Value], new: &[Value]) -> Vec<Option<usize>> {
    let mut taken = BTreeSet::new();
    let mut once = |number: Option<usize>| number.filter(|number| taken.insert(*number));
    (0..new.len()).map(|number| once(counterpart(old, new, number))).collect()
}

/// One that is as it was; else of a name that both have once, that one, wherever it is; else the one at the same place, if it was
/// not something else.
fn counterpart(old: &[Value], new: &[Value], number: usize) -> Option<usize> {
    let (item, same_length) = (&new[number], old.len() == new.len());
    if !item.is_object() {
        return old.iter().position(|known| known == item);
    }
    let alike: Vec<usize> = (0..old.len()).filter(|known| is_alike(&old[*known], item)).collect();
    match alike[..] {
        [] => {}
        [one] => return Some(one),
        _ => return (same_length && alike.contains(&number)).then_some(number),
    }
    let of_kind = |other: &Value| other.is_object() && other.get("type") == item.get("type");
    let name = item.get("name");
    let named = |other: &Value| of_kind(other) && other.get("name") == name;
    let is_once = |list: &[Value]| list.iter().filter(|other| named(other)).count() == 1;
    if name.is_some() && is_once(old) && is_once(new) {
        return old.iter().position(named);
    }
    let there = old.get(number).filter(|there| same_length && of_kind(there))?;
    // Under another name it may be the same thing, unless one of the old name is still there.
    let is_free =
        there.get("name") == name || !new.iter().any(|other| other.get("name") == there.get("name"));
    is_free.then_some(number)
}

/// The same but for what is hidden in the new one.
fn is_alike(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.len() == new.len()
                && old.iter().all(|(key, old)| new.get(key).is_some_and(|new| is_alike(old, new)))
        }
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| is_alike(old, new))
        }
        (old, new) => old == new || (old.is_string() && new == HIDDEN),
    }
}

fn below(spot: &Spot, step: Step) -> Spot {
    spot.iter().cloned().chain([step]).collect()
}

/// As problems name it: `databases[0].password`. A hostile document has keys as long as it likes.
fn named(spot: &[Step]) -> String {
    let mut name = String::new();
    for step in spot {
        // Writing to a text cannot fail.
        let _ = match step {
            Step::Item(number) => write!(name, "[{number}]"),
            Step::Key(key) => {
                let key: String = key.chars().filter(|char| !char.is_control()).take(60).collect();
                write!(name, "{}{key}", if name.is_empty() { "" } else { "." })
            }
        };
    }
    name
}

/// To YAML, 7.0 is 7.
fn plain_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0);
            if let Some(whole) = whole.and_then(|whole| format!("{whole:.0}").parse::<i64>().ok()) {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain_numbers),
        Value::Object(map) => map.values_mut().for_each(plain_numbers),
        _ => {}
    }
}
