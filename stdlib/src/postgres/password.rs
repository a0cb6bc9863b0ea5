//! Passwords as PostgreSQL keeps them. They are hashed here: what reaches the server, and perhaps its log, is the hash alone.

use crate::random;
use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

/// Rounds of a new hash, PostgreSQL's own default.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).unwrap();

/// Rounds that are computed at most to compare: somebody else wrote the number.
const MOST_ROUNDS: u32 = 10_000_000;

/// How a password is hashed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Method {
    /// `md5…`
    Md5,
    /// `SCRAM-SHA-256$…`
    Scram,
}

impl Method {
    /// By the name that the server's `password_encryption` has.
    pub(super) fn of(setting: &str) -> Self {
        if setting == "scram-sha-256" { Self::Scram } else { Self::Md5 }
    }
}

/// Whether a text is a hash already.
pub(super) fn is_hash(text: &str) -> bool {
    text.starts_with("SCRAM-SHA-256$")
        || text.strip_prefix("md5").is_some_and(|x| x.len() == 32 && x.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A new hash of a role's password.
pub(super) fn hash(method: Method, role: &str, password: &str) -> Result<String, String> {
    match method {
        Method::Md5 => Ok(md5(role, password)),
        Method::Scram => Ok(scram(password, &random::bytes(16)?, ROUNDS)),
    }
}

/// Whether what the server keeps is the hash of this password.
pub(super) fn fits(stored: &str, role: &str, password: &str) -> bool {
    if is_hash(password) {
        return stored == password;
    }
    if stored.starts_with("md5") {
        return stored == md5(role, password);
    }
    let parts = stored.strip_prefix("SCRAM-SHA-256$").and_then(|rest| {
        let (rounds, salt) = rest.split('$').next()?.split_once(':')?;
        let rounds = rounds.parse().ok().filter(|rounds| *rounds <= MOST_ROUNDS)?;
        Some((NonZeroU32::new(rounds)?, STANDARD.decode(salt).ok()?))
    });
    parts.is_some_and(|(rounds, salt)| stored == scram(password, &salt, rounds))
}

fn md5(role: &str, password: &str) -> String {
    format!("md5{}", random::hex(&Md5::digest(format!("{password}{role}"))))
}

fn scram(password: &str, salt: &[u8], rounds: NonZeroU32) -> String {
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.as_bytes(), &mut salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let stored = digest::digest(&digest::SHA256, hmac::sign(&key, b"Client Key").as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let [salt, stored, server] = [salt, stored.as_ref(), server.as_ref()].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256${rounds}:{salt}${stored}:{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_server() {
        // The example of RFC 7677: user, password `pencil`, and its proof of the server's key.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let hash = scram("pencil", &salt, ROUNDS);
        let server = STANDARD.decode(hash.rsplit(':').next().unwrap()).unwrap();
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                       s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let proof = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &server), message.as_bytes());
        assert_eq!(STANDARD.encode(proof), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(md5("joe", "secret"), "md5c59ec932d911ffdf487595b5a2adf973");
    }

    #[test]
    fn a_hash_fits_its_password_alone() {
        for method in [Method::Md5, Method::Scram] {
            let stored = hash(method, "app", "geheim").unwrap();
            assert!(is_hash(&stored) && fits(&stored, "app", "geheim") && fits(&stored, "app", &stored));
            assert!(!fits(&stored, "app", "other"));
        }
        assert!(!fits("SCRAM-SHA-256$4294967295:AAAA$x:y", "app", "geheim"));
        assert!(!fits("", "app", "geheim") && !fits("SCRAM-SHA-256$0:$", "app", ""));
    }
}
