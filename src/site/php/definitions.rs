//! Collects what a PHP file defines: constants, where the first definition wins, and plain variables, where the last does.

use std::collections::BTreeMap;

use super::expression::{Cursor, Why, readable, unqualified};
use super::flow::{Flow, is_member};
use super::scan::{Kind, tokens};
use crate::site::tree::Unreadable;

/// All values of one file together, in bytes: `define` can multiply what it was given.
const MAX_TOTAL: usize = 4 * super::MAX_SOURCE;

#[derive(Clone, Debug)]
struct Candidate {
    line: u32,
    value: Result<Vec<u8>, Why>,
    /// Runs whenever the file does.
    certain: bool,
}

/// The constants and variables of one file.
#[derive(Clone, Default)]
pub struct Definitions {
    constants: BTreeMap<Vec<u8>, Vec<Candidate>>,
    variables: BTreeMap<Vec<u8>, Vec<Candidate>>,
    include: Option<u32>,
    broken: Option<u32>,
    /// The file has put itself into a namespace, where constants are others than those of the site.
    namespaced: bool,
    total: usize,
}

impl Definitions {
    /// Reads a whole file; whatever is in it, this ends soon and does not fail.
    pub fn read(source: &[u8]) -> Self {
        if source.len() > super::MAX_SOURCE {
            return Self::too_large();
        }
        let mut found = Self::default();
        let tokens = tokens(source);
        let mut flow = Flow::new();
        for at in 0..tokens.len() {
            let cursor = Cursor { source, tokens: &tokens, at };
            let first = flow.is_fresh();
            flow.follow(&cursor);
            if first && flow.is_certain() && ends_run(cursor.peek(0)) {
                break;
            }
            found.look_at(&cursor, &flow);
        }
        found
    }

    pub(super) fn too_large() -> Self {
        Self { broken: Some(1), ..Self::default() }
    }

    /// The value of a constant.
    pub fn constant(&self, name: &str) -> Result<String, Unreadable> {
        self.constant_bytes(name.as_bytes()).and_then(into_text)
    }

    /// The names of all constants; what they are is asked one by one.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.constants.keys().map(Vec::as_slice)
    }

    /// Why there may be more than was found; `None` if everything there is was read.
    pub(super) fn incomplete(&self) -> Option<Unreadable> {
        (self.broken.is_some() || self.include.is_some()).then(|| self.missing())
    }

    /// The value of a constant as PHP has it, of any bytes.
    pub(super) fn constant_bytes(&self, name: &[u8]) -> Result<(&[u8], u32), Unreadable> {
        let candidates = self.constants.get(name).map(Vec::as_slice).unwrap_or_default();
        let first_certain = candidates.iter().position(|candidate| candidate.certain);
        let until = first_certain.map_or(candidates.len(), |at| at + 1);
        self.agree(&candidates[..until], first_certain.is_some())
    }

    /// The value of a variable, named with its dollar sign, at the end of the file.
    pub fn variable(&self, name: &str) -> Result<String, Unreadable> {
        let candidates = self.variables.get(name.as_bytes()).map(Vec::as_slice).unwrap_or_default();
        let last_certain = candidates.iter().rposition(|candidate| candidate.certain);
        self.agree(&candidates[last_certain.unwrap_or(0)..], last_certain.is_some()).and_then(into_text)
    }

    /// One value, if all candidates that could be in force say the same.
    fn agree<'a>(&self, candidates: &'a [Candidate], certain: bool) -> Result<(&'a [u8], u32), Unreadable> {
        let Some(first) = candidates.first() else { return Err(self.missing()) };
        for candidate in candidates {
            if let Err(why) = &candidate.value {
                return Err(Unreadable { line: Some(candidate.line), why: format!("comes from {why}") });
            }
        }
        if let Some(other) = candidates.iter().find(|other| other.value != first.value) {
            let why = format!("depends on a condition: line {} has another value", other.line);
            return Err(Unreadable { line: Some(first.line), why });
        }
        match &first.value {
            Ok(value) if certain => Ok((value, first.line)),
            _ => Err(Unreadable { line: Some(first.line), why: "is set only under a condition".to_owned() }),
        }
    }

    fn missing(&self) -> Unreadable {
        let why = match (self.broken, self.include) {
            (Some(line), _) => format!("was not found before line {line}, where reading had to stop"),
            (None, Some(line)) => format!("is not defined here (line {line} includes another file)"),
            (None, None) => "is not defined".to_owned(),
        };
        Unreadable { line: self.broken.or(self.include), why }
    }

    pub(super) fn look_at(&mut self, cursor: &Cursor<'_>, flow: &Flow) {
        match cursor.kind(0) {
            Some(Kind::Broken) => self.broken = Some(cursor.line()),
            Some(Kind::Variable) if !is_member(cursor) => self.assignment(cursor, flow),
            Some(Kind::Name) if !is_member(cursor) => {
                match unqualified(cursor.peek(0)).to_ascii_lowercase().as_slice() {
                    b"define" if cursor.peek(1) == b"(" => self.define(cursor, flow),
                    b"namespace" => self.namespaced |= cursor.kind(1) == Some(Kind::Name),
                    b"const" if flow.is_outermost() && !self.namespaced => self.constants_of(cursor),
                    b"include" | b"include_once" | b"require" | b"require_once" => {
                        self.include = self.include.or(Some(cursor.line()));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn define(&mut self, cursor: &Cursor<'_>, flow: &Flow) {
        let mut at = Cursor { at: cursor.at + 2, ..*cursor };
        let Ok(name) = at.value(&|name| self.known(name)) else { return };
        self.total += name.len();
        if at.take(b",") && self.total <= MAX_TOTAL {
            let value = self.evaluate(&mut at, |at| matches!(at.peek(0), b")" | b","));
            let certain = flow.is_certain_for(&name, cursor);
            self.constants.entry(name).or_default().push(Candidate { line: cursor.line(), value, certain });
        }
    }

    /// `const A = 'x', B = 'y';`, which PHP allows only outside of blocks.
    fn constants_of(&mut self, cursor: &Cursor<'_>) {
        let mut at = Cursor { at: cursor.at + 1, ..*cursor };
        while at.kind(0) == Some(Kind::Name) && at.peek(1) == b"=" {
            let (name, line) = (at.peek(0).to_vec(), at.line());
            at.at += 2;
            let value = self.evaluate(&mut at, |at| at.peek(0) == b"," || ends_statement(at));
            self.constants.entry(name).or_default().push(Candidate { line, value, certain: true });
            if !at.take(b",") {
                return;
            }
        }
    }

    fn assignment(&mut self, cursor: &Cursor<'_>, flow: &Flow) {
        let mut at = Cursor { at: cursor.at + 2, ..*cursor };
        let value = match cursor.peek(1) {
            b"=" => self.evaluate(&mut at, ends_statement),
            b".=" | b"+=" | b"-=" | b"??" if cursor.kind(1) == Some(Kind::Punctuation) => {
                Err("a computed expression".to_owned())
            }
            _ => return,
        };
        let candidate = Candidate { line: cursor.line(), value, certain: flow.is_certain() };
        self.variables.entry(cursor.peek(0).to_vec()).or_default().push(candidate);
    }

    /// A value, provided that nothing follows that would change it.
    fn evaluate(&mut self, at: &mut Cursor<'_>, ended: impl Fn(&Cursor<'_>) -> bool) -> Result<Vec<u8>, Why> {
        let value = at.value(&|name| self.known(name))?;
        if !ended(at) {
            return Err("a computed expression".to_owned());
        }
        self.total += value.len();
        if self.total > MAX_TOTAL { Err("a file that defines too much".to_owned()) } else { Ok(value) }
    }

    pub(super) fn known(&self, name: &[u8]) -> Result<Vec<u8>, Why> {
        let unknown = || format!("the constant {}, whose value is not in this file", readable(name));
        let candidates = self.constants.get(name).filter(|_| !self.namespaced).ok_or_else(unknown)?;
        match candidates.first() {
            Some(Candidate { certain: true, value, .. }) => value.clone(),
            _ => Err(format!("the constant {}, which depends on a condition", readable(name))),
        }
    }
}

fn into_text((value, line): (&[u8], u32)) -> Result<String, Unreadable> {
    String::from_utf8(value.to_vec())
        .map_err(|_| Unreadable { line: Some(line), why: "comes from a text that is not UTF-8".to_owned() })
}

fn ends_statement(at: &Cursor<'_>) -> bool {
    at.peek(0) == b";" || matches!(at.kind(0), Some(Kind::Gap) | None)
}

pub(super) fn ends_run(word: &[u8]) -> bool {
    [&b"return"[..], b"exit", b"die"].iter().any(|end| word.eq_ignore_ascii_case(end))
}
