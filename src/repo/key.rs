//! What opens a repository: the master key kept on the node, and the password keys kept in the repository for people.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustic_core::repofile::{KeyFile, KeyId, MasterKey, RepoFile};
use rustic_core::{FileType, Id, KeyOptions, ReadBackend};
use serde::Serialize;

use super::{Repo, engine_error};
use crate::error::{Context, Error, Result};
use crate::sys::fs::create_private;
use crate::sys::secret::Secret;

/// One password key of a repository, as far as it can be told without its password.
#[derive(Clone, Debug, Serialize)]
pub struct KeyInfo {
    pub id: String,
    pub host: String,
    pub user: String,
    pub created: String,
}

/// Reads the node's master key; `None` if there is none, an error if others could have read it.
pub(crate) fn load_master(path: &Path) -> Result<Option<MasterKey>> {
    let meta = match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        meta => meta.with_context(|| format!("look at the key file {}", path.display()))?,
    };
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(Error::usage(format!("the key file {} can be read by others", path.display()))
            .with_remedy(format!(
                "run `chmod 600 {}` and think about who may have read it",
                path.display()
            )));
    }
    let text = zeroize::Zeroizing::new(
        std::fs::read(path).with_context(|| format!("read the key file {}", path.display()))?,
    );
    // The parser's own message could quote the key.
    let parsed = serde_json::from_slice(&text).map_err(|_| {
        Error::usage(format!("{} is not a key file", path.display()))
            .with_remedy("move it away; the repository's password makes a new one at the next run")
    });
    parsed.map(Some)
}

/// Keeps the master key on the node, readable by its owner alone, so that no start pays for scrypt.
pub(crate) fn store_master(path: &Path, key: &MasterKey) -> Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    }
    create_private(path, &serde_json::to_vec(key)?)
}

impl Repo {
    /// The password keys in the repository.
    pub fn keys(&self) -> Result<Vec<KeyInfo>> {
        let mut keys = Vec::new();
        for id in self.backend.list(FileType::Key).map_err(engine_error)? {
            let file = self.key_file(id)?;
            keys.push(KeyInfo {
                id: id.to_hex().as_str().to_owned(),
                host: file.hostname.unwrap_or_default(),
                user: file.username.unwrap_or_default(),
                created: file.created.map(|at| at.timestamp().to_string()).unwrap_or_default(),
            });
        }
        keys.sort_by(|a, b| a.created.cmp(&b.created).then(a.id.cmp(&b.id)));
        Ok(keys)
    }

    /// Adds a password that opens the repository; returns the new key's id.
    pub fn add_key(&self, password: &Secret) -> Result<String> {
        if password.is_empty() {
            return Err(Error::usage("an empty password is no password"));
        }
        let id = self.engine()?.add_key(password.reveal(), &key_options()).map_err(engine_error)?;
        Ok(id.to_hex().as_str().to_owned())
    }

    /// Removes the key whose id starts so; never the last one, because then stock restic and people could not get in.
    pub fn remove_key(&self, prefix: &str) -> Result<String> {
        let keys = self.keys()?;
        let found: Vec<&KeyInfo> = keys.iter().filter(|key| key.id.starts_with(prefix)).collect();
        let [key] = found[..] else {
            return Err(Error::usage(format!("{} keys have an id that starts with `{prefix}`", found.len()))
                .with_remedy("`lifeboat key list` shows the ids"));
        };
        if keys.len() == 1 {
            return Err(Error::usage("this is the only password key of the repository")
                .with_remedy("add another with `lifeboat key add` first"));
        }
        let id: KeyId = key.id.parse::<Id>().map_err(engine_error)?.into();
        self.engine()?.delete_key(&id).map_err(engine_error)?;
        Ok(key.id.clone())
    }

    /// Replaces the keys that `old` opens by one that `new` opens; the new one is there before the old ones go.
    pub fn change_password(&self, old: &Secret, new: &Secret) -> Result<String> {
        let opened = self.opened_by(old)?;
        if opened.is_empty() {
            return Err(Error::new(
                crate::error::Kind::WrongPassword,
                "the old password opens no key of this repository",
            ));
        }
        let added = self.add_key(new)?;
        let engine = self.engine()?;
        for id in opened {
            engine.delete_key(&id.into()).map_err(engine_error)?;
        }
        Ok(added)
    }

    /// Whether this password opens one of its keys.
    pub fn opens(&self, password: &Secret) -> Result<bool> {
        for id in self.backend.list(FileType::Key).map_err(engine_error)? {
            if self.is_opened(id, password)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes the keys that `old` opens, and says which; never one that `kept` opens, which must be there.
    pub fn remove_password(&self, old: &Secret, kept: &Secret) -> Result<Vec<String>> {
        let staying = self.opened_by(kept)?;
        if staying.is_empty() {
            return Err(Error::failed("no key is removed: the other password opens none"));
        }
        let engine = self.engine()?;
        let mut removed = Vec::new();
        for id in self.opened_by(old)?.into_iter().filter(|id| !staying.contains(id)) {
            engine.delete_key(&id.into()).map_err(engine_error)?;
            removed.push(id.to_hex().as_str().to_owned());
        }
        Ok(removed)
    }

    fn opened_by(&self, password: &Secret) -> Result<Vec<Id>> {
        let mut opened = Vec::new();
        for id in self.backend.list(FileType::Key).map_err(engine_error)? {
            if self.is_opened(id, password)? {
                opened.push(id);
            }
        }
        Ok(opened)
    }

    fn is_opened(&self, key: Id, password: &Secret) -> Result<bool> {
        Ok(self.key_file(key)?.key_from_password(&password.reveal()).is_ok())
    }

    fn key_file(&self, id: Id) -> Result<KeyFile> {
        let data = self.backend.read_full(KeyFile::TYPE, &id).map_err(engine_error)?;
        serde_json::from_slice(&data).with_context(|| format!("read key {}", id.to_hex().as_str()))
    }
}

/// The most memory, in bytes, and the most work that trying a password may cost. Restic takes 2^15 x 8 x 1 where that is enough for half a second.
const SCRYPT_BYTES: u64 = 1 << 30;
const SCRYPT_STEPS: u64 = 1 << 26;

/// Refuses a key file whose password nobody could try: it was made to use this machine up.
pub(super) fn bearable(data: &[u8]) -> io::Result<()> {
    // What cannot be read is told by whoever reads it.
    let Ok(file) = serde_json::from_slice::<KeyFile>(data) else { return Ok(()) };
    let [n, r, p] = [file.n, file.r, file.p].map(u64::from);
    let block = r.saturating_mul(128);
    let bytes = block.saturating_mul(n.saturating_add(p));
    let steps = n.saturating_mul(r).saturating_mul(p);
    if bytes <= SCRYPT_BYTES && steps <= SCRYPT_STEPS {
        return Ok(());
    }
    Err(io::Error::other(format!("to try a password would take {} MiB and {steps} steps", bytes >> 20)))
}

pub(crate) fn key_options() -> KeyOptions {
    let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).ok();
    KeyOptions::default().hostname(host).username(Some("lifeboat".to_owned())).with_created(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32, r: u32, p: u32) -> Vec<u8> {
        format!(r#"{{"kdf":"scrypt","N":{n},"r":{r},"p":{p},"data":"","salt":""}}"#).into_bytes()
    }

    #[test]
    fn a_key_that_uses_the_machine_up_is_refused() {
        for usual in [(1 << 15, 8, 1), (1 << 15, 8, 5), (1 << 17, 8, 1), (1 << 19, 8, 1)] {
            assert!(bearable(&key(usual.0, usual.1, usual.2)).is_ok(), "{usual:?}");
        }
        for outrageous in
            [(1 << 31, 8, 1), (2, u32::MAX, 1), (2, 1, u32::MAX), (u32::MAX, u32::MAX, u32::MAX)]
        {
            assert!(bearable(&key(outrageous.0, outrageous.1, outrageous.2)).is_err(), "{outrageous:?}");
        }
    }
}
