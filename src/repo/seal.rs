//! Restic's encryption of unpacked files (AES-256-CTR with Poly1305-AES), for the one kind `rustic_core` does not know: locks.
//!
//! Format: <https://restic.readthedocs.io/en/stable/100_references.html#keys-encryption-and-mac> and, for repositories of
//! version 2, "Unpacked Data Format": a JSON text as it is, or the byte 2 and a zstd frame.

use aes256ctr_poly1305aes::aead::{Aead, Nonce};
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key};
use rand::RngCore;
use rustic_core::repofile::MasterKey;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

const NONCE_BYTES: usize = 16;
const COMPRESSED: u8 = 2;
/// A lock is some 200 bytes; whatever unpacks to more is not one.
const LARGEST: usize = 64 << 10;

pub(crate) struct Seal(Aes256CtrPoly1305Aes);

impl Seal {
    pub(crate) fn new(master: &MasterKey) -> Result<Self> {
        let mut key = Zeroizing::new(Vec::with_capacity(64));
        key.extend_from_slice(&master.encrypt);
        key.extend_from_slice(&master.mac.k);
        key.extend_from_slice(&master.mac.r);
        if key.len() != 64 {
            return Err(Error::failed("the master key has a wrong length"));
        }
        Ok(Self(Aes256CtrPoly1305Aes::new(Key::from_slice(&key))))
    }

    pub(crate) fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = Nonce::<Aes256CtrPoly1305Aes>::default();
        rand::rng().fill_bytes(&mut nonce);
        let sealed = self.0.encrypt(&nonce, plain).map_err(|_| Error::failed("encrypt a lock file"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn decrypt(&self, data: &[u8]) -> Result<Vec<u8>> {
        let forged = || Error::failed("the content does not match its checksum, or belongs to another key");
        let (nonce, sealed) = data.split_at_checked(NONCE_BYTES).ok_or_else(forged)?;
        let plain =
            self.0.decrypt(Nonce::<Aes256CtrPoly1305Aes>::from_slice(nonce), sealed).map_err(|_| forged())?;
        match plain.split_first() {
            Some((&COMPRESSED, frame)) => Ok(zstd::bulk::decompress(frame, LARGEST)?),
            _ => Ok(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_and_refuses_what_was_changed() {
        let seal = Seal::new(&MasterKey::new()).unwrap();
        let mut sealed = seal.encrypt(b"{}").unwrap();
        assert_eq!(seal.decrypt(&sealed).unwrap(), b"{}");
        sealed[20] ^= 1;
        assert!(seal.decrypt(&sealed).is_err());
        assert!(seal.decrypt(b"short").is_err());
    }
}
