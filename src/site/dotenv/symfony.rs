//! The rules of `symfony/dotenv` (`Dotenv::parse`).

use super::{Dotenv, MAX_VALUE, Why};

const UNCLEAR: Why = "has a dollar sign whose meaning is not clear";
const COMMAND: Why = "runs a command, which is never done here";

pub(super) fn read(source: &[u8], into: &mut Dotenv) {
    let source = one_kind_of_line_end(source);
    let mut lexer = Lexer { source: &source, at: 0, line: 1 };
    lexer.skip_empty_lines();
    while lexer.peek().is_some() {
        let line = lexer.line;
        // A line that is none makes the whole file an error there.
        if let Some(name) = lexer.name() {
            let value = lexer.value(into);
            into.set(name, line, value);
        }
        // Whatever is left of the line is a mistake.
        lexer.skip_line();
        lexer.skip_empty_lines();
    }
}

fn one_kind_of_line_end(source: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(source.len());
    let mut bytes = source.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'\r' {
            bytes.next_if_eq(&b'\n');
            out.push(b'\n');
        } else {
            out.push(byte);
        }
    }
    out
}

struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
    line: u32,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn before(&self) -> Option<u8> {
        self.at.checked_sub(1).and_then(|at| self.source.get(at).copied())
    }

    fn step(&mut self) {
        self.line += u32::from(self.peek() == Some(b'\n'));
        self.at += 1;
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.step();
        }
    }

    fn skip_empty_lines(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => self.skip_line(),
                byte if byte.is_ascii_whitespace() || byte == 0x0b => self.step(),
                _ => return,
            }
        }
    }

    /// `NAME=` or `export NAME=`, stepped over.
    fn name(&mut self) -> Option<String> {
        let rest = &self.source[self.at..];
        let exported = rest.strip_prefix(b"export").map(|tail| (tail, tail.trim_ascii_start()));
        let head = match exported {
            Some((tail, name))
                if name.len() < tail.len() && !tail[..tail.len() - name.len()].contains(&b'\n') =>
            {
                name
            }
            _ => rest,
        };
        let length = name_length(head);
        if length == 0 || head.get(length) != Some(&b'=') {
            return None;
        }
        self.at += rest.len() - head.len() + length + 1;
        Some(String::from_utf8_lossy(&head[..length]).into_owned())
    }

    fn value(&mut self, known: &Dotenv) -> Result<Vec<u8>, Why> {
        let mut ahead = self.at;
        while matches!(self.source.get(ahead), Some(b' ' | b'\t')) {
            ahead += 1;
        }
        if matches!(self.source.get(ahead), None | Some(b'\n' | b'#')) {
            self.skip_line();
            return Ok(Vec::new());
        }
        if ahead > self.at {
            return Err("has a space before its value");
        }
        // What cannot be told must be read to its end nevertheless, or its lines would be taken for others.
        let mut value = Ok(Vec::new());
        while let Some(byte) = self.peek().filter(|byte| *byte != b'\n') {
            match byte {
                b'\'' => add(&mut value, Ok(self.single()?)),
                b'"' => add(&mut value, resolve(self.double()?, known)),
                _ => {
                    let (text, command, comment) = self.unquoted();
                    let resolved = if command { Err(COMMAND) } else { resolve(text.clone(), known) };
                    if resolved.as_ref() == Ok(&text) && text.iter().any(u8::is_ascii_whitespace) {
                        return Err("has a space that is not in quotes");
                    }
                    add(&mut value, resolved);
                    if comment {
                        break;
                    }
                }
            }
        }
        value
    }

    fn single(&mut self) -> Result<Vec<u8>, Why> {
        self.step();
        let mut text = Vec::new();
        loop {
            let byte = self.peek().ok_or("has a quote that is not closed")?;
            self.step();
            if byte == b'\'' {
                return Ok(text);
            }
            text.push(byte);
        }
    }

    fn double(&mut self) -> Result<Vec<u8>, Why> {
        self.step();
        let mut text = Vec::new();
        loop {
            let byte = self.peek().ok_or("has a quote that is not closed")?;
            let two_before = self.at.checked_sub(2).and_then(|at| self.source.get(at).copied());
            let escaped = self.before() == Some(b'\\') && two_before != Some(b'\\');
            self.step();
            if byte == b'"' && !escaped {
                break;
            }
            text.push(byte);
        }
        // One after the other, as there: each of them sees what the former made.
        let text = replace(&text, b"\\\"", b"\"");
        let text = replace(&text, b"\\r", b"\r");
        Ok(replace(&text, b"\\n", b"\n"))
    }

    /// Up to a quote, a comment or the end of the line: the text, whether a command is in it, and whether it was a comment.
    fn unquoted(&mut self) -> (Vec<u8>, bool, bool) {
        let mut text = Vec::new();
        let mut before = self.before();
        let (mut command, mut comment) = (false, false);
        while let Some(mut byte) = self.peek().filter(|byte| !matches!(byte, b'\n' | b'"' | b'\'')) {
            if byte == b'#' && matches!(before, Some(b' ' | b'\t')) {
                comment = true;
                break;
            }
            let next = self.source.get(self.at + 1).copied();
            if byte == b'\\'
                && let Some(quote @ (b'"' | b'\'')) = next
            {
                self.step();
                byte = quote;
            }
            if byte == b'$' && next == Some(b'(') {
                command = true;
                self.skip_parentheses();
            }
            text.push(byte);
            before = Some(byte);
            self.step();
        }
        // As PHP's `rtrim`.
        while matches!(text.last(), Some(b' ' | b'\t' | b'\n' | b'\r' | b'\0' | 0x0b)) {
            text.pop();
        }
        (text, command, comment)
    }

    /// From the dollar sign to the last letter before the closing parenthesis' own step; quotes mean nothing in between.
    fn skip_parentheses(&mut self) {
        self.step();
        let mut open = 0_u32;
        while let Some(byte) = self.peek().filter(|byte| *byte != b'\n') {
            match byte {
                b'(' => open += 1,
                b')' if open == 1 => return,
                b')' => open -= 1,
                _ => {}
            }
            self.step();
        }
        // A step back, for the caller's own.
        self.at -= 1;
    }
}

/// Puts the next piece behind the ones before it; the first reason why the value cannot be told stays.
fn add(value: &mut Result<Vec<u8>, Why>, piece: Result<Vec<u8>, Why>) {
    match (value.as_mut(), piece) {
        (Ok(text), Ok(piece)) if text.len() + piece.len() <= MAX_VALUE => text.extend(piece),
        (Ok(_), Ok(_)) => *value = Err("is longer than settings are"),
        (Ok(_), Err(why)) => *value = Err(why),
        (Err(_), _) => {}
    }
}

/// Replaces references, and then pairs of backslashes.
fn resolve(text: Vec<u8>, known: &Dotenv) -> Result<Vec<u8>, Why> {
    let text = if text.contains(&b'$') { references(&text, known)? } else { text };
    Ok(replace(&text, b"\\\\", b"\\"))
}

fn references(text: &[u8], known: &Dotenv) -> Result<Vec<u8>, Why> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte != b'$' {
            out.push(byte);
            at += 1;
            continue;
        }
        let backslashes = text[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        let rest = &text[at + 1..];
        if rest.first() == Some(&b'(') {
            return Err(COMMAND);
        }
        let braced = rest.first() == Some(&b'{');
        let inner = if braced { &rest[1..] } else { rest };
        let length = name_length(inner);
        let behind = &inner[length..];
        let has_default = matches!(behind, [b':', b'-' | b'=', ..]);
        if backslashes % 2 == 1 {
            if has_default {
                return Err(UNCLEAR);
            }
            // The backslash before it goes, and it is a dollar sign.
            out.pop();
            out.push(b'$');
            at += 1;
            continue;
        }
        if length == 0 {
            if braced || has_default || behind.first() == Some(&b'}') {
                return Err(UNCLEAR);
            }
            out.push(b'$');
            at += 1;
            continue;
        }
        at += 1 + usize::from(braced) + length;
        let value = known.referred(&inner[..length])?;
        if has_default {
            let close = behind.iter().position(|byte| *byte == b'}').filter(|_| braced && behind[1] == b'-');
            let default = &behind[2..close.ok_or(UNCLEAR)?];
            if default.iter().any(|byte| matches!(byte, b'\'' | b'"' | b'{' | b'$')) {
                return Err(UNCLEAR);
            }
            out.extend_from_slice(if value.is_empty() { default } else { value });
            at += default.len() + 3;
        } else {
            if braced && behind.first() != Some(&b'}') {
                return Err("has a brace that is not closed");
            }
            out.extend_from_slice(value);
            at += usize::from(braced);
        }
        if out.len() > MAX_VALUE {
            return Err("is longer than settings are");
        }
    }
    Ok(out)
}

/// `_?[A-Z][A-Z0-9_]*`, in either case.
fn name_length(text: &[u8]) -> usize {
    let under = usize::from(text.first() == Some(&b'_'));
    if !text.get(under).is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    let rest = &text[under..];
    under + rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_').unwrap_or(rest.len())
}

fn replace(text: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(what) {
            out.extend_from_slice(with);
            rest = after;
        } else {
            out.push(*byte);
            rest = tail;
        }
    }
    out
}
