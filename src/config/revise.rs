//! Writes the changed sections of a configuration anew and leaves the text of the others alone, so that their comments stay.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::document::Document;
use super::yaml;

/// A key at the left margin with all that belongs to it.
struct Section<'a> {
    key: &'a str,
    /// Comments and empty lines above it.
    above: &'a str,
    text: &'a str,
}

/// The text for a new document; `None` where the sections of the old one cannot be told apart. Whether it says what it should is to be
/// looked at afterwards: a section may refer to another one.
pub(super) fn revise(text: &str, old: &Document, new: &Value) -> Option<Zeroizing<String>> {
    let (before, new) = (old.value.as_object()?, new.as_object()?);
    let (head, sections) = sections(text);
    let keys: BTreeSet<&str> = sections.iter().map(|section| section.key).collect();
    if keys.len() != sections.len() || keys != before.keys().map(String::as_str).collect() {
        return None;
    }
    let mut out = Zeroizing::new(head.to_owned());
    for Section { key, above, text } in &sections {
        let Some(value) = new.get(*key) else { continue };
        out.push_str(above);
        if before.get(*key) == Some(value) {
            out.push_str(text);
            end_line(&mut out);
        } else {
            out.push_str(&section(key, value, old)?);
        }
    }
    for (key, value) in new.iter().filter(|(key, _)| !before.contains_key(*key)) {
        out.push_str(&section(key, value, old)?);
    }
    Some(out)
}

fn section(key: &str, value: &Value, old: &Document) -> Option<Zeroizing<String>> {
    let alone = Value::Object(Map::from_iter([(key.to_owned(), value.clone())]));
    yaml::write(&alone, &[&old.node]).ok()
}

fn end_line(text: &mut String) {
    if !text.ends_with('\n') {
        text.push('\n');
    }
}

/// What is above the first section, and the sections.
fn sections(text: &str) -> (&str, Vec<Section<'_>>) {
    // For each key: where what is above it begins, and where it begins itself.
    let mut starts: Vec<(&str, usize, usize)> = Vec::new();
    let (mut offset, mut above) = (0, 0);
    for line in text.split_inclusive('\n') {
        let end = offset + line.len();
        if let Some(key) = key_of(line) {
            starts.push((key, above, offset));
        }
        if !line.trim().is_empty() && !line.starts_with('#') {
            above = end;
        }
        offset = end;
    }
    let ends = starts.iter().skip(1).map(|(_, above, _)| *above).chain([text.len()]);
    let sections = starts.iter().zip(ends).map(|((key, above, start), end)| Section {
        key,
        above: &text[*above..*start],
        text: &text[*start..end],
    });
    (&text[..starts.first().map_or(0, |(_, above, _)| *above)], sections.collect())
}

/// The plain key with which a line begins.
fn key_of(line: &str) -> Option<&str> {
    let (key, rest) = line.split_once(':')?;
    let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_plain && (rest.is_empty() || rest.starts_with([' ', '\n', '\r', '\t']))).then_some(key)
}
