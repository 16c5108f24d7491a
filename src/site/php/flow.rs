//! Follows blocks and conditions, to tell what PHP runs in any case from what it runs only sometimes.
//!
//! The one condition that is understood is "unless this constant exists already", because that is what `define` does anyway.

use super::expression::{Cursor, unqualified};
use super::literal;
use super::scan::Kind;

/// Guards nested deeper than this are not compared any more; the innermost counts as a plain condition.
const MAX_GUARDS: usize = 8;

/// When a statement or block runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    /// Unless the constant exists whose name is the string token with this index.
    Unless(usize),
    Sometimes,
}

/// A block, and what to return to at its end.
struct Block {
    when: When,
    outer: When,
    outer_parentheses: u32,
}

/// Where in the structure of the program we are; fed with every token in turn.
pub(super) struct Flow {
    blocks: Vec<Block>,
    sometimes: usize,
    guards: Vec<usize>,
    statement: When,
    parentheses: u32,
    /// The next token begins a statement.
    fresh: bool,
    /// Inside the parentheses after `if`, `while` and their like; `true` if a colon after them opens a block.
    head: Option<bool>,
    /// Tokens before this one were understood together.
    resume: usize,
}

impl Flow {
    pub(super) fn new() -> Self {
        Self {
            blocks: Vec::new(),
            sometimes: 0,
            guards: Vec::new(),
            statement: When::Always,
            parentheses: 0,
            fresh: true,
            head: None,
            resume: 0,
        }
    }

    /// What stands here runs whenever the file is run.
    pub(super) fn is_certain(&self) -> bool {
        self.sometimes == 0 && self.guards.is_empty() && self.statement == When::Always
    }

    /// A `define` of this name here has its effect whenever the file is run, unless the constant exists already.
    pub(super) fn is_certain_for(&self, name: &[u8], cursor: &Cursor<'_>) -> bool {
        let guard_fits = |index: &usize| {
            cursor.tokens.get(*index).and_then(|token| literal::text(token.text(cursor.source))).as_deref()
                == Some(name)
        };
        let statement_fits = match self.statement {
            When::Always => true,
            When::Unless(index) => guard_fits(&index),
            When::Sometimes => false,
        };
        self.sometimes == 0 && statement_fits && self.guards.iter().all(guard_fits)
    }

    pub(super) fn is_outermost(&self) -> bool {
        self.blocks.is_empty()
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Takes note of the token at the cursor.
    pub(super) fn follow(&mut self, cursor: &Cursor<'_>) {
        if cursor.at < self.resume {
            return;
        }
        if self.fresh {
            self.statement = When::Always;
            if let Some((guard, end)) = guard(cursor) {
                self.fresh = false;
                self.statement = When::Unless(guard);
                self.resume = end;
                self.open_after_colon(&Cursor { at: end, ..*cursor });
                return;
            }
        }
        let fresh = std::mem::replace(&mut self.fresh, false);
        match cursor.kind(0) {
            Some(Kind::Gap) => self.end_statement(),
            Some(Kind::Punctuation) => self.punctuation(cursor, fresh),
            Some(Kind::Name) if !is_member(cursor) => self.keyword(cursor),
            _ => {}
        }
    }

    fn punctuation(&mut self, cursor: &Cursor<'_>, fresh: bool) {
        match cursor.peek(0) {
            b";" if self.parentheses == 0 => self.end_statement(),
            b"{" => self.open(),
            b"}" => self.close(),
            b"(" | b"[" => self.parentheses = self.parentheses.saturating_add(1),
            b")" | b"]" => {
                self.parentheses = self.parentheses.saturating_sub(1);
                if self.parentheses == 0
                    && let Some(opens) = self.head.take()
                {
                    let behind = Cursor { at: cursor.at + 1, ..*cursor };
                    if opens { self.open_after_colon(&behind) } else { self.weaken_at_colon(&behind) }
                }
            }
            b"&&" | b"||" | b"??" | b"?" => self.statement = When::Sometimes,
            _ => self.fresh = fresh && cursor.peek(0) == b"@",
        }
    }

    fn keyword(&mut self, cursor: &Cursor<'_>) {
        let behind = Cursor { at: cursor.at + 1, ..*cursor };
        match cursor.peek(0).to_ascii_lowercase().as_slice() {
            b"if" | b"while" | b"for" | b"foreach" | b"switch" => self.begin(Some(true)),
            b"elseif" => self.begin(Some(false)),
            b"else" => {
                self.begin(None);
                self.weaken_at_colon(&behind);
            }
            // Whatever follows may be jumped over: nothing is certain any more.
            b"goto" => self.sometimes += 1,
            b"endif" | b"endwhile" | b"endfor" | b"endforeach" | b"endswitch" => self.close(),
            b"and" | b"or" | b"xor" | b"do" | b"try" | b"catch" | b"finally" | b"match" | b"fn"
            | b"function" | b"class" | b"interface" | b"trait" | b"enum" => self.statement = When::Sometimes,
            _ => {}
        }
    }

    fn begin(&mut self, head: Option<bool>) {
        self.statement = When::Sometimes;
        self.head = head;
    }

    /// `if (...):` opens a block without a brace.
    fn open_after_colon(&mut self, cursor: &Cursor<'_>) {
        if cursor.peek(0) == b":" {
            self.resume = cursor.at + 1;
            self.open();
        }
    }

    /// `else:` goes on with the block of its `if`, under another condition.
    fn weaken_at_colon(&mut self, cursor: &Cursor<'_>) {
        if cursor.peek(0) == b":" {
            self.resume = cursor.at + 1;
            self.close();
            self.statement = When::Sometimes;
            self.open();
        }
    }

    fn open(&mut self) {
        let when = match self.statement {
            When::Unless(_) if self.guards.len() >= MAX_GUARDS => When::Sometimes,
            when => when,
        };
        match when {
            When::Always => {}
            When::Unless(index) => self.guards.push(index),
            When::Sometimes => self.sometimes += 1,
        }
        self.blocks.push(Block { when, outer: self.statement, outer_parentheses: self.parentheses });
        self.parentheses = 0;
        self.head = None;
        self.end_statement();
    }

    fn close(&mut self) {
        let Some(block) = self.blocks.pop() else { return self.end_statement() };
        match block.when {
            When::Always => {}
            When::Unless(_) => drop(self.guards.pop()),
            When::Sometimes => self.sometimes -= 1,
        }
        self.parentheses = block.outer_parentheses;
        // A closure among arguments ends, and its statement goes on.
        self.fresh = block.outer_parentheses == 0;
        self.statement = if self.fresh { When::Always } else { block.outer };
    }

    fn end_statement(&mut self) {
        self.fresh = true;
        self.statement = When::Always;
    }
}

/// A name behind `->` or `::` is a member, whatever it is called.
pub(super) fn is_member(cursor: &Cursor<'_>) -> bool {
    let before = cursor.at.checked_sub(1).map(|at| Cursor { at, ..*cursor });
    before.is_some_and(|before| matches!(before.peek(0), b"->" | b"::"))
}

/// Recognises the beginnings `defined('X') ||`, `!defined('X') &&` and `if (!defined('X'))`: the index of the name and
/// of the first token behind.
fn guard(cursor: &Cursor<'_>) -> Option<(usize, usize)> {
    let mut at = *cursor;
    let conditional = at.peek(0).eq_ignore_ascii_case(b"if");
    if conditional {
        at.at += 1;
        at.take(b"(").then_some(())?;
    }
    let negated = at.take(b"!");
    if conditional && !negated || !unqualified(at.peek(0)).eq_ignore_ascii_case(b"defined") {
        return None;
    }
    at.at += 1;
    at.take(b"(").then_some(())?;
    let name = (at.kind(0)? == Kind::Text).then_some(at.at)?;
    at.at += 1;
    at.take(b")").then_some(())?;
    if conditional {
        return at.take(b")").then_some((name, at.at));
    }
    let joint = at.peek(0).to_ascii_lowercase();
    let fits = if negated { matches!(&*joint, b"&&" | b"and") } else { matches!(&*joint, b"||" | b"or") };
    fits.then_some((name, at.at + 1))
}
