//! Signed messages. The signature covers raw bytes and the purpose they were signed for; the receiver verifies those bytes and decodes
//! exactly them.
//!
//! The chain is short: the operator's key, which every peel knows from its enrollment, certifies a dispatch key for an incarnation of the
//! installation, some purposes and a time; the dispatch key signs messages.

use crate::bus::codec::{self, CodecError};
use nkeys::{KeyPair, KeyPairType};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::VecDeque,
    sync::{PoisonError, RwLock},
};

/// What a message was signed for. One purpose's signature is worthless for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The operator certifies a dispatch key.
    Certificate,
    /// A master sends work to peels.
    Dispatch,
    /// A published tree.
    Tree,
    /// An operator's request to the masters.
    Request,
    /// An answer to an enrollment's challenge.
    Enrollment,
    /// A peel is there: heard by itself only.
    Presence,
}

impl Purpose {
    /// What precedes the body in the signed bytes.
    const fn domain(self) -> &'static [u8] {
        match self {
            Self::Certificate => b"zester/1/certificate\0",
            Self::Dispatch => b"zester/1/dispatch\0",
            Self::Tree => b"zester/1/tree\0",
            Self::Request => b"zester/1/request\0",
            Self::Enrollment => b"zester/1/enrollment\0",
            Self::Presence => b"zester/1/presence\0",
        }
    }
}

/// A signed message as it travels. It does not grow by addition: what the signature does not cover must not carry anything.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// 1
    pub v: u8,
    /// The public key of the signature, as nkeys writes it.
    pub key: String,
    /// The encoded [`Signed`] [`Certificate`] of the key; empty where the receiver knows the key already.
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
    /// What was signed.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// 64 bytes of Ed25519 over the purpose and the body.
    #[serde(with = "serde_bytes")]
    pub signature: Vec<u8>,
}

/// What the operator says of a dispatch key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Certificate {
    /// 1
    pub v: u8,
    /// The certified public key.
    pub key: String,
    /// What it may sign.
    pub purposes: Vec<Purpose>,
    /// Which life of the installation it belongs to; new after a restore from a backup.
    pub incarnation: String,
    /// Not before, milliseconds of Unix time.
    pub not_before_ms: u64,
    /// Not after, milliseconds of Unix time.
    pub expires_ms: u64,
}

/// What a receiver trusts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Anchor {
    /// The operator's public keys: more than one while a rotation lasts.
    pub operators: Vec<String>,
    /// The incarnation that is valid now.
    pub incarnation: String,
}

/// Why a signed message is refused.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// Not a signed message at all.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The key could not sign.
    #[error("the key cannot sign: {0}")]
    Key(nkeys::error::Error),
    /// A version that this program does not know.
    #[error("the message has version {0}; this program knows version 1")]
    Version(u8),
    /// The signature does not belong to these bytes and this purpose.
    #[error("the signature does not fit the message")]
    Signature,
    /// The key is of another class: a user's, an account's.
    #[error("the key `{0}` may not sign this: it is not a dispatch key")]
    Class(String),
    /// No certificate, or one by a key that is not the operator's.
    #[error("the key `{0}` is not certified by the operator")]
    Uncertified(String),
    /// Certified for something else.
    #[error("the key `{0}` is not certified for this purpose")]
    Purpose(String),
    /// Of another life of the installation.
    #[error("the key's certificate is of incarnation `{found}`, valid is `{valid}`")]
    Incarnation {
        /// The certificate's.
        found: String,
        /// The receiver's.
        valid: String,
    },
    /// Outside the certificate's time.
    #[error("the certificate of the key `{0}` is not valid at this time")]
    Time(String),
}

impl Signed {
    /// Signs the encoding of `body`.
    pub fn new<T: Serialize>(
        key: &KeyPair,
        certificate: &[u8],
        purpose: Purpose,
        body: &T,
    ) -> Result<Self, SignatureError> {
        let body = codec::encode(body)?;
        let signature = key.sign(&signed_bytes(purpose, &body)).map_err(SignatureError::Key)?;
        Ok(Self { v: 1, key: key.public_key(), certificate: certificate.to_vec(), body, signature })
    }

    /// Its bytes.
    pub fn encode(&self) -> Result<Vec<u8>, SignatureError> {
        Ok(codec::encode(self)?)
    }

    /// Reads one; nothing is verified yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, SignatureError> {
        let signed: Self = codec::decode(bytes)?;
        match signed.v {
            1 => Ok(signed),
            other => Err(SignatureError::Version(other)),
        }
    }

    /// The body, if `key` signed it for `purpose`.
    pub fn open_by<T: DeserializeOwned>(&self, key: &str, purpose: Purpose) -> Result<T, SignatureError> {
        if self.key != key {
            return Err(SignatureError::Uncertified(self.key.clone()));
        }
        self.verify(purpose)?;
        Ok(codec::decode(&self.body)?)
    }

    /// The body, if a dispatch key signed it for `purpose` whose certificate `anchor` accepts at `now_ms` (Unix time).
    pub fn open<T: DeserializeOwned>(
        &self,
        anchor: &Anchor,
        purpose: Purpose,
        now_ms: u64,
    ) -> Result<T, SignatureError> {
        // The cheap refusals first: verifying costs 100 µs each.
        let class = KeyPair::from_public_key(&self.key).map(|k| k.key_pair_type());
        if !matches!(class, Ok(KeyPairType::Service)) {
            return Err(SignatureError::Class(self.key.clone()));
        }
        let certificate =
            Self::decode(&self.certificate).map_err(|_| SignatureError::Uncertified(self.key.clone()))?;
        let says: Certificate = codec::decode(&certificate.body)?;
        if !anchor.operators.contains(&certificate.key) || says.key != self.key {
            return Err(SignatureError::Uncertified(self.key.clone()));
        }
        if says.incarnation != anchor.incarnation {
            return Err(SignatureError::Incarnation {
                found: says.incarnation,
                valid: anchor.incarnation.clone(),
            });
        }
        if !says.purposes.contains(&purpose) {
            return Err(SignatureError::Purpose(self.key.clone()));
        }
        if !(says.not_before_ms..says.expires_ms).contains(&now_ms) {
            return Err(SignatureError::Time(self.key.clone()));
        }
        if !is_known_certificate(&self.certificate) {
            certificate.verify(Purpose::Certificate)?;
            remember_certificate(&self.certificate);
        }
        self.verify(purpose)?;
        Ok(codec::decode(&self.body)?)
    }

    fn verify(&self, purpose: Purpose) -> Result<(), SignatureError> {
        let key = KeyPair::from_public_key(&self.key).map_err(|_| SignatureError::Signature)?;
        // nkeys slices the signature: a short one must not reach it.
        if self.signature.len() != 64 {
            return Err(SignatureError::Signature);
        }
        key.verify(&signed_bytes(purpose, &self.body), &self.signature).map_err(|_| SignatureError::Signature)
    }
}

/// Certificates whose signatures are right, the newest last. A dispatch key's is the same in all its envelopes; whether it is good here and now
/// is asked each time, and does not depend on this.
static CERTIFICATES: RwLock<VecDeque<Vec<u8>>> = RwLock::new(VecDeque::new());
/// How many: dispatch keys that are in use at a time, with room for rotations.
const REMEMBERED: usize = 16;
/// Longer ones are verified each time, in bytes.
const REMEMBERED_BYTES: usize = 4_096;

fn is_known_certificate(bytes: &[u8]) -> bool {
    CERTIFICATES.read().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == bytes)
}

fn remember_certificate(bytes: &[u8]) {
    if bytes.len() > REMEMBERED_BYTES {
        return;
    }
    let mut known = CERTIFICATES.write().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= REMEMBERED {
        known.pop_front();
    }
    known.push_back(bytes.to_vec());
}

/// The operator certifies a dispatch key: the bytes to put beside its signatures.
pub fn certify(operator: &KeyPair, certificate: &Certificate) -> Result<Vec<u8>, SignatureError> {
    Signed::new(operator, &[], Purpose::Certificate, certificate)?.encode()
}

fn signed_bytes(purpose: Purpose, body: &[u8]) -> Vec<u8> {
    [purpose.domain(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts() -> (KeyPair, KeyPair, Certificate, Anchor) {
        let (operator, key) = (KeyPair::new_operator(), KeyPair::new_service());
        let certificate = Certificate {
            v: 1,
            key: key.public_key(),
            purposes: vec![Purpose::Dispatch],
            incarnation: "one".into(),
            not_before_ms: 1_000,
            expires_ms: 2_000,
        };
        let anchor = Anchor { operators: vec![operator.public_key()], incarnation: "one".into() };
        (operator, key, certificate, anchor)
    }

    fn message(operator: &KeyPair, key: &KeyPair, certificate: &Certificate) -> Signed {
        let certificate = certify(operator, certificate).unwrap();
        Signed::new(key, &certificate, Purpose::Dispatch, &anchor_body()).unwrap()
    }

    fn anchor_body() -> Anchor {
        Anchor { operators: vec!["x".into()], incarnation: "body".into() }
    }

    #[test]
    fn a_certified_key_signs_for_its_purpose_and_time() {
        let (operator, key, certificate, anchor) = parts();
        let signed = message(&operator, &key, &certificate);
        let open = |anchor: &Anchor, purpose, now| signed.open::<Anchor>(anchor, purpose, now);
        assert_eq!(open(&anchor, Purpose::Dispatch, 1_500).unwrap(), anchor_body());
        assert!(matches!(open(&anchor, Purpose::Tree, 1_500), Err(SignatureError::Purpose(_))));
        assert!(matches!(open(&anchor, Purpose::Dispatch, 999), Err(SignatureError::Time(_))));
        assert!(matches!(open(&anchor, Purpose::Dispatch, 2_000), Err(SignatureError::Time(_))));
        let later = Anchor { incarnation: "two".into(), ..anchor.clone() };
        assert!(matches!(open(&later, Purpose::Dispatch, 1_500), Err(SignatureError::Incarnation { .. })));
        let other = Anchor { operators: vec![KeyPair::new_operator().public_key()], ..anchor };
        assert!(matches!(open(&other, Purpose::Dispatch, 1_500), Err(SignatureError::Uncertified(_))));
    }

    #[test]
    fn keys_of_other_classes_do_not_dispatch() {
        let (operator, _, mut certificate, anchor) = parts();
        for key in [KeyPair::new_user(), KeyPair::new_account(), KeyPair::new_operator()] {
            certificate.key = key.public_key();
            let signed = message(&operator, &key, &certificate);
            let refused = signed.open::<Anchor>(&anchor, Purpose::Dispatch, 1_500);
            assert!(matches!(refused, Err(SignatureError::Class(_))));
        }
        // A key may not certify itself.
        let key = KeyPair::new_service();
        certificate.key = key.public_key();
        let signed = message(&key, &key, &certificate);
        assert!(signed.open::<Anchor>(&anchor, Purpose::Dispatch, 1_500).is_err());
    }

    #[test]
    fn a_signature_of_one_purpose_is_worthless_for_another() {
        let (_, key, ..) = parts();
        let signed = Signed::new(&key, &[], Purpose::Tree, &anchor_body()).unwrap();
        assert!(signed.open_by::<Anchor>(&key.public_key(), Purpose::Tree).is_ok());
        for other in [Purpose::Dispatch, Purpose::Request, Purpose::Enrollment, Purpose::Certificate] {
            assert!(signed.open_by::<Anchor>(&key.public_key(), other).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn any_flipped_bit_is_refused(place in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (operator, key, certificate, anchor) = parts();
            let mut bytes = message(&operator, &key, &certificate).encode().unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= 1u8 << bit;
            let opened = Signed::decode(&bytes)
                .and_then(|s| s.open::<Anchor>(&anchor, Purpose::Dispatch, 1_500));
            prop_assert!(opened.is_err(), "{opened:?}");
        }
    }
}
