//! Values as PHP's `serialize` writes them, read and written again byte for byte; nothing is ever made an object.
//!
//! The text comes from a site's database and is hostile: lengths are believed only where the bytes are there, nesting has an end.

/// Deeper values are left alone; PHP itself stops at 4096.
const DEEPEST: usize = 512;

/// One value. Numbers, references and what a class wrote by itself keep the text they had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `N;`, `b:1;`, `i:5;`, `d:0.5;`, `R:2;`, `r:2;`, whole.
    Plain(Vec<u8>),
    Text(Vec<u8>),
    /// `E:11:"Suit:Hearts";`: the name of a case.
    Case(Vec<u8>),
    Array(Vec<(Value, Value)>),
    Object {
        class: Vec<u8>,
        properties: Vec<(Value, Value)>,
    },
    /// Of a class with a form of its own, which only that class can read.
    Custom {
        class: Vec<u8>,
        data: Vec<u8>,
    },
}

impl Value {
    /// Reads a whole text; `None` if it is anything but one value. Space around it is not part of it, as to `WordPress`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parser = Parser { rest: text.trim_ascii() };
        let value = parser.value(0)?;
        parser.rest.is_empty().then_some(value)
    }

    /// As PHP would write it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Plain(text) => out.extend_from_slice(text),
            Self::Text(text) => {
                quoted(b"s", text, out);
                out.push(b';');
            }
            Self::Case(name) => {
                quoted(b"E", name, out);
                out.push(b';');
            }
            Self::Array(pairs) => {
                out.extend_from_slice(format!("a:{}:{{", pairs.len()).as_bytes());
                write_pairs(pairs, out);
            }
            Self::Object { class, properties } => {
                quoted(b"O", class, out);
                out.extend_from_slice(format!(":{}:{{", properties.len()).as_bytes());
                write_pairs(properties, out);
            }
            Self::Custom { class, data } => {
                quoted(b"C", class, out);
                out.extend_from_slice(format!(":{}:{{", data.len()).as_bytes());
                out.extend_from_slice(data);
                out.push(b'}');
            }
        }
    }

    /// The elements of an array or the properties of an object.
    pub fn pairs(&self) -> Option<&[(Self, Self)]> {
        match self {
            Self::Array(pairs) | Self::Object { properties: pairs, .. } => Some(pairs),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&[u8]> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Hands every text in it to `change`, but not the keys by which a program finds them.
    pub fn each_text(&mut self, change: &mut dyn FnMut(&mut Vec<u8>)) {
        match self {
            Self::Text(text) => change(text),
            Self::Array(pairs) | Self::Object { properties: pairs, .. } => {
                for (_, value) in pairs {
                    value.each_text(change);
                }
            }
            Self::Plain(_) | Self::Case(_) | Self::Custom { .. } => {}
        }
    }
}

fn quoted(kind: &[u8], text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(kind);
    out.extend_from_slice(format!(":{}:\"", text.len()).as_bytes());
    out.extend_from_slice(text);
    out.push(b'"');
}

fn write_pairs(pairs: &[(Value, Value)], out: &mut Vec<u8>) {
    for (key, value) in pairs {
        key.write(out);
        value.write(out);
    }
    out.push(b'}');
}

struct Parser<'a> {
    rest: &'a [u8],
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        match self.rest.first()? {
            b'N' | b'b' | b'i' | b'd' | b'R' | b'r' => self.plain(),
            b's' => Some(Value::Text(self.ended(b"s:")?)),
            b'E' => Some(Value::Case(self.ended(b"E:")?)),
            b'a' => {
                self.skip(b"a:")?;
                Some(Value::Array(self.pairs(depth)?))
            }
            b'O' => {
                self.skip(b"O:")?;
                let class = self.quoted()?.to_vec();
                self.skip(b":")?;
                Some(Value::Object { class, properties: self.pairs(depth)? })
            }
            b'C' => {
                self.skip(b"C:")?;
                let class = self.quoted()?.to_vec();
                self.skip(b":")?;
                let length = self.count()?;
                self.skip(b"{")?;
                let data = self.take(length)?.to_vec();
                self.skip(b"}")?;
                Some(Value::Custom { class, data })
            }
            _ => None,
        }
    }

    fn plain(&mut self) -> Option<Value> {
        // The longest number has some 25 characters, `-1.7976931348623157E+308`; a text without an end is not searched.
        let end = self.rest.iter().take(64).position(|byte| *byte == b';')?;
        let text = self.take(end + 1)?;
        let inner = &text[1..end];
        let fits = match text[0] {
            b'N' => inner.is_empty(),
            b'b' => matches!(inner, b":0" | b":1"),
            b'd' => inner.first() == Some(&b':') && inner.len() > 1,
            _ => inner.strip_prefix(b":").is_some_and(|digits| {
                let digits = digits.strip_prefix(b"-").unwrap_or(digits);
                !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
            }),
        };
        fits.then(|| Value::Plain(text.to_vec()))
    }

    fn ended(&mut self, start: &[u8]) -> Option<Vec<u8>> {
        self.skip(start)?;
        let text = self.quoted()?.to_vec();
        self.skip(b";")?;
        Some(text)
    }

    /// `5:"hello"`
    fn quoted(&mut self) -> Option<&'a [u8]> {
        let length = self.count()?;
        self.skip(b"\"")?;
        let text = self.take(length)?;
        self.skip(b"\"")?;
        Some(text)
    }

    /// `2:{key value key value}`; the number is compared with what is there, never used to make room.
    fn pairs(&mut self, depth: usize) -> Option<Vec<(Value, Value)>> {
        let count = self.count()?;
        self.skip(b"{")?;
        let mut pairs = Vec::new();
        for _ in 0..count {
            let key = self.value(depth + 1)?;
            let is_key = match &key {
                Value::Text(_) => true,
                Value::Plain(text) => text.first() == Some(&b'i'),
                _ => false,
            };
            if !is_key {
                return None;
            }
            pairs.push((key, self.value(depth + 1)?));
        }
        self.skip(b"}")?;
        Some(pairs)
    }

    /// Digits and the colon behind them.
    fn count(&mut self) -> Option<usize> {
        let end = self.rest.iter().take(20).position(|byte| *byte == b':')?;
        let digits = std::str::from_utf8(self.take(end)?).ok()?;
        // A sign is not PHP's, nor is a leading zero: what is written again must be the same.
        let count: usize = digits.parse().ok().filter(|count: &usize| count.to_string() == digits)?;
        self.skip(b":")?;
        Some(count)
    }

    fn skip(&mut self, what: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(what)?;
        Some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn again(text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        Value::parse(text)?.write(&mut out);
        Some(out)
    }

    #[test]
    fn what_php_writes_is_read_and_written_again() {
        let all: [&[u8]; 12] = [
            b"N;",
            b"b:1;",
            b"i:-12;",
            b"d:-1.7976931348623157E+308;",
            b"s:0:\"\";",
            b"s:6:\"a\";s:1\";",
            b"a:2:{i:0;s:1:\"a\";s:1:\"k\";a:0:{}}",
            b"O:8:\"stdClass\":2:{s:4:\"\0*\0a\";i:1;s:1:\"b\";R:2;}",
            b"C:3:\"Own\":5:{x;}:{}",
            b"E:11:\"Suit:Hearts\";",
            b"d:NAN;",
            b"a:1:{s:3:\"\xc3\xa4b\";N;}",
        ];
        for text in all {
            assert_eq!(again(text).as_deref(), Some(text), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn what_is_not_whole_or_not_one_value_is_no_value() {
        let all: [&[u8]; 15] = [
            b"",
            b"hello",
            b"i:1",
            b"i:1;i:2;",
            b"s:6:\"hello\";",
            b"s:4:\"hello\";",
            b"a:2:{i:0;i:1;}",
            b"a:1:{i:0;i:1;i:1;i:2;}",
            b"a:1:{a:0:{}i:1;}",
            b"b:2;",
            b"i:;",
            b"i:1x;",
            b"s:99999999999999999999:\"x\";",
            b"a:999999999:{}",
            b"s:+1:\"x\";",
        ];
        for text in all {
            assert_eq!(Value::parse(text), None, "{}", String::from_utf8_lossy(text));
        }
        let deep = b"a:1:{i:0;".repeat(100_000);
        assert_eq!(Value::parse(&deep), None);
    }

    #[test]
    fn texts_change_and_their_lengths_follow_and_keys_stay() {
        let mut value =
            Value::parse(b"a:2:{s:3:\"old\";s:3:\"old\";i:1;O:1:\"X\":1:{s:1:\"p\";s:4:\"oldX\";}}").unwrap();
        value.each_text(&mut |text| {
            *text = String::from_utf8_lossy(text).replace("old", "newer").into_bytes();
        });
        let mut out = Vec::new();
        value.write(&mut out);
        assert_eq!(out, b"a:2:{s:3:\"old\";s:5:\"newer\";i:1;O:1:\"X\":1:{s:1:\"p\";s:6:\"newerX\";}}");
    }

    fn values() -> impl Strategy<Value = Value> {
        let key = prop_oneof![
            any::<i64>().prop_map(|number| Value::Plain(format!("i:{number};").into_bytes())),
            any::<Vec<u8>>().prop_map(Value::Text)
        ];
        let leaf = prop_oneof![key.clone(), Just(Value::Plain(b"N;".to_vec()))];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            let pairs = proptest::collection::vec((key.clone(), inner), 0..6);
            prop_oneof![
                pairs.clone().prop_map(Value::Array),
                (any::<Vec<u8>>(), pairs).prop_map(|(class, properties)| Value::Object { class, properties })
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in values()) {
            let mut text = Vec::new();
            value.write(&mut text);
            prop_assert_eq!(Value::parse(&text), Some(value));
        }

        #[test]
        fn any_bytes_are_refused_or_come_back(bytes in "[a-zN:;{}\"0-9]{0,40}") {
            if let Some(text) = again(bytes.as_bytes()) {
                prop_assert_eq!(text, bytes.as_bytes());
            }
        }
    }
}
