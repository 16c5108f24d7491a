//! Works out constant expressions: literals, known constants and their concatenation; everything else is named, not guessed.

use super::literal;
use super::scan::{Kind, Token};

/// The longest value that is kept, in bytes; names, passwords and paths are far shorter.
const MAX_VALUE: usize = 4096;
const MAX_PARENTHESES: u32 = 16;

/// Why a value cannot be told, as the end of "comes from …".
pub(super) type Why = String;

/// Looks up a constant that was defined before.
pub(super) type Lookup<'a> = dyn Fn(&[u8]) -> Result<Vec<u8>, Why> + 'a;

/// The tokens of one source, read from a position onward.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) source: &'a [u8],
    pub(super) tokens: &'a [Token],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn token(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn line(&self) -> u32 {
        self.token().or_else(|| self.tokens.last()).map_or(1, |token| token.line)
    }

    /// The text of the token `ahead` places from here; empty behind the end.
    pub(super) fn peek(&self, ahead: usize) -> &'a [u8] {
        self.tokens.get(self.at + ahead).map_or(&[], |token| token.text(self.source))
    }

    pub(super) fn kind(&self, ahead: usize) -> Option<Kind> {
        self.tokens.get(self.at + ahead).map(|token| token.kind)
    }

    /// Steps over a token with exactly this text.
    pub(super) fn take(&mut self, text: &[u8]) -> bool {
        let found = self.kind(0) == Some(Kind::Punctuation) && self.peek(0) == text;
        self.at += usize::from(found);
        found
    }

    /// Evaluates a constant expression and stops behind it.
    pub(super) fn value(&mut self, lookup: &Lookup<'_>) -> Result<Vec<u8>, Why> {
        self.concatenation(lookup, 0)
    }

    fn concatenation(&mut self, lookup: &Lookup<'_>, depth: u32) -> Result<Vec<u8>, Why> {
        let mut value = self.term(lookup, depth)?;
        while self.take(b".") {
            value.extend(self.term(lookup, depth)?);
            if value.len() > MAX_VALUE {
                return Err(format!("a text of more than {MAX_VALUE} bytes"));
            }
        }
        Ok(value)
    }

    fn term(&mut self, lookup: &Lookup<'_>, depth: u32) -> Result<Vec<u8>, Why> {
        if depth < MAX_PARENTHESES && self.take(b"(") {
            let value = self.concatenation(lookup, depth + 1)?;
            return if self.take(b")") { Ok(value) } else { Err(self.unknown()) };
        }
        let negative = self.take(b"-");
        let Some(token) = self.token() else { return Err("a file that ends in the middle of it".to_owned()) };
        let text = token.text(self.source);
        let value = match token.kind {
            Kind::Number => self.integer(negative)?,
            _ if negative => return Err(self.unknown()),
            Kind::Text if text.len() > 4 * MAX_VALUE => {
                return Err(format!("a text of more than {MAX_VALUE} bytes"));
            }
            Kind::Text => literal::text(text).ok_or("a string with an invalid escape")?,
            Kind::Name if self.peek(1) != b"(" && self.peek(1) != b"::" => constant(text, lookup)?,
            _ => return Err(self.unknown()),
        };
        self.at += 1;
        Ok(value)
    }

    fn integer(&self, negative: bool) -> Result<Vec<u8>, Why> {
        let number = literal::integer(self.peek(0)).ok_or("a number that is not a plain whole one")?;
        Ok(if negative { -number } else { number }.to_string().into_bytes())
    }

    /// Names what stands here and cannot be evaluated.
    pub(super) fn unknown(&self) -> Why {
        let Some(token) = self.token() else { return "a file that ends in the middle of it".to_owned() };
        let name = readable(token.text(self.source));
        match token.kind {
            Kind::Template => "a string with a variable in it".to_owned(),
            Kind::Heredoc => "a heredoc".to_owned(),
            Kind::Variable => format!("the variable {name}"),
            Kind::Name if self.peek(1) == b"(" => format!("the function {name}()"),
            Kind::Name => format!("the expression at {name}"),
            Kind::Broken => "a string that does not end".to_owned(),
            _ => "a computed expression".to_owned(),
        }
    }
}

fn constant(name: &[u8], lookup: &Lookup<'_>) -> Result<Vec<u8>, Why> {
    let name = unqualified(name);
    match name.to_ascii_lowercase().as_slice() {
        b"true" => Ok(b"1".to_vec()),
        b"false" | b"null" => Ok(Vec::new()),
        _ => lookup(name),
    }
}

/// A name without the backslash that says "not of this namespace".
pub(super) fn unqualified(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"\\").unwrap_or(name)
}

/// A name from a hostile file, fit for a message.
pub(super) fn readable(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let short: String = name.chars().filter(|char| !char.is_control()).take(60).collect();
    if short.len() < name.len() { format!("{short}...") } else { short }
}
