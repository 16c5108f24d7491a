//! A statement as the words of which it consists, to judge what it does.

/// One word, or what is as good as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Letters without quotes: a keyword, a name or a number.
    Word(&'a [u8]),
    /// Between backticks, as it is written there.
    Name(&'a [u8]),
    /// A string with its quotes.
    Text(&'a [u8]),
    Sign(u8),
    /// A comment without meaning.
    Comment,
}

impl Token<'_> {
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own.eq_ignore_ascii_case(word.as_bytes()))
    }

    pub(super) const fn is_sign(&self, sign: u8) -> bool {
        matches!(self, Self::Sign(own) if *own == sign)
    }

    /// What it names, if it can name something.
    pub(super) fn name(&self) -> Option<String> {
        match self {
            Self::Name(name) => Some(String::from_utf8_lossy(name).replace("``", "`")),
            Self::Word(word) if !word.first().is_none_or(u8::is_ascii_digit) => {
                Some(String::from_utf8_lossy(word).into_owned())
            }
            _ => None,
        }
    }

    /// What it names in front of a dot. Under some modes, what stands between double quotes is a name.
    pub(super) fn schema(&self) -> Option<String> {
        match self {
            Self::Text(text) => {
                let inside = text.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
                Some(String::from_utf8_lossy(inside).replace("\"\"", "\""))
            }
            Self::Word(word) => Some(String::from_utf8_lossy(word).into_owned()),
            _ => self.name(),
        }
    }

    /// What looks like a number with a dot, and is the name of a schema that begins with a digit.
    pub(super) fn schema_inside(&self) -> Option<String> {
        let Self::Word(word) = self else { return None };
        let dot = word.iter().position(|byte| *byte == b'.')?;
        let schema = &word[..dot];
        (!schema.iter().all(u8::is_ascii_digit)).then(|| String::from_utf8_lossy(schema).into_owned())
    }

    /// Its letters, for messages.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Word(text) | Self::Name(text) | Self::Text(text) => {
                String::from_utf8_lossy(text).chars().take(40).collect()
            }
            Self::Sign(sign) => char::from(*sign).to_string(),
            Self::Comment => "a comment".to_owned(),
        }
    }
}

/// Marks of conditional comments are left out: what they hold is code.
pub(super) fn tokens(sql: &[u8]) -> Vec<Token<'_>> {
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(byte) = sql.get(at) {
        let rest = &sql[at..];
        let length = match byte {
            b'`' | b'\'' | b'"' => {
                let length = quoted(rest);
                tokens.push(if *byte == b'`' {
                    Token::Name(rest.get(1..length - 1).unwrap_or_default())
                } else {
                    Token::Text(&rest[..length])
                });
                length
            }
            b'/' if rest.starts_with(b"/*") => mark(rest).unwrap_or_else(|| {
                tokens.push(Token::Comment);
                end_of_comment(rest)
            }),
            b'*' if rest.starts_with(b"*/") => 2,
            b'#' => comment(rest, &mut tokens),
            b'-' if rest.starts_with(b"--") && rest.get(2).is_none_or(|byte| *byte <= b' ') => {
                comment(rest, &mut tokens)
            }
            byte if is_letter(*byte) => {
                let number = byte.is_ascii_digit();
                let inside = |byte: &u8| is_letter(*byte) || number && *byte == b'.';
                let length = rest.iter().position(|byte| !inside(byte)).unwrap_or(rest.len());
                tokens.push(Token::Word(&rest[..length]));
                length
            }
            byte if byte.is_ascii_whitespace() => 1,
            byte => {
                tokens.push(Token::Sign(*byte));
                1
            }
        };
        at += length;
    }
    tokens
}

fn end_of_comment(rest: &[u8]) -> usize {
    rest.windows(2).skip(2).position(|pair| pair == b"*/").map_or(rest.len(), |at| at + 4)
}

fn comment(rest: &[u8], tokens: &mut Vec<Token<'_>>) -> usize {
    tokens.push(Token::Comment);
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

/// The length of `/*!50003` or `/*M!100100`.
fn mark(rest: &[u8]) -> Option<usize> {
    let after = rest.strip_prefix(b"/*!").or_else(|| rest.strip_prefix(b"/*M!"))?;
    let digits = after.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    Some(rest.len() - after.len() + if digits < 5 { 0 } else { digits })
}

/// The length of what is quoted at the beginning, with its quotes.
fn quoted(text: &[u8]) -> usize {
    let quote = text[0];
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        if *byte == b'\\' && quote != b'`' {
            at += 1;
        } else if *byte == quote {
            if text.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    text.len()
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'@') || byte >= 0x80
}

/// The statement without the marks of its conditional comments: all that is understood is code for every server.
pub(super) fn unconditional(sql: &[u8]) -> Vec<u8> {
    let (mut plain, mut at, mut open) = (Vec::with_capacity(sql.len()), 0, false);
    while let Some(byte) = sql.get(at) {
        let rest = &sql[at..];
        let length = match byte {
            b'`' | b'\'' | b'"' => quoted(rest),
            b'/' if rest.starts_with(b"/*") => match mark(rest) {
                Some(mark) => {
                    open = true;
                    at += mark;
                    continue;
                }
                None => end_of_comment(rest),
            },
            b'*' if open && rest.starts_with(b"*/") => {
                open = false;
                at += 2;
                continue;
            }
            b'#' => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
            b'-' if rest.starts_with(b"--") && rest.get(2).is_none_or(|byte| *byte <= b' ') => {
                rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
            }
            _ => 1,
        };
        let length = length.min(rest.len());
        plain.extend_from_slice(&rest[..length]);
        at += length;
    }
    plain.trim_ascii().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditional_comments_are_code_and_others_are_not() {
        let sql =
            b"/*!50003 CREATE*/ /*!50017 DEFINER=`a``b`@`%`*/ /*!50003 TRIGGER t /* x */ SET @a='*/;' */";
        let words: Vec<_> = tokens(sql).iter().map(Token::said).collect();
        assert_eq!(
            words,
            [
                "CREATE",
                "DEFINER",
                "=",
                "a``b",
                "@",
                "%",
                "TRIGGER",
                "t",
                "a comment",
                "SET",
                "@a",
                "=",
                "'*/;'"
            ]
        );
        assert_eq!(
            String::from_utf8(unconditional(sql)).unwrap(),
            "CREATE  DEFINER=`a``b`@`%`  TRIGGER t /* x */ SET @a='*/;'"
        );
    }

    #[test]
    fn numbers_keep_their_dots_and_names_do_not() {
        let words = |sql: &'static str| tokens(sql.as_bytes()).iter().map(Token::said).collect::<Vec<_>>();
        assert_eq!(words("a.b 1.5e3"), ["a", ".", "b", "1.5e3"]);
        assert_eq!(words("'a\\'b''c'\"d\""), ["'a\\'b''c'", "\"d\""]);
        assert_eq!(words("5 -- 3\n6--7"), ["5", "a comment", "6", "-", "-", "7"]);
    }
}
