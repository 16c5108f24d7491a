//! A path as text in a file of ours, byte for byte, whatever its name is made of.

use std::ffi::OsString;
use std::fmt::Write;
use std::ops::Deref;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes that are no plain ASCII, and `%` itself, are written as `%` and two hexadecimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawPath(pub PathBuf);

impl Deref for RawPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl From<&Path> for RawPath {
    fn from(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Serialize for RawPath {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        for &byte in self.0.as_os_str().as_bytes() {
            if (b' '..=b'~').contains(&byte) && byte != b'%' {
                text.push(char::from(byte));
            } else {
                // Writing to a `String` cannot fail.
                let _infallible = write!(text, "%{byte:02x}");
            }
        }
        to.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for RawPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let [first, tail @ ..] = rest {
            rest = tail;
            if *first == b'%' {
                let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                bytes.push(byte.ok_or_else(|| de::Error::custom("a path with a broken escape"))?);
                rest = &tail[2..];
            } else {
                bytes.push(*first);
            }
        }
        Ok(Self(OsString::from_vec(bytes).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (1..=255).collect();
        let path = RawPath(OsString::from_vec(all).into());
        let text = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<RawPath>(&text).unwrap(), path);
        assert!(serde_json::from_str::<RawPath>("\"%4\"").is_err());
    }
}
