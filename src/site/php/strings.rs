//! Finds the end of PHP's strings, and whether PHP would put values into them.

use super::scan::{blank, is_name, is_name_start, length};

/// How deep `"{$a["{$b["…"]}"]}"` may nest before we stop following it.
const MAX_NESTING: u32 = 16;

/// A quoted string: where it ends, behind its closing quote.
pub(super) enum Quoted {
    /// The same in every run.
    Constant(usize),
    /// Holds a variable or an expression, or is a shell command.
    Evaluated(usize),
    /// Has no end, or nests too deep to find it.
    Endless,
}

/// Measures the string whose opening quote (`'`, `"` or a backtick) is at `open`.
pub(super) fn quoted(source: &[u8], open: usize) -> Quoted {
    if source.get(open) == Some(&b'\'') {
        return single(source, open).map_or(Quoted::Endless, Quoted::Constant);
    }
    match double(source, open, 0) {
        None => Quoted::Endless,
        Some((end, evaluated)) if evaluated || source.get(open) == Some(&b'`') => Quoted::Evaluated(end),
        Some((end, _)) => Quoted::Constant(end),
    }
}

fn single(source: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        match source.get(at)? {
            b'\'' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn double(source: &[u8], open: usize, depth: u32) -> Option<(usize, bool)> {
    let quote = *source.get(open)?;
    let mut at = open + 1;
    let mut evaluated = false;
    loop {
        let byte = *source.get(at)?;
        if byte == quote {
            return Some((at + 1, evaluated));
        }
        let end = part(source, at, depth)?;
        evaluated |= end.evaluated;
        at = end.at;
    }
}

struct Part {
    at: usize,
    evaluated: bool,
}

/// One byte, escape or interpolation inside a double quoted string or heredoc.
fn part(source: &[u8], at: usize, depth: u32) -> Option<Part> {
    let next = source.get(at + 1).copied();
    match (*source.get(at)?, next) {
        (b'\\', _) => Some(Part { at: at + 2, evaluated: false }),
        (b'{', Some(b'$')) => Some(Part { at: braces(source, at + 1, depth)?, evaluated: true }),
        (b'$', Some(b'{')) => Some(Part { at: braces(source, at + 2, depth)?, evaluated: true }),
        (b'$', Some(byte)) if is_name_start(byte) => Some(Part { at: at + 2, evaluated: true }),
        _ => Some(Part { at: at + 1, evaluated: false }),
    }
}

/// Where the expression after an opening brace ends, behind its closing brace: strings in it may hold quotes and braces.
fn braces(source: &[u8], mut at: usize, depth: u32) -> Option<usize> {
    if depth >= MAX_NESTING {
        return None;
    }
    let mut open = 1_u32;
    loop {
        let space = blank(source, at);
        if space > at {
            at = space;
            continue;
        }
        match source.get(at)? {
            b'{' => open += 1,
            b'}' if open == 1 => return Some(at + 1),
            b'}' => open -= 1,
            b'\'' => {
                at = single(source, at)?;
                continue;
            }
            b'"' | b'`' => {
                at = double(source, at, depth + 1)?.0;
                continue;
            }
            b'<' if source[at..].starts_with(b"<<<") => {
                if let Some(heading) = heading(source, at) {
                    at = heredoc(source, &heading, depth + 1)?;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// The first line of a heredoc or nowdoc.
pub(super) struct Heading<'a> {
    label: &'a [u8],
    /// A nowdoc: nothing in it means anything.
    literal: bool,
    /// Where its text starts.
    body: usize,
}

/// Reads the heading at `<<<`; `None` if that opens no heredoc.
pub(super) fn heading(source: &[u8], open: usize) -> Option<Heading<'_>> {
    let mut at = open + 3;
    at += length(source.get(at..)?, |byte| byte == b' ' || byte == b'\t');
    let quote = source.get(at).copied().filter(|byte| matches!(byte, b'\'' | b'"'));
    at += usize::from(quote.is_some());
    let rest = source.get(at..)?;
    let size = length(rest, is_name);
    if size == 0 || !is_name_start(rest[0]) {
        return None;
    }
    at += size;
    if let Some(quote) = quote {
        at = (source.get(at) == Some(&quote)).then_some(at + 1)?;
    }
    at += usize::from(source.get(at) == Some(&b'\r'));
    let literal = quote == Some(b'\'');
    (source.get(at) == Some(&b'\n')).then_some(Heading { label: &rest[..size], literal, body: at + 1 })
}

/// Where a heredoc ends, behind its closing label; `None` if it does not.
pub(super) fn heredoc(source: &[u8], heading: &Heading<'_>, depth: u32) -> Option<usize> {
    let mut at = heading.body;
    let mut line_start = true;
    loop {
        if line_start && let Some(end) = closing(source, at, heading.label) {
            return Some(end);
        }
        let byte = *source.get(at)?;
        line_start = byte == b'\n';
        // An escaped line end is still a line end to the closing label.
        let plain = heading.literal || (byte == b'\\' && source.get(at + 1) == Some(&b'\n'));
        at = if plain { at + 1 } else { part(source, at, depth)?.at };
    }
}

/// Where the closing label ends, if it stands on the line that starts at `at` (PHP 7.3 allows spaces before it).
fn closing(source: &[u8], at: usize, label: &[u8]) -> Option<usize> {
    let line = source.get(at..)?;
    let indent = length(line, |byte| byte == b' ' || byte == b'\t');
    let rest = line[indent..].strip_prefix(label)?;
    (!rest.first().copied().is_some_and(is_name)).then_some(at + indent + label.len())
}
