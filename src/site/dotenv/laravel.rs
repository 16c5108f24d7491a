//! The rules of `vlucas/phpdotenv` 5 (`Parser\Lines`, `Parser\EntryParser`, `Loader\Resolver`).

use super::{Dotenv, MAX_VALUE, Why};

pub(super) fn read(source: &[u8], into: &mut Dotenv) {
    let mut lines = Lines { rest: source, number: 0, ended: source.is_empty() };
    while let Some((line, first)) = lines.next() {
        if !starts_multiline(first) {
            entry(first, line, true, into);
            continue;
        }
        let mut text = first.to_vec();
        let mut closed = false;
        while let Some((_, more)) = lines.next() {
            if text.len() <= 2 * MAX_VALUE {
                text.push(b'\n');
                text.extend_from_slice(more);
            }
            closed = stops_multiline(more, starts_multiline(more));
            if closed {
                break;
            }
        }
        entry(&text, line, closed, into);
    }
}

/// Lines with their numbers, whatever they end with.
struct Lines<'a> {
    rest: &'a [u8],
    number: u32,
    ended: bool,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<(u32, &'a [u8])> {
        if self.ended {
            return None;
        }
        self.number += 1;
        let rest = self.rest;
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let (line, after) = match end {
            Some(at) if rest[at..].starts_with(b"\r\n") => (&rest[..at], &rest[at + 2..]),
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => {
                self.ended = true;
                (rest, &rest[rest.len()..])
            }
        };
        self.rest = after;
        Some((self.number, line))
    }
}

fn starts_multiline(line: &[u8]) -> bool {
    line.windows(2).any(|pair| pair == b"=\"") && !stops_multiline(line, true)
}

/// Whether the quotes of a line close what this or an earlier line opened.
fn stops_multiline(line: &[u8], started: bool) -> bool {
    if line == b"\"" {
        return true;
    }
    // Escaped backslashes do not escape.
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((byte, tail)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"\\\\") {
            rest = after;
        } else {
            plain.push(*byte);
            rest = tail;
        }
    }
    let quotes = plain.windows(2).filter(|pair| pair[0] != b'\\' && pair[1] == b'"').count();
    quotes >= if started { 2 } else { 1 }
}

fn entry(text: &[u8], line: u32, closed: bool, into: &mut Dotenv) {
    let trimmed = trim(text);
    if trimmed.is_empty() || trimmed[0] == b'#' {
        return;
    }
    let split = text.iter().position(|byte| *byte == b'=');
    let Some(name) = name(trim(&text[..split.unwrap_or(text.len())])) else { return };
    let Some(split) = split else {
        into.values.remove(&name);
        return;
    };
    let value = if closed { value(trim(&text[split + 1..])) } else { Err("has a quote that is not closed") };
    let value = value.and_then(|(text, references)| resolve(text, &references, into));
    into.set(name, line, value);
}

/// Without `export` and quotes; `None` for what is no name, which is an error there for the file as a whole.
fn name(text: &[u8]) -> Option<String> {
    let mut name = text;
    if name.len() > 8 && name.starts_with(b"export") && is_space(name[6]) {
        name = name[6..].trim_ascii_start();
    }
    for quote in [b'"', b'\''] {
        if name.len() >= 3 && name[0] == quote && name[name.len() - 1] == quote {
            name = &name[1..name.len() - 1];
            break;
        }
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    (!name.is_empty() && name.iter().all(plain)).then(|| String::from_utf8_lossy(name).into_owned())
}

#[derive(Clone, Copy)]
enum State {
    Initial,
    Unquoted,
    Single,
    Double,
    Escape,
    Space,
    Comment,
}

/// The text, and where in it are dollar signs that may begin a reference.
fn value(text: &[u8]) -> Result<(Vec<u8>, Vec<usize>), Why> {
    let (mut out, mut references) = (Vec::new(), Vec::new());
    let mut state = State::Initial;
    for &byte in text {
        let mut keep = None;
        state = match (state, byte) {
            (State::Initial, b'\'') => State::Single,
            (State::Initial, b'"') => State::Double,
            (State::Initial | State::Unquoted | State::Space, b'#') => State::Comment,
            (State::Unquoted, byte) if is_space(byte) => State::Space,
            (State::Initial | State::Unquoted | State::Double, b'$') => {
                references.push(out.len());
                keep = Some(byte);
                if matches!(state, State::Double) { State::Double } else { State::Unquoted }
            }
            (State::Initial | State::Unquoted, _) => {
                keep = Some(byte);
                State::Unquoted
            }
            (State::Single, b'\'') | (State::Double, b'"') => State::Space,
            (State::Double, b'\\') => State::Escape,
            (State::Single | State::Double, _) => {
                keep = Some(byte);
                state
            }
            (State::Escape, _) => {
                keep = Some(escaped(byte).ok_or("has an escape that means nothing")?);
                State::Double
            }
            (State::Space, byte) if is_space(byte) => State::Space,
            (State::Space, _) => return Err("has more behind a space or quote, which must be in quotes"),
            (State::Comment, _) => break,
        };
        out.extend(keep);
        if out.len() > MAX_VALUE {
            return Err("is longer than settings are");
        }
    }
    match state {
        State::Single | State::Double | State::Escape => Err("has a quote that is not closed"),
        _ => Ok((out, references)),
    }
}

fn escaped(byte: u8) -> Option<u8> {
    match byte {
        b'"' | b'\\' | b'$' => Some(byte),
        b'f' => Some(0x0c),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'v' => Some(0x0b),
        _ => None,
    }
}

/// Replaces `${NAME}`, from the last to the first.
fn resolve(mut text: Vec<u8>, references: &[usize], known: &Dotenv) -> Result<Vec<u8>, Why> {
    for &at in references.iter().rev() {
        let Some(inner) = text[at..].strip_prefix(b"${") else { continue };
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        let length = inner.iter().position(|byte| !plain(byte)).unwrap_or(inner.len());
        if length == 0 || inner.get(length) != Some(&b'}') {
            continue;
        }
        let value = known.referred(&inner[..length])?.to_vec();
        text.splice(at..at + length + 3, value);
        if text.len() > MAX_VALUE {
            return Err("is longer than settings are");
        }
    }
    Ok(text)
}

/// As PHP's `trim`.
fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\0' | 0x0b);
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !blank(byte)).map_or(start, |at| at + 1);
    &text[start..end]
}

/// As PHP's `ctype_space`.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}
