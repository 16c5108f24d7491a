//! A few lines on a terminal that are drawn again in their place.

use std::io::{self, Write, stdout};

use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthChar;

const HIDE_CURSOR: &str = "\u{1b}[?25l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";
const CLEAR_ALL: &str = "\u{1b}[2J\u{1b}[H";

/// What is drawn stays when this is dropped, and the cursor is below it.
pub(super) struct Screen {
    drawn: usize,
    /// Columns and rows.
    size: (usize, usize),
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { drawn: 0, size: size() }
    }

    /// Draws these lines, cut to what fits. They must be printable.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let now = size();
        let resized = std::mem::replace(&mut self.size, now) != now;
        let text = frame(lines, self.drawn, now, resized);
        self.drawn = lines.len().min(now.1.saturating_sub(1));
        // In one piece, so that nobody sees half of it.
        let mut out = stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = stdout().lock();
        drop(out.write_all(SHOW_CURSOR.as_bytes()).and_then(|()| out.flush()));
    }
}

fn frame(lines: &[String], drawn: usize, (columns, rows): (usize, usize), resized: bool) -> String {
    let mut text = HIDE_CURSOR.to_owned();
    if resized {
        // Lines that were wrapped anew cannot be counted.
        text.push_str(CLEAR_ALL);
    } else if drawn > 0 {
        text.push_str("\r\u{1b}[");
        text.push_str(&drawn.to_string());
        text.push('A');
    }
    for line in lines.iter().take(rows.saturating_sub(1)) {
        text.push_str(cut(line, columns));
        text.push_str(CLEAR_LINE);
        text.push('\n');
    }
    text.push_str(CLEAR_BELOW);
    text
}

/// The beginning of a line that takes no more columns.
fn cut(line: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, letter) in line.char_indices() {
        taken += letter.width().unwrap_or(0);
        if taken > columns {
            return &line[..at];
        }
    }
    line
}

/// Of a terminal that does not say it, what all have.
fn size() -> (usize, usize) {
    tcgetwinsize(stdout())
        .ok()
        .filter(|size| size.ws_col > 0 && size.ws_row > 1)
        .map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_takes_the_place_of_the_one_before_and_never_more_than_there_is() {
        let lines: Vec<String> = ["one", "two 漢字", "three"].map(str::to_owned).to_vec();
        assert_eq!(
            frame(&lines, 3, (7, 24), false),
            "\u{1b}[?25l\r\u{1b}[3Aone\u{1b}[K\ntwo 漢\u{1b}[K\nthree\u{1b}[K\n\u{1b}[J"
        );
        assert_eq!(frame(&lines, 0, (80, 3), false).matches('\n').count(), 2);
        assert!(frame(&lines, 3, (80, 24), true).starts_with("\u{1b}[?25l\u{1b}[2J\u{1b}[H"));
    }
}
