//! The text of a dump as a stream: taken apart into statements and rows without ever holding more than one of them.

use std::io::Read;

use crate::error::{Context, Error, Result};

/// No statement besides those with rows is longer: definitions, and the bodies of routines.
const LONGEST_STATEMENT: usize = 16 << 20;

/// No row is longer: servers take packets of a gigabyte at most, and usual ones of 16 to 64 MiB.
const LONGEST_ROW: usize = 256 << 20;

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// Of the statements of another schema, so much is kept: enough to tell their kind.
const GLIMPSE: usize = 4 << 10;

/// Where no dump of `mysqldump` ends.
const CUT: &str = "the dump ends in the middle";

/// What comes next in a dump.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A comment line between statements, without its dashes.
    Remark(String),
    /// A statement, without what ends it.
    Statement(Vec<u8>),
    /// `INSERT INTO … VALUES`: rows follow, which `row` or `skip` takes.
    Rows(Vec<u8>),
}

/// How much of statements is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Whole,
    /// Their beginning; nothing with rows comes.
    Kind,
}

pub(super) struct Text<R> {
    from: R,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    line: u64,
    /// Up to eight letters, and how many they are.
    delimiter: ([u8; 8], usize),
    depth: Depth,
}

impl<R: Read> Text<R> {
    pub(super) fn new(from: R) -> Self {
        let buffer = Vec::with_capacity(2 * CHUNK);
        Self { from, buffer, at: 0, ended: false, line: 1, delimiter: (*b";       ", 1), depth: Depth::Whole }
    }

    /// Says where in the dump something is wrong.
    pub(super) fn wrong(&self, what: impl std::fmt::Display) -> Error {
        wrong(self.line, what)
    }

    /// `None` at the end of the dump.
    pub(super) fn next(&mut self, depth: Depth) -> Result<Option<Piece>> {
        self.depth = depth;
        loop {
            self.skip_blanks()?;
            if self.byte()?.is_none() {
                return Ok(None);
            }
            if self.begins_comment()? || self.byte()? == Some(b'#') {
                return self.remark().map(Some);
            }
            if self.is_next(b"/*")? && !self.is_code()? {
                self.comment(&mut Vec::new(), LONGEST_STATEMENT)?;
            } else if self.word_is("DELIMITER")? {
                self.set_delimiter()?;
            } else {
                return self.statement().map(Some);
            }
        }
    }

    /// The next row of the statement that began last, with its parentheses; `None` behind the last one.
    pub(super) fn row(&mut self, row: &mut Vec<u8>) -> Result<bool> {
        row.clear();
        self.skip_blanks()?;
        if self.is_next(b",")? {
            self.step(1);
            self.skip_blanks()?;
        }
        if self.at_end()? {
            return Ok(false);
        }
        let mut depth = 0_u32;
        loop {
            let Some(byte) = self.byte()? else { return Err(self.wrong(format!("{CUT} of a row"))) };
            match byte {
                b'\'' => {
                    self.quoted(byte, row, LONGEST_ROW)?;
                    continue;
                }
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                // Everything else that may be in a row is plain; the rows' own parser says what of it is right.
                _ if depth == 0 || !plain(byte) => {
                    return Err(
                        self.wrong(format!("there is no row where one should be: {:?}", char::from(byte)))
                    );
                }
                _ => {}
            }
            self.copy(1, row, LONGEST_ROW)?;
            if depth == 0 {
                return Ok(true);
            }
        }
    }

    /// Consumes what ends a statement, if it is next.
    fn at_end(&mut self) -> Result<bool> {
        let (delimiter, length) = self.delimiter;
        let ends = self.is_next(&delimiter[..length])?;
        if ends {
            self.step(length);
        }
        Ok(ends)
    }

    fn statement(&mut self) -> Result<Piece> {
        let (mut sql, mut open) = (Vec::new(), false);
        let most = LONGEST_STATEMENT;
        let whole = self.depth == Depth::Whole && self.word_is("INSERT")?;
        loop {
            if !open && self.at_end()? {
                trim(&mut sql);
                return Ok(Piece::Statement(sql));
            }
            let Some(byte) = self.byte()? else {
                return Err(self.wrong(format!("{CUT} of a statement")));
            };
            match byte {
                b'\'' | b'"' | b'`' => {
                    let from = sql.len();
                    self.quoted(byte, &mut sql, most)?;
                    // A server that passes over the comment would end it here, and see the rest as statements.
                    if open && sql[from..].windows(2).any(|pair| pair == b"*/") {
                        return Err(self.wrong("the end of a comment is inside of quotes"));
                    }
                    continue;
                }
                b'/' if self.is_next(b"/*")? => {
                    if !self.is_code()? {
                        self.comment(&mut sql, most)?;
                        continue;
                    }
                    if open {
                        return Err(self.wrong("a conditional comment is inside of another"));
                    }
                    open = true;
                    self.copy(2, &mut sql, most)?;
                }
                b'*' if open && self.is_next(b"*/")? => {
                    open = false;
                    self.copy(2, &mut sql, most)?;
                    continue;
                }
                b'-' | b'#' if byte == b'#' || self.begins_comment()? => {
                    let from = sql.len();
                    self.rest_of_line(&mut sql, most)?;
                    if open && sql[from..].windows(2).any(|pair| pair == b"*/") {
                        return Err(self.wrong("the end of a comment is inside of another"));
                    }
                    continue;
                }
                b'V' | b'v'
                    if whole
                        && !open
                        && sql.last().is_some_and(|last| !in_word(*last))
                        && self.word_is("VALUES")? =>
                {
                    self.step("VALUES".len());
                    trim(&mut sql);
                    return Ok(Piece::Rows(sql));
                }
                _ => {}
            }
            self.copy(1, &mut sql, most)?;
        }
    }

    /// From one quote to the one that ends it, as the server reads it.
    fn quoted(&mut self, quote: u8, into: &mut Vec<u8>, most: usize) -> Result<()> {
        let begun = self.line;
        self.copy(1, into, most)?;
        loop {
            if self.at == self.buffer.len() && !self.fill()? {
                return Err(wrong(begun, format!("{CUT}: a quote that begins here has no end")));
            }
            let rest = &self.buffer[self.at..];
            let Some(stop) = rest.iter().position(|byte| *byte == quote || *byte == b'\\') else {
                self.copy(rest.len(), into, most)?;
                continue;
            };
            self.copy(stop, into, most)?;
            match self.byte()? {
                Some(b'\\') if quote != b'`' => {
                    // Whatever it escapes.
                    if self.peek(1)?.is_none() {
                        return Err(wrong(begun, format!("{CUT}: a quote that begins here has no end")));
                    }
                    self.copy(2, into, most)?;
                }
                Some(b'\\') => self.copy(1, into, most)?,
                Some(_) => {
                    self.copy(1, into, most)?;
                    // A doubled quote stands for itself.
                    if self.byte()? != Some(quote) {
                        return Ok(());
                    }
                    self.copy(1, into, most)?;
                }
                None => {}
            }
        }
    }

    /// A comment without meaning, to its end.
    fn comment(&mut self, into: &mut Vec<u8>, most: usize) -> Result<()> {
        self.copy(2, into, most)?;
        while !self.is_next(b"*/")? {
            if self.byte()?.is_none() {
                return Err(self.wrong(format!("{CUT} of a comment")));
            }
            self.copy(1, into, most)?;
        }
        self.copy(2, into, most)
    }

    fn remark(&mut self) -> Result<Piece> {
        let mut line = Vec::new();
        self.rest_of_line(&mut line, LONGEST_STATEMENT)?;
        let line = String::from_utf8_lossy(&line);
        Ok(Piece::Remark(line.trim_start_matches(['-', '#']).trim().to_owned()))
    }

    /// `DELIMITER ;;` is a word to the client, up to the end of its line.
    fn set_delimiter(&mut self) -> Result<()> {
        let mut line = Vec::new();
        self.rest_of_line(&mut line, GLIMPSE)?;
        let new = line["DELIMITER".len()..].trim_ascii();
        let plain = |byte: &u8| byte.is_ascii_punctuation() && !b"'\"`\\#-*/(),".contains(byte);
        if new.is_empty() || new.len() > 8 || !new.iter().all(plain) {
            return Err(self.wrong("a DELIMITER that mysqldump does not write"));
        }
        let mut letters = [0; 8];
        letters[..new.len()].copy_from_slice(new);
        self.delimiter = (letters, new.len());
        Ok(())
    }

    fn rest_of_line(&mut self, into: &mut Vec<u8>, most: usize) -> Result<()> {
        while self.byte()?.is_some_and(|byte| byte != b'\n') {
            self.copy(1, into, most)?;
        }
        Ok(())
    }

    fn skip_blanks(&mut self) -> Result<()> {
        while let Some(byte) = self.byte()?.filter(u8::is_ascii_whitespace) {
            self.line += u64::from(byte == b'\n');
            self.step(1);
        }
        Ok(())
    }

    /// Two dashes and a blank, as the server wants it.
    fn begins_comment(&mut self) -> Result<bool> {
        Ok(self.is_next(b"--")? && self.peek(2)?.is_none_or(|byte| byte <= b' '))
    }

    /// `/*!50003` and `/*M!100100`, whose content is code. The mark of the sandbox mode, which clients read, is none.
    fn is_code(&mut self) -> Result<bool> {
        if self.is_next(b"/*M!999999\\-")? {
            return Ok(false);
        }
        Ok(self.is_next(b"/*!")? || self.is_next(b"/*M!")?)
    }

    fn word_is(&mut self, word: &str) -> Result<bool> {
        let there = self.look(word.len() + 1)?;
        let ends = there.get(word.len()).is_none_or(|byte| !in_word(*byte));
        Ok(there.len() >= word.len() && there[..word.len()].eq_ignore_ascii_case(word.as_bytes()) && ends)
    }

    fn is_next(&mut self, wanted: &[u8]) -> Result<bool> {
        Ok(self.look(wanted.len())?.starts_with(wanted))
    }

    fn byte(&mut self) -> Result<Option<u8>> {
        self.peek(0)
    }

    fn peek(&mut self, ahead: usize) -> Result<Option<u8>> {
        Ok(self.look(ahead + 1)?.get(ahead).copied())
    }

    /// So many bytes, or fewer at the end of the dump.
    fn look(&mut self, count: usize) -> Result<&[u8]> {
        while self.buffer.len() - self.at < count && self.fill()? {}
        let end = self.buffer.len().min(self.at + count);
        Ok(&self.buffer[self.at..end])
    }

    /// Reads on; `false` at the end.
    fn fill(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let from = self.buffer.len();
        self.buffer.resize(from + CHUNK, 0);
        let count = loop {
            match self.from.read(&mut self.buffer[from..]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err(self.wrong("the packed dump is cut off").with_remedy(super::CHOOSE));
                }
                other => break other.context("read the dump")?,
            }
        };
        self.buffer.truncate(from + count);
        self.ended = count == 0;
        Ok(!self.ended)
    }

    fn step(&mut self, count: usize) {
        self.at += count;
    }

    /// Takes bytes that are in the buffer.
    fn copy(&mut self, count: usize, into: &mut Vec<u8>, most: usize) -> Result<()> {
        let count = count.min(self.buffer.len() - self.at);
        let part = &self.buffer[self.at..self.at + count];
        let wanted =
            if self.depth == Depth::Kind { GLIMPSE.saturating_sub(into.len()).min(count) } else { count };
        if into.len().saturating_add(wanted) > most {
            return Err(self.wrong(format!("something is longer than {most} bytes")));
        }
        self.line += part.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        into.extend_from_slice(&part[..wanted]);
        self.at += count;
        Ok(())
    }
}

fn wrong(line: u64, what: impl std::fmt::Display) -> Error {
    Error::failed(format!("line {line} of the dump: {what}")).with_remedy(super::CHOOSE)
}

fn trim(sql: &mut Vec<u8>) {
    sql.truncate(sql.trim_ascii_end().len());
}

const fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// Outside of quotes, literals have no other letters.
const fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte.is_ascii_whitespace()
        || matches!(byte, b'_' | b'+' | b'-' | b'.' | b',')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A dump that comes in pieces of so many bytes.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    /// Statements, and rows with `row ` before them; remarks are left out.
    fn pieces(dump: &[u8], step: usize) -> Result<Vec<String>> {
        let mut text = Text::new(Slow(dump, step));
        let mut found = Vec::new();
        while let Some(piece) = text.next(Depth::Whole)? {
            match piece {
                Piece::Remark(_) => {}
                Piece::Statement(sql) => found.push(String::from_utf8_lossy(&sql).into_owned()),
                Piece::Rows(head) => {
                    found.push(String::from_utf8_lossy(&head).into_owned());
                    let mut row = Vec::new();
                    while text.row(&mut row)? {
                        found.push(format!("row {}", String::from_utf8_lossy(&row)));
                    }
                }
            }
        }
        Ok(found)
    }

    #[test]
    fn statements_end_where_the_client_ends_them() {
        let dump = b"/*M!999999\\- enable the sandbox mode */ \n-- x; y\n/* a; b */\nSET a='1;2', b=\"\\\";\"; -- c;\n\
            # d;\nDELIMITER ;;\nCREATE TRIGGER t BEGIN a; /* ;; */ b; -- ;;\n END ;;\nDELIMITER ;\n\
            /*!50003 SET x = `;` */ ;INSERT INTO `VALUES` VALUES (1,'a;)(''\\''),\n(NULL,0x1F);\n-- Dump completed\n";
        for step in [1, 2, 3, 7, 4096] {
            let found = pieces(dump, step).unwrap();
            assert_eq!(
                found,
                [
                    "SET a='1;2', b=\"\\\";\"",
                    "CREATE TRIGGER t BEGIN a; /* ;; */ b; -- ;;\n END",
                    "/*!50003 SET x = `;` */",
                    "INSERT INTO `VALUES`",
                    "row (1,'a;)(''\\'')",
                    "row (NULL,0x1F)"
                ]
            );
        }
    }

    #[test]
    fn what_is_cut_off_is_no_statement() {
        let dump = b"INSERT INTO `t` VALUES (1,'a'),(2,'b\\'c');\n";
        for end in 1..dump.len() - 1 {
            assert!(pieces(&dump[..end], 5).is_err(), "{}", String::from_utf8_lossy(&dump[..end]));
        }
        for odd in ["SELECT 'a", "SELECT `a", "SELECT /* a", "SELECT 'a\\", "SELECT 1"] {
            assert!(pieces(odd.as_bytes(), 3).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_comment_that_servers_may_pass_over_has_one_end() {
        for odd in [
            "/*!999999 '*/; DROP DATABASE x; -- ' */;",
            "/*!50000 -- */; DROP DATABASE x\n */;",
            "/*!50000 /*!50001 a */ b */;",
        ] {
            assert!(pieces(odd.as_bytes(), 9).is_err(), "{odd}");
        }
        assert_eq!(pieces(b"/*!50000 a /* b */ c */;", 2).unwrap(), ["/*!50000 a /* b */ c */"]);
    }

    #[test]
    fn of_another_schema_little_is_kept() {
        let long = format!("INSERT INTO t VALUES ('{}');\nUSE `x`;\n", "\\';".repeat(GLIMPSE));
        let mut text = Text::new(Slow(long.as_bytes(), 999));
        let Some(Piece::Statement(first)) = text.next(Depth::Kind).unwrap() else { panic!("a statement") };
        assert!(first.len() <= GLIMPSE && first.starts_with(b"INSERT INTO t"));
        assert_eq!(text.next(Depth::Kind).unwrap(), Some(Piece::Statement(b"USE `x`".to_vec())));
    }

    fn quoted(text: &str) -> String {
        let escaped: String = text
            .chars()
            .map(|letter| match letter {
                '\'' => "\\'".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\0' => "\\0".to_owned(),
                other => other.to_string(),
            })
            .collect();
        format!("'{escaped}'")
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were_written(
            rows in prop::collection::vec(prop::collection::vec(".{0,12}|[';()\\\\,\"`#*/ -]{0,6}", 1..4), 1..6),
            step in 1_usize..40,
        ) {
            let rows: Vec<_> = rows
                .iter()
                .map(|row| format!("({})", row.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(",")))
                .collect();
            let dump = format!("INSERT INTO `a` VALUES {};\nUNLOCK TABLES;\n", rows.join(","));
            let mut wanted = vec!["INSERT INTO `a`".to_owned()];
            wanted.extend(rows.iter().map(|row| format!("row {row}")));
            wanted.push("UNLOCK TABLES".to_owned());
            prop_assert_eq!(pieces(dump.as_bytes(), step).unwrap(), wanted);
        }

        #[test]
        fn no_text_is_read_for_ever_or_in_another_way_in_other_pieces(
            dump in "[a'\"`;\\\\/*!#()0, \n-]{0,60}|INSERT INTO a VALUES [a'\"`;\\\\/*!#()0, \n-]{0,40}",
            step in 1_usize..9,
        ) {
            let whole = pieces(dump.as_bytes(), usize::MAX).ok();
            prop_assert_eq!(pieces(dump.as_bytes(), step).ok(), whole);
        }
    }
}
