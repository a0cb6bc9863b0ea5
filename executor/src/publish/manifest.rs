//! What a published revision holds.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::fmt;

/// The key of the newest revision's head in the bucket `state-files`; all peels hear of it.
pub const HEAD_KEY: &str = "_all.head";
/// The size of a content's pieces, in bytes.
pub const PIECE_BYTES: usize = 512 * 1024;

/// The key of a content's piece, in the bucket `blobs` or, for settings files, `settings-files`.
pub fn piece_key(hash: Hash, piece: u64) -> String {
    format!("{hash}.{piece}")
}

/// The SHA-256 of a content; its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        <[u8; 32]>::try_from(bytes.as_slice())
            .map(Self)
            .map_err(|_| serde::de::Error::invalid_length(bytes.len(), &"32 bytes"))
    }
}

/// The newest revision: in the bucket `state-files`, signed for [`Purpose::Tree`](crate::auth::signed::Purpose), written after all it names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// 1
    pub v: u8,
    /// Raised by one with every publication; a peel takes no lower one.
    pub revision: u64,
    /// The life of the installation; revisions begin anew with it.
    pub incarnation: String,
    /// The encoded [`Manifest`].
    pub manifest: Hash,
    /// Its size in bytes.
    pub bytes: u64,
    /// When, milliseconds of Unix time.
    pub published_ms: u64,
    /// How many secrets its settings have; they lie apart, sealed.
    #[serde(default)]
    pub secrets: u64,
}

/// All files of a revision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// 1
    pub v: u8,
    /// By project path, sorted.
    pub files: Vec<Entry>,
}

/// A file of a revision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its project path: `states/web/init.zy`.
    pub path: String,
    /// Its content.
    pub hash: Hash,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its permission bits where it comes from.
    pub mode: u32,
    /// A settings file, without its secrets.
    #[serde(default)]
    pub settings: bool,
}

impl Manifest {
    /// The place of a path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.files.binary_search_by(|e| e.path.as_str().cmp(path)).ok().and_then(|n| self.files.get(n))
    }
}
