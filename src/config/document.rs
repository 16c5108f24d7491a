//! A configuration as a document, for programs that show or change it and must not learn the secrets that are written out in it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::{Number, Value};
use zeroize::Zeroizing;

use super::problem::Problems;
use super::secret::{Privacy, Way};
use super::shape::Config;
use super::yaml::{self, Node, Place};

/// Stands for a secret that is written out.
pub const HIDDEN: &str = "***";

/// The configuration as it is written, secrets and all; defaults are not filled in. An error unless it is one without mistakes.
pub fn document(text: &[u8]) -> Result<Value, Problems> {
    Document::read(present(), text).map(|document| document.value)
}

/// The same with `***` instead of every secret that is written out. References, such as `{file: …}`, are no secrets.
pub fn redacted(text: &[u8]) -> Result<Value, Problems> {
    Document::read(present(), text).map(|document| document.redacted())
}

/// The same as YAML, in the order of the text and without its comments.
pub fn shown(text: &[u8]) -> Result<Zeroizing<String>, Problems> {
    let document = Document::read(present(), text)?;
    yaml::write(&document.redacted(), &[&document.node])
        .map_err(|error| Problems::of_file(present(), error, "correct it"))
}

/// How a configuration is called whose file is not known here.
fn present() -> &'static Path {
    Path::new("the configuration")
}

/// A node and what is below it, as plain values.
pub(super) fn plain(node: &Node) -> Value {
    Reader { places: HashMap::new(), found: BTreeMap::new() }.value(node, &mut Vec::new())
}

/// One step down into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

/// The way from the top of a document to a value in it.
pub(super) type Spot = Vec<Step>;

/// A configuration without mistakes.
pub(super) struct Document {
    pub(super) value: Value,
    pub(super) config: Config,
    /// What must not be changed by who may only change the configuration.
    pub(super) secrets: BTreeMap<Spot, Way>,
    /// The order of its keys.
    pub(super) node: Node,
}

impl Document {
    /// Whoever can read the file does not matter here: what comes out of it is written with a mode of its own.
    pub(super) fn read(file: &Path, text: &[u8]) -> Result<Self, Problems> {
        let super::Read { config, node, secrets } = super::parse(file, text, &Privacy::Private, None)?;
        let mut reader = Reader { places: secrets.into_iter().collect(), found: BTreeMap::new() };
        let value = reader.value(&node, &mut Vec::new());
        Ok(Self { value, config, secrets: reader.found, node })
    }

    pub(super) fn redacted(&self) -> Value {
        let mut value = self.value.clone();
        for spot in self.secrets.iter().filter(|(_, way)| **way == Way::WrittenOut).map(|(spot, _)| spot) {
            if let Some(secret) = at(&mut value, spot) {
                *secret = Value::String(HIDDEN.to_owned());
            }
        }
        value
    }
}

fn at<'a>(value: &'a mut Value, spot: &[Step]) -> Option<&'a mut Value> {
    spot.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Item(number) => value.get_mut(number),
    })
}

struct Reader {
    places: HashMap<Place, Way>,
    found: BTreeMap<Spot, Way>,
}

impl Reader {
    fn value(&mut self, node: &Node, spot: &mut Spot) -> Value {
        if let Some(way) = self.places.get(&node.place) {
            self.found.insert(spot.clone(), *way);
        }
        let mut inner = |step, node| {
            spot.push(step);
            let value = self.value(node, spot);
            spot.pop();
            value
        };
        match &node.value {
            yaml::Value::Null => Value::Null,
            yaml::Value::Bool(yes) => Value::Bool(*yes),
            yaml::Value::Number(text) => number(text),
            yaml::Value::Text(text) => Value::String(text.to_string()),
            yaml::Value::List(items) => {
                (0..).zip(items).map(|(number, item)| inner(Step::Item(number), item)).collect()
            }
            yaml::Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), inner(Step::Key(entry.key.clone()), &entry.value)))
                .collect(),
        }
    }
}

/// What is no number to JSON is none that a configuration may have.
pub(super) fn number(text: &str) -> Value {
    let whole = text.parse::<u64>().map(Number::from).or_else(|_| text.parse::<i64>().map(Number::from));
    let number = whole.ok().or_else(|| Number::from_f64(text.parse().ok()?));
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}
