//! Text that somebody else chose, made fit to be shown: no control character is obeyed by whatever shows it.

use std::borrow::Cow;

/// Names of files are chosen by whoever can write to a site. On a terminal their control characters would be obeyed, and
/// a line break or a change of direction would forge what we say: all of these are shown as `\u{1b}` or `\n`.
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, is_unwanted)
}

/// The same for a text of our own lines: line breaks and tabs pass.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escape(text, |letter| !matches!(letter, '\n' | '\t') && is_unwanted(letter))
}

fn escape(text: &str, unwanted: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&unwanted) {
        return Cow::Borrowed(text);
    }
    let escaped = |letter: char| {
        if unwanted(letter) { letter.escape_default().to_string() } else { letter.to_string() }
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// Controls, separators that end a line elsewhere, and letters that turn the reading direction of what follows.
fn is_unwanted(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
