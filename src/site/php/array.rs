//! Reads values that may be arrays; an element that cannot be read does not spoil the others.

use std::cell::Cell;

use super::environment::{self, Environment};
use super::expression::{Cursor, Lookup, Why, unqualified};
use super::scan::Kind;
use crate::site::tree::{Key, Map, Tree, Unreadable};

/// Arrays nested deeper are not read.
const MAX_DEPTH: u32 = 32;
/// Each value counts for its length and this, in bytes.
const COST: usize = 64;

/// What is needed to read the values of one file.
pub(super) struct Values<'a> {
    pub(super) lookup: &'a Lookup<'a>,
    pub(super) environment: Option<&'a Environment>,
    /// Bytes that may still be kept, of the whole file: a constant can be named a million times.
    pub(super) budget: &'a Cell<usize>,
}

impl Values<'_> {
    /// The value that begins here, and stops at what ends it: a comma, a closing bracket, `=>`, `;` or the end.
    pub(super) fn item(&self, at: &mut Cursor<'_>) -> Tree {
        self.nested(at, 0)
    }

    fn nested(&self, at: &mut Cursor<'_>, depth: u32) -> Tree {
        let line = at.line();
        let why = match self.value(at, depth) {
            Ok(tree) if ended(at) => match self.spend(&tree) {
                Ok(()) => return tree,
                Err(why) => why,
            },
            Ok(_) => "a computed expression".to_owned(),
            Err(why) => why,
        };
        skip(at);
        Tree::unreadable(line, format!("comes from {why}"))
    }

    fn spend(&self, tree: &Tree) -> Result<(), Why> {
        let cost = COST + if let Tree::Text(text) = tree { text.len() } else { 0 };
        let left = self.budget.get().checked_sub(cost).ok_or("a file that defines too much")?;
        self.budget.set(left);
        Ok(())
    }

    fn value(&self, at: &mut Cursor<'_>, depth: u32) -> Result<Tree, Why> {
        if depth >= MAX_DEPTH {
            return Err("arrays that nest too deep".to_owned());
        }
        if at.take(b"[") {
            return Ok(self.array(at, b"]", depth));
        }
        if at.peek(0).eq_ignore_ascii_case(b"array") && at.peek(1) == b"(" {
            at.at += 2;
            return Ok(self.array(at, b")", depth));
        }
        if at.peek(0).eq_ignore_ascii_case(b"new")
            && unqualified(at.peek(1)).eq_ignore_ascii_case(b"stdClass")
        {
            at.at += 2;
            if at.take(b"(") && !at.take(b")") {
                return Err("a computed expression".to_owned());
            }
            return Ok(Tree::Map(Map::default()));
        }
        if let Some(value) = environment::value(at, self.environment, self.lookup) {
            return value.map(Tree::Text);
        }
        let first = *at;
        let text = at.value(self.lookup)?;
        let length = at.at - first.at;
        let number = first.peek(0) == b"-" && length == 2;
        Ok(if length == 1 || number {
            typed(&Cursor { at: at.at - 1, ..*at }, text)
        } else {
            Tree::Text(text)
        })
    }

    fn array(&self, at: &mut Cursor<'_>, close: &[u8], depth: u32) -> Tree {
        let mut map = Map::default();
        while !at.take(close) {
            let line = at.line();
            // Elements of another array take the place of any that were there.
            let spread = at.peek(0) == b".";
            let first = self.nested(at, depth + 1);
            let paired = at.take(b"=>");
            let value = if paired { Some(self.nested(at, depth + 1)) } else { None };
            match (value, key_of(&first)) {
                _ if spread => {
                    map.doubt(Unreadable { line: Some(line), why: "comes from another array".to_owned() });
                }
                (None, _) => {
                    if let Some(next) = map.next() {
                        map.insert(next, first);
                    }
                }
                (Some(value), Some(key)) => map.insert(key, value),
                (Some(_), None) => {
                    let why = "is in an array with a key that cannot be read".to_owned();
                    map.doubt(Unreadable { line: Some(line), why });
                }
            }
            if !at.take(b",") && at.peek(0) != close {
                let why = "is in an array that does not end as one does".to_owned();
                map.doubt(Unreadable { line: Some(at.line()), why });
                break;
            }
        }
        Tree::Map(map)
    }
}

/// The value of a single token.
fn typed(at: &Cursor<'_>, text: Vec<u8>) -> Tree {
    match (at.kind(0), unqualified(at.peek(0)).to_ascii_lowercase().as_slice()) {
        (Some(Kind::Name), b"true") => Tree::Bool(true),
        (Some(Kind::Name), b"false") => Tree::Bool(false),
        (Some(Kind::Name), b"null") => Tree::Null,
        (Some(Kind::Number), _) => {
            let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
            number.map_or(Tree::Text(text), Tree::Number)
        }
        _ => Tree::Text(text),
    }
}

/// What names an element: a text or a whole number, or what PHP turns into one.
pub(super) fn key_of(tree: &Tree) -> Option<Key> {
    match tree {
        Tree::Bool(yes) => Some(Key::Number(i64::from(*yes))),
        Tree::Null => Some(Key::Text(Vec::new())),
        plain => plain.raw().map(|text| Key::of(&text)),
    }
}

/// Whether nothing follows that would change the value.
fn ended(at: &Cursor<'_>) -> bool {
    match at.kind(0) {
        Some(Kind::Gap) | None => true,
        Some(Kind::Punctuation) => matches!(at.peek(0), b"," | b")" | b"]" | b";" | b"=>"),
        _ => false,
    }
}

/// Steps over the rest of an expression, brackets and all.
fn skip(at: &mut Cursor<'_>) {
    let mut open = 0_u32;
    loop {
        match at.kind(0) {
            Some(Kind::Gap | Kind::Broken) | None => return,
            Some(Kind::Punctuation) => match at.peek(0) {
                b"(" | b"[" | b"{" => open += 1,
                b")" | b"]" | b"}" | b"," | b";" | b"=>" if open == 0 => return,
                b")" | b"]" | b"}" => open -= 1,
                _ => {}
            },
            _ => {}
        }
        at.at += 1;
    }
}
