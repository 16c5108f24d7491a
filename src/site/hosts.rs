//! A site that moves to another name: the old name in addresses becomes the new one, also inside values that PHP serialised.

use super::php::Value;
use crate::error::{Error, Result};

/// A value may hold serialised text in serialised text; nobody does that more often.
const DEEPEST: usize = 8;

/// What stands before the host in an address: plain, in JSON, and in a query string.
const BEFORE: [&[u8]; 3] = [b"//", br"\/\/", b"%2f%2f"];

/// Which names become which.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    pairs: Vec<(String, String)>,
}

impl Hosts {
    /// Each as `OLD=NEW`, a host with its port and path where it has them: `shop.example=staging.example:8080`.
    pub fn parse(texts: &[String]) -> Result<Self> {
        let mut pairs = Vec::new();
        for text in texts {
            let refuse = |why: &str| {
                Err(Error::usage(format!("{text:?} {why}"))
                    .with_remedy("write it as OLD=NEW, such as shop.example=staging.example"))
            };
            let Some((old, new)) = text.split_once('=') else { return refuse("has no =") };
            for host in [old, new] {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:/~".contains(&byte);
                if host.contains("//") {
                    return refuse("has a scheme, which stays as it is");
                }
                if host.is_empty() || host.ends_with('/') || !host.bytes().all(plain) {
                    return refuse("is no host name, with a port or a path behind it");
                }
            }
            pairs.push((old.to_ascii_lowercase(), new.to_owned()));
        }
        Ok(Self { pairs })
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Without one of these in it a value stays as it is. Lower case; in a value it may be written otherwise.
    pub fn old(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(old, _)| old.as_str())
    }

    /// The value as it reads on the site of the new name; `None` if it stays as it is.
    pub fn rewrite(&self, value: &[u8]) -> Option<Vec<u8>> {
        self.deep(value, 0)
    }

    fn deep(&self, value: &[u8], depth: usize) -> Option<Vec<u8>> {
        if depth < DEEPEST
            && let Some(mut serialised) = Value::parse(value)
        {
            let mut changed = false;
            serialised.each_text(&mut |text| {
                if let Some(new) = self.deep(text, depth + 1) {
                    (*text, changed) = (new, true);
                }
            });
            return changed.then(|| {
                let mut text = Vec::with_capacity(value.len());
                serialised.write(&mut text);
                text
            });
        }
        self.pairs.iter().fold(None, |done: Option<Vec<u8>>, pair| {
            let new = replace(done.as_deref().unwrap_or(value), pair);
            new.or(done)
        })
    }
}

/// Every address of the old host in a text; or the text itself, if it is nothing but that name.
fn replace(text: &[u8], (old, new): &(String, String)) -> Option<Vec<u8>> {
    if text.eq_ignore_ascii_case(old.as_bytes()) {
        return Some(new.as_bytes().to_vec());
    }
    let mut done = Vec::new();
    let mut from = 0;
    for at in 0..text.len() {
        if at >= from && is_here(text, at, old) {
            done.extend_from_slice(&text[from..at]);
            done.extend_from_slice(&escaped(new, &text[..at]));
            from = at + length_here(&text[at..], old);
        }
    }
    if from == 0 {
        return None;
    }
    done.extend_from_slice(&text[from..]);
    Some(done)
}

/// The whole host of an address begins here and is the old one: `old.example.org` is another than `old.example`.
fn is_here(text: &[u8], at: usize, old: &str) -> bool {
    let before =
        |sign: &&[u8]| text[..at].len() >= sign.len() && text[at - sign.len()..at].eq_ignore_ascii_case(sign);
    if !BEFORE.iter().any(before) {
        return false;
    }
    let length = length_here(&text[at..], old);
    if length == 0 {
        return false;
    }
    let mut rest = text[at + length..].iter();
    match rest.next() {
        None => true,
        Some(b'.' | b'-' | b':') => !rest.next().is_some_and(u8::is_ascii_alphanumeric),
        Some(byte) => !byte.is_ascii_alphanumeric() && *byte != b'_',
    }
}

/// How many bytes the old name has here, however its slashes are written; 0 if it is not here.
fn length_here(text: &[u8], old: &str) -> usize {
    let mut at = 0;
    for byte in old.bytes() {
        let rest = &text[at..];
        at += match byte {
            b'/' if rest.starts_with(br"\/") => 2,
            b'/' if rest.len() >= 3 && rest[..3].eq_ignore_ascii_case(b"%2f") => 3,
            _ if rest.first().is_some_and(|found| found.eq_ignore_ascii_case(&byte)) => 1,
            _ => return 0,
        };
    }
    at
}

/// The new name with its slashes written as those before it.
fn escaped(new: &str, before: &[u8]) -> Vec<u8> {
    let slash = if before.ends_with(br"\/") {
        r"\/"
    } else if before.ends_with(b"/") {
        "/"
    } else {
        "%2F"
    };
    new.replace('/', slash).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::parse(&["shop.example=staging.test:8080/copy".to_owned()]).unwrap()
    }

    fn moved(text: &str) -> Option<String> {
        hosts().rewrite(text.as_bytes()).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn addresses_move_and_what_only_looks_like_one_stays() {
        for (old, new) in [
            ("https://shop.example/a?b", "https://staging.test:8080/copy/a?b"),
            ("//shop.example", "//staging.test:8080/copy"),
            ("see http://Shop.Example.", "see http://staging.test:8080/copy."),
            (r#"{"u":"https:\/\/shop.example\/x"}"#, r#"{"u":"https:\/\/staging.test:8080\/copy\/x"}"#),
            ("u=https%3A%2F%2fshop.example%2Fx", "u=https%3A%2F%2fstaging.test:8080%2Fcopy%2Fx"),
            ("shop.example", "staging.test:8080/copy"),
            ("a //shop.example b //shop.example", "a //staging.test:8080/copy b //staging.test:8080/copy"),
        ] {
            assert_eq!(moved(old).as_deref(), Some(new), "{old}");
        }
        for stays in [
            "mail to info@shop.example",
            "https://shop.example.org",
            "https://myshop.example",
            "https://shop.example:8443/x",
            "https://www.shop.example",
            "https://shop.example-mirror.org",
            "the shop.example of old",
            "",
        ] {
            assert_eq!(moved(stays), None, "{stays}");
        }
    }

    #[test]
    fn what_php_serialised_stays_readable() {
        let text = r#"a:2:{s:3:"url";s:21:"https://shop.example/";s:12:"shop.example";s:32:"s:24:"//shop.example/x y z w v";";}"#;
        let value = Value::parse(text.as_bytes());
        assert!(value.is_some());
        let new = moved(text).unwrap();
        assert!(Value::parse(new.as_bytes()).is_some(), "{new}");
        assert!(new.contains(r#"s:31:"https://staging.test:8080/copy/""#), "{new}");
        assert!(new.contains(r#"s:42:"s:34:"//staging.test:8080/copy/x y z w v";""#), "{new}");
        assert!(new.contains(r#"s:12:"shop.example";"#), "keys stay: {new}");
        assert_eq!(moved(r#"a:1:{i:0;s:5:"other";}"#), None);
    }

    #[test]
    fn a_path_is_part_of_a_name() {
        let hosts =
            Hosts::parse(&["a.example/blog=b.example".to_owned(), "a.example=c.example".to_owned()]).unwrap();
        let moved = |text: &str| hosts.rewrite(text.as_bytes()).map(|text| String::from_utf8(text).unwrap());
        assert_eq!(moved("http://a.example/blog/x").as_deref(), Some("http://b.example/x"));
        assert_eq!(moved(r"http:\/\/a.example\/blog\/x").as_deref(), Some(r"http:\/\/b.example\/x"));
        assert_eq!(moved("http://a.example/blogger").as_deref(), Some("http://c.example/blogger"));
    }

    #[test]
    fn what_is_no_pair_of_hosts_is_refused() {
        for text in ["shop.example", "=x", "x=", "http://a=http://b", "a b=c", "a/=b", "a='b"] {
            assert!(Hosts::parse(&[text.to_owned()]).is_err(), "{text}");
        }
    }
}
