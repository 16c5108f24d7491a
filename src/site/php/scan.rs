//! Cuts PHP source into tokens, by the rules of `Zend/zend_language_scanner.l`, as far as they decide where a token ends.

use super::strings::{self, Quoted};

/// What a token is; its text is looked up by its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or a name, with its namespace (`define`, `\define`, `WP\Config`).
    Name,
    /// `$name`, with the dollar sign.
    Variable,
    /// A string that means the same in every run, with its quotes and escapes.
    Text,
    /// A string or backtick command that PHP would have to evaluate.
    Template,
    /// A heredoc or nowdoc.
    Heredoc,
    Number,
    /// An operator or a bracket; the longest that PHP knows, where its length matters to us.
    Punctuation,
    /// `?>` up to and including the next open tag: ends a statement.
    Gap,
    /// Something that never ends or nests too deep: nothing after it can be trusted.
    Broken,
}

/// A piece of source; 16 bytes, because a hostile file has a million of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    start: u32,
    end: u32,
    pub(super) line: u32,
}

impl Token {
    pub(super) fn text<'a>(&self, source: &'a [u8]) -> &'a [u8] {
        source.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

const PAIRS: [&[u8]; 13] =
    [b"->", b"::", b"&&", b"||", b"??", b"=>", b"==", b"!=", b".=", b"+=", b"-=", b"<=", b">="];

/// All tokens of a source no longer than `MAX_SOURCE`, comments left out; the last one may be `Broken`.
pub(super) fn tokens(source: &[u8]) -> Vec<Token> {
    let mut scanner = Scanner { source, at: 0, line: 1 };
    let mut tokens = Vec::new();
    scanner.skip_to_code();
    while let Some(token) = scanner.next() {
        tokens.push(token);
        let halted = token.kind == Kind::Name && token.text(source).eq_ignore_ascii_case(b"__halt_compiler");
        if token.kind == Kind::Broken || halted {
            break;
        }
    }
    tokens
}

struct Scanner<'a> {
    source: &'a [u8],
    at: usize,
    line: u32,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        let first = *self.source.get(self.at)?;
        let (kind, end) = self.measure(first);
        let token = Token { kind, start: offset(self.at), end: offset(end), line: self.line };
        self.advance(end);
        Some(token)
    }

    /// The kind of the token that starts here, and where it ends.
    fn measure(&self, first: u8) -> (Kind, usize) {
        let rest = &self.source[self.at..];
        match first {
            b'\'' | b'"' | b'`' => self.quoted(self.at),
            b'b' | b'B' if matches!(rest.get(1), Some(b'\'' | b'"')) => self.quoted(self.at + 1),
            b'<' if rest.starts_with(b"<<<") => self.heredoc(),
            b'?' if rest.starts_with(b"?>") => (Kind::Gap, code_after(self.source, self.at + 2)),
            b'$' if rest.get(1).copied().is_some_and(is_name_start) => {
                (Kind::Variable, self.at + 1 + length(&rest[1..], is_name))
            }
            b'0'..=b'9' => (Kind::Number, self.at + number(rest)),
            b'.' if rest.get(1).is_some_and(u8::is_ascii_digit) => (Kind::Number, self.at + number(rest)),
            _ if is_name_start(first) || first == b'\\' => {
                (Kind::Name, self.at + 1 + length(&rest[1..], |byte| is_name(byte) || byte == b'\\'))
            }
            _ if PAIRS.iter().any(|pair| rest.starts_with(pair)) => (Kind::Punctuation, self.at + 2),
            _ => (Kind::Punctuation, self.at + 1),
        }
    }

    fn quoted(&self, quote: usize) -> (Kind, usize) {
        match strings::quoted(self.source, quote) {
            Quoted::Constant(end) => (Kind::Text, end),
            Quoted::Evaluated(end) => (Kind::Template, end),
            Quoted::Endless => (Kind::Broken, self.source.len()),
        }
    }

    /// A heredoc where `<<<` really opens one; otherwise it is `<<` and `<`, of no interest to us.
    fn heredoc(&self) -> (Kind, usize) {
        let Some(heading) = strings::heading(self.source, self.at) else {
            return (Kind::Punctuation, self.at + 3);
        };
        strings::heredoc(self.source, &heading, 0)
            .map_or((Kind::Broken, self.source.len()), |end| (Kind::Heredoc, end))
    }

    fn skip_blank(&mut self) {
        loop {
            let end = blank(self.source, self.at);
            if end == self.at {
                return;
            }
            self.advance(end);
        }
    }

    fn skip_to_code(&mut self) {
        self.advance(code_after(self.source, 0));
    }

    fn advance(&mut self, end: usize) {
        let end = end.min(self.source.len());
        for byte in &self.source[self.at..end] {
            self.line += u32::from(*byte == b'\n');
        }
        self.at = end;
    }
}

/// Where a run of spaces or one comment that starts at `at` ends; `at` itself if there is neither.
pub(super) fn blank(source: &[u8], at: usize) -> usize {
    let rest = source.get(at..).unwrap_or_default();
    match rest {
        [b' ' | b'\t' | b'\r' | b'\n', ..] => {
            at + length(rest, |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
        }
        // `#[` opens an attribute, not a comment.
        [b'#', b'[', ..] => at,
        [b'#', ..] | [b'/', b'/', ..] => at + line_comment(rest),
        [b'/', b'*', ..] => find(source, at + 2, b"*/").map_or(source.len(), |end| end + 2),
        _ => at,
    }
}

/// A line comment ends at the end of its line or before a close tag, whichever comes first.
fn line_comment(rest: &[u8]) -> usize {
    let end = length(rest, |byte| byte != b'\n' && byte != b'\r');
    find(&rest[..end], 0, b"?>").unwrap_or(end)
}

/// Where PHP code starts at or after `at`: behind the next `<?php` or `<?=`. Bare `<?` depends on settings of the
/// server that we do not see, and is taken as text.
fn code_after(source: &[u8], mut at: usize) -> usize {
    while let Some(tag) = find(source, at, b"<?") {
        let rest = &source[tag + 2..];
        let word = rest.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"php"));
        if word && rest.get(3).is_none_or(u8::is_ascii_whitespace) {
            return tag + 5;
        }
        if rest.starts_with(b"=") {
            return tag + 3;
        }
        at = tag + 2;
    }
    source.len()
}

/// Length of a number as PHP's scanner takes it, fractions and exponents included.
fn number(rest: &[u8]) -> usize {
    let whole = length(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest.get(whole) {
        Some(b'.') => {
            whole + 1 + length(&rest[whole + 1..], |byte| byte.is_ascii_alphanumeric() || byte == b'_')
        }
        _ => whole,
    }
}

pub(super) fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

pub(super) fn is_name(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit()
}

/// How many bytes from the start satisfy a condition.
pub(super) fn length(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !wanted(*byte)).unwrap_or(bytes.len())
}

/// Where `needle` (two bytes) starts at or after `from`.
pub(super) fn find(source: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let rest = source.get(from..)?;
    rest.windows(needle.len()).position(|window| window == needle).map(|found| from + found)
}

/// Sources are limited to `MAX_SOURCE`, far below 4 GiB.
fn offset(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
