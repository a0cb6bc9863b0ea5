//! Nonces that any master of the installation can check without asking the others: they carry their time and a keyed digest. Each master
//! remembers those that were used; a replay at another master finds an application that is known already and changes nothing.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::{Digest, Sha512_256};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// How long a nonce is good, in milliseconds.
pub const LIFETIME_MS: u64 = 60_000;
/// Used nonces that are remembered; above it, nonces are refused until older ones are over.
const MAX_USED: usize = 100_000;
/// Time, random bytes, digest.
const BYTES: usize = 8 + 16 + 32;

/// Why a nonce is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NonceError {
    /// Not made by a master of this installation.
    #[error("the nonce is not of this installation; ask for a new one")]
    Unknown,
    /// Its time is over.
    #[error("the nonce is too old; ask for a new one")]
    Old,
    /// It was used before.
    #[error("the nonce was used before; ask for a new one")]
    Used,
    /// Too many are in use.
    #[error("there are too many enrollments at once; ask again in a minute")]
    Busy,
}

/// Makes and checks nonces.
#[derive(Debug)]
pub struct Nonces {
    key: [u8; 32],
    used: Mutex<HashMap<[u8; 16], u64>>,
}

impl Nonces {
    /// With a secret that all masters share.
    pub fn new(secret: &[u8]) -> Self {
        let key = Sha512_256::new().chain_update(b"zester/1/nonce-key\0").chain_update(secret).finalize();
        Self { key: key.into(), used: Mutex::default() }
    }

    /// A new one.
    pub fn make(&self, now_ms: u64) -> String {
        let random: [u8; 16] = rand::random();
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&now_ms.to_be_bytes());
        bytes.extend_from_slice(&random);
        bytes.extend_from_slice(&self.digest(&bytes));
        HEXLOWER.encode(&bytes)
    }

    /// Takes one in, which can be done once.
    pub fn redeem(&self, nonce: &str, now_ms: u64) -> Result<(), NonceError> {
        if nonce.len() != BYTES * 2 {
            return Err(NonceError::Unknown);
        }
        let bytes = HEXLOWER_PERMISSIVE.decode(nonce.as_bytes()).map_err(|_| NonceError::Unknown)?;
        let (said, digest) = bytes.split_at_checked(24).ok_or(NonceError::Unknown)?;
        // Compared as digests of digests: how far they agree takes the same time to find out for all.
        if Sha512_256::digest(self.digest(said)) != Sha512_256::digest(digest) {
            return Err(NonceError::Unknown);
        }
        let (time, random) = said.split_at_checked(8).ok_or(NonceError::Unknown)?;
        let made = time.try_into().map(u64::from_be_bytes).map_err(|_| NonceError::Unknown)?;
        let random: [u8; 16] = random.try_into().map_err(|_| NonceError::Unknown)?;
        // Another master's clock may be ahead a little.
        if now_ms.abs_diff(made) > LIFETIME_MS {
            return Err(NonceError::Old);
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MAX_USED {
            used.retain(|_, made| now_ms.abs_diff(*made) <= LIFETIME_MS);
            if used.len() >= MAX_USED {
                return Err(NonceError::Busy);
            }
        }
        match used.insert(random, made) {
            None => Ok(()),
            Some(_) => Err(NonceError::Used),
        }
    }

    fn digest(&self, said: &[u8]) -> [u8; 32] {
        // Not open to extension: the digest is a cut one, and both parts have fixed lengths.
        Sha512_256::new()
            .chain_update(b"zester/1/nonce\0")
            .chain_update(self.key)
            .chain_update(said)
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_once_and_for_a_minute_at_any_master() {
        let (a, b) = (Nonces::new(b"shared"), Nonces::new(b"shared"));
        let nonce = a.make(1_000_000);
        assert_eq!(b.redeem(&nonce, 1_000_100), Ok(()));
        assert_eq!(b.redeem(&nonce, 1_000_100), Err(NonceError::Used));
        assert_eq!(b.redeem(&nonce.to_uppercase(), 1_000_100), Err(NonceError::Used));
        assert_eq!(a.redeem(&nonce, 1_000_000 + LIFETIME_MS + 1), Err(NonceError::Old));
        assert_eq!(Nonces::new(b"other").redeem(&nonce, 1_000_100), Err(NonceError::Unknown));
        let mut changed = nonce.clone();
        changed.replace_range(0..1, if nonce.starts_with('0') { "1" } else { "0" });
        assert_eq!(a.redeem(&changed, 1_000_100), Err(NonceError::Unknown));
        for text in ["", "x", &"g".repeat(BYTES * 2), &"ü".repeat(BYTES)] {
            assert_eq!(a.redeem(text, 1_000_100), Err(NonceError::Unknown));
        }
    }
}
