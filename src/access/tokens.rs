//! The tokens of an agent, in one file that holds nothing by which anybody could act: only hashes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::scope::Scopes;
use crate::error::{Context, Error, Result};
use crate::sys::fs::{create_private_directory, lock_private, write_atomic};
use crate::sys::secret::Secret;

/// By this a token is known when it turns up where it does not belong.
const PREFIX: &str = "lb_";

/// Of randomness, in bytes: nobody guesses it, so that a fast hash is enough.
const SECRET: usize = 32;

/// What a file with a thousand tokens does not reach, in bytes.
const LONGEST: u64 = 1 << 20;

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The part of the token that is no secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    pub scopes: Scopes,
    pub created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// SHA-256 of the secret part, in base64.
    hash: String,
}

/// A token that was just made, with the only copy of its text.
#[derive(Debug)]
pub struct Made {
    pub known: Known,
    pub text: Secret,
}

/// All tokens of a file.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<Known>);

impl Known {
    fn is_valid(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end)
    }
}

impl Tokens {
    /// Those in a file; none if there is no file. One that cannot be read lets nobody in, and is an error.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match fs::metadata(path).and_then(|found| {
            if found.len() > LONGEST {
                return Err(io::Error::other("it is too long to hold tokens"));
            }
            fs::read(path)
        }) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(error).with_context(|| format!("read the tokens in {}", path.display()));
            }
        };
        let known = serde_json::from_slice(&text)
            .with_context(|| format!("read the tokens in {}", path.display()))
            .remedy("remove the file and make new tokens with `lifeboat token add`")?;
        Ok(Self(known))
    }

    pub fn list(&self) -> &[Known] {
        &self.0
    }

    /// Whose token this is. It takes as long for a wrong one as for a right one.
    pub fn find(&self, text: &str, now: Timestamp) -> Option<&Known> {
        let (id, secret) = parts(text).unwrap_or_default();
        let hash = hash(secret);
        let nobody = hash_of_nothing();
        let known = self.0.iter().find(|known| known.id == id);
        let expected = known.map_or(nobody.as_str(), |known| known.hash.as_str());
        let same: bool = hash.as_bytes().ct_eq(expected.as_bytes()).into();
        known.filter(|known| same && known.is_valid(now))
    }

    /// The token of this id, if it still lets in.
    pub fn valid(&self, id: &str, now: Timestamp) -> Option<&Known> {
        self.0.iter().find(|known| known.id == id && known.is_valid(now))
    }

    /// Makes a token and adds it to the file.
    pub fn add(
        path: &Path,
        name: &str,
        scopes: Scopes,
        expires: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Made> {
        check_name(name)?;
        let made = Made::new(name, scopes, expires, now);
        change(path, |tokens| {
            tokens.retain(|known| known.is_valid(now));
            if tokens.iter().any(|known| known.name == name) {
                return Err(Error::usage(format!("there is a token {name:?} already"))
                    .with_remedy("give another name, or revoke that one first"));
            }
            tokens.push(made.known.clone());
            Ok(())
        })?;
        Ok(made)
    }

    /// Removes a token by its name or id.
    pub fn revoke(path: &Path, which: &str) -> Result<Known> {
        let mut gone = None;
        change(path, |tokens| {
            let at = tokens.iter().position(|known| known.name == which || known.id == which);
            let at = at.ok_or_else(|| {
                Error::usage(format!("there is no token {which:?}")).with_remedy("see `lifeboat token list`")
            })?;
            gone = Some(tokens.remove(at));
            Ok(())
        })?;
        gone.ok_or_else(|| Error::failed("no token was removed"))
    }

    /// One more that is in no file.
    #[must_use]
    pub fn and(mut self, known: Known) -> Self {
        self.0.push(known);
        self
    }
}

impl Made {
    /// A token that is kept nowhere yet.
    pub fn new(name: &str, scopes: Scopes, expires: Option<Timestamp>, now: Timestamp) -> Self {
        let mut random = [0; SECRET + 6];
        rand::rng().fill_bytes(&mut random);
        let (secret, id) = random.split_at(SECRET);
        // No `_` in it: that parts id and secret.
        let id = format!("{:012x}", id.iter().fold(0_u64, |id, byte| id << 8 | u64::from(*byte)));
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(secret));
        let text = Secret::new(format!("{PREFIX}{id}_{}", secret.reveal()));
        let hash = hash(secret.reveal());
        Self { known: Known { id, name: name.to_owned(), scopes, created: now, expires, hash }, text }
    }
}

/// Where the agent leaves the token for the command line on its own machine.
pub fn beside(socket: &Path) -> PathBuf {
    crate::sys::fs::sibling(socket, ".token")
}

fn check_name(name: &str) -> Result<()> {
    let plain = |letter: char| letter.is_alphanumeric() || "-_.@ ".contains(letter);
    if name.trim().is_empty() || name.chars().count() > 60 || !name.chars().all(plain) {
        return Err(Error::usage(format!("{name:?} is no name for a token"))
            .with_remedy("give up to 60 letters, digits, spaces and -_.@"));
    }
    Ok(())
}

fn change(path: &Path, edit: impl FnOnce(&mut Vec<Known>) -> Result<()>) -> Result<()> {
    let parent: PathBuf = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), Path::to_owned);
    create_private_directory(&parent)?;
    let _lock = lock_private(&path.with_extension("lock"))?;
    let mut tokens = Tokens::read(path)?.0;
    edit(&mut tokens)?;
    let text = serde_json::to_vec_pretty(&tokens).context("write the tokens")?;
    write_atomic(path, &text, 0o600)
}

fn parts(text: &str) -> Option<(&str, &str)> {
    text.trim().strip_prefix(PREFIX)?.split_once('_')
}

fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.as_bytes()))
}

/// No secret has it, because none is this short.
fn hash_of_nothing() -> String {
    hash("-")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use jiff::SignedDuration;

    use super::*;
    use crate::access::Scope;

    #[test]
    fn a_token_lets_in_until_it_is_revoked_or_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/tokens.json");
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let later = now + SignedDuration::from_hours(1);
        let add = |name: &str, end| Tokens::add(&path, name, Scopes::new([Scope::Read]), end, now);
        let (one, two) = (add("one", None).unwrap(), add("two", Some(later)).unwrap());
        assert!(add("one", None).is_err() && add("bad\nname", None).is_err());
        let kept = fs::read_to_string(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for text in [&one.text, &two.text] {
            let secret = text.reveal().rsplit('_').next().unwrap();
            assert!(!kept.contains(secret), "the secret is kept");
        }
        let tokens = Tokens::read(&path).unwrap();
        assert_eq!(tokens.find(one.text.reveal(), now).unwrap().name, "one");
        assert_eq!(tokens.find(two.text.reveal(), now).unwrap().name, "two");
        assert!(tokens.find(two.text.reveal(), later).is_none());
        let mixed = format!("lb_{}_{}", one.known.id, two.text.reveal().rsplit('_').next().unwrap());
        for wrong in
            ["", "lb_", "lb__", "lb_-_-", mixed.as_str(), one.text.reveal().trim_start_matches("lb_")]
        {
            assert!(tokens.find(wrong, now).is_none(), "{wrong}");
        }
        Tokens::revoke(&path, "one").unwrap();
        assert!(Tokens::revoke(&path, "one").is_err());
        assert!(Tokens::read(&path).unwrap().find(one.text.reveal(), now).is_none());
    }

    #[test]
    fn a_damaged_file_lets_nobody_in() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        fs::write(&path, "[{").unwrap();
        assert!(Tokens::read(&path).unwrap_err().remedy().is_some());
    }
}
