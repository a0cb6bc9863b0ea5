//! `hashutil.hmac_*` and `hashutil.github_signature`: whether a text comes from somebody who knows a secret.

use crate::{
    Library,
    random::hex,
    source::{Algorithm, hasher},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use zester_compiler::types::{Secret, Value};

/// Bytes of a block of MD5, SHA-1, SHA-224 and SHA-256; the longer ones have twice as many.
const BLOCK: usize = 64;

/// RFC 2104.
fn hmac(algorithm: Algorithm, secret: &[u8], text: &[u8]) -> Vec<u8> {
    let block = if matches!(algorithm, Algorithm::Sha384 | Algorithm::Sha512) { 2 * BLOCK } else { BLOCK };
    let digest = |parts: [&[u8]; 2]| {
        let mut hasher = hasher(algorithm);
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().to_vec()
    };
    let mut key = if secret.len() > block { digest([secret, b""]) } else { secret.to_vec() };
    key.resize(block, 0);
    let padded = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    digest([&padded(0x5c), &digest([&padded(0x36), text])])
}

/// Compares in a time that does not tell where two differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

exec! {
    /// Whether a signature (HMAC with SHA-256, as base64) is a text's.
    "hashutil.hmac_signature" pure HmacSignature {
        /// The text.
        string: String,
        /// The secret that both sides know.
        #[arg(secret)]
        shared_secret: Secret,
        /// The signature.
        challenge_hmac: String,
    } |it, _| {
        let ours = hmac(Algorithm::Sha256, it.shared_secret.0.as_bytes(), it.string.as_bytes());
        let theirs = STANDARD.decode(it.challenge_hmac.trim()).unwrap_or_default();
        Ok(Value::Bool(same(&ours, &theirs)))
    }
}

exec! {
    /// The signature of a text: HMAC with SHA-256, as hexadecimal digits.
    "hashutil.hmac_compute" pure HmacCompute {
        /// The text.
        string: String,
        /// The secret that both sides know.
        #[arg(secret)]
        shared_secret: Secret,
    } |it, _| Ok(hex(&hmac(Algorithm::Sha256, it.shared_secret.0.as_bytes(), it.string.as_bytes())).into())
}

exec! {
    /// Whether a signature as GitHub sends it, `sha256=…`, is a text's.
    "hashutil.github_signature" pure GithubSignature {
        /// The text.
        string: String,
        /// The secret that both sides know.
        #[arg(secret)]
        shared_secret: Secret,
        /// The signature.
        challenge_hmac: String,
    } |it, _| {
        let (name, digits) = it.challenge_hmac.split_once('=').ok_or_else(|| {
            format!("`{}` is no signature of GitHub such as `sha256=…`", it.challenge_hmac)
        })?;
        let ours = hmac(super::hashutil::algorithm(name)?, it.shared_secret.0.as_bytes(), it.string.as_bytes());
        Ok(Value::Bool(same(hex(&ours).as_bytes(), digits.to_ascii_lowercase().as_bytes())))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<HmacSignature>().exec::<HmacCompute>().exec::<GithubSignature>();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of RFC 2202 and RFC 4231.
    #[test]
    fn known_answers() {
        let text = b"what do ya want for nothing?";
        let of = |algorithm, key: &[u8], text: &[u8]| hex(&hmac(algorithm, key, text));
        assert_eq!(of(Algorithm::Sha1, b"Jefe", text), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            of(Algorithm::Sha256, b"Jefe", text),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(of(Algorithm::Sha512, b"Jefe", text).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
        let long =
            of(Algorithm::Sha256, &[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert!(long.starts_with("60e431591ee0b67f0d8a26aacbf5b77f"));
        assert!(same(b"ab", b"ab") && !same(b"ab", b"aB") && !same(b"a", b"ab"));
    }
}
