//! Sealed values: a NaCl box (X25519, XSalsa20-Poly1305) from the installation's key to one peel's, in the form `xkv1` of nkeys.
//!
//! A box says nothing of where it may lie. So bucket, key, peel, revision and expiry stand inside it, and the reader holds them against what
//! it asked for: a value that was moved, put back or kept too long is refused.

use crate::bus::{
    codec::{self, CodecError},
    id::PeelId,
};
use nkeys::XKey;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest value, in bytes; a box must fit a message with room for headers.
pub const MAX_VALUE: usize = 192 * 1024;

/// Where a sealed value belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// The bucket.
    pub bucket: String,
    /// The key in it.
    pub key: String,
    /// Who may read it.
    pub peel: PeelId,
    /// Grows with every change of the value.
    pub revision: u64,
    /// Not to be used after this, milliseconds of Unix time.
    pub expires_ms: u64,
}

/// What a reader asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The key in it.
    pub key: &'a str,
    /// The reader.
    pub peel: &'a PeelId,
    /// The newest revision that the reader has seen; older ones are refused.
    pub revision: u64,
    /// Now, milliseconds of Unix time.
    pub now_ms: u64,
}

/// An opened value.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The value.
    pub value: Vec<u8>,
    /// Its revision: the next reading expects at least this one.
    pub revision: u64,
    /// Not to be used after this, milliseconds of Unix time.
    pub expires_ms: u64,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// What is inside the box.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// 1
    v: u8,
    bucket: String,
    key: String,
    peel: PeelId,
    revision: u64,
    expires_ms: u64,
    #[serde(with = "serde_bytes")]
    value: Vec<u8>,
}

/// Why a value cannot be sealed or is not accepted. Never says anything of the value.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A key that is none.
    #[error("`{0}` is not a public key for sealing; those begin with `X`")]
    Key(String),
    /// Larger than [`MAX_VALUE`].
    #[error("the value has {0} bytes; at most {MAX_VALUE} can be sealed")]
    TooLong(usize),
    /// The library could not.
    #[error("the value cannot be sealed: {0}")]
    Seal(nkeys::error::Error),
    /// Not from the expected sender, not for this reader, or changed on the way.
    #[error(
        "the sealed value of `{0}` does not open: it is for another peel, from another sender, or damaged"
    )]
    Open(String),
    /// The content is not ours.
    #[error("the sealed value is not in the form that this program reads: {0}")]
    Content(#[from] CodecError),
    /// A version that this program does not know.
    #[error("the sealed value has version {0}; this program knows version 1")]
    Version(u8),
    /// It was sealed for another place.
    #[error("the sealed value found at `{found}` was sealed for `{sealed}`")]
    Place {
        /// Where it was.
        found: String,
        /// Where it belongs.
        sealed: String,
    },
    /// An older value was put back.
    #[error("the sealed value of `{key}` has revision {found}, but {known} was seen already")]
    Old {
        /// Which.
        key: String,
        /// Its revision.
        found: u64,
        /// The newest seen.
        known: u64,
    },
    /// Its time is over.
    #[error("the sealed value of `{0}` has expired")]
    Expired(String),
}

/// Seals a value for the peel whose public key for sealing (`X…`) is `recipient`.
pub fn seal(sender: &XKey, recipient: &str, label: Label, value: &[u8]) -> Result<Vec<u8>, SealError> {
    if value.len() > MAX_VALUE {
        return Err(SealError::TooLong(value.len()));
    }
    let recipient = public(recipient)?;
    let Label { bucket, key, peel, revision, expires_ms } = label;
    let content =
        codec::encode(&Content { v: 1, bucket, key, peel, revision, expires_ms, value: value.to_vec() })?;
    sender.seal(&content, &recipient).map_err(SealError::Seal)
}

/// Opens a value that one of `senders` (`X…`, several while a rotation lasts) sealed for `reader`.
pub fn open(
    reader: &XKey,
    senders: &[String],
    sealed: &[u8],
    expected: Expected<'_>,
) -> Result<Opened, SealError> {
    let mut content = None;
    for sender in senders {
        if let Ok(opened) = reader.open(sealed, &public(sender)?) {
            content = Some(opened);
            break;
        }
    }
    let content = content.ok_or_else(|| SealError::Open(expected.key.to_owned()))?;
    let content: Content = codec::decode(&content)?;
    if content.v != 1 {
        return Err(SealError::Version(content.v));
    }
    if (content.bucket.as_str(), content.key.as_str(), &content.peel)
        != (expected.bucket, expected.key, expected.peel)
    {
        return Err(SealError::Place {
            found: format!("{}/{} for {}", expected.bucket, expected.key, expected.peel),
            sealed: format!("{}/{} for {}", content.bucket, content.key, content.peel),
        });
    }
    if content.revision < expected.revision {
        return Err(SealError::Old { key: content.key, found: content.revision, known: expected.revision });
    }
    if content.expires_ms <= expected.now_ms {
        return Err(SealError::Expired(content.key));
    }
    let Content { value, revision, expires_ms, .. } = content;
    Ok(Opened { value, revision, expires_ms })
}

fn public(key: &str) -> Result<XKey, SealError> {
    XKey::from_public_key(key).map_err(|_| SealError::Key(key.chars().take(64).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(peel: &PeelId) -> Label {
        Label {
            bucket: "secrets".into(),
            key: "web-1".into(),
            peel: peel.clone(),
            revision: 7,
            expires_ms: 1_000,
        }
    }

    fn expected(peel: &PeelId) -> Expected<'_> {
        Expected { bucket: "secrets", key: "web-1", peel, revision: 7, now_ms: 999 }
    }

    #[test]
    fn a_value_opens_for_its_reader_at_its_place() {
        let (master, web) = (XKey::new(), XKey::new());
        let peel = PeelId::new("web-1").unwrap();
        let senders = [XKey::new().public_key(), master.public_key()];
        let sealed = seal(&master, &web.public_key(), label(&peel), b"hunter2").unwrap();
        assert!(!sealed.windows(7).any(|w| w == b"hunter2"));
        let asked = expected(&peel);
        let opened = open(&web, &senders, &sealed, asked).unwrap();
        assert_eq!((&opened.value[..], opened.revision), (&b"hunter2"[..], 7));
        assert!(!format!("{opened:?}").contains("hunter2"));
        // Twice the same value is not the same text.
        assert_ne!(sealed, seal(&master, &web.public_key(), label(&peel), b"hunter2").unwrap());

        let refused = |sealed: &[u8], asked| open(&web, &senders, sealed, asked).unwrap_err();
        let other = PeelId::new("web-2").unwrap();
        for moved in [
            Expected { bucket: "basket", ..asked },
            Expected { key: "web-2", ..asked },
            Expected { peel: &other, ..asked },
        ] {
            assert!(matches!(refused(&sealed, moved), SealError::Place { .. }));
        }
        assert!(matches!(refused(&sealed, Expected { revision: 8, ..asked }), SealError::Old { .. }));
        assert!(matches!(refused(&sealed, Expected { now_ms: 1_000, ..asked }), SealError::Expired(_)));
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(matches!(refused(&changed, asked), SealError::Open(_)));
        for cut in 0..sealed.len() {
            assert!(matches!(refused(&sealed[..cut], asked), SealError::Open(_)));
        }
        assert!(matches!(open(&XKey::new(), &senders, &sealed, asked), Err(SealError::Open(_))));
        let strangers = [XKey::new().public_key()];
        assert!(matches!(open(&web, &strangers, &sealed, asked), Err(SealError::Open(_))));
    }

    #[test]
    fn keys_and_sizes_are_checked() {
        let master = XKey::new();
        let peel = PeelId::new("web-1").unwrap();
        assert!(matches!(seal(&master, "UABC", label(&peel), b""), Err(SealError::Key(_))));
        let long = vec![0; MAX_VALUE + 1];
        assert!(matches!(
            seal(&master, &master.public_key(), label(&peel), &long),
            Err(SealError::TooLong(_))
        ));
    }
}
